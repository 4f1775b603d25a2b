#include "deploy/sandbox/webhook_sender.h"

#include <utility>

#include "deploy/sandbox/webhook_body.h"
#include "services/base/log.h"

namespace kyc::sandbox {
namespace {

constexpr size_t kMaxDeliveries = 1000;
constexpr size_t kMaxWaiting = 10'000;

// Events that an out-of-order delivery brings after what follows them.
bool IsOvertaken(std::string_view type) {
  return type == "applicantCreated" || type == "applicantPending" ||
         type == "applicantLevelChanged";
}

}  // namespace

std::vector<std::chrono::milliseconds> RetrySchedule(double scale) {
  std::vector<std::chrono::milliseconds> schedule;
  for (const auto pause :
       {std::chrono::minutes(5), std::chrono::minutes(60),
        std::chrono::minutes(5 * 60), std::chrono::minutes(18 * 60)}) {
    schedule.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::duration<double, std::milli>(pause) * scale));
  }
  return schedule;
}

WebhookSender::WebhookSender(async::Loop& loop, const base::Clock& clock,
                             Options options)
    : loop_(loop),
      clock_(clock),
      options_(std::move(options)),
      schedule_(RetrySchedule(options_.retry_scale)),
      http_(loop, async::HttpClient::Options()) {}

WebhookSender::~WebhookSender() = default;

void WebhookSender::Send(const Event& event) {
  if (options_.url.empty()) return;
  Webhook webhook{event.type, event.external_user_id,
                  RenderWebhook(event, options_.client_id), script_.delay_ms,
                  1 + script_.duplicates};
  if (script_.drop) {
    Record(webhook, 0, 0, "dropped");
    return;
  }
  if (waiting_ >= kMaxWaiting) {
    base::LogWarning("too many webhooks wait, one is dropped",
                     {{"type", event.type}});
    Record(webhook, 0, 0, "dropped");
    return;
  }
  if (script_.out_of_order && IsOvertaken(event.type)) {
    ++waiting_;
    Lane& lane = lanes_[event.applicant_id];
    lane.held.push_front(std::move(webhook));
    if (lane.held.size() == 1) {
      loop_.Spawn(ReleaseHeldLater(event.applicant_id));
    }
    return;
  }
  ++waiting_;
  Enqueue(event.applicant_id, std::move(webhook));
  ReleaseHeld(event.applicant_id);
}

void WebhookSender::Enqueue(const std::string& applicant_id, Webhook webhook) {
  Lane& lane = lanes_[applicant_id];
  lane.due.push_back(std::move(webhook));
  if (lane.running) return;
  lane.running = true;
  loop_.Spawn(RunLane(applicant_id));
}

void WebhookSender::ReleaseHeld(const std::string& applicant_id) {
  const auto lane = lanes_.find(applicant_id);
  if (lane == lanes_.end()) return;
  for (Webhook& webhook : std::exchange(lane->second.held, {})) {
    Enqueue(applicant_id, std::move(webhook));
  }
}

async::Task<void> WebhookSender::ReleaseHeldLater(std::string applicant_id) {
  co_await async::Sleep(options_.hold_limit);
  ReleaseHeld(applicant_id);
}

async::Task<void> WebhookSender::RunLane(std::string applicant_id) {
  while (true) {
    Lane& lane = lanes_[applicant_id];
    if (lane.due.empty()) {
      lane.running = false;
      if (lane.held.empty()) lanes_.erase(applicant_id);
      co_return;
    }
    Webhook webhook = std::move(lane.due.front());
    lane.due.pop_front();
    co_await async::Sleep(std::chrono::milliseconds(webhook.delay_ms));
    bool taken = false;
    for (int64_t copy = 0; copy < webhook.copies; ++copy) {
      const bool answered = co_await Attempt(webhook, 1);
      taken = taken || answered;
    }
    if (taken) {
      --waiting_;
    } else {
      loop_.Spawn(Retry(std::move(webhook)));
    }
  }
}

async::Task<void> WebhookSender::Retry(Webhook webhook) {
  int attempt = 1;
  for (const std::chrono::milliseconds pause : schedule_) {
    co_await async::Sleep(pause);
    ++attempt;
    const bool taken = co_await Attempt(webhook, attempt);
    if (taken) break;
  }
  --waiting_;
}

async::Task<bool> WebhookSender::Attempt(const Webhook& webhook, int attempt) {
  async::ClientRequest request;
  request.method = "POST";
  request.url = options_.url;
  request.timeout = options_.timeout;
  request.headers = {
      {"Content-Type", "application/json"},
      {"X-Payload-Digest",
       HmacHex(options_.algorithm, options_.secret.Reveal(), webhook.body)},
      {"X-Payload-Digest-Alg",
       std::string(DigestAlgorithmName(options_.algorithm))},
  };
  request.body = webhook.body;
  const auto response = co_await http_.Send(std::move(request));
  if (!response.ok()) {
    Record(webhook, attempt, 0, std::string(response.status().message()));
    co_return false;
  }
  Record(webhook, attempt, response->status, "");
  co_return response->status >= 200 && response->status < 300;
}

void WebhookSender::Record(const Webhook& webhook, int attempt, int status,
                           std::string error) {
  if (attempt > 0 && (status < 200 || status >= 300)) {
    base::LogWarning("a webhook was not taken", {{"type", webhook.type},
                                                 {"attempt", attempt},
                                                 {"status", status},
                                                 {"error", error}});
  }
  deliveries_.push_back({webhook.type, webhook.external_user_id, attempt,
                         status, std::move(error), clock_.NowMs()});
  if (deliveries_.size() > kMaxDeliveries) deliveries_.pop_front();
}

}  // namespace kyc::sandbox
