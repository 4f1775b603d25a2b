// Sends webhooks as SumSub does: https://docs.sumsub.com/docs/webhooks.
#ifndef KYC_DEPLOY_SANDBOX_WEBHOOK_SENDER_H_
#define KYC_DEPLOY_SANDBOX_WEBHOOK_SENDER_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "deploy/sandbox/applicant.h"
#include "deploy/sandbox/crypto.h"
#include "services/async/http_client.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/secret.h"

namespace kyc::sandbox {

// When a failed webhook is sent again: 5 minutes, 1 hour, 5 hours and 18 hours
// after the attempt before, times `scale`.
std::vector<std::chrono::milliseconds> RetrySchedule(double scale);

// Scripted misbehaviour of the delivery.
struct WebhookScript {
  int64_t duplicates = 0;     // Each webhook so many times more.
  bool out_of_order = false;  // Created and pending after the decision.
  bool drop = false;          // Never sent.
  int64_t delay_ms = 0;       // Before the first attempt.
};

// One attempt, as tests and the reader of /sandbox/deliveries see it.
struct Delivery {
  std::string type;
  std::string external_user_id;
  int attempt = 0;    // From 1; 0 for a webhook that was dropped.
  int status = 0;     // 0: no answer; `error` says why.
  std::string error;  // "" where there was an answer.
  int64_t at_ms = 0;
};

// Webhooks of one applicant keep their order while they succeed; a failed one
// is repeated on its own, as others overtake it. Lives on one loop; destroy
// it after the loop has stopped.
class WebhookSender {
 public:
  struct Options {
    std::string url;  // "": nothing is sent.
    base::Secret secret;
    DigestAlgorithm algorithm = DigestAlgorithm::kSha256;
    double retry_scale = 1.0;
    std::string client_id;
    std::chrono::milliseconds timeout{5000};  // SumSub's own limit.
    // Held back by an out-of-order script, but no longer than this.
    std::chrono::milliseconds hold_limit{3000};
  };

  WebhookSender(async::Loop& loop, const base::Clock& clock, Options options);
  ~WebhookSender();

  void Send(const Event& event);
  void SetScript(WebhookScript script) { script_ = script; }
  // The newest thousand attempts, oldest first.
  const std::deque<Delivery>& deliveries() const { return deliveries_; }

 private:
  struct Webhook {
    std::string type;
    std::string external_user_id;
    std::string body;
    int64_t delay_ms = 0;
    int64_t copies = 1;
  };
  struct Lane {  // Of one applicant.
    std::deque<Webhook> due;
    std::deque<Webhook> held;  // For after the decision.
    bool running = false;
  };

  void Enqueue(const std::string& applicant_id, Webhook webhook);
  void ReleaseHeld(const std::string& applicant_id);
  void Record(const Webhook& webhook, int attempt, int status,
              std::string error);
  async::Task<void> RunLane(std::string applicant_id);
  async::Task<void> ReleaseHeldLater(std::string applicant_id);
  async::Task<void> Retry(Webhook webhook);
  // Whether the receiver took it.
  async::Task<bool> Attempt(const Webhook& webhook, int attempt);

  async::Loop& loop_;
  const base::Clock& clock_;
  const Options options_;
  const std::vector<std::chrono::milliseconds> schedule_;
  async::HttpClient http_;
  WebhookScript script_;
  std::map<std::string, Lane> lanes_;  // Only lanes with work.
  size_t waiting_ = 0;                 // In lanes and retries.
  std::deque<Delivery> deliveries_;
};

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_WEBHOOK_SENDER_H_
