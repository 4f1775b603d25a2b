// Suspending one coroutine until another part of its loop resumes it: what
// answers, completions and batches are made of.
#ifndef KYC_SERVICES_ASYNC_WAITER_H_
#define KYC_SERVICES_ASYNC_WAITER_H_

#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "services/async/loop.h"
#include "services/async/task.h"

namespace kyc::async {

// One wait, once. Neither allocates nor needs a timer. All calls on the
// loop's thread. The coroutine that waits is destroyed with the Waiter, or by
// Runtime::Stop, whichever comes first.
class Waiter {
 public:
  explicit Waiter(Loop& loop) : loop_(loop) {}
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Suspends until one of the calls below; does not when it came before.
  Task<void> Wait();
  // The coroutine continues on a turn of the loop of its own.
  void Resume();
  // The coroutine continues inside this call, and may destroy the Waiter. For
  // the last statement of posted work.
  void ResumeNow();

 private:
  friend class Loop;
  using Handler = boost::asio::async_result<boost::asio::use_awaitable_t<>,
                                            void()>::handler_type;

  void Suspend(Handler handler);
  Handler Take();

  Loop& loop_;
  bool resumed_ = false;
  std::optional<Handler> handler_;  // While suspended; then also in the list.
  Waiter* next_ = nullptr;          // The loop's list of suspended waiters.
  Waiter** link_ = nullptr;         // What points here.
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_WAITER_H_
