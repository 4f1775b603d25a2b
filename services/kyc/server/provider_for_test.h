// A provider that is a table of applicants.
#ifndef KYC_SERVICES_KYC_SERVER_PROVIDER_FOR_TEST_H_
#define KYC_SERVICES_KYC_SERVER_PROVIDER_FOR_TEST_H_

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "services/async/loop.h"
#include "services/base/status_macros.h"
#include "services/kyc/provider/provider.h"

namespace kyc::server {

// Used on one loop; between its coroutines a test may look and change.
class FakeProvider : public provider::Provider {
 public:
  template <typename T>
  using Task = async::Task<T>;
  using CallContext = async::CallContext;

  Task<absl::StatusOr<std::string>> CreateApplicant(
      CallContext, std::string user_id, std::string level) override {
    ++creations;
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    if (applicants.count(user_id)) co_return absl::AlreadyExistsError("409");
    domain::Poll poll;
    poll.applicant_id = "app_" + user_id;
    poll.level = level;
    applicants[user_id] = poll;
    co_return poll.applicant_id;
  }
  Task<absl::StatusOr<provider::Applicant>> FindApplicant(
      CallContext, std::string user_id) override {
    ++reads;
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    auto it = applicants.find(user_id);
    if (it == applicants.end()) co_return absl::NotFoundError("404");
    co_return provider::Applicant{it->second.applicant_id, user_id, it->second};
  }
  Task<absl::StatusOr<provider::Applicant>> GetApplicant(
      CallContext, std::string applicant_id) override {
    CO_RETURN_IF_ERROR(fault);
    for (const auto& [user_id, poll] : applicants) {
      if (poll.applicant_id == applicant_id) {
        co_return provider::Applicant{applicant_id, user_id, poll};
      }
    }
    co_return absl::NotFoundError("404");
  }
  Task<absl::StatusOr<domain::Poll>> GetReview(
      CallContext, std::string applicant_id) override {
    ++reads;
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    for (const auto& [user_id, poll] : applicants) {
      if (poll.applicant_id == applicant_id) co_return poll;
    }
    co_return absl::NotFoundError("404");
  }
  Task<absl::StatusOr<base::Secret>> CreateAccessToken(CallContext, std::string,
                                                       std::string level,
                                                       int) override {
    CO_RETURN_IF_ERROR(fault);
    token_levels.push_back(level);
    co_return base::Secret("_act-sbx-1");
  }

  Task<absl::StatusOr<std::unique_ptr<provider::ImageStream>>> OpenImage(
      CallContext, std::string, std::string) override {
    CO_RETURN_IF_ERROR(fault);
    co_return absl::NotFoundError("404");
  }
  Task<absl::Status> MoveToLevel(CallContext, std::string applicant_id,
                                 std::string level) override {
    CO_RETURN_IF_ERROR(fault);
    for (auto& [user_id, poll] : applicants) {
      if (poll.applicant_id == applicant_id) poll.level = level;
    }
    moves.push_back(level);
    co_return absl::OkStatus();
  }

  struct Upload {
    std::string applicant_id;
    domain::DocumentMetadata metadata;
    domain::FileType type;
    std::string file;
    std::chrono::steady_clock::time_point deadline;
  };
  Task<absl::StatusOr<provider::UploadedDocument>> UploadDocument(
      CallContext context, std::string applicant_id,
      domain::DocumentMetadata metadata, domain::FileType type,
      provider::DocumentBody file) override {
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    std::string bytes;
    for (const std::string& piece : std::move(file).Frame("", "")) {
      bytes += piece;
    }
    uploads.push_back(
        {applicant_id, metadata, type, std::move(bytes), context.deadline});
    co_return provider::UploadedDocument{"img_1", {"blurred"}, upload_errors};
  }
  Task<absl::StatusOr<std::vector<provider::RequiredStep>>> GetRequiredSteps(
      CallContext context, std::string) override {
    lookup_deadline = context.deadline;
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    CO_RETURN_IF_ERROR(steps_fault);
    co_return steps;
  }
  Task<absl::Status> Submit(CallContext context,
                            std::string applicant_id) override {
    submit_deadline = context.deadline;
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    CO_RETURN_IF_ERROR(submit_fault);
    submitted.push_back(applicant_id);
    co_return absl::OkStatus();
  }
  Task<absl::StatusOr<provider::ApplicantDetails>> GetDetails(
      CallContext, std::string) override {
    ++details_reads;
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    CO_RETURN_IF_ERROR(details_fault);
    provider::ApplicantDetails answer = details;
    answer.personal_info = person;
    co_return answer;
  }
  Task<absl::StatusOr<std::optional<provider::PersonalInfo>>> GetPersonalInfo(
      CallContext, std::string) override {
    ++person_reads;
    co_await async::Sleep(delay);
    CO_RETURN_IF_ERROR(fault);
    CO_RETURN_IF_ERROR(details_fault);
    co_return person;
  }

  static absl::Status Incomplete() {
    absl::Status status = absl::FailedPreconditionError("409");
    status.SetPayload(provider::kIncompletePayload, absl::Cord());
    return status;
  }
  static provider::PersonalInfo Person(std::string first, std::string last) {
    return {base::Pii(std::move(first)), base::Pii(std::move(last)),
            base::Pii("1990-05-15"), base::Pii("GBR"), base::Pii("FRA")};
  }

  std::map<std::string, domain::Poll> applicants;
  std::vector<std::string> moves;
  absl::Status fault;  // Of every call.
  std::chrono::milliseconds delay{1};
  int creations = 0;
  int reads = 0;
  std::vector<std::string> token_levels;

  std::vector<Upload> uploads;
  std::vector<std::string> upload_errors;
  std::vector<provider::RequiredStep> steps;
  absl::Status steps_fault;
  absl::Status submit_fault;
  std::vector<std::string> submitted;
  std::chrono::steady_clock::time_point lookup_deadline;
  std::chrono::steady_clock::time_point submit_deadline;
  provider::ApplicantDetails details;
  std::optional<provider::PersonalInfo> person;
  absl::Status details_fault;
  std::atomic<int> details_reads = 0;
  std::atomic<int> person_reads = 0;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PROVIDER_FOR_TEST_H_
