// Work that belongs to another loop, awaited on this one.
#ifndef KYC_SERVICES_ASYNC_RUN_ON_H_
#define KYC_SERVICES_ASYNC_RUN_ON_H_

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"

namespace kyc::async {
namespace internal {

template <typename T>
struct Errand {
  explicit Errand(Loop& home) : home(home), done(home) {}

  Loop& home;
  std::optional<T> result;
  std::exception_ptr error;
  Waiter done;  // Touched at home alone.
};

template <typename T>
Task<void> RunErrand(std::shared_ptr<Errand<T>> errand,
                     std::function<Task<T>()> work) {
  try {
    errand->result.emplace(co_await work());
  } catch (...) {
    errand->error = std::current_exception();
  }
  Loop& home = errand->home;
  home.Post([errand = std::move(errand)] { errand->done.ResumeNow(); });
}

}  // namespace internal

// Runs `work` on `loop` and suspends until it has ended; in place when that
// is the calling loop. What `work` refers to is used on that loop, and must
// live until its end: also when the caller is destroyed first, which only
// Runtime::Stop does.
template <typename T>
Task<T> RunOn(Loop& loop, std::function<Task<T>()> work) {
  if (loop.RunsHere()) co_return co_await work();
  const auto errand = std::make_shared<internal::Errand<T>>(*Loop::Current());
  loop.Post([&loop, errand, work = std::move(work)] {
    loop.Spawn(internal::RunErrand<T>(errand, work));
  });
  co_await errand->done.Wait();
  if (errand->error) std::rethrow_exception(errand->error);
  co_return *std::move(errand->result);
}

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_RUN_ON_H_
