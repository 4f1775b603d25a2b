// SubscriptionService, as the gateway's handlers see it.
#ifndef KYC_GATEWAY_API_SUBSCRIPTION_BACKEND_H_
#define KYC_GATEWAY_API_SUBSCRIPTION_BACKEND_H_

#include "absl/status/statusor.h"
#include "kyc/v1/subscription_service.pb.h"
#include "services/async/call_context.h"
#include "services/async/task.h"

namespace kyc::gateway {

// As Backend: one RPC each.
class SubscriptionBackend {
 public:
  virtual ~SubscriptionBackend() = default;

  virtual async::Task<absl::StatusOr<v1::SubscriptionWithSecret>> Create(
      async::CallContext context, v1::CreateSubscriptionRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Subscription>> Get(
      async::CallContext context, v1::GetSubscriptionRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListSubscriptionsResponse>> List(
      async::CallContext context, v1::ListSubscriptionsRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Subscription>> Update(
      async::CallContext context, v1::UpdateSubscriptionRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::DeleteSubscriptionResponse>> Delete(
      async::CallContext context, v1::DeleteSubscriptionRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::SubscriptionWithSecret>> Rotate(
      async::CallContext context,
      v1::RotateSubscriptionSecretRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListDeliveriesResponse>>
  ListDeliveries(async::CallContext context,
                 v1::ListDeliveriesRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Delivery>> Resend(
      async::CallContext context, v1::ResendDeliveryRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Delivery>> Test(
      async::CallContext context, v1::SendTestEventRequest request) = 0;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_SUBSCRIPTION_BACKEND_H_
