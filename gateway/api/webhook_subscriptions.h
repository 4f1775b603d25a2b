// /v0/organisation/{org}/environments/{env}/webhooks…
#ifndef KYC_GATEWAY_API_WEBHOOK_SUBSCRIPTIONS_H_
#define KYC_GATEWAY_API_WEBHOOK_SUBSCRIPTIONS_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// The caller's key has the scope manage_webhooks, and sees the subscriptions
// of its own environment; others are answered like ones that do not exist.

// {"url", "event_types"?, "description"?, "enabled"?, "secret"?}: 201 with the
// secret, which is shown here and never again.
async::Task<absl::Status> CreateWebhook(Call& call);
async::Task<absl::Status> ListWebhooks(Call& call);
async::Task<absl::Status> GetWebhook(Call& call);
// Any of {"url", "event_types", "description", "enabled"}.
async::Task<absl::Status> UpdateWebhook(Call& call);
async::Task<absl::Status> DeleteWebhook(Call& call);
// {"secret"?} or nothing: 200 with the new secret.
async::Task<absl::Status> RotateWebhookSecret(Call& call);
// ?limit=: 1 to 1000.
async::Task<absl::Status> ListWebhookDeliveries(Call& call);
// 202: it is sent soon, its outcome is in the list.
async::Task<absl::Status> ResendWebhookDelivery(Call& call);
async::Task<absl::Status> TestWebhook(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_WEBHOOK_SUBSCRIPTIONS_H_
