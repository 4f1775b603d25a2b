#include "gateway/api/grpc_subscription_backend.h"

#include <grpcpp/channel.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "gateway/api/unary_rpc.h"
#include "kyc/v1/subscription_service.grpc.pb.h"

namespace kyc::gateway {
namespace {

using async::CallContext;
using async::Task;
using Rpc = v1::SubscriptionService::StubInterface::async_interface;

// All of them are reads and writes of what is stored.
constexpr std::chrono::seconds kTimeout(4);

class GrpcSubscriptionBackend : public SubscriptionBackend {
 public:
  explicit GrpcSubscriptionBackend(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)),
        stub_(v1::SubscriptionService::NewStub(channel_)) {}

  Task<absl::StatusOr<v1::SubscriptionWithSecret>> Create(
      CallContext context, v1::CreateSubscriptionRequest request) override {
    return Call<v1::SubscriptionWithSecret>(
        context, "SubscriptionService/CreateSubscription", std::move(request),
        &Rpc::CreateSubscription);
  }
  Task<absl::StatusOr<v1::Subscription>> Get(
      CallContext context, v1::GetSubscriptionRequest request) override {
    return Call<v1::Subscription>(
        context, "SubscriptionService/GetSubscription", std::move(request),
        &Rpc::GetSubscription);
  }
  Task<absl::StatusOr<v1::ListSubscriptionsResponse>> List(
      CallContext context, v1::ListSubscriptionsRequest request) override {
    return Call<v1::ListSubscriptionsResponse>(
        context, "SubscriptionService/ListSubscriptions", std::move(request),
        &Rpc::ListSubscriptions);
  }
  Task<absl::StatusOr<v1::Subscription>> Update(
      CallContext context, v1::UpdateSubscriptionRequest request) override {
    return Call<v1::Subscription>(
        context, "SubscriptionService/UpdateSubscription", std::move(request),
        &Rpc::UpdateSubscription);
  }
  Task<absl::StatusOr<v1::DeleteSubscriptionResponse>> Delete(
      CallContext context, v1::DeleteSubscriptionRequest request) override {
    return Call<v1::DeleteSubscriptionResponse>(
        context, "SubscriptionService/DeleteSubscription", std::move(request),
        &Rpc::DeleteSubscription);
  }
  Task<absl::StatusOr<v1::SubscriptionWithSecret>> Rotate(
      CallContext context,
      v1::RotateSubscriptionSecretRequest request) override {
    return Call<v1::SubscriptionWithSecret>(
        context, "SubscriptionService/RotateSubscriptionSecret",
        std::move(request), &Rpc::RotateSubscriptionSecret);
  }
  Task<absl::StatusOr<v1::ListDeliveriesResponse>> ListDeliveries(
      CallContext context, v1::ListDeliveriesRequest request) override {
    return Call<v1::ListDeliveriesResponse>(
        context, "SubscriptionService/ListDeliveries", std::move(request),
        &Rpc::ListDeliveries);
  }
  Task<absl::StatusOr<v1::Delivery>> Resend(
      CallContext context, v1::ResendDeliveryRequest request) override {
    return Call<v1::Delivery>(
        context, "SubscriptionService/ResendDelivery", std::move(request),
        &Rpc::ResendDelivery);
  }
  Task<absl::StatusOr<v1::Delivery>> Test(
      CallContext context, v1::SendTestEventRequest request) override {
    return Call<v1::Delivery>(
        context, "SubscriptionService/SendTestEvent", std::move(request),
        &Rpc::SendTestEvent);
  }

 private:
  template <typename Response, typename Request>
  Task<absl::StatusOr<Response>> Call(
      CallContext context, std::string_view method, Request request,
      void (Rpc::*start)(grpc::ClientContext*, const Request*, Response*,
                         std::function<void(grpc::Status)>)) {
    return UnaryRpc<Response>(stub_->async(), context.Within(kTimeout), method,
                              std::move(request), start);
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::SubscriptionService::Stub> stub_;
};

}  // namespace

std::unique_ptr<SubscriptionBackend> NewGrpcSubscriptionBackend(
    std::shared_ptr<grpc::Channel> channel) {
  return std::make_unique<GrpcSubscriptionBackend>(std::move(channel));
}

}  // namespace kyc::gateway
