// Settles records by asking the provider when no event did: a webhook that
// never came heals by itself.
//
// All processes share the waiting set (store/waiting_store.h): who finds a
// user due takes them for a minute, so no two ask about one, and a process
// that dies leaves them to the next. Questions leave one by one, at a bounded
// rate with jitter, few at a time: the provider's limits are shared with
// users, who come first.
#ifndef KYC_SERVICES_KYC_SERVER_RECONCILER_H_
#define KYC_SERVICES_KYC_SERVER_RECONCILER_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/kyc/server/verification_engine.h"
#include "services/kyc/store/waiting_store.h"

namespace kyc::server {

// One per process; lives on one loop. Metrics:
//   kyc_reconcile_due                  users whose time has come
//   kyc_reconcile_oldest_due_seconds   how long the first has been due
//   kyc_reconcile_asked_total{result}  settled, waiting, failed
class Reconciler {
 public:
  struct Options {
    // As the records' own store has it.
    std::chrono::milliseconds after{600'000};
    // How often to look at least; sooner where somebody is due sooner.
    std::chrono::milliseconds interval{60'000};
    double per_second = 5;  // Questions, on average; > 0.
    int at_once = 4;
  };
  // All outlive the object.
  Reconciler(VerificationEngine& engine, store::WaitingStore& waiting,
             const base::Clock& clock, Options options);

  // Looks and asks for ever. Spawn it on the loop.
  async::Task<void> Run();
  // Looks again soon: somebody new waits. On the loop.
  void LookSoon() {
    look_soon_ = true;
    wake_.Notify();
  }

  // One round: asks about all who are due. When the next is due, if anybody
  // waits. Ends early while the provider fails.
  async::Task<absl::StatusOr<std::optional<int64_t>>> Sweep();

 private:
  async::Task<void> Ask(std::string user_id, int64_t until_ms);
  // Waits for the turn of the next question.
  async::Task<void> Turn();
  async::Task<absl::StatusOr<store::WaitingStore::Overview>> Look();
  double Between(double least, double most);  // At random.

  VerificationEngine& engine_;
  store::WaitingStore& waiting_;
  const base::Clock& clock_;
  const Options options_;
  std::minstd_rand random_;
  async::Event wake_;
  bool look_soon_ = false;  // Since the last round began.
  async::Event asked_;
  int in_flight_ = 0;
  int failures_ = 0;  // In a row.
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_RECONCILER_H_
