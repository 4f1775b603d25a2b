// One UploadDocument stream, from its first message to the provider's answer.
#ifndef KYC_SERVICES_KYC_SERVER_UPLOAD_H_
#define KYC_SERVICES_KYC_SERVER_UPLOAD_H_

#include <atomic>

#include "absl/status/status.h"
#include "kyc/v1/kyc_service.pb.h"
#include "services/async/call_context.h"
#include "services/async/grpc_server_read_stream.h"
#include "services/async/task.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// How many uploads may be under way: each keeps its file in memory.
// Thread-safe.
class UploadLimit {
 public:
  explicit UploadLimit(int most) : most_(most) {}

  // A place, given back when it goes.
  class Place {
   public:
    explicit Place(UploadLimit& limit);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    bool taken() const { return taken_; }

   private:
    UploadLimit& limit_;
    const bool taken_;
  };

 private:
  const int most_;
  std::atomic<int> under_way_ = 0;
};

// Takes the document in on the calling loop and has the user's own loop pass
// it on. `response` is filled when the status is OK. A file beyond the limit
// is read on, up to 16 MiB, so that its true size can be told; it is not
// kept. GEN-413-001 beyond that. CANCELLED when the stream ends early.
async::Task<absl::Status> ReceiveUpload(
    async::CallContext context, Engines& engines, UploadLimit& limit,
    async::StreamReader<v1::UploadDocumentRequest>& reader,
    v1::UploadDocumentResponse* response);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_UPLOAD_H_
