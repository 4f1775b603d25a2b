#include "deploy/sandbox/sandbox.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "deploy/sandbox/api.h"
#include "deploy/sandbox/applicant_json.h"
#include "deploy/sandbox/control.h"
#include "deploy/sandbox/data_file.h"
#include "deploy/sandbox/message.h"
#include "services/async/http_server.h"
#include "services/async/loop.h"
#include "services/base/clock.h"
#include "services/base/error.h"
#include "services/base/log.h"

namespace kyc::sandbox {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxControlBytes = 1 << 16;
// Changes within this time are saved together.
constexpr milliseconds kSaveDelay{20};
// A client that waits longer than this for a hanging answer gets one.
constexpr milliseconds kHangTime{std::chrono::minutes(2)};

bool IsLoopback(std::string_view address) {
  return address == "unix" || address == "::1" || address.starts_with("127.") ||
         address.starts_with("::ffff:127.");
}

class FileBody : public async::BodySource {
 public:
  explicit FileBody(std::shared_ptr<const std::string> file)
      : file_(std::move(file)) {}

  async::Task<absl::StatusOr<std::string>> Next() override {
    std::string piece = file_->substr(sent_, kPiece);
    sent_ += piece.size();
    co_return piece;
  }

 private:
  static constexpr size_t kPiece = 64 * 1024;
  const std::shared_ptr<const std::string> file_;
  size_t sent_ = 0;
};

void Fill(Reply reply, async::ServerResponse* response) {
  // The server takes literals for the content type; headers carry the rest.
  response->status = reply.status;
  response->content_type = "";
  response->headers = std::move(reply.headers);
  response->headers.emplace_back("Content-Type", std::move(reply.content_type));
  response->body = std::move(reply.body);
  if (reply.file != nullptr) {
    response->stream_size = reply.file->size();
    response->stream = std::make_unique<FileBody>(std::move(reply.file));
  }
}

}  // namespace

class Sandbox::Impl {
 public:
  explicit Impl(Options options)
      : options_(std::move(options)),
        runtime_(1),
        sender_(runtime_.loop(0), base::SystemClock(), options_.webhooks),
        applicants_(&options_.levels, &base::SystemClock(), options_.applicants,
                    [this](const Event& event) { sender_.Send(event); }),
        api_(options_.credentials, &applicants_, &base::SystemClock(),
             options_.accept_webp),
        control_({&applicants_, &api_, &faults_, &counts_, &base::SystemClock(),
                  [this](WebhookScript script) { sender_.SetScript(script); },
                  [this]() -> const std::deque<Delivery>& {
                    return sender_.deliveries();
                  }}),
        server_(
            runtime_, ServerOptions(options_.listen),
            [this](async::Loop&, async::ServerRequest& request,
                   async::ServerResponse& response) {
              return Serve(request, response);
            },
            RenderServerError) {
    sender_.SetScript(options_.webhook_script);
    faults_.Set(options_.fault);
  }

  absl::Status Load() {
    if (options_.data_file.empty()) return absl::OkStatus();
    return LoadDataFile(options_.data_file, &applicants_);
  }

  absl::Status Start() {
    if (!options_.data_file.empty()) writer_.emplace(options_.data_file);
    runtime_.Start();
    started_ = true;
    runtime_.loop(0).Spawn(RunReviews());
    return server_.Start();
  }

  int port() const { return server_.port(); }

  void Stop() {
    if (!std::exchange(started_, false)) return;
    server_.Drain(std::chrono::seconds(1));
    runtime_.Stop();
    if (writer_) {
      writer_->Write(RenderData(applicants_));
      writer_.reset();
    }
  }

 private:
  static async::HttpServerOptions ServerOptions(const std::string& listen) {
    async::HttpServerOptions options;
    options.listen = listen;
    // It holds documents whole, as many as a service sends at a time.
    options.max_body_memory = size_t{2} << 30;
    return options;
  }

  static void RenderServerError(v1::ErrorReason reason, std::string_view,
                                async::ServerResponse& response) {
    const base::ErrorEntry& entry = base::LookUpError(reason);
    Fill(ErrorReply(PlainError(entry.http_status, entry.title)), &response);
  }

