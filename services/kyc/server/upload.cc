#include "services/kyc/server/upload.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "services/async/run_on.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/domain/document_rules.h"
#include "services/kyc/provider/document_body.h"

namespace kyc::server {
namespace {

using async::Task;
using Request = v1::UploadDocumentRequest;
using Reader = async::StreamReader<Request>;

constexpr size_t kMostRead = 16 << 20;

struct Received {
  std::string user_id;
  domain::DocumentForm form;
  std::string head;  // The file's first bytes.
  size_t size = 0;
  provider::DocumentBody file;  // Empty when it is too large.
};

absl::Status OutOfOrder() {
  return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                     "an upload is one start, chunks, and one metadata");
}

domain::DocumentForm FormOf(Request::Metadata& metadata) {
  domain::DocumentForm form;
  if (metadata.has_document_type()) {
    form.document_type = std::move(*metadata.mutable_document_type());
  }
  if (metadata.has_country()) {
    form.country = std::move(*metadata.mutable_country());
  }
  if (metadata.has_side()) form.side = std::move(*metadata.mutable_side());
  if (metadata.has_file_name()) {
    form.file_name = std::move(*metadata.mutable_file_name());
  }
  if (metadata.has_content_type()) {
    form.content_type = std::move(*metadata.mutable_content_type());
  }
  return form;
}

absl::Status AddChunk(std::string chunk, Received& received) {
  if (chunk.size() > kMostRead - received.size) {
    return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
  }
  received.head.append(chunk, 0, domain::kFileHeadBytes - received.head.size());
  received.size += chunk.size();
  if (received.size <= domain::kMaxFileBytes) {
    received.file.Append(std::move(chunk));
  } else if (received.file.size() > 0) {
    received.file = provider::DocumentBody();
  }
  return absl::OkStatus();
}

Task<absl::StatusOr<std::unique_ptr<Received>>> ReadAll(Reader& reader) {
  auto received = std::make_unique<Received>();
  CO_ASSIGN_OR_RETURN(std::optional<Request> message, co_await reader.Read());
  if (!message) co_return absl::CancelledError("no message");
  if (!message->has_start()) co_return OutOfOrder();
  received->user_id = message->start().user_id();
  CO_RETURN_IF_ERROR(CheckUserId(received->user_id));
  while (true) {
    CO_ASSIGN_OR_RETURN(message, co_await reader.Read());
    if (!message) co_return absl::CancelledError("no metadata");
    if (message->has_metadata()) break;
    if (!message->has_chunk()) co_return OutOfOrder();
    CO_RETURN_IF_ERROR(
        AddChunk(std::move(*message->mutable_chunk()), *received));
  }
  received->form = FormOf(*message->mutable_metadata());
  CO_ASSIGN_OR_RETURN(message, co_await reader.Read());
  if (message) co_return OutOfOrder();
  co_return received;
}

}  // namespace

UploadLimit::Place::Place(UploadLimit& limit)
    : limit_(limit), taken_(limit.under_way_.fetch_add(1) < limit.most_) {
  if (!taken_) limit_.under_way_.fetch_sub(1);
}

UploadLimit::Place::~Place() {
  if (taken_) limit_.under_way_.fetch_sub(1);
}

Task<absl::Status> ReceiveUpload(async::CallContext context, Engines& engines,
                                 UploadLimit& limit, Reader& reader,
                                 v1::UploadDocumentResponse* response) {
  const UploadLimit::Place place(limit);
  if (!place.taken()) {
    co_return base::Error(v1::ERROR_REASON_UNAVAILABLE,
                          "Too many uploads are under way.",
                          {.retry_after = std::chrono::seconds(1)});
  }
  CO_ASSIGN_OR_RETURN(const std::unique_ptr<Received> received,
                      co_await ReadAll(reader));
  const domain::DocumentForm& form = received->form;
  CO_ASSIGN_OR_RETURN(const domain::DocumentMetadata metadata,
                      domain::CheckForm(form));
  CO_ASSIGN_OR_RETURN(
      const domain::FileType type,
      domain::CheckFile(*form.file_name, form.content_type.value_or(""),
                        received->head, received->size));

  using Uploaded = absl::StatusOr<provider::UploadedDocument>;
  const Engines::Home home = engines.For(received->user_id);
  CO_ASSIGN_OR_RETURN(provider::UploadedDocument uploaded,
                      co_await async::RunOn<Uploaded>(home.loop, [&] {
                        // What is known of the documents is about to change.
                        home.engine.details().Forget(received->user_id);
                        return home.engine.documents().Upload(
                            context, received->user_id, metadata, type,
                            std::move(received->file));
                      }));
  response->set_document_type(metadata.document_type);
  response->set_country(metadata.country);
  response->set_side(metadata.side);
  response->set_image_id(std::move(uploaded.image_id));
  for (auto* tags : {&uploaded.errors, &uploaded.warnings}) {
    for (std::string& tag : *tags) response->add_warnings(std::move(tag));
  }
  co_return absl::OkStatus();
}

}  // namespace kyc::server
