#include "services/kyc/store/audit.h"

#include <openssl/evp.h>

#include <memory>

#include "absl/strings/str_cat.h"

namespace kyc::store {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void Add(std::string_view bytes) {
    const std::string length = std::to_string(bytes.size()) + ":";
    EVP_DigestUpdate(context_.get(), length.data(), length.size());
    EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  }
  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    static constexpr char kHex[] = "0123456789abcdef";
    std::string text;
    for (unsigned int i = 0; i < size; ++i) {
      text.push_back(kHex[digest[i] >> 4]);
      text.push_back(kHex[digest[i] & 15]);
    }
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

AuditFieldList AuditFields(const AuditEntry& entry) {
  return {
      {"actor", entry.actor},
      {"actor_id", entry.actor_id},
      {"action", entry.action},
      {"from", std::string(domain::StateName(entry.from))},
      {"to", std::string(domain::StateName(entry.to))},
      {"decision", entry.decision},
      {"provider_type", entry.provider_type},
      {"level", entry.level},
      {"provider_time_ms", entry.provider_time_ms
                               ? std::to_string(*entry.provider_time_ms)
                               : std::string()},
      {"event_id", entry.event_id},
      {"reference", entry.reference},
      {"trace_id", entry.trace_id},
      {"time_ms", std::to_string(entry.time_ms)},
      {"version", std::to_string(entry.version)},
  };
}

std::string AuditHash(std::string_view previous_hash, std::string_view user_id,
                      const AuditFieldList& fields) {
  Sha256 hash;
  hash.Add(previous_hash);
  hash.Add(user_id);
  for (const auto& [name, value] : fields) {
    hash.Add(name);
    hash.Add(value);
  }
  return hash.Hex();
}

absl::Status AuditChain::Add(AuditFieldList fields) {
  if (fields.empty() || fields.back().first != kAuditHashField) {
    return absl::DataLossError("no hash");
  }
  const std::string hash = std::move(fields.back().second);
  fields.pop_back();
  std::string next = AuditHash(head_, user_id_, fields);
  if (next != hash) return absl::DataLossError("hash does not fit");
  head_ = std::move(next);
  return absl::OkStatus();
}

absl::Status VerifyAuditChain(std::string_view user_id,
                              const std::vector<AuditFieldList>& entries,
                              std::string_view audit_head) {
  AuditChain chain{std::string(user_id)};
  for (size_t i = 0; i < entries.size(); ++i) {
    if (const absl::Status fits = chain.Add(entries[i]); !fits.ok()) {
      return absl::DataLossError(
          absl::StrCat("audit entry ", i, ": ", fits.message()));
    }
  }
  if (chain.head() != audit_head) {
    return absl::DataLossError("audit trail does not end at the record's head");
  }
  return absl::OkStatus();
}

}  // namespace kyc::store
