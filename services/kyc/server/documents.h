// Documents and submission: what leads up to a review at the provider.
#ifndef KYC_SERVICES_KYC_SERVER_DOCUMENTS_H_
#define KYC_SERVICES_KYC_SERVER_DOCUMENTS_H_

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/kyc/domain/document_rules.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/domain/state_machine.h"
#include "services/kyc/provider/provider.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

// One loop's; used on its thread. KYC-404-001 for a user without an applicant
// everywhere.
class Documents {
 public:
  struct Options {
    std::chrono::milliseconds provider_timeout{5000};
    std::chrono::milliseconds upload_timeout{30'000};
    domain::Levels levels;
  };
  // Both outlive the object.
  Documents(store::RecordStore& store, provider::Provider& provider,
            Options options)
      : store_(store), provider_(provider), options_(options) {}

  // Passes a document that has been checked to the provider, and notes that
  // the user is at work. KYC-500-003 when the provider fails or refuses.
  async::Task<absl::StatusOr<provider::UploadedDocument>> Upload(
      async::CallContext context, std::string user_id,
      domain::DocumentMetadata metadata, domain::FileType type,
      provider::DocumentBody file);

  // KYC-502-001 when the provider fails.
  async::Task<absl::StatusOr<std::vector<provider::RequiredStep>>> GetRequired(
      async::CallContext context, std::string user_id);

  // Asks for a review and returns the applicant's id. KYC-409-001 when steps
  // are without documents, KYC-500-004 when the provider fails or refuses.
  async::Task<absl::StatusOr<std::string>> Submit(async::CallContext context,
                                                  std::string user_id);

 private:
  // NOT_FOUND's reason when the user has no applicant.
  async::Task<absl::StatusOr<domain::Record>> RecordOf(std::string user_id);
  // In hybrid mode documents go up at a level of their own, which the SDK of
  // the liveness step leaves: before a corrected upload the applicant is moved
  // back.
  async::Task<absl::Status> ReturnToDocumentLevel(async::CallContext context,
                                                  const domain::Record& record);
  // Whether a review is under way or decided for good.
  async::Task<bool> IsSubmitted(async::CallContext context,
                                std::string applicant_id);
  // The provider has taken what the user did: this cannot fail any more.
  async::Task<void> NoteActivity(async::CallContext context,
                                 std::string user_id);

  store::RecordStore& store_;
  provider::Provider& provider_;
  const Options options_;
};

// Whether there are steps and all have documents.
bool AllUploaded(const std::vector<provider::RequiredStep>& steps);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_DOCUMENTS_H_
