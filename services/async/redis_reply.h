// What Redis answers with.
#ifndef KYC_SERVICES_ASYNC_REDIS_REPLY_H_
#define KYC_SERVICES_ASYNC_REDIS_REPLY_H_

#include <cstdint>
#include <string>
#include <vector>

namespace kyc::async {

// One reply. An error is an absl::Status instead; kError stands only inside
// an array (of a script, or of EXEC).
struct RedisReply {
  enum class Type { kNil, kString, kStatus, kInteger, kArray, kError };
  Type type = Type::kNil;
  std::string text;                  // kString, kStatus, kError
  int64_t integer = 0;               // kInteger
  std::vector<RedisReply> elements;  // kArray

  bool is_nil() const { return type == Type::kNil; }
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_REDIS_REPLY_H_
