#include "services/async/redis_wire.h"

#include <hiredis/read.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "absl/strings/string_view.h"

namespace kyc::async {
namespace {

// More elements than any command of ours can be answered with; a header that
// claims more is not worth the memory.
constexpr int kMaxElements = 1 << 22;
// What a header is believed at once; beyond it, memory follows what arrives.
constexpr int kReservedElements = 64;
// The parser keeps its buffer up to this size between replies.
constexpr size_t kKeptBuffer = 256 << 10;

void AppendNumber(char prefix, size_t number, std::string* out) {
  char text[24] = {prefix};
  char* end = std::to_chars(text + 1, text + sizeof(text) - 2, number).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out->append(text, end);
}

bool MeansTryLater(std::string_view word) {
  static constexpr std::string_view kWords[] = {
      "LOADING",    "READONLY",   "OOM",         "MISCONF", "BUSY",
      "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
      // The transaction fell with a command that was refused.
      "EXECABORT"};
  return std::find(std::begin(kWords), std::end(kWords), word) !=
         std::end(kWords);
}

}  // namespace

void AppendArrayHeader(size_t count, std::string* out) {
  AppendNumber('*', count, out);
}

void AppendBulkString(std::string_view bytes, std::string* out) {
  AppendNumber('$', bytes.size(), out);
  out->append(bytes);
  out->append("\r\n", 2);
}

std::string_view FirstWord(std::string_view error) {
  return error.substr(0, error.find(' '));
}

absl::Status StatusOfErrorReply(std::string_view error) {
  const std::string_view word = FirstWord(error);
  const absl::string_view message(word.data(), word.size());
  if (word == "NOGROUP") return absl::NotFoundError(message);
  if (MeansTryLater(word)) return absl::UnavailableError(message);
  return absl::InternalError(message);
}

bool MeansOutOfStep(std::string_view error) {
  return error.starts_with("ERR Protocol error") ||
         error.starts_with("ERR unknown command") ||
         error.starts_with("ERR wrong number of arguments for");
}

// What hiredis calls for each value it has read, in their order. An element
// belongs to its parent, so nothing here is freed; an array grows only between
// elements, when hiredis holds no pointer into it.
struct RedisReplyReader::Builder {
  static RedisReply* Place(const redisReadTask* task) {
    if (task->parent != nullptr) {
      auto* parent = static_cast<RedisReply*>(task->parent->obj);
      return &parent->elements.emplace_back();
    }
    auto* self = static_cast<RedisReplyReader*>(task->privdata);
    self->root_ = RedisReply();
    return &self->root_;
  }
  static void* String(const redisReadTask* task, char* text, size_t size) {
    RedisReply* reply = Place(task);
    reply->type = task->type == REDIS_REPLY_STRING  ? RedisReply::Type::kString
                  : task->type == REDIS_REPLY_ERROR ? RedisReply::Type::kError
                                                    : RedisReply::Type::kStatus;
    reply->text.assign(text, size);
    return reply;
  }
  static void* Array(const redisReadTask* task, int size) {
    if (size < 0 || size > kMaxElements) return nullptr;
    RedisReply* reply = Place(task);
    reply->type = RedisReply::Type::kArray;
    reply->elements.reserve(std::min(size, kReservedElements));
    return reply;
  }
  static void* Integer(const redisReadTask* task, long long value) {
    RedisReply* reply = Place(task);
    reply->type = RedisReply::Type::kInteger;
    reply->integer = value;
    return reply;
  }
  static void* Nil(const redisReadTask* task) {
    RedisReply* reply = Place(task);
    reply->type = RedisReply::Type::kNil;
    return reply;
  }
  static void FreeNothing(void*) {}
};

RedisReplyReader::RedisReplyReader() { Reset(); }
RedisReplyReader::~RedisReplyReader() = default;

void RedisReplyReader::Free::operator()(redisReader* reader) const {
  redisReaderFree(reader);
}

void RedisReplyReader::Reset() {
  static redisReplyObjectFunctions functions = {Builder::String, Builder::Array,
                                                Builder::Integer, Builder::Nil,
                                                Builder::FreeNothing};
  reader_.reset(redisReaderCreateWithFunctions(&functions));
  reader_->privdata = this;
  reader_->maxbuf = kKeptBuffer;
}

void RedisReplyReader::Feed(std::string_view bytes) {
  redisReaderFeed(reader_.get(), bytes.data(), bytes.size());
}

RedisReplyReader::Result RedisReplyReader::Next(RedisReply* reply) {
  void* complete = nullptr;
  if (redisReaderGetReply(reader_.get(), &complete) != REDIS_OK) {
    return Result::kBroken;
  }
  if (complete == nullptr) return Result::kNeedMore;
  *reply = std::move(root_);
  return Result::kReply;
}

}  // namespace kyc::async
