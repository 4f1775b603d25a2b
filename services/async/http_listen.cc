#include "services/async/http_listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "services/base/status_macros.h"

namespace kyc::async {
namespace {

constexpr int kBacklog = 4096;
constexpr std::string_view kUnix = "unix:";

absl::Status Failed(std::string_view address, std::string_view what) {
  return absl::UnavailableError("cannot listen on " + std::string(address) +
                                ": " + std::string(what));
}

absl::Status FailedErrno(std::string_view address) {
  return Failed(address, std::generic_category().message(errno));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.Release()) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

bool SetOption(int fd, int level, int option) {
  const int on = 1;
  return setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

// A socket bound to the address; errno otherwise.
Descriptor Bind(const sockaddr* address, socklen_t size, bool shared) {
  const int family = address->sa_family;
  Descriptor fd(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fd;
  bool ok = true;
  if (family != AF_UNIX) {
    // Accepted sockets inherit TCP_NODELAY.
    ok = SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR) &&
         SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY) &&
         (!shared || SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT));
  }
  if (!ok || bind(fd.get(), address, size) != 0) {
    const int error = errno;
    close(fd.Release());
    errno = error;
    return Descriptor(-1);
  }
  return fd;
}

absl::StatusOr<Listening> ListenTcp(std::string_view address, int sockets) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError("not host:port or unix:/path: " +
                                      std::string(address));
  }
  std::string host(address.substr(0, colon));
  const std::string port(address.substr(colon + 1));
  uint16_t number = 0;
  const auto parsed =
      std::from_chars(port.data(), port.data() + port.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) {
    return absl::InvalidArgumentError("not a port: " + std::string(address));
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.empty() ? nullptr : host.c_str(),
                                port.c_str(), &hints, &found);
  if (error != 0) return Failed(address, gai_strerror(error));
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> list(found,
                                                                freeaddrinfo);
  sockaddr_storage bound{};
  std::memcpy(&bound, found->ai_addr, found->ai_addrlen);
  auto* const name = reinterpret_cast<sockaddr*>(&bound);
  socklen_t size = found->ai_addrlen;

  // A shared port could be shared with another process, too: a second server
  // started by mistake. Without sharing the kernel says so.
  if (Bind(name, size, /*shared=*/false).get() < 0) {
    return FailedErrno(address);
  }

  std::vector<Descriptor> opened;
  for (int i = 0; i < sockets; ++i) {
    Descriptor fd = Bind(name, size, /*shared=*/true);
    // With port 0 the first socket finds the port of all.
    if (fd.get() < 0 || listen(fd.get(), kBacklog) != 0 ||
        getsockname(fd.get(), name, &size) != 0) {
      return FailedErrno(address);
    }
    opened.push_back(std::move(fd));
  }
  Listening listening;
  listening.family = bound.ss_family;
  listening.port =
      ntohs(bound.ss_family == AF_INET6
                ? reinterpret_cast<const sockaddr_in6*>(&bound)->sin6_port
                : reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
  for (Descriptor& fd : opened) listening.sockets.push_back(fd.Release());
  return listening;
}

// Whether `name` is a socket file that nobody listens on.
bool IsStale(const sockaddr_un& name) {
  struct stat file {};
  if (lstat(name.sun_path, &file) != 0 || !S_ISSOCK(file.st_mode)) {
    return false;
  }
  const Descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return fd.get() >= 0 &&
         connect(fd.get(), reinterpret_cast<const sockaddr*>(&name),
                 sizeof(name)) != 0 &&
         errno == ECONNREFUSED;
}

absl::StatusOr<Listening> ListenUnix(std::string_view address) {
  const std::string path(address.substr(kUnix.size()));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(name.sun_path)) {
    return absl::InvalidArgumentError("socket path empty or too long: " +
                                      std::string(address));
  }
  std::memcpy(name.sun_path, path.data(), path.size());
  if (IsStale(name)) unlink(path.c_str());
  Descriptor fd = Bind(reinterpret_cast<const sockaddr*>(&name), sizeof(name),
                       /*shared=*/false);
  if (fd.get() < 0 || listen(fd.get(), kBacklog) != 0) {
    return FailedErrno(address);
  }
  Listening listening;
  listening.family = AF_UNIX;
  listening.unix_path = path;
  listening.sockets.push_back(fd.Release());
  return listening;
}

}  // namespace

absl::StatusOr<Listening> Listen(std::string_view address, int sockets) {
  if (address.substr(0, kUnix.size()) == kUnix) return ListenUnix(address);
  return ListenTcp(address, sockets);
}

}  // namespace kyc::async
