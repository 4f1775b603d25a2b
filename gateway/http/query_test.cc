#include "gateway/http/query.h"

#include <gtest/gtest.h>

#include "services/base/error.h"

namespace kyc::gateway {
namespace {

std::optional<std::string> Get(std::string_view query) {
  return QueryParameter(query, "level").value();
}

void ExpectRefused(const absl::Status& status, std::string_view parameter) {
  EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  const base::ErrorExtras extras = base::ExtrasOf(status);
  ASSERT_EQ(extras.violations.size(), 1u);
  EXPECT_EQ(extras.violations[0].where, base::Violation::Where::kParameter);
  EXPECT_EQ(extras.violations[0].name, parameter);
}

TEST(QueryTest, FindsAndDecodesValues) {
  EXPECT_EQ(Get(""), std::nullopt);
  EXPECT_EQ(Get("levels=x&lev=y&&"), std::nullopt);
  EXPECT_EQ(Get("level=liveness"), "liveness");
  EXPECT_EQ(Get("a=b&le%76el=a+b%2Bc%C3%A9&x"), "a b+c\xC3\xA9");
  EXPECT_EQ(Get("level"), "");
  EXPECT_EQ(Get("level="), "");
  EXPECT_EQ(Get("level=a=b"), "a=b");
  EXPECT_EQ(Get("%zz=1&level=x"), "x");
}

TEST(QueryTest, RefusesRepeatedAndBrokenValues) {
  for (const char* query : {"level=a&level=a", "level=a&%6cevel=b", "level=%",
                            "level=%00", "level=%FF"}) {
    ExpectRefused(QueryParameter(query, "level").status(), "level");
  }
}

TEST(QueryTest, ReadsBooleans) {
  EXPECT_FALSE(BoolParameter("", "refresh").value());
  EXPECT_FALSE(BoolParameter("refresh=false", "refresh").value());
  EXPECT_TRUE(BoolParameter("x=1&refresh=true", "refresh").value());
  for (const char* query : {"refresh", "refresh=", "refresh=1", "refresh=TRUE",
                            "refresh=true&refresh=true", "refresh=true%20"}) {
    ExpectRefused(BoolParameter(query, "refresh").status(), "refresh");
  }
}

TEST(QueryTest, KnowsJson) {
  EXPECT_TRUE(IsJsonMediaType("application/json"));
  EXPECT_TRUE(IsJsonMediaType("Application/JSON ; charset=utf-8"));
  EXPECT_FALSE(IsJsonMediaType(""));
  EXPECT_FALSE(IsJsonMediaType("text/plain"));
  EXPECT_FALSE(IsJsonMediaType("application/jsonp"));
  EXPECT_FALSE(IsJsonMediaType("text/plain; application/json"));
}

TEST(QueryTest, FindsAValueAmongSeveral) {
  EXPECT_TRUE(HasParameterValue("expand=a&expand=%62", "expand", "b"));
  EXPECT_TRUE(HasParameterValue("x=1&expand=b", "expand", "b"));
  for (const char* query : {"", "expand", "expand=", "expand=ab", "x=b",
                            "expand=%", "expand=b%00"}) {
    EXPECT_FALSE(HasParameterValue(query, "expand", "b")) << query;
  }
}

TEST(QueryTest, ReadsNumbersWithinTheirLimits) {
  EXPECT_EQ(IntParameter("limit=20", "limit", 1, 50).value(), 20);
  EXPECT_EQ(IntParameter("limit=1", "limit", 1, 50).value(), 1);
  EXPECT_EQ(IntParameter("limit=50", "limit", 1, 50).value(), 50);
  EXPECT_EQ(IntParameter("a=b", "limit", 1, 50).value(), std::nullopt);
  for (const char* query :
       {"limit", "limit=", "limit=0", "limit=51", "limit=-1", "limit=+1",
        "limit=1.0", "limit=1x", "limit=%201", "limit=0x10",
        "limit=99999999999999999999", "limit=1&limit=1"}) {
    EXPECT_FALSE(IntParameter(query, "limit", 1, 50).ok()) << query;
  }
}

}  // namespace
}  // namespace kyc::gateway
