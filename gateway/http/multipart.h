// multipart/form-data (RFC 7578 over RFC 2046), read piece by piece.
//
//   ASSIGN_OR_RETURN(const std::string boundary, MultipartBoundary(type));
//   MultipartParser parser(boundary);
//   while (there is a piece) {
//     std::string_view rest = piece;
//     while (true) {
//       ASSIGN_OR_RETURN(const auto event, parser.Next(&rest));
//       if (event == MultipartParser::Event::kNeedMore) break;
//       …
//     }
//   }
//   RETURN_IF_ERROR(parser.Finish());
//
// Bodies are not kept: memory is that of one part's head. Time is linear in
// the input, however it is cut into pieces.
#ifndef KYC_GATEWAY_HTTP_MULTIPART_H_
#define KYC_GATEWAY_HTTP_MULTIPART_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kyc::gateway {

// Whether a Content-Type is multipart/form-data, whatever its parameters.
bool IsMultipartFormData(std::string_view content_type);

// The boundary that a Content-Type names; INVALID_ARGUMENT when there is none
// of 1 to 70 of the characters that RFC 2046 allows.
absl::StatusOr<std::string> MultipartBoundary(std::string_view content_type);

// Errors are INVALID_ARGUMENT, with messages that quote nothing of the input.
// After one the same comes again. Not thread-safe.
class MultipartParser {
 public:
  // Before the first and after the last boundary, where nothing should be.
  static constexpr size_t kMaxOutside = 1024;
  static constexpr size_t kMaxHeadBytes = 8192;
  static constexpr int kMaxHeadFields = 20;
  static constexpr int kMaxParts = 50;

  enum class Event {
    kNeedMore,  // All of the input has been taken.
    kPart,      // A part begins: part().
    kData,      // Some of its body, at least one byte: data().
    kPartEnd,   // The part was all here.
  };

  struct Part {
    std::string name;
    // Absent where the part is no file. As sent: not checked to be UTF-8,
    // and never a path to be used. Browsers write a quote as %22, which is a
    // quote here.
    std::optional<std::string> file_name;
    std::optional<std::string> content_type;
  };

  // `boundary` as MultipartBoundary gives it.
  explicit MultipartParser(std::string_view boundary);

  // Takes of the front of `input` until something has happened.
  absl::StatusOr<Event> Next(std::string_view* input);
  // OK once the last boundary has been seen, to be asked at the body's end.
  absl::Status Finish() const;

  // Valid from its kPart to the next one.
  const Part& part() const { return part_; }
  // Valid until the next call of Next, while the input is.
  std::string_view data() const { return data_; }

 private:
  enum class State {
    kPreamble,  // Before the first boundary.
    kPadding,   // After a boundary: blanks, then the line's end.
    kLineFeed,  // After the CR of that line.
    kHead,
    kBody,
    kEpilogue,  // After the last boundary's line.
    kFailed,
  };
  enum class Match { kMore, kNot, kDelimiter, kClose };

  absl::Status Fail(absl::Status why);
  Match MatchByte(char c);
  size_t FindCandidate(std::string_view text) const;
  // kNeedMore, kData or, at a delimiter, kPartEnd.
  Event Scan(std::string_view* input);
  absl::Status EndLine(std::string_view* input);
  // Whether the head is complete.
  absl::StatusOr<bool> ReadHead(std::string_view* input);
  absl::Status ReadField();
  absl::Status ReadDisposition(std::string_view value);

  // CR LF "--" boundary "-". A close delimiter has one more dash; a mismatch
  // on the way to it gives back what had matched from here.
  const std::string literal_;
  State state_ = State::kPreamble;
  absl::Status error_;
  // How much of literal_ the last bytes are, and how much of that was never
  // content: a boundary may stand at the very beginning, where the CR LF
  // before it is that of the line above, or of none.
  size_t matched_ = 2;
  size_t implied_ = 2;
  bool closing_ = false;  // The delimiter was the last one.
  size_t outside_ = 0;
  int parts_ = 0;

  std::string line_;  // Of a head, as far as it is here.
  size_t head_bytes_ = 0;
  int head_fields_ = 0;
  bool has_disposition_ = false;
  Part part_;
  std::string_view data_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_MULTIPART_H_
