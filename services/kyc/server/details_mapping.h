// What is known of a user as a message.
#ifndef KYC_SERVICES_KYC_SERVER_DETAILS_MAPPING_H_
#define KYC_SERVICES_KYC_SERVER_DETAILS_MAPPING_H_

#include "kyc/v1/kyc_service.pb.h"
#include "services/kyc/server/details.h"

namespace kyc::server {

void FillDetails(const Details::Result& result, v1::Details* out);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_DETAILS_MAPPING_H_
