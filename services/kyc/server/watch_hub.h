// Pushes status changes to those who watch.
//
// Every change of a record is published on its bucket's Redis channel by the
// script that writes it. One subscriber per process hears them all and hands
// them to the streams. Pub/Sub may lose messages while it reconnects, so the
// streams then read their users again; versions tell what is new.
#ifndef KYC_SERVICES_KYC_SERVER_WATCH_HUB_H_
#define KYC_SERVICES_KYC_SERVER_WATCH_HUB_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "kyc/v1/kyc_service.pb.h"
#include "services/async/grpc_server.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

// Lives on one loop; Watch runs there. Made before the runtime starts,
// destroyed after it has stopped.
class WatchHub {
 public:
  WatchHub(async::Loop& loop, async::RedisOptions redis,
           const base::Clock& clock);
  ~WatchHub();

  async::Loop& loop() { return loop_; }
  // The open streams; CancelAll ends them when the server drains.
  async::StreamRegistry& streams() { return streams_; }

  // One stream: the present status of each user, then each change. Ends when
  // the client goes or the server drains.
  async::Task<absl::Status> Watch(
      const v1::WatchStatusRequest& request,
      async::StreamWriter<v1::Verification>& writer);

 private:
  struct Watcher;
  void OnChange(std::string_view payload);
  void ResyncAll();
  async::Task<absl::Status> SendPresent(
      Watcher& watcher, async::StreamWriter<v1::Verification>& writer);
  async::Task<absl::Status> SendIfNew(
      Watcher& watcher, domain::Record record,
      async::StreamWriter<v1::Verification>& writer);

  async::Loop& loop_;
  async::Redis redis_;
  store::RecordStore store_;
  std::unordered_map<std::string, std::unordered_set<Watcher*>> watchers_;
  async::StreamRegistry streams_;
  async::RedisSubscriber subscriber_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_WATCH_HUB_H_
