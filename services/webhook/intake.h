// WebhookService: takes provider webhooks in.
#ifndef KYC_SERVICES_WEBHOOK_INTAKE_H_
#define KYC_SERVICES_WEBHOOK_INTAKE_H_

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
  const base::Clock* clock;
};

// IngestSumsubEvent verifies the digest over the raw body, appends the event
// to the stream and answers after Redis has it: OK means stored. Whether the
// body is JSON, or of a known type or user, is not asked here: a sender that
// signs well must not be made to send again.
//
// Errors: KYC-401-001 for a bad digest, GEN-413-001 for a body over 1 MiB,
// GEN-503-001 when Redis has not answered within 800 ms, so that the sender
// repeats. Nothing of the body is logged.
std::unique_ptr<grpc::Service> MakeIntakeService(IntakeParts parts);

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_INTAKE_H_