  async::Task<void> Serve(async::ServerRequest& request,
                          async::ServerResponse& response) {
    const bool is_control = request.path().starts_with("/sandbox/");
    if (is_control && !IsLoopback(request.peer_address())) {
      Fill(ErrorReply(PlainError(403, "Only for loopback")), &response);
      co_return;
    }
    Request call;
    call.method = request.method();
    call.target = request.target();
    for (const std::string_view name : kReadHeaders) {
      for (const std::string_view value : request.Headers(name)) {
        call.headers[std::string(name)].emplace_back(value);
      }
    }
    std::optional<Fault> fault;
    if (!is_control) fault = faults_.Take(call.target);
    const size_t limit =
        is_control ? kMaxControlBytes : Api::MaxBodyBytes(call.path());
    absl::StatusOr<std::string> body = co_await request.ReadBody(limit);
    if (fault) {
      milliseconds pause(fault->delay_ms);
      if (fault->mode == Fault::Mode::kHang) {
        pause = std::max(pause, kHangTime);
      }
      co_await async::Sleep(pause);
    }
    Reply reply;
    if (!body.ok()) {
      reply = BodyError(body.status(), call.path());
      response.close = true;
    } else {
      call.body = *std::move(body);
      std::optional<Reply> scripted;
      if (fault) scripted = FaultReply(*fault);
      reply = scripted     ? *std::move(scripted)
              : is_control ? control_.Handle(call)
                           : api_.Handle(call);
    }
    if (!is_control) {
      counts_.Add(Api::RouteOf(call.method, call.path()), reply.status);
    }
    Fill(std::move(reply), &response);
    AfterChange();
  }

  static Reply BodyError(const absl::Status& status, std::string_view path) {
    if (absl::IsResourceExhausted(status) && path.ends_with("/info/idDoc")) {
      return ErrorReply(
          CodedError(ErrorCode::kFileTooBig, "File is over 64 MB"));
    }
    const base::ErrorEntry& entry = base::LookUpError(base::ReasonOf(status));
    return ErrorReply(PlainError(entry.http_status, entry.title));
  }

  // Ends reviews as they fall due. Woken when one was planned.
  async::Task<void> RunReviews() {
    while (true) {
      const auto due_ms = applicants_.NextDueMs();
      milliseconds wait = std::chrono::hours(1);
      if (due_ms) {
        wait = milliseconds(*due_ms - base::SystemClock().NowMs());
      }
      if (wait > milliseconds::zero()) co_await planned_.Wait(wait);
      applicants_.RunDue();
      SaveSoon();
    }
  }

  void AfterChange() {
    planned_.Notify();
    SaveSoon();
  }

  void SaveSoon() {
    if (!writer_ || save_is_due_ || saved_version_ == applicants_.version()) {
      return;
    }
    save_is_due_ = true;
    runtime_.loop(0).Spawn(Save());
  }

  async::Task<void> Save() {
    co_await async::Sleep(kSaveDelay);
    save_is_due_ = false;
    saved_version_ = applicants_.version();
    writer_->Write(RenderData(applicants_));
  }

  const Options options_;
  std::optional<FileWriter> writer_;
  bool started_ = false;
  // Before what runs on it: that goes first.
  async::Runtime runtime_;
  async::Event planned_;
  bool save_is_due_ = false;
  int64_t saved_version_ = 0;
  WebhookSender sender_;
  Applicants applicants_;
  Api api_;
  Faults faults_;
  RequestCounts counts_;
  Control control_;
  async::HttpServer server_;
};

Sandbox::Sandbox(Options options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}
Sandbox::~Sandbox() { impl_->Stop(); }

absl::Status Sandbox::Load() { return impl_->Load(); }
absl::Status Sandbox::Start() { return impl_->Start(); }
int Sandbox::port() const { return impl_->port(); }
void Sandbox::Stop() { impl_->Stop(); }

}  // namespace kyc::sandbox
