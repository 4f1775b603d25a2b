// /v0/kyc/documents and /v0/kyc/submit: documents uploaded by the app itself,
// in hybrid and document-only modes.
#ifndef KYC_GATEWAY_API_DOCUMENTS_H_
#define KYC_GATEWAY_API_DOCUMENTS_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// POST /v0/kyc/documents, multipart/form-data. The file passes through in
// chunks and is never here as a whole; a client that stops half way cancels
// the call behind.
async::Task<absl::Status> UploadDocument(Call& call);
// GET /v0/kyc/documents/required
async::Task<absl::Status> GetRequiredDocuments(Call& call);
// POST /v0/kyc/submit
async::Task<absl::Status> Submit(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_DOCUMENTS_H_
