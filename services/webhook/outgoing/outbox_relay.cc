#include "services/webhook/outgoing/outbox_relay.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/webhook/outgoing/event.h"

namespace kyc::outgoing {
namespace {

using async::Task;
using std::chrono::steady_clock;

// Entries of an outbox taken at once.
constexpr int kPage = 64;

std::vector<std::string> Channels() {
  std::vector<std::string> channels;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    channels.push_back(ChangesChannel(bucket));
  }
  return channels;
}

// Of one outbox alone, such as a key of another type: the others go on.
void LogStuck(int bucket, const absl::Status& status) {
  const auto why = status.message();
  base::LogError("an outbox is stuck",
                 {{"bucket", bucket},
                  {"error", std::string_view(why.data(), why.size())}});
}

}  // namespace

OutboxRelay::Metrics::Metrics()
    : outbox(base::GetGauge(
          "kyc_outgoing_outbox_entries",
          "Changes that are not deliveries yet, of this process.")),
      created(base::GetCounter("kyc_outgoing_deliveries_total",
                               "Deliveries to be made.")),
      unreadable(
          base::GetCounter("kyc_outgoing_unreadable_total",
                           "Outbox entries that could not be read: lost.")) {}

OutboxRelay::OutboxRelay(async::Loop& loop,
                         const async::RedisOptions& subscriber,
                         async::Redis& redis, DeliveryStore& deliveries,
                         SubscriptionCache& cache, const base::Clock& clock,
                         Options options)
    : options_(std::move(options)),
      clock_(clock),
      redis_(redis),
      deliveries_(deliveries),
      cache_(cache),
      subscriber_(
          loop, subscriber, Channels(),
          [this](std::string_view channel, std::string_view) {
            if (const auto bucket = BucketOfChannel(channel)) Mark(*bucket);
          },
          // Messages may have been lost: the next sweep looks everywhere.
          [this] { SweepNext(); }) {}

void OutboxRelay::Mark(int bucket) {
  if (dirty_.insert(bucket).second) options_.wake();
}

Task<absl::Status> OutboxRelay::Relay() {
  CO_RETURN_IF_ERROR(co_await Sweep());
  co_return co_await DrainOutboxes();
}

// Looks into every outbox, also those no message told of.
Task<absl::Status> OutboxRelay::Sweep() {
  const auto now = steady_clock::now();
  if (now < next_sweep_) co_return absl::OkStatus();
  // Before it begins: what comes meanwhile may ask for the next one.
  next_sweep_ = now + options_.sweep_interval;
  std::vector<int> buckets;
  async::RedisBatch batch;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    if (!options_.works_on(PartOfBucket(bucket))) continue;
    buckets.push_back(bucket);
    batch.Add({"XLEN", OutboxKey(bucket)});
  }
  int64_t entries = 0;
  if (!buckets.empty()) {
    const auto lengths = co_await redis_.CommandMany(std::move(batch));
    for (size_t i = 0; i < lengths.size(); ++i) {
      if (absl::IsInternal(lengths[i].status())) {
        LogStuck(buckets[i], lengths[i].status());
        continue;
      }
      if (!lengths[i].ok()) {
        SweepNext();
        co_return lengths[i].status();
      }
      entries += lengths[i]->integer;
      if (lengths[i]->integer > 0) dirty_.insert(buckets[i]);
    }
  }
  metrics_.outbox->Set(entries);
  co_return absl::OkStatus();
}

// One page of each, so that nothing else waits for a long backlog.
Task<absl::Status> OutboxRelay::DrainOutboxes() {
  const std::set<int> buckets = std::exchange(dirty_, {});
  for (const int bucket : buckets) {
    // Others see to the outboxes of other parts.
    if (!options_.works_on(PartOfBucket(bucket))) continue;
    const absl::Status drained = co_await DrainOutbox(bucket);
    if (absl::IsInternal(drained)) {
      LogStuck(bucket, drained);  // The next sweep tries again.
    } else if (!drained.ok()) {
      dirty_.insert(buckets.begin(), buckets.end());
      co_return drained;
    }
  }
  co_return absl::OkStatus();
}

Task<absl::Status> OutboxRelay::DrainOutbox(int bucket) {
  const std::string key = OutboxKey(bucket);
  std::vector<std::string> read = {"XRANGE", key,     "-",
                                   "+",      "COUNT", std::to_string(kPage)};
  CO_ASSIGN_OR_RETURN(const async::RedisReply reply,
                      co_await redis_.Command(std::move(read)));
  std::vector<Entry> entries = Entries(reply);
  if (entries.empty()) co_return absl::OkStatus();
  if (entries.size() >= kPage) Mark(bucket);
  std::vector<std::string> remove = {"XDEL", key};
  for (const Entry& entry : entries) remove.push_back(entry.id);
  const int part = PartOfBucket(bucket);
  CO_ASSIGN_OR_RETURN(std::vector<Delivery> deliveries,
                      co_await DeliveriesOf(part, std::move(entries)));
  CO_ASSIGN_OR_RETURN(
      const int64_t added,
      co_await deliveries_.Add(part, std::move(deliveries), clock_.NowMs()));
  metrics_.created->Add(static_cast<uint64_t>(added));
  const auto removed = co_await redis_.Command(std::move(remove));
  co_return removed.status();
}

std::vector<OutboxRelay::Entry> OutboxRelay::Entries(
    const async::RedisReply& reply) {
  std::vector<Entry> entries;
  for (const async::RedisReply& each : reply.elements) {
    if (each.elements.size() < 2) continue;
    Entry& entry = entries.emplace_back();
    entry.id = each.elements[0].text;
    for (const async::RedisReply& field : each.elements[1].elements) {
      entry.fields.push_back(field.text);
    }
  }
  return entries;
}

// What these changes are to be delivered as. The subscriptions are looked at
// after the entries were read, so that none made before a change is missed.
Task<absl::StatusOr<std::vector<Delivery>>> OutboxRelay::DeliveriesOf(
    int part, std::vector<Entry> entries) {
  CO_RETURN_IF_ERROR(co_await cache_.Refresh());
  std::vector<Delivery> deliveries;
  for (const Entry& entry : entries) {
    const absl::StatusOr<Change> change = ParseChange(entry.fields);
    if (!change.ok()) {
      metrics_.unreadable->Add();
      base::LogError("unreadable outbox entry", {{"entry", entry.id}});
      continue;
    }
    CO_ASSIGN_OR_RETURN(const SubscriptionCache::List subscriptions,
                        co_await cache_.OfTenant(change->tenant));
    for (const auto& subscription : subscriptions) {
      if (!subscription->enabled) continue;
      for (const std::string_view type : EventTypesOf(*change)) {
        const std::vector<std::string>& wanted = subscription->event_types;
        if (std::find(wanted.begin(), wanted.end(), type) == wanted.end()) {
          continue;
        }
        Delivery& delivery = deliveries.emplace_back();
        delivery.id = DeliveryId(part, change->id, type, subscription->id);
        delivery.subscription = subscription->id;
        delivery.type = std::string(type);
        delivery.body = Payload(type, *change);
      }
    }
  }
  co_return deliveries;
}

}  // namespace kyc::outgoing
