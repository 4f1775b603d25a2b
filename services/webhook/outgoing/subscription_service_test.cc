// SubscriptionService over gRPC, with a real Redis behind it.
#include "services/webhook/outgoing/subscription_service.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "kyc/v1/subscription_service.grpc.pb.h"
#include "services/async/grpc_status.h"
#include "services/async/loop.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/base/error.h"
#include "services/webhook/outgoing/signature.h"

namespace kyc::outgoing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr int64_t kNow = 1'784'000'000'000;
constexpr int64_t kDay = 24LL * 3600 * 1000;

class SubscriptionServiceTest : public ::testing::Test {
 protected:
  SubscriptionServiceTest() {
    runtime_.Start();
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::SubscriptionService::NewStub(
        server_->InProcessChannel(grpc::ChannelArguments()));
  }
  ~SubscriptionServiceTest() override {
    server_->Shutdown();
    runtime_.Stop();
  }

  template <typename Request, typename Response>
  absl::Status Call(grpc::Status (v1::SubscriptionService::Stub::*method)(
                        grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response* response) {
    grpc::ClientContext context;
    return async::FromGrpcStatus(
        (stub_.get()->*method)(&context, request, response));
  }
  using Stub = v1::SubscriptionService::Stub;

  static v1::CreateSubscriptionRequest NewRequest(const std::string& org) {
    v1::CreateSubscriptionRequest request;
    if (!org.empty()) {
      request.mutable_tenant()->set_org_id(org);
      request.mutable_tenant()->set_env_id("live");
    }
    request.set_url("https://hooks.acme.example/kyc");
    return request;
  }
  v1::SubscriptionWithSecret Create(const std::string& org = "acme") {
    v1::SubscriptionWithSecret made;
    const absl::Status status =
        Call(&Stub::CreateSubscription, NewRequest(org), &made);
    EXPECT_TRUE(status.ok()) << status;
    return made;
  }
  // The reason of a creation that is refused.
  v1::ErrorReason Refused(const v1::CreateSubscriptionRequest& request) {
    v1::SubscriptionWithSecret made;
    const absl::Status status =
        Call(&Stub::CreateSubscription, request, &made);
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(made.secret(), "");
    return base::ReasonOf(status);
  }
  template <typename Request>
  static Request Of(const std::string& org, const std::string& id) {
    Request request;
    if (!org.empty()) {
      request.mutable_tenant()->set_org_id(org);
      request.mutable_tenant()->set_env_id("live");
    }
    if constexpr (requires { request.set_id(id); }) {
      request.set_id(id);
    } else {
      request.set_subscription_id(id);
    }
    return request;
  }
  int Listed(const std::string& org) {
    v1::ListSubscriptionsRequest request;
    if (!org.empty()) {
      request.mutable_tenant()->set_org_id(org);
      request.mutable_tenant()->set_env_id("live");
    }
    v1::ListSubscriptionsResponse list;
    EXPECT_TRUE(Call(&Stub::ListSubscriptions, request, &list).ok());
    return list.subscriptions_size();
  }

  base::FakeClock clock_{kNow};
  async::RedisForTest redis_server_;
  async::Runtime runtime_{1};
  async::Redis redis_{runtime_.loop(0), redis_server_.options()};
  const std::unique_ptr<grpc::Service> service_ = MakeSubscriptionService(
      {.runtime = &runtime_, .redis = {&redis_}, .clock = &clock_});
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::SubscriptionService::Stub> stub_;
};

TEST_F(SubscriptionServiceTest, CreatesWithASecretThatIsShownOnce) {
  const v1::SubscriptionWithSecret made = Create();
  EXPECT_TRUE(CheckSecret(base::Secret(made.secret())).ok());
  const v1::Subscription& subscription = made.subscription();
  EXPECT_THAT(subscription.id(), StartsWith("whk_"));
  EXPECT_EQ(subscription.tenant().org_id(), "acme");
  EXPECT_EQ(subscription.url(), "https://hooks.acme.example/kyc");
  EXPECT_THAT(subscription.event_types(), ElementsAre("kyc.status.changed"));
  EXPECT_TRUE(subscription.enabled());
  EXPECT_EQ(subscription.created_at_ms(), kNow);
  EXPECT_EQ(subscription.old_secret_until_ms(), 0);
  v1::Subscription read;
  ASSERT_TRUE(Call(&Stub::GetSubscription,
                   Of<v1::GetSubscriptionRequest>("acme", subscription.id()),
                   &read)
                  .ok());
  EXPECT_EQ(read.SerializeAsString(), subscription.SerializeAsString());
}

TEST_F(SubscriptionServiceTest, TakesAGivenSecretAndTypes) {
  v1::CreateSubscriptionRequest request = NewRequest("");
  request.set_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  request.add_event_types("kyc.rejected");
  request.add_event_types("kyc.approved");
  request.add_event_types("kyc.rejected");
  request.set_disabled(true);
  v1::SubscriptionWithSecret made;
  ASSERT_TRUE(Call(&Stub::CreateSubscription, request, &made).ok());
  EXPECT_EQ(made.secret(), request.secret());
  EXPECT_THAT(made.subscription().event_types(),
              ElementsAre("kyc.approved", "kyc.rejected"));
  EXPECT_FALSE(made.subscription().enabled());
  EXPECT_FALSE(made.subscription().has_tenant());
}

TEST_F(SubscriptionServiceTest, RefusesWhatCannotBe) {
  v1::CreateSubscriptionRequest request = NewRequest("acme");
  for (const char* url : {"", "http://hooks.acme.example/", "https://10.0.0.1/",
                          "http://127.0.0.1/", "https://localhost/"}) {
    request.set_url(url);
    EXPECT_EQ(Refused(request), v1::ERROR_REASON_ENDPOINT_NOT_ALLOWED) << url;
  }
  request = NewRequest("acme");
  request.add_event_types("kyc.unknown");
  EXPECT_EQ(Refused(request), v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  request = NewRequest("acme");
  request.add_event_types("webhook.test");
  EXPECT_EQ(Refused(request), v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  request = NewRequest("acme");
  request.set_secret("whsec_short");
  EXPECT_EQ(Refused(request), v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  request = NewRequest("acme");
  request.set_description(std::string(257, 'x'));
  EXPECT_EQ(Refused(request), v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  EXPECT_EQ(Listed(""), 0);
}

TEST_F(SubscriptionServiceTest, AnEnvironmentHasTwentyAtMost) {
  for (int i = 0; i < 20; ++i) Create();
  EXPECT_EQ(Refused(NewRequest("acme")),
            v1::ERROR_REASON_TOO_MANY_SUBSCRIPTIONS);
  Create("other");
  EXPECT_EQ(Listed("acme"), 20);
  EXPECT_EQ(Listed(""), 21);
}

TEST_F(SubscriptionServiceTest, WhatBelongsToOthersDoesNotExist) {
  const std::string id = Create("acme").subscription().id();
  const auto not_found = [](const absl::Status& status) {
    return base::ReasonOf(status) == v1::ERROR_REASON_SUBSCRIPTION_NOT_FOUND;
  };
  for (const std::string& each : {id, std::string("whk_none"),
                                  std::string("../../x"), std::string()}) {
    v1::Subscription subscription;
    v1::SubscriptionWithSecret rotated;
    v1::DeleteSubscriptionResponse deleted;
    v1::ListDeliveriesResponse deliveries;
    v1::Delivery delivery;
    v1::UpdateSubscriptionRequest update =
        Of<v1::UpdateSubscriptionRequest>("other", each);
    update.set_enabled(false);
    EXPECT_TRUE(not_found(
        Call(&Stub::GetSubscription,
             Of<v1::GetSubscriptionRequest>("other", each), &subscription)));
    EXPECT_TRUE(not_found(
        Call(&Stub::UpdateSubscription, update, &subscription)));
    EXPECT_TRUE(not_found(Call(
        &Stub::RotateSubscriptionSecret,
        Of<v1::RotateSubscriptionSecretRequest>("other", each), &rotated)));
    EXPECT_TRUE(not_found(
        Call(&Stub::ListDeliveries,
             Of<v1::ListDeliveriesRequest>("other", each), &deliveries)));
    EXPECT_TRUE(not_found(
        Call(&Stub::ResendDelivery,
             Of<v1::ResendDeliveryRequest>("other", each), &delivery)));
    EXPECT_TRUE(
        not_found(Call(&Stub::SendTestEvent,
                       Of<v1::SendTestEventRequest>("other", each),
                       &delivery)));
    EXPECT_TRUE(not_found(
        Call(&Stub::DeleteSubscription,
             Of<v1::DeleteSubscriptionRequest>("other", each), &deleted)));
  }
  // An operator reaches all.
  v1::Subscription subscription;
  ASSERT_TRUE(Call(&Stub::GetSubscription,
                   Of<v1::GetSubscriptionRequest>("", id), &subscription)
                  .ok());
  EXPECT_TRUE(subscription.enabled());
}

TEST_F(SubscriptionServiceTest, ChangesWhatIsNamedAlone) {
  const std::string id = Create().subscription().id();
  v1::UpdateSubscriptionRequest request =
      Of<v1::UpdateSubscriptionRequest>("acme", id);
  request.set_description("ours");
  v1::Subscription updated;
  clock_.Advance(5);
  ASSERT_TRUE(Call(&Stub::UpdateSubscription, request, &updated).ok());
  EXPECT_EQ(updated.description(), "ours");
  EXPECT_EQ(updated.url(), "https://hooks.acme.example/kyc");
  EXPECT_TRUE(updated.enabled());
  EXPECT_EQ(updated.created_at_ms(), kNow);
  EXPECT_EQ(updated.updated_at_ms(), kNow + 5);
  request = Of<v1::UpdateSubscriptionRequest>("acme", id);
  request.set_url("https://other.acme.example/");
  request.mutable_event_types()->add_types("kyc.approved");
  request.set_enabled(false);
  ASSERT_TRUE(Call(&Stub::UpdateSubscription, request, &updated).ok());
  EXPECT_EQ(updated.url(), "https://other.acme.example/");
  EXPECT_THAT(updated.event_types(), ElementsAre("kyc.approved"));
  EXPECT_EQ(updated.description(), "ours");
  EXPECT_FALSE(updated.enabled());
  request.set_url("https://[::1]/");
  EXPECT_EQ(base::ReasonOf(
                Call(&Stub::UpdateSubscription, request, &updated)),
            v1::ERROR_REASON_ENDPOINT_NOT_ALLOWED);
}

TEST_F(SubscriptionServiceTest, OldSecretsSignForADay) {
  const v1::SubscriptionWithSecret made = Create();
  const auto request = Of<v1::RotateSubscriptionSecretRequest>(
      "acme", made.subscription().id());
  v1::SubscriptionWithSecret rotated;
  ASSERT_TRUE(Call(&Stub::RotateSubscriptionSecret, request, &rotated).ok());
  EXPECT_NE(rotated.secret(), made.secret());
  EXPECT_EQ(rotated.subscription().old_secret_until_ms(), kNow + kDay);
  clock_.Advance(kDay);
  v1::Subscription read;
  ASSERT_TRUE(
      Call(&Stub::GetSubscription,
           Of<v1::GetSubscriptionRequest>("acme", made.subscription().id()),
           &read)
          .ok());
  EXPECT_EQ(read.old_secret_until_ms(), 0);
}

TEST_F(SubscriptionServiceTest, TestEventsAndResending) {
  const std::string id = Create().subscription().id();
  v1::Delivery sent;
  ASSERT_TRUE(Call(&Stub::SendTestEvent,
                   Of<v1::SendTestEventRequest>("acme", id), &sent)
                  .ok());
  EXPECT_THAT(sent.id(), StartsWith("msg_"));
  EXPECT_EQ(sent.event_type(), "webhook.test");
  EXPECT_EQ(sent.state(), v1::DELIVERY_STATE_PENDING);
  v1::ListDeliveriesResponse log;
  ASSERT_TRUE(Call(&Stub::ListDeliveries,
                   Of<v1::ListDeliveriesRequest>("acme", id), &log)
                  .ok());
  ASSERT_THAT(log.deliveries(), SizeIs(1));
  EXPECT_EQ(log.deliveries(0).SerializeAsString(), sent.SerializeAsString());
  auto request = Of<v1::ResendDeliveryRequest>("acme", id);
  request.set_delivery_id(sent.id());
  v1::Delivery again;
  clock_.Advance(7);
  ASSERT_TRUE(Call(&Stub::ResendDelivery, request, &again).ok());
  EXPECT_EQ(again.id(), sent.id());
  EXPECT_EQ(again.next_attempt_at_ms(), kNow + 7);
  // Not another subscription's, and none that there is not.
  const std::string other = Create().subscription().id();
  request = Of<v1::ResendDeliveryRequest>("acme", other);
  for (const std::string& each :
       {sent.id(), std::string("msg_00000000000000000000000000000000"),
        std::string("x"), std::string()}) {
    request.set_delivery_id(each);
    EXPECT_EQ(base::ReasonOf(Call(&Stub::ResendDelivery, request, &again)),
              v1::ERROR_REASON_DELIVERY_NOT_FOUND)
        << each;
  }
}

TEST_F(SubscriptionServiceTest, DeletedItIsGone) {
  const std::string id = Create().subscription().id();
  const auto request = Of<v1::DeleteSubscriptionRequest>("acme", id);
  v1::DeleteSubscriptionResponse deleted;
  ASSERT_TRUE(Call(&Stub::DeleteSubscription, request, &deleted).ok());
  EXPECT_EQ(base::ReasonOf(
                Call(&Stub::DeleteSubscription, request, &deleted)),
            v1::ERROR_REASON_SUBSCRIPTION_NOT_FOUND);
  EXPECT_EQ(Listed("acme"), 0);
  EXPECT_EQ(Listed(""), 0);
}

}  // namespace
}  // namespace kyc::outgoing
