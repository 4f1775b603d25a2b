#include "deploy/sandbox/faults.h"

#include "deploy/sandbox/api.h"

namespace kyc::sandbox {
namespace {

constexpr std::pair<std::string_view, Fault::Mode> kModes[] = {
    {"none", Fault::Mode::kNone},
    {"down", Fault::Mode::kDown},
    {"slow", Fault::Mode::kSlow},
    {"hang", Fault::Mode::kHang},
    {"garbage", Fault::Mode::kGarbage},
    {"html", Fault::Mode::kHtml},
    {"redirect", Fault::Mode::kRedirect},
    {"wrong_shape", Fault::Mode::kWrongShape},
};

Reply Make(int status, std::string content_type, std::string body) {
  Reply reply;
  reply.status = status;
  reply.content_type = std::move(content_type);
  reply.body = std::move(body);
  return reply;
}

}  // namespace

bool ParseFaultMode(std::string_view text, Fault* fault) {
  for (const auto& [name, mode] : kModes) {
    if (name == text) {
      fault->mode = mode;
      return true;
    }
  }
  if (text.size() != 3 || (text[0] != '4' && text[0] != '5')) return false;
  int status = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    status = status * 10 + (c - '0');
  }
  fault->mode = Fault::Mode::kStatus;
  fault->status = status;
  return true;
}

std::optional<Fault> Faults::Take(std::string_view target) {
  if (fault_.mode == Fault::Mode::kNone || fault_.count == 0 ||
      !target.starts_with(fault_.paths)) {
    return std::nullopt;
  }
  if (fault_.count > 0) --fault_.count;
  return fault_;
}

std::optional<Reply> FaultReply(const Fault& fault) {
  switch (fault.mode) {
    case Fault::Mode::kNone:
    case Fault::Mode::kSlow:
      return std::nullopt;
    case Fault::Mode::kDown:
    case Fault::Mode::kHang:
      return Make(503, "text/plain", "no healthy upstream");
    case Fault::Mode::kGarbage:
      return Make(200, "application/json", std::string("\0\xff{\"id\":", 8));
    case Fault::Mode::kHtml:
      return Make(200, "text/html; charset=utf-8",
                  "<!DOCTYPE html><html><body>Just a moment...</body></html>");
    case Fault::Mode::kStatus: {
      Reply reply = ErrorReply(PlainError(
          fault.status, fault.status == 429 ? "Too many requests"
                                            : "An error has been scripted"));
      if (fault.status == 429) reply.headers.emplace_back("Retry-After", "1");
      return reply;
    }
    case Fault::Mode::kRedirect: {
      Reply reply = Make(302, "text/html", "");
      reply.headers.emplace_back("Location", "http://127.0.0.1:9/elsewhere");
      return reply;
    }
    case Fault::Mode::kWrongShape:
      return Make(200, "application/json", R"({"unexpected":[1,2,3]})");
  }
  return std::nullopt;
}

}  // namespace kyc::sandbox
