// How a record's fields stand in Redis.
#ifndef KYC_SERVICES_KYC_STORE_RECORD_CODEC_H_
#define KYC_SERVICES_KYC_STORE_RECORD_CODEC_H_

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/kyc/domain/record.h"

namespace kyc::store {

// The fields of StatusOf, in the order LoadStatuses asks for them.
inline constexpr std::array<std::string_view, 6> kStatusFields = {
    "v",           "state",       "applicant_id",
    "verified_at", "rejected_at", "reject_reason"};

// What turns the stored hash of one record into that of another.
struct RecordDiff {
  std::vector<std::string> set;     // Names and values in turn.
  std::vector<std::string> remove;  // Names.
};
RecordDiff DiffRecords(const domain::Record& from, const domain::Record& to);

// The answer to HGETALL.
absl::StatusOr<domain::Record> DecodeHash(std::string_view user_id,
                                          const async::RedisReply& reply);
// The answer to HMGET of kStatusFields.
absl::StatusOr<domain::Record> DecodeStatus(std::string_view user_id,
                                            const async::RedisReply& reply);

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_RECORD_CODEC_H_
