// Domain values as messages.
#ifndef KYC_SERVICES_KYC_SERVER_PROTO_MAPPING_H_
#define KYC_SERVICES_KYC_SERVER_PROTO_MAPPING_H_

#include "kyc/v1/types.pb.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/domain/tenant.h"

namespace kyc::server {

v1::KycMode ToProto(domain::Mode mode);
v1::VerificationState ToProto(domain::State state);
// Both ids empty where the caller named none.
domain::Tenant TenantOf(const v1::Tenant& tenant);
// What callers may see of a record.
void FillVerification(domain::Record record, v1::Verification* out);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PROTO_MAPPING_H_
