// The form of POST /v0/kyc/documents on its way into the RPC's messages.
#ifndef KYC_GATEWAY_API_UPLOAD_FORM_H_
#define KYC_GATEWAY_API_UPLOAD_FORM_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gateway/http/multipart.h"
#include "kyc/v1/kyc_service.pb.h"

namespace kyc::gateway {

// Parts may come in any order; those it does not know are read and forgotten.
// What is missing or makes no sense is the engine's to say, which has to look
// anyway. Memory: one chunk of the file and the fields. Not thread-safe.
class UploadForm {
 public:
  // Each chunk is a message, which wakes two threads on either side.
  static constexpr size_t kMaxChunk = 256 * 1024;
  static constexpr size_t kMaxFieldBytes = 4096;
  // More than any file that is taken, so that the engine can tell the size of
  // one that is a little too large.
  static constexpr size_t kMaxFileBytes = size_t{16} << 20;
  // The file, the fields and all that frames them.
  static constexpr size_t kMaxBodyBytes = size_t{17} << 20;

  // `boundary` as MultipartBoundary gives it.
  explicit UploadForm(std::string_view boundary) : parser_(boundary) {}

  // Takes of the front of `piece`. True: a chunk is full, to be taken before
  // the next call; false: all of the piece has been read.
  //   GEN-400-001  the body is no multipart/form-data.
  //   GEN-413-001  the file or the body is too large.
  //   KYC-422-002  a field stands twice, is too long or is not UTF-8, or
  //                there is a second file.
  absl::StatusOr<bool> Read(std::string_view* piece);
  // The body has ended. GEN-400-001 when the form has not.
  absl::Status Finish() const;

  // What has come of the file since the last call; maybe nothing.
  std::string TakeChunk();
  // Complete after Finish.
  v1::UploadDocumentRequest::Metadata TakeMetadata() {
    return std::move(metadata_);
  }

 private:
  absl::Status BeginPart();
  absl::Status AppendData(std::string_view data);
  absl::Status EndPart();
  // The value of a field that is in the form for the first time; else
  // nullptr.
  std::string* NewField(std::string_view name);

  MultipartParser parser_;
  v1::UploadDocumentRequest::Metadata metadata_;
  // Where the present part goes: into the file, a field, or nowhere.
  bool in_file_ = false;
  std::string* field_ = nullptr;
  bool has_file_ = false;
  bool has_other_file_ = false;
  size_t file_bytes_ = 0;
  size_t body_bytes_ = 0;
  std::string chunk_;
  std::string_view rest_;  // Of data that did not fit into the chunk.
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_UPLOAD_FORM_H_
