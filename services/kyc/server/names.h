// The name of an approved user: the one piece of personal data that is stored.
#ifndef KYC_SERVICES_KYC_SERVER_NAMES_H_
#define KYC_SERVICES_KYC_SERVER_NAMES_H_

#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"
#include "services/async/call_context.h"
#include "services/async/loop.h"
#include "services/async/slots.h"
#include "services/async/task.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/provider/provider.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

// An approval names the user's applicant, not the person: the name is fetched
// afterwards, in the background, and repeated with growing pauses while the
// provider fails or does not know it yet. What a process loses by its end is
// made up for when the record is next seen without a name.
//
// One loop's; used on its thread.
class Names {
 public:
  struct Options {
    std::chrono::milliseconds provider_timeout{5000};
    std::chrono::milliseconds first_pause{1000};  // Doubles each time.
    std::chrono::milliseconds longest_pause{120'000};
    int attempts = 9;
    // How long a user is left alone after the last attempt.
    std::chrono::milliseconds rest{600'000};
    std::chrono::milliseconds patience{1000};  // Of Fill.
    // Attempts under way at once, so that users' questions find room at the
    // provider.
    int at_once = 8;
    size_t max_users = 10'000;  // At once; beyond that none are taken on.
  };
  // Both outlive the object.
  Names(store::RecordStore& store, provider::Provider& provider,
        Options options)
      : store_(store),
        provider_(provider),
        options_(options),
        places_(options.at_once) {}

  // Takes care of the name, if the record is approved and has none.
  void Want(const async::CallContext& context, const domain::Record& record);

  // The same; waits a little for an attempt under way, so that whoever has
  // seen the approval sees the name too. The record as it is then.
  async::Task<absl::StatusOr<domain::Record>> Fill(async::CallContext context,
                                                   domain::Record record);

  // Stores a name that has been read, if `record` lacks one and its user is
  // still approved as that applicant. The record as it is then.
  async::Task<absl::StatusOr<domain::Record>> Store(
      async::CallContext context, domain::Record record,
      provider::PersonalInfo person);

 private:
  struct Care {
    bool trying = true;  // An attempt is under way, or waits for its place.
    async::Event tried;
  };

  async::Task<void> Fetch(async::CallContext context, std::string user_id,
                          std::shared_ptr<Care> care);
  // OK when nothing is left to do.
  async::Task<absl::Status> FetchOnce(async::CallContext context,
                                      std::string user_id);

  store::RecordStore& store_;
  provider::Provider& provider_;
  const Options options_;
  async::Slots places_;
  // Those taken care of, also while they are at rest.
  std::unordered_map<std::string, std::shared_ptr<Care>> users_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_NAMES_H_
