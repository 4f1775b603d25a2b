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

class Waiter;

// One thread's event loop. Post and Spawn are thread-safe; the rest belongs
// to the loop's own thread.
class Loop {
 public:
  explicit Loop(int index);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  int index() const { return index_; }
  boost::asio::io_context& context();
  // Whether the calling thread is this loop's.
  bool RunsHere() const { return Current() == this; }
  // The loop of the calling thread, or nullptr on any other thread.
  static Loop* Current();

  // Runs `work` on the loop, never inside this call. An exception that leaves
  // it is logged and ends the process: none should.
  void Post(std::function<void()> work);
  // Starts a coroutine on the loop; at once when called there, else after one
  // post. Exceptions as with Post.
  void Spawn(Task<void> task);

 private:
  friend class Runtime;
  friend class Waiter;
  class Context;

  void Run();                     // Until Stop; on the loop's own thread.
  void DestroyWhatIsSuspended();  // After Run.

  const int index_;
  const std::unique_ptr<Context> context_;
  Waiter* suspended_ = nullptr;  // Head of the list of those who wait.
};

// Owns the loops and their threads. Start once; Stop from any thread but the
// loops' own.
//
// Order of shutdown: end what posts to the loops from outside (gRPC servers),
// Stop, destroy the objects that live on loops, destroy the Runtime.
class Runtime {
 public:
  // `threads` >= 1.
  explicit Runtime(int threads);
  ~Runtime();  // Stops, too.

  // Work posted before Start waits for it.
  void Start();
  // Stops the loops and joins their threads, then destroys the coroutines
  // still suspended and the work still queued, on the calling thread. What
  // they refer to must still live; it may be destroyed afterwards. Work
  // posted later never runs.
  void Stop();

  int size() const;
  Loop& loop(int index);
  // Always the same loop for the same key.
  Loop& LoopFor(std::string_view key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Suspends the calling coroutine. Zero and negative times do not suspend.
Task<void> Sleep(std::chrono::steady_clock::duration time);

// Suspends until Notify; then every waiter continues on its own turn of the
// loop. All calls on one loop's thread. An Event destroyed under its waiters
// leaves them to their timeouts.
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
