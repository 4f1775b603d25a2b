#include "services/kyc/server/names.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/async/loop.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/changes.h"
#include "services/kyc/server/provider_errors.h"

namespace kyc::server {
namespace {

using domain::Record;
using store::RecordStore;

bool LacksName(const Record& record) {
  return record.state == domain::State::kApproved &&
         !record.applicant_id.empty() && record.first_name.empty() &&
         record.last_names.empty();
}

bool IsNamed(const provider::PersonalInfo& person) {
  return !person.first_name.empty() || !person.last_name.empty();
}

}  // namespace

void Names::Want(const async::CallContext& context, const Record& record) {
  if (!LacksName(record) || users_.size() >= options_.max_users) return;
  const auto [user, is_new] = users_.try_emplace(record.user_id);
  if (!is_new) return;
  user->second = std::make_shared<Care>();
  async::CallContext own;  // Not bound to whoever asks.
  own.trace = context.trace;
  async::Loop::Current()->Spawn(Fetch(own, record.user_id, user->second));
}

async::Task<absl::StatusOr<Record>> Names::Fill(async::CallContext context,
                                                Record record) {
  Want(context, record);
  const auto user = users_.find(record.user_id);
  if (!LacksName(record) || user == users_.end()) co_return std::move(record);
  const std::shared_ptr<Care> care = user->second;
  if (!care->trying) co_return std::move(record);
  co_await care->tried.Wait(context.Remaining(options_.patience));
  co_return co_await store_.Load(std::move(record.user_id));
}

async::Task<void> Names::Fetch(async::CallContext context, std::string user_id,
                               std::shared_ptr<Care> care) {
  std::chrono::milliseconds pause = options_.first_pause;
  absl::Status status;
  for (int attempt = 1;; ++attempt) {
    care->trying = true;
    status = co_await FetchOnce(context, user_id);
    care->trying = false;
    care->tried.Notify();
    if (status.ok()) {
      users_.erase(user_id);
      co_return;
    }
    if (attempt == options_.attempts) break;
    co_await async::Sleep(pause);
    pause = std::min(pause * 2, options_.longest_pause);
  }
  base::LogWarning("the name of an approved user could not be read",
                   {{"code", absl::StatusCodeToString(status.code())}},
                   &context.trace);
  co_await async::Sleep(options_.rest);
  users_.erase(user_id);
}

async::Task<absl::Status> Names::FetchOnce(async::CallContext context,
                                           std::string user_id) {
  const async::Slots::Slot place = co_await places_.Take();
  CO_ASSIGN_OR_RETURN(Record record, co_await store_.Load(std::move(user_id)));
  if (!LacksName(record)) co_return absl::OkStatus();
  CO_ASSIGN_OR_RETURN(
      std::optional<provider::PersonalInfo> person,
      co_await provider_.GetPersonalInfo(
          context.Within(options_.provider_timeout), record.applicant_id));
  if (!person || !IsNamed(*person)) {
    co_return absl::NotFoundError("the provider names nobody");
  }
  co_return (co_await Store(context, std::move(record), *std::move(person)))
      .status();
}

async::Task<absl::StatusOr<Record>> Names::Store(
    async::CallContext context, Record record, provider::PersonalInfo person) {
  if (!LacksName(record) || !IsNamed(person)) co_return std::move(record);
  const std::string applicant_id = record.applicant_id;
  CO_ASSIGN_OR_RETURN(
      RecordStore::Outcome stored,
      co_await store_.UpdateFrom(
          std::move(record),
          [&](const Record& current) -> std::optional<RecordStore::Change> {
            if (!LacksName(current) || current.applicant_id != applicant_id) {
              return std::nullopt;
            }
            Record next = current;
            next.first_name = person.first_name.Reveal();
            next.last_names = person.last_name.Reveal();
            domain::Event event;
            event.source = kSourcePoll;
            auto change = Changed(current, std::move(next), event, context);
            if (change) change->audit.action = "name_stored";
            return change;
          },
          /*only_this_version=*/false));
  co_return std::move(stored.record);
}

}  // namespace kyc::server
