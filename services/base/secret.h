// Text that must not be printed: credentials and personal data.
//
// Neither type converts to a string, has operator<< or compares with ==; who
// needs the text calls Reveal() and is found by searching for it.
//
// Thread-safety: as std::string.
#ifndef KYC_SERVICES_BASE_SECRET_H_
#define KYC_SERVICES_BASE_SECRET_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::base {

// A credential. Its bytes are overwritten when it goes.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&);
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  ~Secret();

  bool empty() const { return text_.empty(); }
  // The text itself: to sign, to compare or to send; never to log.
  std::string_view Reveal() const { return text_; }

 private:
  std::string text_;
};

// A person's data. Like Secret without the wiping.
class Pii {
 public:
  Pii() = default;
  explicit Pii(std::string text) : text_(std::move(text)) {}

  bool empty() const { return text_.empty(); }
  std::string_view Reveal() const { return text_; }

 private:
  std::string text_;
};

// Whether two byte strings are equal, in time that depends on their lengths
// alone.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

// Reads a secret from a file; one newline at its end is not part of it.
// NOT_FOUND or INVALID_ARGUMENT (empty file, over 64 KiB) name the path.
absl::StatusOr<Secret> ReadSecretFile(const std::string& path);

// Reads one secret per line; empty lines are skipped. Errors as above.
absl::StatusOr<std::vector<Secret>> ReadSecretLines(const std::string& path);

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_SECRET_H_
