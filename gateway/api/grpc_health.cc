#include "gateway/api/grpc_health.h"

#include <grpcpp/channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <chrono>
#include <utility>
#include <vector>

#include "services/async/grpc_client.h"

namespace kyc::gateway {
namespace {

using std::chrono::steady_clock;

constexpr char kMethod[] = "/grpc.health.v1.Health/Check";
constexpr std::chrono::seconds kInterval(1);
constexpr std::chrono::seconds kTimeout(1);
constexpr std::chrono::milliseconds kFresh(3000);

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             steady_clock::now().time_since_epoch())
      .count();
}

// Debian ships no code for grpc/health/v1/health.proto. Its two messages have
// one field each: HealthCheckRequest.service, a string, and
// HealthCheckResponse.status, an enum in which SERVING is 1.
grpc::ByteBuffer EncodeRequest(const std::string& service) {
  std::string bytes = {'\x0A', static_cast<char>(service.size())};
  bytes += service;
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

bool IsServing(const grpc::ByteBuffer& response) {
  std::vector<grpc::Slice> slices;
  if (!response.Dump(&slices).ok()) return false;
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes == "\x08\x01";
}

}  // namespace

struct GrpcHealth::Connection {
  explicit Connection(const std::string& address)
      : stub(async::OpenChannel(address)) {}
  grpc::GenericStub stub;
};

GrpcHealth::GrpcHealth(std::string address, std::string service)
    : address_(std::move(address)), service_(std::move(service)) {}

GrpcHealth::~GrpcHealth() = default;

void GrpcHealth::Start(async::Loop& loop) {
  connection_ = std::make_unique<Connection>(address_);
  loop.Spawn(Run());
}

bool GrpcHealth::serving() const {
  const int64_t served_at = served_at_ms_.load(std::memory_order_relaxed);
  return served_at != 0 && NowMs() - served_at <= kFresh.count();
}

async::Task<bool> GrpcHealth::Ask() {
  grpc::ByteBuffer request = EncodeRequest(service_);
  grpc::ByteBuffer response;
  const absl::Status status = co_await async::CallUnary(
      {base::TraceContext::Start(), steady_clock::now() + kTimeout},
      "Health/Check", [&](auto* rpc, auto done) {
        connection_->stub.UnaryCall(rpc, kMethod, grpc::StubOptions(), &request,
                                    &response, std::move(done));
      });
  co_return status.ok() && IsServing(response);
}

async::Task<void> GrpcHealth::Run() {
  while (true) {
    const bool serving = co_await Ask();
    served_at_ms_.store(serving ? NowMs() : 0, std::memory_order_relaxed);
    co_await async::Sleep(kInterval);
  }
}

}  // namespace kyc::gateway
