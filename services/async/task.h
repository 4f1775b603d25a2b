// The coroutine type of every asynchronous function in the project.
#ifndef KYC_SERVICES_ASYNC_TASK_H_
#define KYC_SERVICES_ASYNC_TASK_H_

#include <boost/asio/awaitable.hpp>

namespace kyc::async {

// Runs on the loop of whoever awaits it. Errors are absl::Status values;
// nothing throws across an interface.
//
// Two rules keep coroutines safe here: parameters of a coroutine that
// outlives its caller's statement are taken by value, and a lambda that is a
// coroutine captures nothing that its frame may outlive.
template <typename T>
using Task = boost::asio::awaitable<T>;

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_TASK_H_
