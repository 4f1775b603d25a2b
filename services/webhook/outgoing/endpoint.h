// Which URLs a subscription may name.
//
// Pure. Names are not looked up here: what one means when it is checked says
// nothing about what it means later. The address of every connection is
// checked when it is made (async/address_policy.h).
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_ENDPOINT_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_ENDPOINT_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"

namespace kyc::outgoing {

inline constexpr size_t kMaxUrlBytes = 2048;

// OK for https to a host of the public internet, by name or by address in its
// usual form, on port 443 or from 1024 on, without credentials or fragment;
// else WHK-422-001 that says what is wrong. With `allow_loopback` also http
// and https to this machine, on any port.
absl::Status CheckEndpoint(const std::string& url, bool allow_loopback);

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_ENDPOINT_H_
