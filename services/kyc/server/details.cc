#include "services/kyc/server/details.h"

#include <iterator>
#include <utility>

#include "services/async/loop.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/provider_errors.h"

namespace kyc::server {

using domain::Record;
using std::chrono::steady_clock;

async::Task<absl::StatusOr<Details::Result>> Details::Get(
    async::CallContext context, std::string user_id, bool refresh) {
  CO_ASSIGN_OR_RETURN(Record record, co_await store_.Load(user_id));
  if (record.applicant_id.empty()) {
    // One who had an applicant that is gone has a decision, perhaps.
    if (record.link_ms == 0) {
      co_return base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
    }
    co_return Result{std::move(record),
                     std::make_shared<const provider::ApplicantDetails>()};
  }
  if (!refresh) {
    if (Known known = Cached(record)) {
      names_.Want(context, record);
      co_return Result{std::move(record), std::move(known)};
    }
  }
  auto outcome =
      co_await questions_.Run(user_id, [&] { return Ask(context, record); });
  CO_RETURN_IF_ERROR(outcome.value.status());
  // Much may have happened while the provider was asked.
  CO_ASSIGN_OR_RETURN(record, co_await store_.Load(std::move(user_id)));
  if (record.applicant_id.empty()) {
    // Nothing more is told of a user who was erased meanwhile.
    outcome.value = std::make_shared<const provider::ApplicantDetails>();
  }
  co_return Result{std::move(record), *std::move(outcome.value)};
}

async::Task<absl::StatusOr<Details::Known>> Details::Ask(
    async::CallContext context, Record record) {
  const std::string user_id = record.user_id;
  // Not left behind when this coroutine is destroyed.
  struct Asking {
    std::unordered_set<std::string>& users;
    const std::string& user_id;
    ~Asking() { users.erase(user_id); }
  } asking{asking_, user_id};
  asking_.insert(user_id);
  absl::StatusOr<provider::ApplicantDetails> details =
      co_await provider_.GetDetails(context.Within(options_.provider_timeout),
                                    record.applicant_id);
  if (absl::IsNotFound(details.status())) {
    details = provider::ApplicantDetails();
  } else if (!details.ok()) {
    co_return ProviderError(
        details.status(), v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
        "Failed to fetch verification details from KYC provider");
  }
  const auto known =
      std::make_shared<const provider::ApplicantDetails>(*std::move(details));
  uint64_t version = record.version;
  if (known->personal_info) {
    const absl::StatusOr<Record> named = co_await names_.Store(
        context, std::move(record), *known->personal_info);
    // One change more is ours; after others' the answer is an old one.
    if (named.ok() && named->version == version + 1) version = named->version;
  }
  if (asking_.count(user_id) > 0) Keep(user_id, version, known);
  co_return known;
}

void Details::Forget(const std::string& user_id) {
  asking_.erase(user_id);
  Drop(user_id);
}

void Details::ForgetAll() {
  asking_.clear();
  entries_.clear();
  oldest_first_.clear();
}

Details::Known Details::Cached(const Record& record) {
  const auto it = entries_.find(record.user_id);
  if (it == entries_.end()) return nullptr;
  if (it->second.version == record.version &&
      steady_clock::now() < it->second.until) {
    return it->second.known;
  }
  Drop(record.user_id);
  return nullptr;
}

void Details::Keep(const std::string& user_id, uint64_t version, Known known) {
  Drop(user_id);
  // All entries live equally long, so the oldest are also the first to end.
  const auto now = steady_clock::now();
  while (!entries_.empty() &&
         (entries_.size() >= options_.cache_entries ||
          entries_.at(oldest_first_.front()).until <= now)) {
    Drop(std::string(oldest_first_.front()));
  }
  if (options_.cache_entries == 0 || options_.cache_ttl.count() <= 0) return;
  oldest_first_.push_back(user_id);
  entries_[user_id] = {std::move(known), version, now + options_.cache_ttl,
                       std::prev(oldest_first_.end())};
  if (!dropping_) {
    dropping_ = true;
    async::Loop::Current()->Spawn(DropInTime());
  }
}

async::Task<void> Details::DropInTime() {
  while (!entries_.empty()) {
    co_await async::Sleep(entries_.at(oldest_first_.front()).until -
                          steady_clock::now());
    while (!entries_.empty() &&
           entries_.at(oldest_first_.front()).until <= steady_clock::now()) {
      Drop(std::string(oldest_first_.front()));
    }
  }
  dropping_ = false;
}

void Details::Drop(const std::string& user_id) {
  const auto it = entries_.find(user_id);
  if (it == entries_.end()) return;
  oldest_first_.erase(it->second.place);
  entries_.erase(it);
}

}  // namespace kyc::server
