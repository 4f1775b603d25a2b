// /v0/organisation/{org}/environments/{env}/features…
#ifndef KYC_GATEWAY_API_FEATURES_H_
#define KYC_GATEWAY_API_FEATURES_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// The caller's key has the scope manage_features. An organisation or an
// environment that is not the key's own is answered like one that does not
// exist.

async::Task<absl::Status> PutFeature(Call& call);
async::Task<absl::Status> GetFeature(Call& call);
async::Task<absl::Status> DeleteFeature(Call& call);
// ?scope=enabled (the default) or available.
async::Task<absl::Status> ListFeatures(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_FEATURES_H_
