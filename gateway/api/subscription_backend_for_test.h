// A SubscriptionService that answers with what a test put here, and keeps what
// it was asked.
#ifndef KYC_GATEWAY_API_SUBSCRIPTION_BACKEND_FOR_TEST_H_
#define KYC_GATEWAY_API_SUBSCRIPTION_BACKEND_FOR_TEST_H_

#include <utility>

#include "gateway/api/subscription_backend.h"

namespace kyc::gateway {

class FakeSubscriptionBackend : public SubscriptionBackend {
 public:
  async::Task<absl::StatusOr<v1::SubscriptionWithSecret>> Create(
      async::CallContext, v1::CreateSubscriptionRequest request) override {
    create_request = std::move(request);
    co_return created;
  }
  async::Task<absl::StatusOr<v1::Subscription>> Get(
      async::CallContext, v1::GetSubscriptionRequest request) override {
    get_request = std::move(request);
    co_return subscription;
  }
  async::Task<absl::StatusOr<v1::ListSubscriptionsResponse>> List(
      async::CallContext, v1::ListSubscriptionsRequest request) override {
    list_request = std::move(request);
    co_return list;
  }
  async::Task<absl::StatusOr<v1::Subscription>> Update(
      async::CallContext, v1::UpdateSubscriptionRequest request) override {
    update_request = std::move(request);
    co_return subscription;
  }
  async::Task<absl::StatusOr<v1::DeleteSubscriptionResponse>> Delete(
      async::CallContext, v1::DeleteSubscriptionRequest request) override {
    delete_request = std::move(request);
    co_return deleted;
  }
  async::Task<absl::StatusOr<v1::SubscriptionWithSecret>> Rotate(
      async::CallContext,
      v1::RotateSubscriptionSecretRequest request) override {
    rotate_request = std::move(request);
    co_return created;
  }
  async::Task<absl::StatusOr<v1::ListDeliveriesResponse>> ListDeliveries(
      async::CallContext, v1::ListDeliveriesRequest request) override {
    deliveries_request = std::move(request);
    co_return deliveries;
  }
  async::Task<absl::StatusOr<v1::Delivery>> Resend(
      async::CallContext, v1::ResendDeliveryRequest request) override {
    resend_request = std::move(request);
    co_return delivery;
  }
  async::Task<absl::StatusOr<v1::Delivery>> Test(
      async::CallContext, v1::SendTestEventRequest request) override {
    test_request = std::move(request);
    co_return delivery;
  }

  absl::StatusOr<v1::SubscriptionWithSecret> created =
      v1::SubscriptionWithSecret();
  absl::StatusOr<v1::Subscription> subscription = v1::Subscription();
  absl::StatusOr<v1::ListSubscriptionsResponse> list =
      v1::ListSubscriptionsResponse();
  absl::StatusOr<v1::DeleteSubscriptionResponse> deleted =
      v1::DeleteSubscriptionResponse();
  absl::StatusOr<v1::ListDeliveriesResponse> deliveries =
      v1::ListDeliveriesResponse();
  absl::StatusOr<v1::Delivery> delivery = v1::Delivery();

  v1::CreateSubscriptionRequest create_request;
  v1::GetSubscriptionRequest get_request;
  v1::ListSubscriptionsRequest list_request;
  v1::UpdateSubscriptionRequest update_request;
  v1::DeleteSubscriptionRequest delete_request;
  v1::RotateSubscriptionSecretRequest rotate_request;
  v1::ListDeliveriesRequest deliveries_request;
  v1::ResendDeliveryRequest resend_request;
  v1::SendTestEventRequest test_request;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_SUBSCRIPTION_BACKEND_FOR_TEST_H_
