// Bodies with a good signature, whatever they hold: each has a place in the
// stream, and what an operator is shown of it is plain.
#include "services/webhook/partition.h"

#include <cctype>
#include <string>

#include "services/webhook/event_summary.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

void CheckPlain(const std::string& text) {
  FUZZ_CHECK(text.size() <= 64);
  for (const unsigned char c : text) FUZZ_CHECK(c < 0x80 && !std::iscntrl(c));
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  std::string_view body = Text(data, size);
  const uint64_t key = webhook::ApplicantKey(body);
  FUZZ_CHECK(webhook::ApplicantKey(std::string(body)) == key);
  for (const int partitions : {1, 16, 256}) {
    const int partition = webhook::PartitionOf(key, partitions);
    FUZZ_CHECK(partition >= 0 && partition < partitions);
  }
  const webhook::EventSummary summary = webhook::Summarize(body);
  CheckPlain(summary.type);
  CheckPlain(summary.applicant_id);
  CheckPlain(summary.correlation_id);
  CheckPlain(summary.created_at_ms);
  // Ids come from operators' command lines.
  if (const auto place = webhook::ParseEventId(body, 16)) {
    FUZZ_CHECK(place->partition >= 0 && place->partition < 16);
    FUZZ_CHECK(webhook::ParseEventId(
                   webhook::EventId(place->partition, place->entry), 16)
                   .has_value());
  }
  return 0;
}
