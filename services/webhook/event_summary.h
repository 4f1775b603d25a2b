// What an operator may see of an event's body.
#ifndef KYC_SERVICES_WEBHOOK_EVENT_SUMMARY_H_
#define KYC_SERVICES_WEBHOOK_EVENT_SUMMARY_H_

#include <string>
#include <string_view>

namespace kyc::webhook {

// No field names a person: not the user's id, no name, no comment. Each is
// empty where the body does not have it, or not in the form of such a value.
struct EventSummary {
  std::string type;
  std::string applicant_id;
  std::string correlation_id;
  std::string created_at_ms;  // As the provider writes it.
};

// Any bytes. Thread-safe.
EventSummary Summarize(std::string_view body);

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_EVENT_SUMMARY_H_
