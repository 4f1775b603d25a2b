// Early return on absl::Status, in functions and in coroutines.
//
// The CO_ forms are for coroutines, where `return` is not allowed. `lhs` may
// declare a variable:
//
//   CO_ASSIGN_OR_RETURN(Record record, co_await store.Load(user_id));
#ifndef KYC_SERVICES_BASE_STATUS_MACROS_H_
#define KYC_SERVICES_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define KYC_MACRO_CONCAT_(a, b) a##b
#define KYC_MACRO_CONCAT(a, b) KYC_MACRO_CONCAT_(a, b)

#define KYC_RETURN_IF_ERROR_(keyword, expr)                       \
  do {                                                            \
    if (absl::Status kyc_status_ = (expr); !kyc_status_.ok()) {   \
      keyword kyc_status_;                                        \
    }                                                             \
  } while (false)

#define KYC_ASSIGN_OR_RETURN_(keyword, tmp, lhs, expr) \
  auto tmp = (expr);                                   \
  if (!tmp.ok()) keyword std::move(tmp).status();      \
  lhs = *std::move(tmp)

#define RETURN_IF_ERROR(expr) KYC_RETURN_IF_ERROR_(return, expr)
#define CO_RETURN_IF_ERROR(expr) KYC_RETURN_IF_ERROR_(co_return, expr)
#define ASSIGN_OR_RETURN(lhs, expr) \
  KYC_ASSIGN_OR_RETURN_(return, KYC_MACRO_CONCAT(kyc_or_, __LINE__), lhs, expr)
#define CO_ASSIGN_OR_RETURN(lhs, expr)                                      \
  KYC_ASSIGN_OR_RETURN_(co_return, KYC_MACRO_CONCAT(kyc_or_, __LINE__), lhs, \
                        expr)

#endif  // KYC_SERVICES_BASE_STATUS_MACROS_H_
