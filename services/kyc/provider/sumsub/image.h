// SumSub's document images, read as they come.
#ifndef KYC_SERVICES_KYC_PROVIDER_SUMSUB_IMAGE_H_
#define KYC_SERVICES_KYC_PROVIDER_SUMSUB_IMAGE_H_

#include <chrono>
#include <memory>

#include "absl/status/statusor.h"
#include "services/async/http_client.h"
#include "services/kyc/provider/provider.h"

namespace kyc::provider::sumsub {

// What an image may be large at most: more than SumSub takes.
inline constexpr int64_t kMaxImageBytes = 64 << 20;

// An answer of 200 as an image; gives a sender up that brings nothing for
// `idle`. UNAVAILABLE for what is neither an image nor a PDF, or too large.
absl::StatusOr<std::unique_ptr<ImageStream>> MakeImageStream(
    async::BodyStream body, std::chrono::milliseconds idle);

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_IMAGE_H_
