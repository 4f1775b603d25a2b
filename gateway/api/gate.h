// What reverse proxies ask before they let a request through (nginx
// auth_request, Traefik ForwardAuth, Envoy ext_authz; docs/gate.md).
#ifndef KYC_GATEWAY_API_GATE_H_
#define KYC_GATEWAY_API_GATE_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// 200 without a body for an approved user, with `X-Kyc-User-Id` and
// `X-Kyc-Status`; else KYC-403-001, whose instance is the path that was asked
// of the proxy: of X-Original-URI, else of X-Forwarded-Uri, else what follows
// the gate's own path.
async::Task<absl::Status> CheckGate(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_GATE_H_
