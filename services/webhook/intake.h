// WebhookService: takes provider webhooks in.
#ifndef KYC_SERVICES_WEBHOOK_INTAKE_H_
#define KYC_SERVICES_WEBHOOK_INTAKE_H_

#include <chrono>
#include <memory>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"
#include "services/webhook/digest.h"
#include "services/webhook/secret_file.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace kyc::webhook {

// Everything must outlive the service.
struct IntakeParts {
  async::Runtime* runtime;
  // One connection for each loop of the runtime, in the loops' order.
  std::vector<async::Redis*> redis;
  const SecretFile* secrets;
  std::vector<DigestAlgorithm> algorithms;
  int partitions;
  const base::Clock* clock;
};

// For how long intake waits for Redis: the gateway gives it 0.9 s, and the
// answer has to reach it within that. The command time limit of its
// connections.
inline constexpr std::chrono::milliseconds kIntakeLimit{800};

// Verifies the digest over the raw body, appends the event to its partition
// of the stream and answers after Redis has it: OK means stored. Whether the
// body is JSON, or of a known type or user, is not asked here: a sender that
// signs well must not be made to send again. The events of a batch are
// verified one by one, and those that pass are stored in one transaction: all,
// or, where Redis refuses one, none. Each has an answer of its own.
//
// Errors: KYC-401-001 for a bad digest, GEN-413-001 for a body over 1 MiB,
// GEN-503-001 when Redis has not stored it in time, so that the sender
// repeats. Nothing of the body is logged.
std::unique_ptr<grpc::Service> MakeIntakeService(IntakeParts parts);

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_INTAKE_H_
