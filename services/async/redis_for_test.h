// A redis-server of one test's own, and the ways in which it can fail.
#ifndef KYC_SERVICES_ASYNC_REDIS_FOR_TEST_H_
#define KYC_SERVICES_ASYNC_REDIS_FOR_TEST_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "services/async/redis.h"

namespace kyc::async {

// Runs /usr/bin/redis-server on a free port of 127.0.0.1 and on a unix socket,
// with its data in a temporary directory. Every call returns when the server
// has reached the state it names; a failure aborts the test. Ends with the
// test, whatever way that ends.
class RedisForTest {
 public:
  struct Settings {
    bool append_only = false;  // With fsync always: survives Kill.
    std::string password;
    std::vector<std::string> arguments;  // More of redis-server's own.
  };
  RedisForTest() : RedisForTest(Settings()) {}
  explicit RedisForTest(Settings settings);
  ~RedisForTest();
  RedisForTest(const RedisForTest&) = delete;
  RedisForTest& operator=(const RedisForTest&) = delete;

  int port() const { return port_; }
  // "redis://127.0.0.1:<port>/0".
  std::string url() const;
  // With the password set.
  RedisOptions tcp_options() const;
  RedisOptions options() const;

  void Kill();     // SIGKILL.
  void Restart();  // After Kill, at the same addresses.
  void Freeze();   // SIGSTOP: connections stay open, nobody answers.
  void Thaw();

 private:
  void Start();
  bool Answers() const;

  const Settings settings_;
  std::string directory_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_REDIS_FOR_TEST_H_
