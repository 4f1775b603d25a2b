#include "services/base/secret.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace kyc::base {
namespace {

constexpr size_t kMaxFileBytes = 64 * 1024;

// Overwrites all bytes a string holds, those past its end included: a short
// string that was moved away leaves its text there.
void Wipe(std::string& text) {
  text.resize(text.capacity());
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

// Wipes a string when it goes out of scope.
class Wiper {
 public:
  explicit Wiper(std::string* text) : text_(text) {}
  ~Wiper() { Wipe(*text_); }
  Wiper(const Wiper&) = delete;
  Wiper& operator=(const Wiper&) = delete;

 private:
  std::string* const text_;
};

// Takes one line break off the end.
std::string_view WithoutLineBreak(std::string_view text) {
  if (!text.ends_with('\n')) return text;
  text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

absl::Status CannotRead(const std::string& path, int error) {
  return absl::NotFoundError(
      absl::StrCat(path, ": cannot be read: ", strerror(error)));
}

// Reads a file that may be a pipe. `text` never grows, so that no copy of its
// bytes is left behind in freed memory.
absl::Status ReadFile(const std::string& path, std::string& text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return CannotRead(path, errno);
  text.resize(kMaxFileBytes + 1);
  size_t size = 0;
  int error = 0;
  while (size < text.size()) {
    const ssize_t n = read(fd, text.data() + size, text.size() - size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) error = errno;
    if (n <= 0) break;
    size += static_cast<size_t>(n);
  }
  close(fd);
  if (error != 0) return CannotRead(path, error);
  if (size > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is larger than 64 KiB"));
  }
  text.resize(size);
  return absl::OkStatus();
}

absl::Status IsEmpty(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": is empty"));
}

}  // namespace

Secret& Secret::operator=(const Secret& other) {
  if (this != &other) {
    Wipe(text_);
    text_ = other.text_;
  }
  return *this;
}

Secret::Secret(Secret&& other) noexcept : text_(std::move(other.text_)) {
  Wipe(other.text_);
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this != &other) {
    Wipe(text_);
    text_ = std::move(other.text_);
    Wipe(other.text_);
  }
  return *this;
}

Secret::~Secret() { Wipe(text_); }

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

absl::StatusOr<Secret> ReadSecretFile(const std::string& path) {
  std::string text;
  Wiper wiper(&text);
  if (absl::Status read = ReadFile(path, text); !read.ok()) return read;
  const std::string_view secret = WithoutLineBreak(text);
  if (secret.empty()) return IsEmpty(path);
  return Secret(std::string(secret));
}

absl::StatusOr<std::vector<Secret>> ReadSecretLines(const std::string& path) {
  std::string text;
  Wiper wiper(&text);
  if (absl::Status read = ReadFile(path, text); !read.ok()) return read;
  std::vector<Secret> secrets;
  std::string_view rest = text;
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const size_t length = end == rest.npos ? rest.size() : end + 1;
    const std::string_view line = WithoutLineBreak(rest.substr(0, length));
    if (!line.empty()) secrets.emplace_back(std::string(line));
    rest.remove_prefix(length);
  }
  if (secrets.empty()) return IsEmpty(path);
  return secrets;
}

}  // namespace kyc::base
