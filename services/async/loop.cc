#include "services/async/loop.h"

#include <pthread.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstdlib>
#include <exception>
#include <list>
#include <string>
#include <thread>
#include <utility>

#include "services/async/waiter.h"
#include "services/base/log.h"

namespace kyc::async {
namespace {

namespace asio = boost::asio;

thread_local Loop* current_loop = nullptr;

// Makes `loop` the calling thread's one for a scope.
class CurrentLoop {
 public:
  explicit CurrentLoop(Loop* loop)
      : before_(std::exchange(current_loop, loop)) {}
  ~CurrentLoop() { current_loop = before_; }

 private:
  Loop* const before_;
};

// No state is known to be whole after an exception nobody expected.
[[noreturn]] void Die(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    base::LogError("exception on a loop", {{"what", e.what()}});
  } catch (...) {
    base::LogError("exception on a loop");
  }
  base::StopLogging();
  std::abort();
}

}  // namespace

// Opens the first half of io_context's destructor: with it, what is suspended
// goes before the objects it refers to, and sockets and timers that live in
// those objects can still be destroyed after it.
class Loop::Context : public asio::io_context {
 public:
  // A hint of 1: one thread runs it, others only post.
  Context() : asio::io_context(1) {}
  using asio::execution_context::shutdown;
};

Loop::Loop(int index) : index_(index), context_(std::make_unique<Context>()) {}

Loop::~Loop() { DestroyWhatIsSuspended(); }

asio::io_context& Loop::context() { return *context_; }

Loop* Loop::Current() { return current_loop; }

void Loop::Post(std::function<void()> work) {
  asio::post(*context_, std::move(work));
}

void Loop::Spawn(Task<void> task) {
  asio::co_spawn(context_->get_executor(), std::move(task),
                 [](const std::exception_ptr& error) {
                   if (error) Die(error);
                 });
}

void Loop::Run() {
  pthread_setname_np(pthread_self(),
                     ("loop-" + std::to_string(index_)).c_str());
  CurrentLoop current(this);
  const auto work = asio::make_work_guard(*context_);
  try {
    context_->run();
  } catch (...) {
    Die(std::current_exception());
  }
}

void Loop::DestroyWhatIsSuspended() {
  CurrentLoop current(this);
  while (suspended_ != nullptr) suspended_->Take();
  context_->shutdown();
}

struct Runtime::Impl {
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::thread> threads;
};

Runtime::Runtime(int threads) : impl_(std::make_unique<Impl>()) {
  for (int i = 0; i < threads; ++i) {
    impl_->loops.push_back(std::make_unique<Loop>(i));
  }
}

Runtime::~Runtime() { Stop(); }

void Runtime::Start() {
  for (const auto& loop : impl_->loops) {
    impl_->threads.emplace_back([&loop = *loop] { loop.Run(); });
  }
}

void Runtime::Stop() {
  for (const auto& loop : impl_->loops) loop->context().stop();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->threads.clear();
  // Only when no loop runs any more: coroutines of one may post to another.
  for (const auto& loop : impl_->loops) loop->DestroyWhatIsSuspended();
}

int Runtime::size() const { return static_cast<int>(impl_->loops.size()); }

Loop& Runtime::loop(int index) { return *impl_->loops.at(index); }

Loop& Runtime::LoopFor(std::string_view key) {
  return *impl_
              ->loops[std::hash<std::string_view>()(key) % impl_->loops.size()];
}

Task<void> Sleep(std::chrono::steady_clock::duration time) {
  if (time <= std::chrono::steady_clock::duration::zero()) co_return;
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::as_tuple(asio::deferred));
}

struct Event::Impl {
  struct Waiter {
    asio::steady_timer timer;
    bool notified = false;
  };
  // In the order they came; each stands in its coroutine's frame.
  std::list<Waiter*> waiters;
};

Event::Event() : impl_(std::make_shared<Impl>()) {}
Event::~Event() = default;

Task<bool> Event::Wait(std::chrono::steady_clock::duration timeout) {
  // A copy: the Event may go before the waiter does.
  const std::shared_ptr<Impl> impl = impl_;
  Impl::Waiter waiter{
      asio::steady_timer(co_await asio::this_coro::executor, timeout)};
  struct Leave {
    Impl& impl;
    std::list<Impl::Waiter*>::iterator place;
    ~Leave() { impl.waiters.erase(place); }
  } leave{*impl, impl->waiters.insert(impl->waiters.end(), &waiter)};
  co_await waiter.timer.async_wait(asio::as_tuple(asio::deferred));
  co_return waiter.notified;
}

void Event::Notify() {
  for (Impl::Waiter* waiter : impl_->waiters) {
    waiter->notified = true;
    waiter->timer.cancel();  // Its completion is queued, not run here.
  }
}

}  // namespace kyc::async
