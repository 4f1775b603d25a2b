#include "gateway/api/upload_form.h"

#include <algorithm>
#include <utility>

#include "gateway/http/query.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/base/utf8.h"

namespace kyc::gateway {
namespace {

constexpr std::string_view kFile = "file";

absl::Status Frame(const absl::Status& status) {
  const absl::string_view why = status.message();
  return base::Error(v1::ERROR_REASON_BAD_REQUEST, {why.data(), why.size()});
}

absl::Status InvalidField(std::string_view name, std::string_view detail) {
  return InvalidBody("/" + std::string(name), detail);
}

// A protobuf string is UTF-8. Of a file's name only the ending counts, and no
// media type has other bytes.
std::string MakeUtf8(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const size_t size = base::Utf8Length(text);
    if (size == 0) {
      clean.push_back('?');
    } else {
      clean.append(text.substr(0, size));
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return clean;
}

}  // namespace

absl::StatusOr<bool> UploadForm::Read(std::string_view* piece) {
  while (true) {
    const size_t size = std::min(rest_.size(), kMaxChunk - chunk_.size());
    // A chunk's last byte would else double its room, and copy the rest.
    if (size > 0 && chunk_.empty()) chunk_.reserve(kMaxChunk);
    chunk_.append(rest_.substr(0, size));
    rest_.remove_prefix(size);
    if (chunk_.size() == kMaxChunk) return true;
    const size_t before = piece->size();
    const absl::StatusOr<MultipartParser::Event> event = parser_.Next(piece);
    if (!event.ok()) return Frame(event.status());
    body_bytes_ += before - piece->size();
    if (body_bytes_ > kMaxBodyBytes) {
      return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
    }
    if (*event == MultipartParser::Event::kNeedMore) return false;
    if (*event == MultipartParser::Event::kPart) {
      RETURN_IF_ERROR(BeginPart());
    } else if (*event == MultipartParser::Event::kData) {
      RETURN_IF_ERROR(AppendData(parser_.data()));
    } else {
      RETURN_IF_ERROR(EndPart());
    }
  }
}

absl::Status UploadForm::Finish() const {
  const absl::Status status = parser_.Finish();
  return status.ok() ? status : Frame(status);
}

std::string UploadForm::TakeChunk() { return std::exchange(chunk_, {}); }

absl::Status UploadForm::BeginPart() {
  const MultipartParser::Part& part = parser_.part();
  in_file_ = part.name == kFile;
  field_ = nullptr;
  if (in_file_) {
    if (std::exchange(has_file_, true)) {
      return InvalidField(kFile, "must be given once");
    }
    if (part.file_name) metadata_.set_file_name(MakeUtf8(*part.file_name));
    if (part.content_type) {
      metadata_.set_content_type(MakeUtf8(*part.content_type));
    }
  } else if (part.name == "document_type" || part.name == "country" ||
             part.name == "side") {
    field_ = NewField(part.name);
    if (field_ == nullptr) {
      return InvalidField(part.name, "must be given once");
    }
  } else if (part.file_name) {
    has_other_file_ = true;
  }
  // A back side under a name of its own must not be lost without a word.
  if (has_file_ && has_other_file_) {
    return InvalidField(kFile, "must be the only file; send one per request");
  }
  return absl::OkStatus();
}

std::string* UploadForm::NewField(std::string_view name) {
  if (name == "document_type") {
    return metadata_.has_document_type() ? nullptr
                                         : metadata_.mutable_document_type();
  }
  if (name == "country") {
    return metadata_.has_country() ? nullptr : metadata_.mutable_country();
  }
  return metadata_.has_side() ? nullptr : metadata_.mutable_side();
}

absl::Status UploadForm::AppendData(std::string_view data) {
  if (in_file_) {
    file_bytes_ += data.size();
    if (file_bytes_ > kMaxFileBytes) {
      return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
    }
    rest_ = data;
  } else if (field_ != nullptr) {
    if (data.size() > kMaxFieldBytes - field_->size()) {
      return InvalidField(parser_.part().name, "is too long");
    }
    field_->append(data);
  }
  return absl::OkStatus();
}

absl::Status UploadForm::EndPart() {
  if (field_ != nullptr && !base::IsUtf8(*field_)) {
    return InvalidField(parser_.part().name, "is not UTF-8 text");
  }
  in_file_ = false;
  field_ = nullptr;
  return absl::OkStatus();
}

}  // namespace kyc::gateway
