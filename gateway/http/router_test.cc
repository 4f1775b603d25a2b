#include "gateway/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kyc::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Outcome = RouteMatch::Outcome;

Router TestRouter() {
  return Router::Builder()
      .Add("GET", "/v0/kyc/status", 0)
      .Add("GET", "/v0/user/me", 1)
      .Add("POST", "/v0/user", 2)
      .Add("GET", "/v0/users/{user}/kyc", 3)
      .Add("GET", "/v0/users/{user}/kyc/document/{image}", 4)
      .Add("DELETE", "/v0/users/{user}/kyc", 5)
      .Add("GET", "/v0/users/me/keys", 6)
      .Add("GET", "/v0/users/{user}/wallets", 7)
      .Add("GET", "/", 8)
      .Build()
      .value();
}

TEST(RouterTest, FindsLiteralPaths) {
  const Router router = TestRouter();
  const RouteMatch match = router.Find("GET", "/v0/kyc/status");
  EXPECT_EQ(match.outcome, Outcome::kFound);
  EXPECT_EQ(match.id, 0);
  EXPECT_THAT(match.params, IsEmpty());
  EXPECT_EQ(router.Find("GET", "/").id, 8);
}

TEST(RouterTest, OneSlashAtTheEndMakesNoDifference) {
  const Router router = TestRouter();
  EXPECT_EQ(router.Find("POST", "/v0/user/").id, 2);
  EXPECT_EQ(router.Find("POST", "/v0/user").id, 2);
  EXPECT_EQ(router.Find("POST", "/v0/user//").outcome, Outcome::kNoPath);
}

TEST(RouterTest, KnowsNoOtherPaths) {
  const Router router = TestRouter();
  for (const char* path :
       {"", "v0/kyc/status", "/v0", "/v0/kyc", "/v0/kyc/status/x", "//",
        "/v0//kyc/status", "/V0/kyc/status", "/v0/kyc/../kyc/status",
        "/v0/kyc/./status", "/v0/kyc%2Fstatus", "*"}) {
    const RouteMatch match = router.Find("GET", path);
    EXPECT_EQ(match.outcome, Outcome::kNoPath) << path;
    EXPECT_THAT(match.params, IsEmpty()) << path;
  }
}

TEST(RouterTest, DecodesAfterSplitting) {
  const Router router = TestRouter();
  EXPECT_EQ(router.Find("GET", "/v0/%6Byc/status").id, 0);
  const RouteMatch match = router.Find("GET", "/v0/users/a%2Fb%20c+%C3%A9/kyc");
  EXPECT_EQ(match.id, 3);
  EXPECT_THAT(match.params, ElementsAre("a/b c+\xC3\xA9"));
  EXPECT_THAT(router.Find("GET", "/v0/users/u;x|y/kyc/document/i%25").params,
              ElementsAre("u;x|y", "i%"));
}

TEST(RouterTest, RefusesWhatIsNoText) {
  const Router router = TestRouter();
  for (const char* path :
       {"/v0/users/%/kyc", "/v0/users/%4/kyc", "/v0/users/%zz/kyc",
        "/v0/users/a%00b/kyc", "/v0/users/%FF/kyc", "/v0/users/%C0%AF/kyc",
        "/v0/users/%ED%A0%80/kyc", "/nowhere/%"}) {
    EXPECT_EQ(router.Find("GET", path).outcome, Outcome::kMalformed) << path;
  }
}

TEST(RouterTest, LiteralsWinButDoNotHideNames) {
  const Router router = TestRouter();
  EXPECT_EQ(router.Find("GET", "/v0/users/me/keys").id, 6);
  const RouteMatch match = router.Find("GET", "/v0/users/me/wallets");
  EXPECT_EQ(match.id, 7);
  EXPECT_THAT(match.params, ElementsAre("me"));
  EXPECT_EQ(router.Find("GET", "/v0/users//kyc").outcome, Outcome::kNoPath);
}

TEST(RouterTest, TellsTheMethodsOfAPath) {
  const Router router = TestRouter();
  const RouteMatch match = router.Find("PUT", "/v0/users/u/kyc");
  EXPECT_EQ(match.outcome, Outcome::kNoMethod);
  EXPECT_EQ(match.allow, "DELETE, GET, HEAD, OPTIONS");
  EXPECT_EQ(router.Find("OPTIONS", "/v0/user").allow, "POST, OPTIONS");
  EXPECT_EQ(router.Find("get", "/v0/user/me").outcome, Outcome::kNoMethod);
  EXPECT_EQ(router.Find("HEAD", "/v0/user").outcome, Outcome::kNoMethod);
  EXPECT_EQ(router.Find("HEAD", "/v0/user/me").id, 1);
}

TEST(RouterTest, ARestTakesWhatNothingElseFits) {
  const Router router = Router::Builder()
                            .Add("*", "/gate", 0)
                            .Add("*", "/gate/{path...}", 1)
                            .Add("GET", "/gate/{name}/x", 2)
                            .Build()
                            .value();
  EXPECT_EQ(router.Find("GET", "/gate").id, 0);
  EXPECT_EQ(router.Find("GET", "/gate/").id, 0);
  const struct {
    const char* path;
    const char* rest;
  } cases[] = {{"/gate/a", "a"},
               {"/gate/a%20b/c%2Fd", "a%20b/c%2Fd"},
               {"/gate/a/", "a"},
               {"/gate/a/x/y", "a/x/y"}};
  for (const auto& one : cases) {
    const RouteMatch match = router.Find("GET", one.path);
    EXPECT_EQ(match.id, 1) << one.path;
    EXPECT_THAT(match.params, ElementsAre(one.rest));
  }
  const RouteMatch named = router.Find("GET", "/gate/a/x");
  EXPECT_EQ(named.id, 2);
  EXPECT_THAT(named.params, ElementsAre("a"));
  EXPECT_EQ(router.Find("GET", "/gate//a").outcome, Outcome::kNoPath);
  EXPECT_EQ(router.Find("GET", "/gate/%zz").outcome, Outcome::kMalformed);
}

TEST(RouterTest, AStarIsEveryMethodWithoutARouteOfItsOwn) {
  const Router router =
      Router::Builder().Add("*", "/a", 0).Add("POST", "/a", 1).Build().value();
  for (const char* method : {"GET", "HEAD", "OPTIONS", "PROPFIND", "get"}) {
    EXPECT_EQ(router.Find(method, "/a").id, 0) << method;
  }
  EXPECT_EQ(router.Find("POST", "/a").id, 1);
}

TEST(RouterTest, BuilderRefusesWhatIsAmbiguous) {
  EXPECT_FALSE(Router::Builder()
                   .Add("GET", "/a/{x}", 0)
                   .Add("GET", "/a/{y}", 1)
                   .Build()
                   .ok());
  EXPECT_FALSE(Router::Builder().Add("GET", "a", 0).Build().ok());
  EXPECT_FALSE(Router::Builder().Add("GET", "/a//b", 0).Build().ok());
  EXPECT_FALSE(Router::Builder().Add("GET", "/{a...}/b", 0).Build().ok());
}

}  // namespace
}  // namespace kyc::gateway
