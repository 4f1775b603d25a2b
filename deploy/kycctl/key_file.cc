#include "deploy/kycctl/key_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace kyc::kycctl {
namespace {

constexpr size_t kMaxKeyFile = 64 << 10;

absl::Status FileError(const std::string& path, int error) {
  return absl::UnavailableError(path + ": " + std::strerror(error));
}

}  // namespace

bool FileExists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

absl::StatusOr<std::string> ReadKeyFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return FileError(path, errno);
  std::string text(kMaxKeyFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(file.gcount());
  if (text.size() > kMaxKeyFile) {
    return absl::UnavailableError(path + ": too large for a key");
  }
  return text;
}

absl::Status WriteKeyFile(const std::string& path, std::string_view text,
                          mode_t mode) {
  const std::string beside = path + ".new";
  std::remove(beside.c_str());
  const int fd =
      open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
  if (fd < 0) return FileError(beside, errno);
  const ssize_t written = write(fd, text.data(), text.size());
  const bool complete = written == static_cast<ssize_t>(text.size());
  if (close(fd) != 0 || !complete ||
      std::rename(beside.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::remove(beside.c_str());
    return FileError(path, error);
  }
  return absl::OkStatus();
}

}  // namespace kyc::kycctl
