// Joins callers that want the same thing at the same time.
#ifndef KYC_SERVICES_ASYNC_SINGLE_FLIGHT_H_
#define KYC_SERVICES_ASYNC_SINGLE_FLIGHT_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/task.h"

namespace kyc::async {

// Per key, one run of the work at a time: the first caller leads and runs it,
// those who come meanwhile get the same result. With `reuse_for` > 0 a
// successful result also serves calls that come within that time after it.
// A leader that is destroyed leaves its followers with UNAVAILABLE.
// One loop only.
template <typename T>
class SingleFlight {
 public:
  struct Outcome {
    absl::StatusOr<T> value;
    bool led;  // This caller ran the work.
  };

  explicit SingleFlight(std::chrono::milliseconds reuse_for =
                            std::chrono::milliseconds(0))
      : reuse_for_(reuse_for) {}

  Task<Outcome> Run(std::string key,
                    std::function<Task<absl::StatusOr<T>>()> work);
  // Forgets a kept result.
  void Forget(const std::string& key);

 private:
  struct Flight {
    Event done;
    absl::StatusOr<T> result = absl::UnavailableError("abandoned");
    bool finished = false;
    std::chrono::steady_clock::time_point finished_at;
  };
  void DropOld();

  const std::chrono::milliseconds reuse_for_;
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

template <typename T>
Task<typename SingleFlight<T>::Outcome> SingleFlight<T>::Run(
    std::string key, std::function<Task<absl::StatusOr<T>>()> work) {
  DropOld();
  if (auto it = flights_.find(key); it != flights_.end()) {
    std::shared_ptr<Flight> flight = it->second;
    while (!flight->finished) {
      co_await flight->done.Wait(std::chrono::seconds(60));
    }
    co_return Outcome{flight->result, false};
  }
  auto flight = std::make_shared<Flight>();
  flights_[key] = flight;
  // Ends the flight also when this coroutine is destroyed half way.
  struct Landing {
    SingleFlight* self;
    const std::string& key;
    std::shared_ptr<Flight> flight;
    ~Landing() {
      flight->finished = true;
      flight->finished_at = std::chrono::steady_clock::now();
      if (self->reuse_for_.count() == 0 || !flight->result.ok()) {
        auto it = self->flights_.find(key);
        if (it != self->flights_.end() && it->second == flight) {
          self->flights_.erase(it);
        }
      }
      flight->done.Notify();
    }
  } landing{this, key, flight};
  flight->result = co_await work();
  co_return Outcome{flight->result, true};
}

template <typename T>
void SingleFlight<T>::Forget(const std::string& key) {
  auto it = flights_.find(key);
  if (it != flights_.end() && it->second->finished) flights_.erase(it);
}

template <typename T>
void SingleFlight<T>::DropOld() {
  if (reuse_for_.count() == 0) return;
  const auto now = std::chrono::steady_clock::now();
  for (auto it = flights_.begin(); it != flights_.end();) {
    const Flight& flight = *it->second;
    it = flight.finished && now - flight.finished_at >= reuse_for_
             ? flights_.erase(it)
             : std::next(it);
  }
}

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_SINGLE_FLIGHT_H_
