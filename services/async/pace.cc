#include "services/async/pace.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

namespace kyc::async {
namespace asio = boost::asio;

Task<void> Pace::Pass() {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point now = Clock::now();
  if (now >= opens_) {
    opens_ = now + interval_;
    co_return;
  }
  // Timers of one point in time end in one turn.
  const Clock::time_point mine = opens_;
  asio::steady_timer timer(co_await asio::this_coro::executor, mine);
  co_await timer.async_wait(asio::as_tuple(asio::deferred));
  // The first of them closes the way again, unless somebody came before.
  if (opens_ == mine) opens_ = Clock::now() + interval_;
}

}  // namespace kyc::async
