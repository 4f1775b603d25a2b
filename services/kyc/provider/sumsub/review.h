// SumSub's JSON as values of this service: what webhooks and API answers have
// in common.
#ifndef KYC_SERVICES_KYC_PROVIDER_SUMSUB_REVIEW_H_
#define KYC_SERVICES_KYC_PROVIDER_SUMSUB_REVIEW_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/base/json.h"
#include "services/kyc/domain/state_machine.h"
#include "services/kyc/provider/provider.h"

namespace kyc::provider::sumsub {

// The answer of a `reviewResult`: kApproved, kRetryRequested or kRejected.
// RED is for good only where its type says so. nullopt for any other answer.
std::optional<domain::EventKind> AnswerOf(base::JsonValue review_result);

// A review: the answer of GET …/status, or `review` inside an applicant.
// Whether the answer counts is the caller's to judge by `review`: it lingers
// after a reset. nullopt when it is not of that shape.
// `support_address` replaces ${clientSupportEmail} in the reason.
std::optional<domain::Poll> ParseReview(base::JsonValue review,
                                        std::string_view applicant_id,
                                        std::string_view support_address);

// An applicant with its review; one without a review has not begun. nullopt
// when it is not of that shape.
std::optional<Applicant> ParseApplicant(base::JsonValue applicant,
                                        std::string_view support_address);

// The text of a value that SumSub writes as text or as an integer; else "".
std::string TextOf(base::JsonValue value);

// Whether a text can be an applicant's id: 1 to 128 letters, digits and
// "-._~:", not only dots. What passes is safe in a path and in a log.
bool IsApplicantId(std::string_view text);

// "2025-03-02 10:21:44.204" (UTC), "2025-03-02 10:21:44+0000", "2025-03-02
// 10:21:44", "2025-03-02", RFC 3339, or epoch milliseconds as digits.
// nullopt for anything else, before 2000 or after 2100.
std::optional<int64_t> ParseTime(std::string_view text);

// The text without control characters but line breaks, at most so many bytes
// at a character's border.
std::string PlainText(std::string_view text, size_t max_bytes);

// The comment as shown to the user: placeholder replaced, control characters
// but line breaks removed, at most 1000 bytes at a character's border.
std::string UserReason(std::string_view moderation_comment,
                       std::string_view support_address);

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_REVIEW_H_
