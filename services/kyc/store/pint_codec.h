// PINTs and their tokens as Redis holds them.
#ifndef KYC_SERVICES_KYC_STORE_PINT_CODEC_H_
#define KYC_SERVICES_KYC_STORE_PINT_CODEC_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis_reply.h"
#include "services/kyc/store/pint_store.h"

namespace kyc::store {

// Names and values in turn, without revoked_at.
std::vector<std::string> EncodePint(const PintRecord& record);
// nullopt for an empty hash; DATA_LOSS for what cannot be read.
absl::StatusOr<std::optional<PintRecord>> DecodePint(
    const async::RedisReply& hash);

std::string EncodePintToken(const PintToken& token);
absl::StatusOr<PintToken> DecodePintToken(std::string_view json);

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_PINT_CODEC_H_
