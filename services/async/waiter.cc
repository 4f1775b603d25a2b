#include "services/async/waiter.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <utility>

namespace kyc::async {

namespace asio = boost::asio;

Waiter::~Waiter() {
  if (handler_) Take();
}

Task<void> Waiter::Wait() {
  return asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this](Handler handler) { Suspend(std::move(handler)); },
      asio::use_awaitable);
}

void Waiter::Resume() {
  resumed_ = true;
  if (!handler_) return;
  asio::post(loop_.context(),
             [handler = Take()]() mutable { std::move(handler)(); });
}

void Waiter::ResumeNow() {
  resumed_ = true;
  if (handler_) Take()();
}

void Waiter::Suspend(Handler handler) {
  if (resumed_) {
    asio::post(loop_.context(), [handler = std::move(handler)]() mutable {
      std::move(handler)();
    });
    return;
  }
  handler_.emplace(std::move(handler));
  next_ = loop_.suspended_;
  if (next_ != nullptr) next_->link_ = &next_;
  link_ = &loop_.suspended_;
  loop_.suspended_ = this;
}

Waiter::Handler Waiter::Take() {
  *link_ = next_;
  if (next_ != nullptr) next_->link_ = link_;
  Handler handler = std::move(*handler_);
  handler_.reset();
  return handler;
}

}  // namespace kyc::async
