// The Redis protocol (RESP2): commands out, replies in.
#ifndef KYC_SERVICES_ASYNC_REDIS_WIRE_H_
#define KYC_SERVICES_ASYNC_REDIS_WIRE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/async/redis_reply.h"

struct redisReader;

namespace kyc::async {

// Appends "*<count>\r\n" and "$<length>\r\n<bytes>\r\n".
void AppendArrayHeader(size_t count, std::string* out);
void AppendBulkString(std::string_view bytes, std::string* out);

// What kind of error an error reply is: all of it that may be shown.
std::string_view FirstWord(std::string_view error);
// An error reply as a status whose message is its first word; Redis::Command
// says which code.
absl::Status StatusOfErrorReply(std::string_view error);

// Whether an error reply says that the server read something else than what
// was sent: broken on the way, one command may get many replies or none, and
// no reply after this one can be trusted to belong to its command.
bool MeansOutOfStep(std::string_view error);

// Cuts a stream of bytes into replies, with hiredis' parser. Not thread-safe.
class RedisReplyReader {
 public:
  RedisReplyReader();
  ~RedisReplyReader();
  RedisReplyReader(const RedisReplyReader&) = delete;
  RedisReplyReader& operator=(const RedisReplyReader&) = delete;

  // Forgets everything, for a new connection.
  void Reset();
  void Feed(std::string_view bytes);

  enum class Result { kReply, kNeedMore, kBroken };
  // The next whole reply. kBroken until Reset: the bytes are not RESP.
  Result Next(RedisReply* reply);

 private:
  struct Builder;
  struct Free {
    void operator()(redisReader* reader) const;
  };
  RedisReply root_;  // Under construction; stays in place for its elements.
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_REDIS_WIRE_H_
