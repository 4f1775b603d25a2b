// The events of one partition on their way to KycService.
#ifndef KYC_SERVICES_WEBHOOK_CHAINS_H_
#define KYC_SERVICES_WEBHOOK_CHAINS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "services/async/task.h"
#include "services/base/trace.h"
#include "services/webhook/backoff.h"
#include "services/webhook/event_stream.h"
#include "services/webhook/work.h"

namespace kyc::webhook {

// Each applicant's events make a chain and are applied one after the other,
// in the order in which they were added; chains of different applicants run
// side by side. An event that fails is tried again with a growing pause and
// holds back its own chain alone. One that is done is acknowledged, many in
// one command where many are done.
//
// For one ownership of the partition. On the loop of `work`; coroutines hold
// it.
class Chains : public std::enable_shared_from_this<Chains> {
 public:
  Chains(std::shared_ptr<Work> work, int partition, std::string lease);
  ~Chains();

  // Takes on those events that are not here already. `again`: they were
  // delivered before.
  void Add(StreamPage page, bool again);
  // Whether an entry is here.
  bool Holds(const std::string& id) const { return held_.contains(id); }
  // Starts nothing more. What is being applied is finished and acknowledged;
  // the rest stays pending.
  void Stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }
  // Nothing is being applied or waits for its acknowledgement.
  bool idle() const { return applying_ == 0 && !acknowledging_; }

 private:
  struct Entry {
    StreamEvent event;
    uint64_t body_hash = 0;
    bool has_body = true;
    bool tried = false;
    int failures = 0;   // For a reason that a repetition does not mend.
    int unsettled = 0;  // Others, while KycService could be reached.
  };
  struct Chain {
    std::deque<Entry> entries;
    bool stuck = false;
  };
  enum class Outcome { kDone, kAgain };

  void Push(uint64_t applicant, StreamEvent event);
  void Pop(Chain& chain);
  void SetStuck(Chain& chain, bool stuck);
  void DropBody(Entry& entry);
  bool IsRepetition(uint64_t body_hash);

  // What a coroutine that nobody awaits takes first keeps this alive.
  async::Task<void> Run(std::shared_ptr<Chains>, uint64_t applicant);
  async::Task<Outcome> Try(Entry& entry);
  async::Task<bool> KycReady();
  bool GivenUp(const Entry& entry) const;
  async::Task<Outcome> Bury(Entry& entry, std::string reason,
                            base::TraceContext trace);

  void Acknowledge(std::string id);
  async::Task<void> FlushAcknowledgements(std::shared_ptr<Chains>);

  const std::shared_ptr<Work> work_;
  const int partition_;
  const std::string lease_;
  EventStream stream_;
  bool stopped_ = false;
  int applying_ = 0;
  std::unordered_map<uint64_t, Chain> chains_;
  std::unordered_set<std::string> held_;  // Until they are acknowledged.
  std::vector<std::string> done_;         // To be acknowledged.
  bool acknowledging_ = false;
  // Of the bodies last applied, to tell repetitions from events that are
  // merely old.
  std::unordered_set<uint64_t> recent_;
  std::deque<uint64_t> recent_order_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_CHAINS_H_
