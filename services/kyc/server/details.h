// What the provider knows of a user, kept for a few minutes in memory alone.
#ifndef KYC_SERVICES_KYC_SERVER_DETAILS_H_
#define KYC_SERVICES_KYC_SERVER_DETAILS_H_

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/single_flight.h"
#include "services/async/task.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/provider/provider.h"
#include "services/kyc/server/names.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

// One loop's; used on its thread.
class Details {
 public:
  struct Options {
    std::chrono::milliseconds provider_timeout{5000};
    std::chrono::milliseconds cache_ttl{300'000};  // 0: nothing is kept.
    size_t cache_entries = 10'000;
  };
  // All outlive the object.
  Details(store::RecordStore& store, provider::Provider& provider, Names& names,
          Options options)
      : store_(store), provider_(provider), names_(names), options_(options) {}

  using Known = std::shared_ptr<const provider::ApplicantDetails>;
  struct Result {
    domain::Record record;  // Always as it is stored now.
    Known known;            // Never null; empty where nothing is known.
  };
  // The record and what the provider knows; `refresh` asks it in any case.
  // An applicant whom the provider has removed or forgotten has no personal
  // data. KYC-404-001 for a user who never had an applicant, KYC-502-001
  // when the provider fails.
  async::Task<absl::StatusOr<Result>> Get(async::CallContext context,
                                          std::string user_id, bool refresh);

  // Forgets what the provider said; it says something else now, or the user
  // is erased. Any change of the record does the same.
  void Forget(const std::string& user_id);
  void ForgetAll();

 private:
  struct Entry {
    Known known;
    uint64_t version;  // Of the record it belongs to.
    std::chrono::steady_clock::time_point until;
    std::list<std::string>::iterator place;
  };

  async::Task<absl::StatusOr<Known>> Ask(async::CallContext context,
                                         domain::Record record);
  Known Cached(const domain::Record& record);
  void Keep(const std::string& user_id, uint64_t version, Known known);
  void Drop(const std::string& user_id);
  // Drops entries as their time comes, while there are any.
  async::Task<void> DropInTime();

  store::RecordStore& store_;
  provider::Provider& provider_;
  Names& names_;
  const Options options_;
  async::SingleFlight<Known> questions_;
  // Users being asked about whose answer may be kept: none of them has been
  // forgotten since.
  std::unordered_set<std::string> asking_;
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> oldest_first_;
  bool dropping_ = false;  // DropInTime runs.
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_DETAILS_H_
