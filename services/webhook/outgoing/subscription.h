// A receiver of webhooks. Values.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "services/base/secret.h"

namespace kyc::outgoing {

// An environment of an organisation; both empty: none.
struct Tenant {
  std::string org_id;
  std::string env_id;

  bool operator==(const Tenant&) const = default;
};

// As many as one environment may have.
inline constexpr int kMaxSubscriptions = 20;
inline constexpr size_t kMaxDescriptionBytes = 256;

struct SigningSecret {
  base::Secret text;
  // Until when it signs; 0: it is the current one.
  int64_t until_ms = 0;
};

struct Subscription {
  std::string id;  // "whk_…"; may be shown and logged.
  Tenant tenant;
  std::string url;
  std::vector<std::string> event_types;
  std::string description;
  bool enabled = true;
  bool gone = false;  // Its receiver answered 410.
  int64_t created_at_ms = 0;
  int64_t updated_at_ms = 0;
  std::vector<SigningSecret> secrets;  // The current one first.
  int64_t revision = 0;  // Of what is stored; grows with each change.
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_H_
