// What the webhook tests share: a Redis to look into and a ProviderEventService
// that does as it is told. Both are real servers.
#ifndef KYC_SERVICES_WEBHOOK_WEBHOOK_FOR_TEST_H_
#define KYC_SERVICES_WEBHOOK_WEBHOOK_FOR_TEST_H_

#include <grpcpp/server.h>
#include <grpcpp/support/status.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/mutex.h"
#include "services/webhook/partition.h"

namespace kyc::webhook {

// Polls until `condition` holds; false after `limit`.
bool Eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(10));

// A new address of its own for each call: unix:/tmp/….
std::string FreshUnixAddress();

// Partitions of the stream in tests, unless they say otherwise.
inline constexpr int kTestPartitions = 4;

// Commands given from a test's thread, one at a time.
class RedisProbe {
 public:
  explicit RedisProbe(const async::RedisOptions& options,
                      int partitions = kTestPartitions);
  ~RedisProbe();

  // Fails the test on an error, and gives nil.
  async::RedisReply Do(std::vector<std::string> args);

  // Of all partitions together: entries, dead letters, and entries pending in
  // the consumer group.
  int64_t Events();
  int64_t DeadLetters();
  int64_t Pending();
  // How many partitions the process of that name has the lease of.
  int LeasesOf(const std::string& process);
  // Stores an event in its applicant's partition as intake does; gives its
  // EventId. "*" lets Redis choose the entry's id.
  std::string AddEvent(const std::string& body,
                       const std::string& traceparent = "",
                       const std::string& entry = "*");
  // The fields of the first entry of a stream.
  std::map<std::string, std::string> FirstEntry(const std::string& stream);
  // Those of the entry that an EventId names.
  std::map<std::string, std::string> Entry(const std::string& event_id);
  // Those of the only dead letter.
  std::map<std::string, std::string> DeadLetter();

 private:
  absl::StatusOr<async::RedisReply> Try(std::vector<std::string> args);
  int64_t Length(std::string PartitionKeys::*stream);

  const int partitions_;
  async::Runtime runtime_;
  async::Redis redis_;
};

// The value of a metric, by its name with labels as /metrics shows it; 0 where
// there is none.
int64_t MetricValue(const std::string& name);

// Answers ApplyProviderEvent and batches of it, whose items it works on side
// by side. A payload that was applied before is stale; one that begins with
// "ask" wants to be alone. Thread-safe.
class KycStub {
 public:
  struct Call {
    std::string event_id;
    std::string payload;
    std::string traceparent;
    bool batched;
  };
  // What an event is answered, by its payload and how often that one came
  // before. May block.
  using Script =
      std::function<grpc::Status(const std::string& payload, int times_before)>;

  KycStub();
  ~KycStub();

  const std::string& address() const { return address_; }
  // Binds the address, and lets it go again; may be repeated.
  void Start();
  void Stop();

  void SetScript(Script script);
  // Finished calls that were answered OK.
  std::vector<Call> applied() const;
  int times(const std::string& payload) const;
  int most_at_once() const;

 private:
  class Service;

  const std::string address_;
  const std::unique_ptr<Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

// A door that calls wait at.
class Gate {
 public:
  void Open();
  void Wait();

 private:
  base::Mutex mutex_;
  base::CondVar changed_;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_WEBHOOK_FOR_TEST_H_
