#include "services/base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace kyc::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Pair;

TEST(ErrorCatalogue, HasEveryReasonOnceAndInOrder) {
  std::set<std::string_view> codes;
  int last = 0;
  for (const ErrorEntry& row : ErrorCatalogue()) {
    EXPECT_GT(row.reason, last) << row.name;
    last = row.reason;
    EXPECT_TRUE(codes.insert(row.code).second) << row.code;
    EXPECT_EQ(row.name, v1::ErrorReason_Name(row.reason));
  }
  const auto* reasons = v1::ErrorReason_descriptor();
  EXPECT_EQ(codes.size() + 1, static_cast<size_t>(reasons->value_count()));
}

TEST(ErrorCatalogue, RowsAreWhole) {
  for (const ErrorEntry& row : ErrorCatalogue()) {
    const std::string code(row.code);
    ASSERT_THAT(code, MatchesRegex("[A-Z]{3,4}-[0-9]{3}-[0-9]{3}")) << row.name;
    const size_t dash = code.find('-');
    EXPECT_EQ(std::to_string(row.http_status), code.substr(dash + 1, 3))
        << code;
    EXPECT_GE(row.http_status, 400) << code;
    EXPECT_NE(row.grpc_code, absl::StatusCode::kOk) << code;
    EXPECT_LE(static_cast<int>(row.grpc_code), 16) << code;
    EXPECT_FALSE(row.title.empty()) << code;
    EXPECT_FALSE(row.detail.empty()) << code;
    EXPECT_FALSE(row.action.empty()) << code;
  }
}

// The platform guide's own table: other people's programs know these.
TEST(ErrorCatalogue, KeepsThePublishedCodes) {
  const auto status_of = [](std::string_view code) {
    const ErrorEntry* row = FindErrorByCode(code);
    return row == nullptr ? 0 : row->http_status;
  };
  EXPECT_EQ(status_of("KYC-400-001"), 400);
  EXPECT_EQ(status_of("KYC-400-002"), 400);
  EXPECT_EQ(status_of("KYC-401-001"), 401);
  EXPECT_EQ(status_of("KYC-403-001"), 403);
  EXPECT_EQ(status_of("KYC-404-001"), 404);
  EXPECT_EQ(status_of("KYC-409-001"), 409);
  EXPECT_EQ(status_of("KYC-500-001"), 500);
  EXPECT_EQ(status_of("KYC-502-001"), 502);
  EXPECT_EQ(FindErrorByCode("KYC-999-001"), nullptr);
  EXPECT_EQ(FindErrorByCode(""), nullptr);
}

TEST(LookUpError, UnknownReasonsAreInternal) {
  EXPECT_EQ(LookUpError(v1::ERROR_REASON_APPLICANT_NOT_FOUND).code,
            "KYC-404-001");
  EXPECT_EQ(LookUpError(v1::ERROR_REASON_UNSPECIFIED).code, "KYC-500-001");
  EXPECT_EQ(LookUpError(static_cast<v1::ErrorReason>(9999)).code,
            "KYC-500-001");
}

TEST(Error, TakesTheCataloguesCodeAndText) {
  const absl::Status status = Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "No KYC applicant record found");
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  EXPECT_THAT(ExtrasOf(status).metadata, IsEmpty());
  EXPECT_THAT(ExtrasOf(status).violations, IsEmpty());
  EXPECT_EQ(ExtrasOf(status).retry_after, std::nullopt);
}

TEST(Error, EveryReasonComesBack) {
  for (const ErrorEntry& row : ErrorCatalogue()) {
    EXPECT_EQ(ReasonOf(Error(row.reason, "x")), row.reason) << row.name;
  }
}

TEST(Error, CarriesExtras) {
  const absl::Status status =
      Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, "Two things.",
            {.metadata = {{"b", "2"}, {"a", "1"}},
             .violations = {{Violation::Where::kPointer, "/a:b", "missing"},
                            {Violation::Where::kParameter, "refresh", "bad"},
                            {Violation::Where::kPointer, "", "no object"}},
             .retry_after = std::chrono::seconds(7)});
  EXPECT_EQ(status.message(), "Two things.");
  const ErrorExtras extras = ExtrasOf(status);
  EXPECT_THAT(extras.metadata, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(extras.retry_after, std::chrono::seconds(7));
  ASSERT_EQ(extras.violations.size(), 3u);
  EXPECT_EQ(extras.violations[0].where, Violation::Where::kPointer);
  EXPECT_EQ(extras.violations[0].name, "/a:b");
  EXPECT_EQ(extras.violations[0].detail, "missing");
  EXPECT_EQ(extras.violations[1].where, Violation::Where::kParameter);
  EXPECT_EQ(extras.violations[1].name, "refresh");
  EXPECT_EQ(extras.violations[2].where, Violation::Where::kPointer);
  EXPECT_EQ(extras.violations[2].name, "");
}

TEST(ReasonOf, OtherStatusesHaveNone) {
  EXPECT_EQ(ReasonOf(absl::OkStatus()), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), v1::ERROR_REASON_UNSPECIFIED);
  absl::Status broken = absl::InternalError("x");
  broken.SetPayload("type.googleapis.com/google.rpc.ErrorInfo",
                    absl::Cord("\xff\xff"));
  EXPECT_EQ(ReasonOf(broken), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_THAT(ExtrasOf(broken).metadata, IsEmpty());
}

}  // namespace
}  // namespace kyc::base
