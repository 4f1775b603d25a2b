// Scripted faults of the provider: what a client must survive.
#ifndef KYC_DEPLOY_SANDBOX_FAULTS_H_
#define KYC_DEPLOY_SANDBOX_FAULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "deploy/sandbox/message.h"

namespace kyc::sandbox {

struct Fault {
  enum class Mode {
    kNone,
    kDown,        // 503 of a load balancer with nothing behind it.
    kSlow,        // The right answer, late.
    kHang,        // No answer.
    kGarbage,     // 200 with bytes that are no JSON.
    kHtml,        // 200 with a web page.
    kStatus,      // An error status, as SumSub words it.
    kRedirect,    // 302 to elsewhere.
    kWrongShape,  // 200 with JSON of another shape.
  };
  Mode mode = Mode::kNone;
  int status = 0;        // Of kStatus.
  int64_t delay_ms = 0;  // Before the answer, in every mode.
  std::string paths;     // Only targets that begin so; "" is all.
  int64_t count = -1;    // Only so many requests; negative is all.
};

// "none", "down", "slow", "hang", "garbage", "html", "redirect",
// "wrong_shape", or a status from 400 to 599. False for anything else.
bool ParseFaultMode(std::string_view text, Fault* fault);

// The fault in force. Used by one thread.
class Faults {
 public:
  void Set(Fault fault) { fault_ = std::move(fault); }
  // The fault that this request meets, counted off, or nullopt.
  std::optional<Fault> Take(std::string_view target);

 private:
  Fault fault_;
};

// What a fault answers in place of the API; nullopt for kSlow, where the API
// answers after all. kHang has its answer for the day the client still waits.
std::optional<Reply> FaultReply(const Fault& fault);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_FAULTS_H_
