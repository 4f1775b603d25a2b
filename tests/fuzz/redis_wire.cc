// Replies as Redis sends them, or as whoever else answers on its port does:
// the same replies however the bytes arrive, and the same when written again.
#include "services/async/redis_wire.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using async::RedisReply;
using async::RedisReplyReader;
using Result = RedisReplyReader::Result;

void Write(const RedisReply& reply, std::string* out) {
  switch (reply.type) {
    case RedisReply::Type::kNil:
      out->append("$-1\r\n");
      return;
    case RedisReply::Type::kString:
      async::AppendBulkString(reply.text, out);
      return;
    case RedisReply::Type::kStatus:
      out->append("+").append(reply.text).append("\r\n");
      return;
    case RedisReply::Type::kError:
      out->append("-").append(reply.text).append("\r\n");
      FUZZ_CHECK(!async::StatusOfErrorReply(reply.text).ok());
      return;
    case RedisReply::Type::kInteger:
      out->append(":").append(std::to_string(reply.integer)).append("\r\n");
      return;
    case RedisReply::Type::kArray:
      async::AppendArrayHeader(reply.elements.size(), out);
      for (const RedisReply& element : reply.elements) Write(element, out);
      return;
  }
}

struct Transcript {
  std::string replies;  // Written again.
  bool is_broken = false;
  bool operator==(const Transcript&) const = default;
};

class Connection {
 public:
  void Receive(std::string_view bytes) {
    if (transcript_.is_broken) return;
    reader_.Feed(bytes);
    RedisReply reply;
    while (true) {
      const Result result = reader_.Next(&reply);
      transcript_.is_broken = result == Result::kBroken;
      if (result != Result::kReply) return;
      Write(reply, &transcript_.replies);
    }
  }
  const Transcript& transcript() const { return transcript_; }

 private:
  RedisReplyReader reader_;
  Transcript transcript_;
};

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc::fuzz;
  const std::string_view bytes = Text(data, size);
  Connection whole;
  whole.Receive(bytes);

  Connection by_byte;
  for (size_t i = 0; i < size; ++i) by_byte.Receive(bytes.substr(i, 1));
  FUZZ_CHECK(by_byte.transcript() == whole.transcript());

  Connection in_pieces;
  Pieces pieces(bytes);
  for (size_t at = 0; at < size;) {
    const size_t piece = std::min(pieces.Next(), size - at);
    in_pieces.Receive(bytes.substr(at, piece));
    at += piece;
  }
  FUZZ_CHECK(in_pieces.transcript() == whole.transcript());

  Connection again;
  again.Receive(whole.transcript().replies);
  FUZZ_CHECK(!again.transcript().is_broken);
  FUZZ_CHECK(again.transcript().replies == whole.transcript().replies);
  return 0;
}
