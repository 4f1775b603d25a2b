#include "services/webhook/ownership.h"

#include <algorithm>
#include <functional>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "services/webhook/partition.h"

namespace kyc::webhook {
namespace {

using async::RedisReply;
using std::chrono::steady_clock;

// Scripts go as EVAL: they are short, travel with others in one batch, and
// Redis keeps their compiled form by their text.

// By Redis's clock, which all processes share.
constexpr char kRollCall[] = R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
else
  redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
)lua";

constexpr char kRenew[] = R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
)lua";

// ARGV[1] is the lease to be replaced, '' for a vacant partition.
constexpr char kTake[] = R"lua(
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return false end
local lease = redis.call('INCR', KEYS[2]) .. ':' .. ARGV[2]
redis.call('SET', KEYS[1], lease, 'PX', ARGV[3])
return lease
)lua";

constexpr char kRelease[] = R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
)lua";

std::string NewIncarnation() {
  std::random_device random;
  return absl::StrFormat("%08x", random());
}

}  // namespace

Ownership::Ownership(async::Redis& redis, Options options)
    : redis_(redis),
      options_(std::move(options)),
      incarnation_(NewIncarnation()) {}

bool Ownership::Owns(int partition) const {
  const auto lease = leases_.find(partition);
  return lease != leases_.end() && lease->second.until > steady_clock::now();
}

std::string Ownership::LeaseOf(int partition) const {
  const auto lease = leases_.find(partition);
  return lease == leases_.end() ? std::string() : lease->second.value;
}

std::string Ownership::LeaseKey(int partition) const {
  return options_.lease_key ? options_.lease_key(partition)
                            : KeysOf(partition).lease;
}

int Ownership::Share(const std::vector<std::string>& processes) const {
  const auto self =
      std::find(processes.begin(), processes.end(), options_.process);
  if (self == processes.end()) return 0;
  const int count = static_cast<int>(processes.size());
  const int rank = static_cast<int>(self - processes.begin());
  return options_.partitions / count +
         (rank < options_.partitions % count ? 1 : 0);
}

// Whether a lease that is not held here is this process's all the same: of
// its former life, or taken in a reply that never came.
bool Ownership::IsOurs(const std::string& lease) const {
  const std::vector<std::string> parts =
      absl::StrSplit(lease, absl::MaxSplits(':', 2));
  return parts.size() == 3 && parts[2] == options_.process &&
         (adopts_ || parts[1] == incarnation_);
}

async::Task<Ownership::Round> Ownership::Next(bool take) {
  const TimePoint now = steady_clock::now();
  const std::string time = std::to_string(options_.lease_time.count());
  async::RedisBatch batch;
  batch.Add({"EVAL", kRollCall, "1", options_.processes, options_.process,
             take ? time : "0"});
  for (int i = 0; i < options_.partitions; ++i) {
    const std::string key = LeaseKey(i);
    if (const auto lease = leases_.find(i); lease != leases_.end()) {
      batch.Add({"EVAL", kRenew, "1", key, lease->second.value, time});
    } else {
      batch.Add({"GET", key});
    }
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));

  Round round;
  std::vector<Vacancy> vacancies;
  for (int i = 0; i < options_.partitions; ++i) {
    const auto& reply = replies[i + 1];
    if (!reply.ok()) round.status = reply.status();
    const auto lease = leases_.find(i);
    if (lease == leases_.end()) {
      if (!reply.ok()) continue;
      if (reply->is_nil()) {
        vacancies.push_back({i, ""});
      } else if (IsOurs(reply->text)) {
        vacancies.push_back({i, reply->text});
      }
      continue;
    }
    // Counted from before the command was sent, and ending before Redis's: an
    // owner stops before another can begin.
    if (reply.ok() && reply->integer == 1) {
      lease->second.until = now + options_.lease_time * 4 / 5;
    }
    if ((reply.ok() && reply->integer != 1) ||
        lease->second.until <= steady_clock::now()) {
      round.lost.push_back(i);
      leases_.erase(lease);
    }
  }
  if (!replies[0].ok()) {
    round.status = replies[0].status();
    co_return round;
  }
  std::vector<std::string> processes;
  for (const RedisReply& process : replies[0]->elements) {
    processes.push_back(process.text);
  }
  std::sort(processes.begin(), processes.end());
  const int share = Share(processes);
  if (take) {
    co_await Take(std::move(vacancies), share - owned(), round);
    if (round.status.ok()) adopts_ = false;
  }
  round.surplus = std::max(0, owned() - share);
  co_return round;
}

// `wanted` of the vacant ones, and all that are ours already.
async::Task<void> Ownership::Take(std::vector<Vacancy> vacancies, int wanted,
                                  Round& round) {
  const auto ours = std::stable_partition(
      vacancies.begin(), vacancies.end(),
      [](const Vacancy& v) { return !v.replaces.empty(); });
  const auto known = ours - vacancies.begin();
  // Each process begins somewhere else, so that not all want the same ones.
  if (ours != vacancies.end()) {
    std::rotate(ours,
                ours + std::hash<std::string>()(incarnation_) %
                           (vacancies.end() - ours),
                vacancies.end());
  }
  const auto count = std::max<std::ptrdiff_t>(known, std::max(wanted, 0));
  if (count < static_cast<std::ptrdiff_t>(vacancies.size())) {
    vacancies.resize(count);
  }
  if (vacancies.empty()) co_return;

  const TimePoint now = steady_clock::now();
  const std::string owner = absl::StrCat(incarnation_, ":", options_.process);
  const std::string time = std::to_string(options_.lease_time.count());
  async::RedisBatch batch;
  for (const Vacancy& vacancy : vacancies) {
    const std::string key = LeaseKey(vacancy.partition);
    batch.Add({"EVAL", kTake, "2", key, key + ":epoch", vacancy.replaces, owner,
               time});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  for (size_t i = 0; i < vacancies.size(); ++i) {
    if (!replies[i].ok()) {
      round.status = replies[i].status();
    } else if (!replies[i]->is_nil()) {
      leases_[vacancies[i].partition] = {replies[i]->text,
                                         now + options_.lease_time * 4 / 5};
      round.taken.push_back(vacancies[i].partition);
    }
  }
}

async::Task<void> Ownership::Release(int partition) {
  const auto lease = leases_.find(partition);
  if (lease == leases_.end()) co_return;
  const std::string value = std::move(lease->second.value);
  leases_.erase(lease);
  std::vector<std::string> args = {"EVAL", kRelease, "1", LeaseKey(partition),
                                   value};
  // Without an answer it runs out.
  (void)co_await redis_.Command(std::move(args));
}

}  // namespace kyc::webhook
