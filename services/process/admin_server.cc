#include <algorithm>
#include <atomic>
#include <utility>

#include "services/async/http_server.h"
#include "services/async/loop.h"
#include "services/base/error.h"
#include "services/base/json.h"
#include "services/base/metrics.h"
#include "services/process/process.h"
#include "services/process/process_metrics.h"

namespace kyc::process {
namespace {

constexpr int kMaxConnections = 64;
constexpr std::chrono::milliseconds kDrainLimit{500};

void Refuse(v1::ErrorReason reason, async::ServerResponse& response) {
  const base::ErrorEntry& error = base::LookUpError(reason);
  response.status = error.http_status;
  response.content_type = "application/problem+json";
  response.body.clear();
  base::JsonWriter(&response.body)
      .BeginObject()
      .Key("type")
      .String("about:blank")
      .Key("title")
      .String(error.title)
      .Key("status")
      .Int(error.http_status)
      .Key("detail")
      .String(error.detail)
      .EndObject();
}

}  // namespace

struct AdminServer::Impl {
  Impl(std::string listen, std::vector<Dependency> dependencies)
      : dependencies(std::move(dependencies)),
        runtime(1),
        server(
            runtime,
            {.listen = std::move(listen), .max_connections = kMaxConnections},
            [this](async::Loop&, async::ServerRequest& request,
                   async::ServerResponse& response) {
              return Serve(request, response);
            },
            [](v1::ErrorReason reason, std::string_view,
               async::ServerResponse& response) { Refuse(reason, response); }) {
  }

  async::Task<void> Serve(async::ServerRequest& request,
                          async::ServerResponse& response) {
    const std::string_view path = request.path();
    const bool known =
        path == "/healthz" || path == "/readyz" || path == "/metrics";
    if (!known) {
      Refuse(v1::ERROR_REASON_ROUTE_NOT_FOUND, response);
      co_return;
    }
    if (request.method() != "GET" && request.method() != "HEAD") {
      Refuse(v1::ERROR_REASON_METHOD_NOT_ALLOWED, response);
      response.headers.emplace_back("Allow", "GET, HEAD");
      co_return;
    }
    response.headers.emplace_back("Cache-Control", "no-store");
    response.content_type = "text/plain; charset=utf-8";
    if (path == "/healthz") {
      response.body = "ok\n";
    } else if (path == "/readyz") {
      const bool is_ready = DescribeReadiness(&response.body);
      response.status = is_ready ? 200 : 503;
    } else {
      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
      response.body = base::RenderMetrics();
    }
  }

  // Asks each dependency once, so that the lines agree with the first one.
  bool DescribeReadiness(std::string* text) const {
    bool is_ready = !draining;
    std::string lines;
    for (const Dependency& dependency : dependencies) {
      const bool ok = dependency.ok();
      is_ready = is_ready && (ok || !dependency.required);
      lines.append(dependency.name).append(ok ? ": ok" : ": down");
      lines.append(dependency.required ? "\n" : " (not required)\n");
    }
    text->append(is_ready ? "ready\n" : "not ready\n").append(lines);
    return is_ready;
  }

  const std::vector<Dependency> dependencies;
  std::atomic<bool> draining{false};
  async::Runtime runtime;
  async::HttpServer server;
};

AdminServer::AdminServer(std::string listen,
                         std::vector<Dependency> dependencies)
    : impl_(
          std::make_unique<Impl>(std::move(listen), std::move(dependencies))) {}

AdminServer::~AdminServer() {
  impl_->server.Drain(kDrainLimit);
  impl_->runtime.Stop();
}

absl::Status AdminServer::Start() {
  ExportProcessMetrics();
  impl_->runtime.Start();
  return impl_->server.Start();
}

int AdminServer::port() const { return impl_->server.port(); }

void AdminServer::SetDraining() { impl_->draining = true; }

bool AdminServer::ready() const {
  std::string text;
  return impl_->DescribeReadiness(&text);
}

}  // namespace kyc::process
