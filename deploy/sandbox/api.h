// SumSub's HTTP API: https://docs.sumsub.com/reference/about-sumsub-api.
#ifndef KYC_DEPLOY_SANDBOX_API_H_
#define KYC_DEPLOY_SANDBOX_API_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/sandbox/applicants.h"
#include "deploy/sandbox/message.h"
#include "deploy/sandbox/request_signature.h"
#include "services/base/clock.h"

namespace kyc::sandbox {

// What the "recognition" says of the next uploads, to be scripted by tests.
struct UploadScript {
  std::vector<std::string> errors;    // With any, the page is inactive.
  std::vector<std::string> warnings;  // Advice.
  int count = 0;                      // For so many uploads.
};

// Answers everything below /resources/. Used by one thread.
class Api {
 public:
  // `applicants` and `clock` outlive this.
  Api(Credentials credentials, Applicants* applicants, const base::Clock* clock,
      bool accept_webp);

  // The signature is checked first, then path, method and media type.
  Reply Handle(const Request& request);

  // "POST /resources/applicants/{id}/reset" of a request, or "unknown": never
  // a caller's text, so that it can be counted and logged.
  static std::string_view RouteOf(std::string_view method,
                                  std::string_view path);
  // The longest body to be read for a path.
  static size_t MaxBodyBytes(std::string_view path);

  void ScriptUploads(UploadScript script) {
    upload_script_ = std::move(script);
  }

 private:
  struct Route;
  struct Call {
    const Request& request;
    const std::vector<std::string_view>& captured;
    std::map<std::string, std::string> query;
  };
  static const std::vector<Route>& Routes();

  Reply Create(const Call& call);
  Reply ReadOne(const Call& call);
  Reply ReadStatus(const Call& call);
  Reply TokenByQuery(const Call& call);
  Reply TokenByBody(const Call& call);
  Reply AddDocument(const Call& call);
  Reply ReadRequired(const Call& call);
  Reply Submit(const Call& call);
  Reply ReadImage(const Call& call);
  Reply ReadResources(const Call& call);
  Reply Reset(const Call& call);
  Reply MoveToLevel(const Call& call);
  Reply TestCompleted(const Call& call);
  Reply Deactivate(const Call& call);
  Reply Activate(const Call& call);
  Reply Health(const Call& call);

  Reply MintToken(const std::string& user_id, const std::string& level,
                  int64_t ttl_seconds);
  Applicant* FindById(const Call& call);

  const Credentials credentials_;
  Applicants* const applicants_;
  const base::Clock* const clock_;
  const bool accept_webp_;
  UploadScript upload_script_;
};

// An error as the API answers it, with a correlation id of its own.
Reply ErrorReply(const ApiError& error);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_API_H_
