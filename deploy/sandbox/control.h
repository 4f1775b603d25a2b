// The sandbox's own API below /sandbox/: plays the user's and the officer's
// part, scripts faults and shows what happened. Unsigned; the server lets only
// loopback peers in. Bodies are JSON whatever their declared type; a field
// that is not known is an error, so that a typing mistake shows.
//
//   POST /sandbox/applicants/{externalUserId}/sdk
//        {"outcome":"approve|retry|reject|hold","level":"…","delay_ms":0}
//        The user goes through the SDK: the applicant is created or moved
//        where due, missing steps are completed, all is submitted; after the
//        delay the review ends so. No level: that of the last token.
//   POST /sandbox/applicants/{externalUserId}/review
//        {"outcome":"approve|retry|reject|hold|reset|deactivate|activate|
//        delete"}  An officer or a data protection request, at any time.
//   POST /sandbox/outcome {"outcome":"…","delay_ms":1000}
//        How reviews submitted by API end from now on.
//   POST /sandbox/uploads {"errors":["screenshot"],"warnings":[],"count":1}
//        What is found in the next uploads.
//   POST /sandbox/faults {"mode":"none|down|slow|hang|garbage|html|redirect|
//        wrong_shape|<status>","delay_ms":0,"paths":"/resources/…","count":1}
//   POST /sandbox/webhooks {"duplicates":0,"out_of_order":false,"drop":false,
//        "delay_ms":0}
//   GET  /sandbox/requests     calls by endpoint and status; DELETE forgets
//   GET  /sandbox/deliveries   attempts of webhooks, oldest first
//
// externalUserId is percent-encoded. Answers are JSON; errors {"error":"…"}.
#ifndef KYC_DEPLOY_SANDBOX_CONTROL_H_
#define KYC_DEPLOY_SANDBOX_CONTROL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "deploy/sandbox/api.h"
#include "deploy/sandbox/applicants.h"
#include "deploy/sandbox/faults.h"
#include "deploy/sandbox/message.h"
#include "deploy/sandbox/webhook_sender.h"
#include "services/base/clock.h"

namespace kyc::sandbox {

// Calls by endpoint, then by the status answered.
class RequestCounts {
 public:
  // `route` comes from Api::RouteOf: a bounded set.
  void Add(std::string_view route, int status) {
    ++counts_[std::string(route)][status];
  }
  void Clear() { counts_.clear(); }
  std::string Render(size_t applicants) const;

 private:
  std::map<std::string, std::map<int, int64_t>> counts_;
};

// Used by one thread.
class Control {
 public:
  // What it steers; everything outlives it.
  struct Parts {
    Applicants* applicants;
    Api* api;
    Faults* faults;
    RequestCounts* counts;
    const base::Clock* clock;
    std::function<void(WebhookScript)> script_webhooks;
    std::function<const std::deque<Delivery>&()> deliveries;
  };
  explicit Control(Parts parts) : parts_(std::move(parts)) {}

  Reply Handle(const Request& request);

 private:
  Reply PlaySdk(const std::string& user, const Request& request);
  Reply Review(const std::string& user, const Request& request);
  Reply SetOutcome(const Request& request);
  Reply SetUploads(const Request& request);
  Reply SetFault(const Request& request);
  Reply SetWebhooks(const Request& request);
  Reply ShowDeliveries() const;

  const Parts parts_;
};

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_CONTROL_H_
