// A small HTTP/1.1 load generator for tests/bench: what wrk cannot do.
//
//   load --port=8080 --requests=FILE --connections=64 --seconds=5
//        [--rate=N] [--once] [--status=200,201] [--expect=TEXT]
//
// FILE holds whole requests, each after its size as four bytes, least first;
// they are sent in turn, over again until the time is over, or with --once
// until all were sent. Without --rate every connection sends its next request
// when it has its answer (a closed loop). With --rate requests are due at even
// intervals, whatever the answers do (an open loop), and a latency counts from
// the time a request was due: a server that stalls cannot hide it.
//
// An answer of another status, or without TEXT in its body, counts as bad.
// Prints one line of JSON.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::nanoseconds;

struct Options {
  int port = 0;
  std::string requests;
  size_t connections = 64;
  double seconds = 5;
  double rate = 0;
  bool once = false;
  std::set<int> statuses = {200};
  std::string expect;
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "load: %s\n", what.c_str());
  std::exit(2);
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(
        equals == argument.npos ? "" : argument.substr(equals + 1));
    if (name == "--port") {
      options.port = std::stoi(value);
    } else if (name == "--requests") {
      options.requests = value;
    } else if (name == "--connections") {
      options.connections = std::stoul(value);
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else if (name == "--rate") {
      options.rate = std::stod(value);
    } else if (name == "--once") {
      options.once = true;
    } else if (name == "--expect") {
      options.expect = value;
    } else if (name == "--status") {
      options.statuses.clear();
      for (size_t at = 0; at < value.size(); at += 4) {
        options.statuses.insert(std::stoi(value.substr(at, 3)));
      }
    } else {
      Fail("unknown option " + std::string(name));
    }
  }
  return options;
}

// The file's bytes, and where each request stands in them.
class Requests {
 public:
  explicit Requests(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    bytes_.assign(std::istreambuf_iterator<char>(file), {});
    size_t at = 0;
    while (at + 4 <= bytes_.size()) {
      size_t size = 0;
      for (int i = 3; i >= 0; --i) {
        size = size << 8 | static_cast<unsigned char>(bytes_[at + i]);
      }
      at += 4;
      if (size > bytes_.size() - at) Fail("a request is cut short");
      requests_.emplace_back(bytes_.data() + at, size);
      at += size;
    }
    if (requests_.empty()) Fail("no requests in " + path);
  }
  size_t size() const { return requests_.size(); }
  std::string_view operator[](size_t i) const { return requests_[i]; }

 private:
  std::string bytes_;
  std::vector<std::string_view> requests_;
};

struct Connection {
  int fd = -1;
  std::string_view to_send;
  std::string answer;
  bool busy = false;
  bool wants_write = false;
  Clock::time_point due;
};

// The value of a header field whose name is given in lower case with a colon.
std::optional<std::string_view> Field(std::string_view head,
                                      std::string_view name) {
  for (size_t at = head.find("\r\n"); at != head.npos;
       at = head.find("\r\n", at)) {
    at += 2;
    if (head.size() - at < name.size()) return std::nullopt;
    if (!std::equal(name.begin(), name.end(), head.begin() + at,
                    [](char a, char b) { return a == std::tolower(b); })) {
      continue;
    }
    const std::string_view rest = head.substr(at + name.size());
    return rest.substr(0, rest.find("\r\n"));
  }
  return std::nullopt;
}

