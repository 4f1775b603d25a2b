// The whole stand-in: server, API, control API, reviews and webhooks.
#ifndef KYC_DEPLOY_SANDBOX_SANDBOX_H_
#define KYC_DEPLOY_SANDBOX_SANDBOX_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "deploy/sandbox/applicants.h"
#include "deploy/sandbox/faults.h"
#include "deploy/sandbox/levels.h"
#include "deploy/sandbox/request_signature.h"
#include "deploy/sandbox/webhook_sender.h"

namespace kyc::sandbox {

// Everything runs on one loop of its own: no locks, and the order of events
// is the order of calls. Start and Stop from one thread that is not the loop.
class Sandbox {
 public:
  struct Options {
    std::string listen;  // host:port or unix:/path
    Credentials credentials;
    Levels levels;
    Applicants::Options applicants;
    WebhookSender::Options webhooks;
    WebhookScript webhook_script;
    Fault fault;
    bool accept_webp = false;
    std::string data_file;  // "": the data goes with the process.
  };

  explicit Sandbox(Options options);
  ~Sandbox();

  // Reads the data file. Messages name it.
  absl::Status Load();
  // Binds and serves. The message names the address.
  absl::Status Start();
  int port() const;
  // Ends requests in flight within a second and saves.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_SANDBOX_H_
