// At most so many at a time; the rest wait in line.
#ifndef KYC_SERVICES_ASYNC_SLOTS_H_
#define KYC_SERVICES_ASYNC_SLOTS_H_

#include <list>
#include <utility>

#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"

namespace kyc::async {

// One loop only; outlives its slots and those who wait.
class Slots {
 public:
  // A place, until it is destroyed.
  class Slot {
   public:
    explicit Slot(Slots* slots) : slots_(slots) {}
    Slot(Slot&& other) noexcept
        : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (slots_ != nullptr) slots_->Leave();
    }

   private:
    Slots* slots_;
  };

  explicit Slots(int count) : free_(count) {}
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  // On the thread of a loop, always the same one's.
  Task<Slot> Take() {
    if (free_ > 0) {
      --free_;
      co_return Slot(this);
    }
    Place place(*this);
    co_await place.waiter.Wait();
    co_return Slot(this);  // That of the one who left.
  }

 private:
  // Stands in line for as long as its frame lives.
  struct Place {
    explicit Place(Slots& slots)
        : slots(slots),
          waiter(*Loop::Current()),
          at(slots.line_.insert(slots.line_.end(), this)) {}
    ~Place() {
      if (in_line) slots.line_.erase(at);
    }
    Slots& slots;
    Waiter waiter;
    bool in_line = true;
    std::list<Place*>::iterator at;
  };

  void Leave() {
    if (line_.empty()) {
      ++free_;
      return;
    }
    Place* const next = line_.front();
    line_.pop_front();
    next->in_line = false;
    next->waiter.Resume();
  }

  int free_;
  std::list<Place*> line_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_SLOTS_H_