class Load {
 public:
  explicit Load(Options options)
      : options_(std::move(options)),
        requests_(options_.requests),
        epoll_(epoll_create1(0)) {
    if (options_.rate > 0) {
      interval_ = nanoseconds(static_cast<int64_t>(1e9 / options_.rate));
    }
    for (size_t i = 0; i < options_.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>());
      Open(*connections_.back());
    }
  }

  void Run() {
    begin_ = Clock::now();
    end_ = begin_ + duration_cast<nanoseconds>(
                        std::chrono::duration<double>(options_.seconds));
    next_due_ = begin_;
    for (const auto& connection : connections_) Rest(*connection);
    std::vector<epoll_event> events(512);
    // Answers that are still due get a while after the end.
    const Clock::time_point give_up = end_ + std::chrono::seconds(10);
    while (true) {
      const Clock::time_point now = Clock::now();
      const bool over = now >= end_ || sent_out();
      if (over && in_flight_ == 0 && waiting_.empty()) break;
      if (now >= give_up) break;
      SendDue(now);
      const timespec pause = Pause();
      const int count =
          epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()),
                       &pause, nullptr);
      for (int i = 0; i < count; ++i) {
        Handle(*static_cast<Connection*>(events[i].data.ptr),
               events[i].events);
      }
    }
    unanswered_ = in_flight_ + waiting_.size();
  }

  void Print() {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double share) -> uint32_t {
      if (latencies_.empty()) return 0;
      const auto i = static_cast<size_t>(share * latencies_.size());
      return latencies_[std::min(i, latencies_.size() - 1)];
    };
    std::printf(
        "{\"requests\":%zu,\"us\":%lld,\"bad\":%zu,\"p50\":%u,\"p99\":%u,"
        "\"p999\":%u,\"max\":%u,\"statuses\":{",
        latencies_.size(),
        static_cast<long long>(
            duration_cast<microseconds>(last_ - begin_).count()),
        bad_ + unanswered_, at(.5), at(.99), at(.999), at(1));
    const char* comma = "";
    for (const auto& [status, count] : statuses_) {
      std::printf("%s\"%d\":%zu", std::exchange(comma, ","), status, count);
    }
    std::printf("}}\n");
  }

 private:
  void Open(Connection& connection) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(options_.port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection.fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection.fd, reinterpret_cast<sockaddr*>(&address),
                sizeof(address)) != 0) {
      Fail("cannot connect: " + std::string(std::strerror(errno)));
    }
    const int on = 1;
    setsockopt(connection.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    fcntl(connection.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.fd, &event);
  }

  bool sent_out() const { return options_.once && next_ >= requests_.size(); }

  // Until the next request is due, to the nanosecond, as a generator that spins
  // takes the cores it measures on; in a closed loop only answers matter.
  timespec Pause() const {
    nanoseconds left = std::chrono::milliseconds(100);
    if (interval_.count() > 0) {
      left = std::clamp<nanoseconds>(next_due_ - Clock::now(), nanoseconds(0),
                                     left);
    }
    return {.tv_sec = 0, .tv_nsec = left.count()};
  }

  void SendDue(Clock::time_point now) {
    while (interval_.count() > 0 && next_due_ <= now && next_due_ < end_ &&
           !sent_out()) {
      waiting_.push_back(next_due_);
      next_due_ += interval_;
    }
    while (!waiting_.empty() && !idle_.empty()) {
      Connection& connection = *idle_.back();
      idle_.pop_back();
      Start(connection, waiting_.front());
      waiting_.pop_front();
    }
  }

  // A connection has nothing to do.
  void Rest(Connection& connection) {
    const Clock::time_point now = Clock::now();
    if (interval_.count() > 0) {
      idle_.push_back(&connection);
    } else if (now < end_ && !sent_out()) {
      Start(connection, now);
    }
  }

  void Start(Connection& connection, Clock::time_point due) {
    connection.to_send = requests_[next_++ % requests_.size()];
    connection.due = due;
    connection.busy = true;
    connection.answer.clear();
    ++in_flight_;
    Write(connection);
  }

  void Write(Connection& connection) {
    while (!connection.to_send.empty()) {
      const ssize_t size = send(connection.fd, connection.to_send.data(),
                                connection.to_send.size(), MSG_NOSIGNAL);
      if (size < 0 && errno != EAGAIN) return Lose(connection);
      if (size < 0) break;
      connection.to_send.remove_prefix(size);
    }
    const bool wants_write = !connection.to_send.empty();
    if (wants_write == connection.wants_write) return;
    connection.wants_write = wants_write;
    epoll_event event{.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN,
                      .data = {.ptr = &connection}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.fd, &event);
  }

  void Handle(Connection& connection, uint32_t events) {
    if (events & EPOLLOUT) Write(connection);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    static char buffer[256 * 1024];
    const ssize_t size = recv(connection.fd, buffer, sizeof(buffer), 0);
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) return Lose(connection);
    connection.answer.append(buffer, size);
    const size_t head = connection.answer.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const std::string_view answer = connection.answer;
    const auto length = Field(answer.substr(0, head), "content-length: ");
    const size_t body = length ? std::strtoul(length->data(), nullptr, 10) : 0;
    if (answer.size() < head + 4 + body) return;
    Done(connection, std::atoi(answer.data() + 9), answer.substr(head + 4));
    if (Field(answer.substr(0, head), "connection: ") == "close") {
      Again(connection);
    }
    Rest(connection);
  }

  void Done(Connection& connection, int status, std::string_view body) {
    last_ = Clock::now();
    latencies_.push_back(static_cast<uint32_t>(
        duration_cast<microseconds>(last_ - connection.due).count()));
    ++statuses_[status];
    if (options_.statuses.count(status) == 0 ||
        (!options_.expect.empty() &&
         body.find(options_.expect) == body.npos)) {
      ++bad_;
    }
    connection.busy = false;
    --in_flight_;
  }

  // The server has closed the connection.
  void Lose(Connection& connection) {
    if (std::exchange(connection.busy, false)) {
      --in_flight_;
      ++bad_;
      last_ = Clock::now();
    }
    Again(connection);
    Rest(connection);
  }

  void Again(Connection& connection) {
    close(connection.fd);
    connection.wants_write = false;
    const auto it = std::find(idle_.begin(), idle_.end(), &connection);
    if (it != idle_.end()) idle_.erase(it);
    Open(connection);
  }

  const Options options_;
  const Requests requests_;
  const int epoll_;
  nanoseconds interval_{0};
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;
  std::deque<Clock::time_point> waiting_;  // Due and not sent.
  Clock::time_point begin_, end_, next_due_, last_;
  size_t next_ = 0;
  size_t in_flight_ = 0;
  size_t bad_ = 0;
  size_t unanswered_ = 0;
  std::vector<uint32_t> latencies_;  // Microseconds.
  std::map<int, size_t> statuses_;
};

}  // namespace

int main(int argc, char** argv) {
  Load load(ParseOptions(argc, argv));
  load.Run();
  load.Print();
}
