// The version of every binary of the project.
#ifndef KYC_SERVICES_BASE_VERSION_H_
#define KYC_SERVICES_BASE_VERSION_H_

namespace kyc::base {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_VERSION_H_
