// Joins callers that want the same thing at the same time.
#ifndef KYC_SERVICES_ASYNC_SINGLE_FLIGHT_H_
#define KYC_SERVICES_ASYNC_SINGLE_FLIGHT_H_

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/task.h"

namespace kyc::async {

// Per key, one run of the work at a time: the first caller leads and runs it,
// those who come meanwhile get the same result. With `reuse_for` > 0 a
// successful result also serves calls that come within that time after it.
// A leader that is destroyed leaves its followers with UNAVAILABLE.
// One loop only; outlives its calls. Memory: what runs, and the results kept;
// those too old are dropped by the next call.
template <typename T>
class SingleFlight {
 public:
  struct Outcome {
    absl::StatusOr<T> value;
    bool led;  // This caller ran the work.
  };

  explicit SingleFlight(
      std::chrono::milliseconds reuse_for = std::chrono::milliseconds(0))
      : reuse_for_(reuse_for) {}
  SingleFlight(const SingleFlight&) = delete;
  SingleFlight& operator=(const SingleFlight&) = delete;

  // `work` bounds its own time; followers wait for as long as the leader.
  Task<Outcome> Run(std::string key,
                    std::function<Task<absl::StatusOr<T>>()> work);
  // Forgets a kept result. One that is being made goes to those who wait for
  // it, and is not kept.
  void Forget(const std::string& key);

 private:
  struct Flight {
    Event done;
    absl::StatusOr<T> result = absl::UnavailableError("abandoned");
    bool finished = false;
    bool keep = true;
  };
  struct Kept {
    std::chrono::steady_clock::time_point until;
    std::string key;
    std::weak_ptr<Flight> flight;  // Forget frees the result itself.
  };

  void Land(const std::string& key, const std::shared_ptr<Flight>& flight);
  void Remove(const std::string& key, const std::shared_ptr<Flight>& flight);
  void DropOld();

  const std::chrono::milliseconds reuse_for_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
  // Finished ones, in the order in which they expire.
  std::deque<Kept> kept_;
};

template <typename T>
Task<typename SingleFlight<T>::Outcome> SingleFlight<T>::Run(
    std::string key, std::function<Task<absl::StatusOr<T>>()> work) {
  DropOld();
  if (auto it = flights_.find(key); it != flights_.end()) {
    const std::shared_ptr<Flight> flight = it->second;
    while (!flight->finished) {
      co_await flight->done.Wait(std::chrono::seconds(60));
    }
    co_return Outcome{flight->result, false};
  }
  const auto flight = std::make_shared<Flight>();
  flights_[key] = flight;
  // Ends the flight also when this coroutine is destroyed half way.
  struct Landing {
    SingleFlight* self;
    const std::string& key;
    const std::shared_ptr<Flight>& flight;
    ~Landing() { self->Land(key, flight); }
  } landing{this, key, flight};
  flight->result = co_await work();
  co_return Outcome{flight->result, true};
}

template <typename T>
void SingleFlight<T>::Forget(const std::string& key) {
  auto it = flights_.find(key);
  if (it == flights_.end()) return;
  it->second->keep = false;
  if (it->second->finished) flights_.erase(it);
}

template <typename T>
void SingleFlight<T>::Land(const std::string& key,
                           const std::shared_ptr<Flight>& flight) {
  flight->finished = true;
  if (reuse_for_.count() > 0 && flight->keep && flight->result.ok()) {
    kept_.push_back(
        {std::chrono::steady_clock::now() + reuse_for_, key, flight});
  } else {
    Remove(key, flight);
  }
  flight->done.Notify();
}

template <typename T>
void SingleFlight<T>::Remove(const std::string& key,
                             const std::shared_ptr<Flight>& flight) {
  auto it = flights_.find(key);
  if (it != flights_.end() && it->second == flight) flights_.erase(it);
}

// Constant time per call on average: each kept result is dropped once.
template <typename T>
void SingleFlight<T>::DropOld() {
  if (kept_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  while (!kept_.empty() && kept_.front().until <= now) {
    Remove(kept_.front().key, kept_.front().flight.lock());
    kept_.pop_front();
  }
}

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_SINGLE_FLIGHT_H_
