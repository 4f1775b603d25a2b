#include "services/webhook/webhook_for_test.h"

#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include "google/rpc/status.pb.h"
#include "kyc/v1/provider_event_service.grpc.pb.h"
#include "services/base/metrics.h"
#include "services/webhook/event_stream.h"

namespace kyc::webhook {

bool Eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

std::string FreshUnixAddress() {
  static std::atomic<int> next{0};
  return "unix:/tmp/kyc_test_" + std::to_string(getpid()) + "_" +
         std::to_string(next++);
}

RedisProbe::RedisProbe(const async::RedisOptions& options, int partitions)
    : partitions_(partitions), runtime_(1), redis_(runtime_.loop(0), options) {
  runtime_.Start();
}

RedisProbe::~RedisProbe() { runtime_.Stop(); }

absl::StatusOr<async::RedisReply> RedisProbe::Try(
    std::vector<std::string> args) {
  std::promise<absl::StatusOr<async::RedisReply>> promise;
  runtime_.loop(0).Spawn(
      [](async::Redis& redis, std::vector<std::string> args,
         std::promise<absl::StatusOr<async::RedisReply>>& promise)
          -> async::Task<void> {
        promise.set_value(co_await redis.Command(std::move(args)));
      }(redis_, std::move(args), promise));
  return promise.get_future().get();
}

async::RedisReply RedisProbe::Do(std::vector<std::string> args) {
  const std::string name = args[0];
  absl::StatusOr<async::RedisReply> reply = Try(std::move(args));
  EXPECT_TRUE(reply.ok()) << name << ": " << reply.status();
  return reply.ok() ? *std::move(reply) : async::RedisReply();
}

int64_t RedisProbe::Length(std::string PartitionKeys::*stream) {
  int64_t length = 0;
  for (int i = 0; i < partitions_; ++i) {
    length += Do({"XLEN", PartitionKeys(i).*stream}).integer;
  }
  return length;
}

int64_t RedisProbe::Events() { return Length(&PartitionKeys::events); }

int64_t RedisProbe::DeadLetters() { return Length(&PartitionKeys::dead); }

int64_t RedisProbe::Pending() {
  int64_t pending = 0;
  for (int i = 0; i < partitions_; ++i) {
    // An error where there is no group yet.
    const auto reply =
        Try({"XPENDING", PartitionKeys(i).events, kConsumerGroup});
    if (reply.ok()) pending += reply->elements.at(0).integer;
  }
  return pending;
}

int RedisProbe::LeasesOf(const std::string& process) {
  int leases = 0;
  for (int i = 0; i < partitions_; ++i) {
    const std::string lease = Do({"GET", PartitionKeys(i).lease}).text;
    const std::string end = ":" + process;
    if (lease.size() > end.size() &&
        lease.substr(lease.size() - end.size()) == end) {
      ++leases;
    }
  }
  return leases;
}

std::string RedisProbe::AddEvent(const std::string& body,
                                 const std::string& traceparent,
                                 const std::string& entry) {
  const int partition = PartitionOf(ApplicantKey(body), partitions_);
  return EventId(partition, Do({"XADD", PartitionKeys(partition).events, entry,
                                "p", "sumsub", "b", body, "t", "1700000000000",
                                "tp", traceparent})
                                .text);
}

namespace {

std::map<std::string, std::string> Fields(const async::RedisReply& range) {
  std::map<std::string, std::string> fields;
  if (range.elements.empty()) return fields;
  const auto& pairs = range.elements[0].elements[1].elements;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
    fields[pairs[i].text] = pairs[i + 1].text;
  }
  return fields;
}

}  // namespace

std::map<std::string, std::string> RedisProbe::FirstEntry(
    const std::string& stream) {
  return Fields(Do({"XRANGE", stream, "-", "+", "COUNT", "1"}));
}

std::map<std::string, std::string> RedisProbe::Entry(
    const std::string& event_id) {
  const auto place = ParseEventId(event_id, partitions_);
  EXPECT_TRUE(place.has_value()) << event_id;
  if (!place) return {};
  return Fields(Do({"XRANGE", PartitionKeys(place->partition).events,
                    place->entry, place->entry}));
}

std::map<std::string, std::string> RedisProbe::DeadLetter() {
  EXPECT_EQ(DeadLetters(), 1);
  for (int i = 0; i < partitions_; ++i) {
    auto letter = FirstEntry(PartitionKeys(i).dead);
    if (!letter.empty()) return letter;
  }
  return {};
}

int64_t MetricValue(const std::string& name) {
  const std::string text = "\n" + base::RenderMetrics();
  const size_t at = text.find("\n" + name + " ");
  return at == std::string::npos
             ? 0
             : std::atoll(text.c_str() + at + name.size() + 2);
}

