// The threads that run everything: one io_context per thread, so that what
// lives on one loop needs no lock.
//
// A Loop is the home of its own Redis connection, HTTP client and sockets.
// Work for one user goes to LoopFor(user id): what must happen once per user
// at a time (creating an applicant, refreshing) is then a plain map.
#ifndef KYC_SERVICES_ASYNC_LOOP_H_
#define KYC_SERVICES_ASYNC_LOOP_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "services/async/task.h"

namespace boost::asio {
class io_context;
}  // namespace boost::asio

namespace kyc::async {

// One thread's event loop. Post and Spawn are thread-safe; the rest belongs
// to the loop's own thread.
class Loop {
 public:
  explicit Loop(int index);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  int index() const { return index_; }
  boost::asio::io_context& context() { return *context_; }
  bool RunsHere() const;

  // Runs `work` on the loop, never inside this call.
  void Post(std::function<void()> work);
  // Starts a coroutine on the loop. An exception that leaves it is logged and
  // ends the process: none should.
  void Spawn(Task<void> task);

 private:
  friend class Runtime;
  const int index_;
  const std::unique_ptr<boost::asio::io_context> context_;
};

// Owns the loops and their threads. Start once; Stop from any thread but the
// loops' own.
class Runtime {
 public:
  // `threads` >= 1.
  explicit Runtime(int threads);
  ~Runtime();

  void Start();
  // Stops the loops and joins their threads. Coroutines still suspended are
  // destroyed with the loops.
  void Stop();

  int size() const;
  Loop& loop(int index);
  // Always the same loop for the same key.
  Loop& LoopFor(std::string_view key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Suspends the calling coroutine. Negative times do not suspend.
Task<void> Sleep(std::chrono::steady_clock::duration time);

// Suspends until Notify; then every waiter continues on its own turn of the
// loop. All calls on one loop's thread.
class Event {
 public:
  Event();
  ~Event();
  // True when notified, false when `timeout` came first.
  Task<bool> Wait(std::chrono::steady_clock::duration timeout);
  void Notify();  // Wakes present waiters only.

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_LOOP_H_
