// A blocking HTTP client on bare sockets, and SumSub's signature once more:
// what the sandbox's test speaks with must not be what it tests.
#ifndef KYC_DEPLOY_SANDBOX_HTTP_FOR_TEST_H_
#define KYC_DEPLOY_SANDBOX_HTTP_FOR_TEST_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/hmac.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

namespace kyc::sandbox {

struct TestAnswer {
  int status = 0;  // 0: no answer within the limit, or no connection.
  std::string head;
  std::string body;
};

using TestHeaders = std::vector<std::pair<std::string, std::string>>;

inline TestAnswer SendForTest(int port, const std::string& method,
                              const std::string& target,
                              const TestHeaders& headers,
                              const std::string& body, int limit_seconds = 5) {
  TestAnswer answer;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{limit_seconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) !=
      0) {
    close(fd);
    return answer;
  }
  std::string request = method + " " + target +
                        " HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n"
                        "Content-Length: " +
                        std::to_string(body.size()) + "\r\n";
  for (const auto& [name, value] : headers) {
    request += name + ": " + value + "\r\n";
  }
  request += "\r\n" + body;
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t size =
        send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (size <= 0) break;
    sent += size;
  }
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
    text.append(buffer, size);
  }
  close(fd);
  const size_t head_end = text.find("\r\n\r\n");
  if (head_end == std::string::npos) return answer;
  answer.head = text.substr(0, head_end);
  answer.body = text.substr(head_end + 4);
  answer.status = std::atoi(text.substr(9, 3).c_str());
  return answer;
}

// Hex of an HMAC-SHA256 by OpenSSL's one-shot function.
inline std::string HmacForTest(const std::string& key,
                               const std::string& text) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac,
       &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", mac[i]);
    hex += digits;
  }
  return hex;
}

// A call of the API, signed now.
inline TestAnswer CallForTest(int port, const std::string& token,
                              const std::string& secret,
                              const std::string& method,
                              const std::string& target,
                              const std::string& body = "",
                              const std::string& type = "application/json",
                              int limit_seconds = 5) {
  const std::string ts = std::to_string(std::time(nullptr));
  return SendForTest(
      port, method, target,
      {{"X-App-Token", token},
       {"X-App-Access-Ts", ts},
       {"X-App-Access-Sig", HmacForTest(secret, ts + method + target + body)},
       {"Content-Type", type},
       {"Accept", "application/json"}},
      body, limit_seconds);
}

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_HTTP_FOR_TEST_H_