class KycStub::Service final : public v1::ProviderEventService::Service {
 public:
  grpc::Status ApplyProviderEvent(
      grpc::ServerContext* rpc, const v1::ApplyProviderEventRequest* request,
      v1::ApplyProviderEventResponse* response) override {
    std::string traceparent;
    const auto found = rpc->client_metadata().find("traceparent");
    if (found != rpc->client_metadata().end()) {
      traceparent.assign(found->second.data(), found->second.size());
    }
    return Apply(*request, std::move(traceparent), /*batched=*/false, response);
  }

  grpc::Status BatchApplyProviderEvents(
      grpc::ServerContext*, const v1::BatchApplyProviderEventsRequest* request,
      v1::BatchApplyProviderEventsResponse* response) override {
    std::vector<std::thread> workers;
    for (int i = 0; i < request->requests_size(); ++i) response->add_results();
    for (int i = 0; i < request->requests_size(); ++i) {
      workers.emplace_back([&, i] {
        const auto& item = request->requests(i);
        EXPECT_GT(item.timeout_ms(), 0u);
        auto& result = *response->mutable_results(i);
        if (item.payload().substr(0, 3) == "ask") {
          result.mutable_response()->set_effect(
              v1::ApplyProviderEventResponse::EFFECT_ASK_PROVIDER);
          return;
        }
        v1::ApplyProviderEventResponse answer;
        const grpc::Status status =
            Apply(item, item.traceparent(), /*batched=*/true, &answer);
        if (status.ok()) {
          *result.mutable_response() = answer;
        } else {
          result.mutable_error()->set_code(status.error_code());
        }
      });
    }
    for (std::thread& worker : workers) worker.join();
    return grpc::Status::OK;
  }

  grpc::Status Apply(const v1::ApplyProviderEventRequest& request,
                     std::string traceparent, bool batched,
                     v1::ApplyProviderEventResponse* response) {
    EXPECT_EQ(request.provider(), v1::PROVIDER_SUMSUB);
    Script script;
    int times_before = 0;
    {
      base::MutexLock lock(&mutex_);
      script = script_;
      times_before = times_[request.payload()]++;
      most_at_once_ = std::max(most_at_once_, ++at_once_);
    }
    const grpc::Status status =
        script ? script(request.payload(), times_before) : grpc::Status::OK;
    base::MutexLock lock(&mutex_);
    --at_once_;
    if (!status.ok()) return status;
    response->set_effect(payloads_.insert(request.payload()).second
                             ? v1::ApplyProviderEventResponse::EFFECT_APPLIED
                             : v1::ApplyProviderEventResponse::EFFECT_STALE);
    applied_.push_back({request.event_id(), request.payload(),
                        std::move(traceparent), batched});
    return status;
  }

  void SetScript(Script script) {
    base::MutexLock lock(&mutex_);
    script_ = std::move(script);
  }
  std::vector<Call> applied() const {
    base::MutexLock lock(&mutex_);
    return applied_;
  }
  int times(const std::string& payload) const {
    base::MutexLock lock(&mutex_);
    const auto it = times_.find(payload);
    return it == times_.end() ? 0 : it->second;
  }
  int most_at_once() const {
    base::MutexLock lock(&mutex_);
    return most_at_once_;
  }

 private:
  mutable base::Mutex mutex_;
  Script script_ ABSL_GUARDED_BY(mutex_);
  std::vector<Call> applied_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> payloads_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> times_ ABSL_GUARDED_BY(mutex_);
  int at_once_ ABSL_GUARDED_BY(mutex_) = 0;
  int most_at_once_ ABSL_GUARDED_BY(mutex_) = 0;
};

KycStub::KycStub()
    : address_(FreshUnixAddress()), service_(std::make_unique<Service>()) {}

KycStub::~KycStub() { Stop(); }

void KycStub::Start() {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  ASSERT_NE(server_, nullptr);
}

void KycStub::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
  server_.reset();
}

void KycStub::SetScript(Script script) {
  service_->SetScript(std::move(script));
}
std::vector<KycStub::Call> KycStub::applied() const {
  return service_->applied();
}
int KycStub::times(const std::string& payload) const {
  return service_->times(payload);
}
int KycStub::most_at_once() const { return service_->most_at_once(); }

void Gate::Open() {
  base::MutexLock lock(&mutex_);
  open_ = true;
  changed_.NotifyAll();
}

void Gate::Wait() {
  base::MutexLock lock(&mutex_);
  while (!open_) changed_.Wait(&mutex_);
}

}  // namespace kyc::webhook
