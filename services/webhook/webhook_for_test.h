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

namespace kyc::webhook {

// Polls until `condition` holds; false after `limit`.
bool Eventually(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(10));

// A new address of its own for each call: unix:/tmp/….
std::string FreshUnixAddress();

// Commands given from a test's thread, one at a time.
class RedisProbe {
 public:
  explicit RedisProbe(const async::RedisOptions& options);
  ~RedisProbe();

  // Fails the test on an error, and gives nil.
  async::RedisReply Do(std::vector<std::string> args);

  int64_t Length(const std::string& stream);
  // Entries pending in the consumer group; -1 while there is none.
  int64_t Pending();
  // Stores an event as intake does; gives its id. "*" lets Redis choose it.
  std::string AddEvent(const std::string& body,
                       const std::string& traceparent = "",
                       const std::string& id = "*");
  // The fields of the first entry of a stream.
  std::map<std::string, std::string> FirstEntry(const std::string& stream);

 private:
  absl::StatusOr<async::RedisReply> Try(std::vector<std::string> args);

  async::Runtime runtime_;
  async::Redis redis_;
};

// Answers ApplyProviderEvent. Thread-safe.
class KycStub {
 public:
  struct Call {
    std::string event_id;
    std::string payload;
    std::string traceparent;
  };
  // What a call is answered, by its payload and how often that one came
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
