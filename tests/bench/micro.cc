// What the small steps of a request cost, each alone:
//
//   bazel run --config=opt //tests/bench:micro
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/auth/jwks.h"
#include "gateway/auth/jwt_for_test.h"
#include "gateway/auth/jwt_verifier.h"
#include "gateway/auth/token_cache.h"
#include "gateway/http/multipart.h"
#include "gateway/http/router.h"
#include "services/async/redis_wire.h"
#include "services/base/json.h"
#include "services/base/secret.h"
#include "services/base/trace.h"
#include "services/kyc/domain/state_machine.h"
#include "services/webhook/digest.h"

namespace kyc {
namespace {

void WriteStatusJson(benchmark::State& state) {
  std::string body;
  for (auto _ : state) {
    body.clear();
    base::JsonWriter json(&body);
    json.BeginObject().Key("status").String("rejected");
    json.Key("applicant_id").String("65abc0000000000000000004");
    json.Key("verified_at").Null();
    json.Key("rejected_at").Int(1704067300000);
    json.Key("reject_reason").String("Document could not be verified.");
    json.EndObject();
    benchmark::DoNotOptimize(body.data());
  }
}
BENCHMARK(WriteStatusJson);

void MatchRoute(benchmark::State& state) {
  const gateway::Router router =
      gateway::Router::Builder()
          .Add("GET", "/v0/kyc/status", 0)
          .Add("POST", "/v0/kyc/applicant", 1)
          .Add("POST", "/v0/kyc/documents", 2)
          .Add("GET", "/v0/organisation/{org}/environments/{env}/features", 3)
          .Add("*", "/v0/kyc/gate/{path...}", 4)
          .Build()
          .value();
  const std::string_view path =
      state.range(0) == 0 ? "/v0/kyc/status"
                          : "/v0/organisation/acme/environments/live/features";
  for (auto _ : state) {
    benchmark::DoNotOptimize(router.Find("GET", path));
  }
}
BENCHMARK(MatchRoute)->ArgName("params")->Arg(0)->Arg(2);

constexpr int64_t kNowMs = 1'800'000'000'000;

struct Token {
  explicit Token(gateway::TestKey::Type type)
      : key(type, "key-1"),
        keys(gateway::KeySet::Parse(gateway::JwksOf({key.Jwk()})).value()),
        text(key.Token(R"({"sub":"usr_000000000001","exp":1800003600})")) {}

  const gateway::TestKey key;
  const gateway::KeySet keys;
  const gateway::JwtVerifier verifier{"", ""};
  const std::string text;
};

// A token seen for the first time.
void VerifyToken(benchmark::State& state, gateway::TestKey::Type type) {
  const Token token(type);
  for (auto _ : state) {
    if (!token.verifier.Verify(token.text, token.keys, kNowMs).ok()) {
      return state.SkipWithError("refused");
    }
  }
}
BENCHMARK_CAPTURE(VerifyToken, ES256, gateway::TestKey::Type::kP256);
BENCHMARK_CAPTURE(VerifyToken, RS256, gateway::TestKey::Type::kRsa2048);
BENCHMARK_CAPTURE(VerifyToken, EdDSA, gateway::TestKey::Type::kEd25519);

// One seen before.
void RecallToken(benchmark::State& state) {
  const Token token(gateway::TestKey::Type::kP256);
  gateway::TokenCache cache(16384);
  cache.Add(token.text, 1,
            token.verifier.Verify(token.text, token.keys, kNowMs).value());
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.Find(token.text, 1, kNowMs));
  }
}
BENCHMARK(RecallToken);

void CheckDigest(benchmark::State& state) {
  const std::string body(static_cast<size_t>(state.range(0)), 'x');
  std::vector<base::Secret> secrets;
  secrets.emplace_back("a secret of a webhook");
  const std::string digest(64, '0');
  for (auto _ : state) {
    benchmark::DoNotOptimize(webhook::VerifyDigest(
        body, {digest}, {}, secrets,
        {webhook::DigestAlgorithm::kSha256}));
  }
}
BENCHMARK(CheckDigest)->ArgName("bytes")->Arg(1024)->Arg(65536);

void EncodeRedisCommand(benchmark::State& state) {
  std::string bytes;
  for (auto _ : state) {
    bytes.clear();
    async::AppendArrayHeader(8, &bytes);
    for (std::string_view word :
         {"HMGET", "kyc:{b123}:user:usr_000000000001", "v", "state",
          "applicant_id", "verified_at", "rejected_at", "reject_reason"}) {
      async::AppendBulkString(word, &bytes);
    }
    benchmark::DoNotOptimize(bytes.data());
  }
}
BENCHMARK(EncodeRedisCommand);

void ParseRedisReply(benchmark::State& state) {
  constexpr std::string_view kReply =
      "*6\r\n$1\r\n3\r\n$8\r\nrejected\r\n$24\r\n65abc0000000000000000004\r\n"
      "$-1\r\n$13\r\n1704067300000\r\n$31\r\nDocument could not be "
      "verified.\r\n";
  async::RedisReplyReader reader;
  async::RedisReply reply;
  for (auto _ : state) {
    reader.Feed(kReply);
    if (reader.Next(&reply) != async::RedisReplyReader::Result::kReply) {
      return state.SkipWithError("no reply");
    }
  }
}
BENCHMARK(ParseRedisReply);

void ApplyEvent(benchmark::State& state) {
  domain::Record record;
  record.user_id = "usr_000000000001";
  record.version = 2;
  record.required_level = "basic-kyc-level";
  domain::Event event;
  event.kind = domain::EventKind::kRejected;
  event.time_ms = kNowMs;
  event.level = record.required_level;
  event.applicant_id = "65abc0000000000000000004";
  event.reason = "Document could not be verified.";
  for (auto _ : state) {
    benchmark::DoNotOptimize(domain::Apply(record, event));
  }
}
BENCHMARK(ApplyEvent);

void ParseMultipart(benchmark::State& state) {
  std::string body =
      "--boundary\r\nContent-Disposition: form-data; name=\"file\"; "
      "filename=\"passport.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
  // Bytes of a picture look random: a CR now and then.
  uint32_t bits = 1;
  for (int i = 0; i < 1'000'000; ++i) {
    bits = bits * 1664525 + 1013904223;
    body.push_back(static_cast<char>(bits >> 24));
  }
  body += "\r\n--boundary--\r\n";
  constexpr size_t kPiece = 64 * 1024;
  for (auto _ : state) {
    gateway::MultipartParser parser("boundary");
    for (size_t at = 0; at < body.size(); at += kPiece) {
      std::string_view piece = std::string_view(body).substr(at, kPiece);
      auto event = parser.Next(&piece);
      while (event.ok() &&
             *event != gateway::MultipartParser::Event::kNeedMore) {
        event = parser.Next(&piece);
      }
    }
    if (!parser.Finish().ok()) return state.SkipWithError("not whole");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations()) *
                          static_cast<int64_t>(body.size()));
}
BENCHMARK(ParseMultipart);

void ContinueTrace(benchmark::State& state) {
  const std::string parent = base::TraceContext::Start().ToTraceparent();
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        base::TraceContext::Continue(parent).ToTraceparent());
  }
}
BENCHMARK(ContinueTrace);

}  // namespace
}  // namespace kyc

BENCHMARK_MAIN();
