#include "services/webhook/partition.h"

#include <charconv>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/base/json.h"

namespace kyc::webhook {
namespace {

// FNV-1a, then MurmurHash3's finish, without which texts that differ in their
// last letters alone stay close together. std::hash and Abseil's differ
// between builds and processes.
uint64_t Hash(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  hash = (hash ^ (hash >> 33)) * 0xff51afd7ed558ccd;
  hash = (hash ^ (hash >> 33)) * 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 33);
}

// The whole of `text` as a number without sign.
std::optional<uint64_t> ToNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

uint64_t ApplicantKey(std::string_view body) {
  const auto document = base::JsonDocument::Parse(body);
  if (document.ok()) {
    for (const char* name : {"externalUserId", "applicantId"}) {
      const auto id = document->root()[name].AsString();
      if (id.has_value() && !id->empty()) return Hash(*id);
    }
  }
  return Hash(body);
}

int PartitionOf(uint64_t applicant_key, int partitions) {
  return static_cast<int>(applicant_key % static_cast<uint64_t>(partitions));
}

PartitionKeys::PartitionKeys(int partition)
    : events(absl::StrFormat("kyc:{e%02d}:events", partition)),
      dead(events + ":dead"),
      lease(absl::StrFormat("kyc:{e%02d}:lease", partition)),
      epoch(lease + ":epoch") {}

const PartitionKeys& KeysOf(int partition) {
  static const auto* const all = [] {
    auto* keys = new std::vector<PartitionKeys>;
    for (int i = 0; i < kMaxPartitions; ++i) keys->emplace_back(i);
    return keys;
  }();
  return all->at(partition);
}

std::string EventId(int partition, std::string_view entry) {
  return absl::StrCat("e", absl::Dec(partition, absl::kZeroPad2), ":",
                      absl::string_view(entry.data(), entry.size()));
}

std::optional<EventPlace> ParseEventId(std::string_view id, int partitions) {
  const size_t colon = id.find(':');
  if (id.empty() || id.front() != 'e' || colon == std::string_view::npos) {
    return std::nullopt;
  }
  const auto partition = ToNumber(id.substr(1, colon - 1));
  const std::string_view entry = id.substr(colon + 1);
  const size_t dash = entry.find('-');
  if (!partition || *partition >= static_cast<uint64_t>(partitions) ||
      dash == std::string_view::npos || !ToNumber(entry.substr(0, dash)) ||
      !ToNumber(entry.substr(dash + 1))) {
    return std::nullopt;
  }
  return EventPlace{static_cast<int>(*partition), std::string(entry)};
}

int64_t StreamIdMs(std::string_view entry) {
  int64_t ms = 0;
  std::from_chars(entry.data(), entry.data() + entry.size(), ms);
  return ms;
}

}  // namespace kyc::webhook
