#include "services/process/grpc_process.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_plugin.h>
#include <grpcpp/impl/server_initializer.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/async/grpc_server.h"
#include "services/process/process.h"

namespace kyc::process {
namespace {

constexpr std::string_view kUnix = "unix:";

// gRPC tells the names of a server's services to its plugins alone. The list
// to fill is the one of the thread that is building a server.
thread_local std::vector<std::string>* t_service_names = nullptr;

class ServiceNames : public grpc::ServerBuilderPlugin {
 public:
  std::string name() override { return "service_names"; }
  void InitServer(grpc::ServerInitializer*) override {}
  void Finish(grpc::ServerInitializer* server) override {
    if (t_service_names != nullptr) {
      *t_service_names = *server->GetServiceList();
    }
  }
  void ChangeArguments(const std::string&, void*) override {}
};

std::unique_ptr<grpc::ServerBuilderPlugin> MakeServiceNames() {
  return std::make_unique<ServiceNames>();
}

// gRPC takes these switches for all servers of the process, and only before
// the first one is built.
void SetUpPlugins(bool reflection) {
  static std::once_flag once;
  std::call_once(once, [reflection] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder::InternalAddPluginFactory(&MakeServiceNames);
    if (reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

absl::Status CannotListen(const std::string& listen, const char* why) {
  return absl::UnavailableError(
      absl::StrCat("cannot listen on ", listen, ": ", why));
}

// gRPC would take the socket file from a living server, too.
absl::Status CheckSocketIsFree(const std::string& listen) {
  const std::string path = listen.substr(kUnix.size());
  struct stat file;
  if (stat(path.c_str(), &file) != 0) return absl::OkStatus();
  if (!S_ISSOCK(file.st_mode)) {
    return CannotListen(listen, "there is a file that is no socket");
  }
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof(address.sun_path) - 1);
  const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool alive = connect(probe, reinterpret_cast<const sockaddr*>(&address),
                             sizeof(address)) == 0;
  close(probe);
  return alive ? CannotListen(listen, "address in use") : absl::OkStatus();
}

}  // namespace

struct GrpcServer::Impl {
  std::string listen;
  std::vector<grpc::Service*> services;
  bool reflection;
  std::vector<std::string> service_names;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
};

GrpcServer::GrpcServer(std::string listen, std::vector<grpc::Service*> services,
                       bool reflection)
    : impl_(new Impl{.listen = std::move(listen),
                     .services = std::move(services),
                     .reflection = reflection,
                     .service_names = {},
                     .server = nullptr}) {}

GrpcServer::~GrpcServer() { Drain(std::chrono::milliseconds(0)); }

absl::Status GrpcServer::Start() {
  absl::Status usable = CheckListenAddress(impl_->listen);
  const bool is_unix = impl_->listen.starts_with(kUnix);
  if (usable.ok() && is_unix) usable = CheckSocketIsFree(impl_->listen);
  if (!usable.ok()) return usable;

  SetUpPlugins(impl_->reflection);
  grpc::ServerBuilder builder;
  async::ApplyServerDefaults(builder);
  // Else two servers would share a port, and their callers, silently.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(impl_->listen, grpc::InsecureServerCredentials(),
                           &impl_->port);
  for (grpc::Service* service : impl_->services) {
    builder.RegisterService(service);
  }
  t_service_names = &impl_->service_names;
  impl_->server = builder.BuildAndStart();
  t_service_names = nullptr;
  if (impl_->server == nullptr) {
    // gRPC has logged which it was.
    return CannotListen(impl_->listen,
                        "address in use, or none of this machine's");
  }
  if (is_unix) impl_->port = 0;
  SetServing(true);
  return absl::OkStatus();
}

void GrpcServer::SetServing(bool serving) {
  if (impl_->server == nullptr) return;
  grpc::HealthCheckServiceInterface* const health =
      impl_->server->GetHealthCheckService();
  health->SetServingStatus(serving);
  for (const std::string& name : impl_->service_names) {
    health->SetServingStatus(name, serving);
  }
}

void GrpcServer::Drain(std::chrono::milliseconds limit) {
  if (impl_->server == nullptr) return;
  SetServing(false);
  impl_->server->Shutdown(std::chrono::system_clock::now() + limit);
  impl_->server->Wait();
  impl_->server.reset();
}

int GrpcServer::port() const { return impl_->port; }

}  // namespace kyc::process
