#include "deploy/sandbox/applicants.h"

#include <algorithm>

#include "deploy/sandbox/crypto.h"

namespace kyc::sandbox {
namespace {

constexpr size_t kMaxRememberedTokens = 100'000;

// One white pixel: what the SDK's camera "took".
constexpr unsigned char kPixelPng[] = {
    0x89, 'P',  'N',  'G',  0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d,
    'I',  'H',  'D',  'R',  0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
    0x08, 0x06, 0x00, 0x00, 0x00, 0x1f, 0x15, 0xc4, 0x89, 0x00, 0x00, 0x00,
    0x0d, 'I',  'D',  'A',  'T',  0x78, 0x9c, 0x63, 0xf8, 0xff, 0xff, 0xff,
    0x7f, 0x00, 0x09, 0xfb, 0x03, 0xfd, 0x05, 0x43, 0x45, 0xca, 0x00, 0x00,
    0x00, 0x00, 'I',  'E',  'N',  'D',  0xae, 0x42, 0x60, 0x82};

bool IsFinalReject(const Applicant& applicant) {
  return applicant.status == ReviewStatus::kCompleted && applicant.result &&
         applicant.result->answer == "RED" &&
         applicant.result->reject_type == "FINAL";
}

bool IsApproved(const Applicant& applicant) {
  return applicant.status == ReviewStatus::kCompleted && applicant.result &&
         applicant.result->answer == "GREEN";
}

bool IsInReview(const Applicant& applicant) {
  return applicant.status == ReviewStatus::kPending ||
         applicant.status == ReviewStatus::kOnHold;
}

bool IsRejectedImage(const Image& image) {
  return image.review && image.review->answer == "RED";
}

std::string Join(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += ", ";
    out += part;
  }
  return out;
}

std::string FixedInfo(const Applicant& applicant, std::string_view key,
                      std::string_view fallback) {
  for (const auto& [name, value] : applicant.fixed_info) {
    if (name == key && !value.empty()) return value;
  }
  return std::string(fallback);
}

// What the "recognition" finds: the client's own words where it gave some,
// else the sandbox's model citizen.
PersonalInfo Recognise(const Applicant& applicant) {
  std::string country = "GBR";
  for (const Image& image : applicant.images) {
    if (!image.deactivated && image.step.starts_with("IDENTITY")) {
      country = image.country;
      break;
    }
  }
  return {FixedInfo(applicant, "firstName", "Jane"),
          FixedInfo(applicant, "lastName", "Smith"),
          FixedInfo(applicant, "dob", "1990-05-15"), country,
          FixedInfo(applicant, "nationality", "GBR")};
}

}  // namespace

Applicants::Applicants(const Levels* levels, const base::Clock* clock,
                       Options options, std::function<void(Event)> sink)
    : levels_(levels),
      clock_(clock),
      options_(options),
      sink_(std::move(sink)) {}

void Applicants::Emit(Applicant& applicant, std::string type,
                      const std::string& previous_level,
                      std::optional<ReviewResult> result, bool null_result) {
  ++version_;
  // Strictly rising per applicant: receivers order events by this time.
  applicant.last_event_ms = std::max(NowMs(), applicant.last_event_ms + 1);
  sink_({.type = std::move(type),
         .applicant_id = applicant.id,
         .external_user_id = applicant.external_user_id,
         .level = applicant.level,
         .previous_level = previous_level,
         .status = applicant.status,
         .result = std::move(result),
         .null_result = null_result,
         .correlation_id = RandomHex(32),
         .created_ms = applicant.last_event_ms});
}

Refusal Applicants::Create(NewApplicant fields, Applicant** created) {
  if (levels_->Steps(fields.level) == nullptr) {
    return PlainError(400, "Level '" + fields.level + "' is not found");
  }
  const auto existing = by_external_id_.find(fields.external_user_id);
  if (existing != by_external_id_.end()) {
    // No errorCode, and the id only in the text: as SumSub answers.
    return PlainError(409, "Applicant with external user id '" +
                               fields.external_user_id +
                               "' already exists: " + existing->second->id);
  }
  if (by_id_.size() >= options_.max_applicants) {
    return PlainError(429, "The sandbox's limit of applicants is reached");
  }
  auto owned = std::make_unique<Applicant>();
  Applicant& applicant = *owned;
  do {
    applicant.id = RandomHex(24);
  } while (by_id_.contains(applicant.id));
  applicant.external_user_id = std::move(fields.external_user_id);
  applicant.type = std::move(fields.type);
  applicant.platform = std::move(fields.platform);
  applicant.email = std::move(fields.email);
  applicant.phone = std::move(fields.phone);
  applicant.lang = std::move(fields.lang);
  applicant.fixed_info = std::move(fields.fixed_info);
  applicant.level = std::move(fields.level);
  applicant.created_ms = NowMs();
  applicant.review_created_ms = applicant.created_ms;
  applicant.review_id = RandomHex(5);
  applicant.attempt_id = RandomHex(5);
  by_external_id_[applicant.external_user_id] = &applicant;
  by_id_[applicant.id] = std::move(owned);
  *created = &applicant;
  Emit(applicant, "applicantCreated");
  return std::nullopt;
}

Applicant* Applicants::Find(std::string_view id) {
  const auto found = by_id_.find(std::string(id));
  return found == by_id_.end() ? nullptr : found->second.get();
}

Applicant* Applicants::FindByExternalId(std::string_view external_user_id) {
  const auto found = by_external_id_.find(std::string(external_user_id));
  return found == by_external_id_.end() ? nullptr : found->second;
}

bool Applicants::HasStep(const Applicant& applicant,
                         std::string_view step) const {
  const auto* steps = levels_->Steps(applicant.level);
  return steps != nullptr &&
         std::find(steps->begin(), steps->end(), step) != steps->end();
}

std::vector<const Image*> Applicants::ActiveImages(
    const Applicant& applicant, std::string_view step) const {
  std::vector<const Image*> images;
  for (const Image& image : applicant.images) {
    if (!image.deactivated && image.step == step) images.push_back(&image);
  }
  return images;
}

bool Applicants::StepIsComplete(const Applicant& applicant,
                                const std::string& step) const {
  if (applicant.sdk_steps.contains(step)) return true;
  if (NeedsLiveness(step)) return false;
  std::set<std::string> front;
  std::set<std::string> back;
  for (const Image* image : ActiveImages(applicant, step)) {
    if (IsRejectedImage(*image)) continue;
    (image->sub_type == "BACK_SIDE" ? back : front)
        .insert(image->document_type);
  }
  return std::any_of(front.begin(), front.end(), [&](const std::string& type) {
    return !IsDoubleSided(type) || back.contains(type);
  });
}

std::vector<std::string> Applicants::MissingSteps(
    const Applicant& applicant) const {
  std::vector<std::string> missing;
  const auto* steps = levels_->Steps(applicant.level);
  if (steps == nullptr) return missing;
  for (const std::string& step : *steps) {
    if (!StepIsComplete(applicant, step)) missing.push_back(step);
  }
  return missing;
}

Image& Applicants::StoreImage(Applicant& applicant, Image image,
                              std::string bytes) {
  const auto taken = [&](int64_t id) {
    return std::any_of(applicant.images.begin(), applicant.images.end(),
                       [&](const Image& other) { return other.id == id; });
  };
  do {
    image.id = 100'000'000 + static_cast<int64_t>(RandomBelow(1'900'000'000));
  } while (taken(image.id));
  image.size = static_cast<int64_t>(bytes.size());
  image.added_ms = NowMs();
  image.attempt_id = applicant.attempt_id;
  image.bytes = std::make_shared<const std::string>(std::move(bytes));
  held_bytes_ += image.size;
  held_images_.emplace_back(applicant.id, image.id);
  applicant.images.push_back(std::move(image));
  while (held_bytes_ > options_.max_image_bytes && held_images_.size() > 1) {
    const auto [owner_id, image_id] = held_images_.front();
    held_images_.pop_front();
    Applicant* owner = Find(owner_id);
    if (owner == nullptr) continue;  // Deleted: its bytes were given back.
    for (Image& old : owner->images) {
      if (old.id == image_id && old.bytes != nullptr) {
        held_bytes_ -= old.size;
        old.bytes.reset();
      }
    }
  }
  ++version_;
  return applicant.images.back();
}

Refusal Applicants::AddDocument(Applicant& applicant, Upload upload,
                                const Image** image) {
  if (applicant.deactivated) {
    return CodedError(ErrorCode::kMarkedAsDeleted,
                      "Applicant " + applicant.id + " is marked as deleted");
  }
  if (applicant.status == ReviewStatus::kPending) {
    return CodedError(ErrorCode::kNoUploadInProgress,
                      "No upload is expected while applicant " + applicant.id +
                          " is being checked");
  }
  if (IsFinalReject(applicant)) {
    return CodedError(ErrorCode::kFinalReject,
                      "Applicant " + applicant.id + " is finally rejected");
  }
  if (applicant.images.size() >= options_.max_images_per_applicant) {
    return CodedError(ErrorCode::kTooManyDocuments,
                      "Too many documents for applicant " + applicant.id);
  }
  const auto step =
      StepFor(*levels_->Steps(applicant.level), upload.document_type);
  if (!step) {
    return CodedError(ErrorCode::kDocTypeNotRequired,
                      "Document type " + upload.document_type +
                          " is not in the required documents");
  }
  // A page that was rejected makes room for its successor.
  for (Image& old : applicant.images) {
    if (old.step == *step && IsRejectedImage(old)) old.deactivated = true;
  }
  if (!upload.accepted) {
    // Errors on one side invalidate the other side of the same document too.
    for (Image& old : applicant.images) {
      if (old.step == *step && old.document_type == upload.document_type) {
        old.deactivated = true;
      }
    }
  }
  Image page;
  page.step = *step;
  page.document_type = std::move(upload.document_type);
  page.sub_type = std::move(upload.sub_type);
  page.country = std::move(upload.country);
  page.mime = std::move(upload.mime);
  page.source = "fileupload";
  page.deactivated = !upload.accepted;
  *image = &StoreImage(applicant, std::move(page), std::move(upload.bytes));
  return std::nullopt;
}

void Applicants::Plan(Applicant& applicant, PlannedReview planned) {
  applicant.planned = planned;
  due_.emplace(planned.due_ms, applicant.id);
}

void Applicants::BeginReview(Applicant& applicant, PlannedReview planned) {
  applicant.status = ReviewStatus::kPending;
  applicant.pending_ms = NowMs();
  applicant.attempt_id = RandomHex(5);
  ++applicant.attempt_count;
  Plan(applicant, planned);
  Emit(applicant, "applicantPending");
}

Refusal Applicants::Submit(Applicant& applicant) {
  if (applicant.deactivated) {
    return CodedError(ErrorCode::kMarkedAsDeleted,
                      "Applicant " + applicant.id + " is marked as deleted");
  }
  if (IsFinalReject(applicant)) {
    return CodedError(ErrorCode::kFinalReject,
                      "Applicant " + applicant.id + " is finally rejected");
  }
  if (IsInReview(applicant) || IsApproved(applicant)) {
    return CodedError(ErrorCode::kAlreadyInTheState,  // Assumed.
                      "Applicant " + applicant.id + " is already in the state");
  }
  const std::vector<std::string> missing = MissingSteps(applicant);
  if (!missing.empty()) {
    return PlainError(
        409,
        "Not all required documents or data are submitted. Make sure to "
        "complete [" +
            Join(missing) + "] verification steps beforehand.");
  }
  BeginReview(applicant,
              {NowMs() + options_.outcome_delay_ms, options_.outcome});
  return std::nullopt;
}

Refusal Applicants::Reset(Applicant& applicant) {
  if (applicant.status == ReviewStatus::kPending) {
    return PlainError(409, "Applicant " + applicant.id +
                               " cannot be reset while it is being checked");
  }
  applicant.status = ReviewStatus::kInit;
  applicant.attempt_id = RandomHex(5);
  applicant.review_created_ms = NowMs();
  applicant.planned.reset();
  applicant.sdk_steps.clear();
  for (Image& image : applicant.images) image.deactivated = true;
  Emit(applicant, "applicantReset", "", std::nullopt, /*null_result=*/true);
  return std::nullopt;
}

void Applicants::ChangeLevel(Applicant& applicant, const std::string& level) {
  const std::string previous = applicant.level;
  applicant.level = level;
  applicant.status = ReviewStatus::kInit;
  applicant.attempt_id = RandomHex(5);
  applicant.planned.reset();
  Emit(applicant, "applicantLevelChanged", previous);
}

Refusal Applicants::MoveToLevel(Applicant& applicant,
                                const std::string& level) {
  if (levels_->Steps(level) == nullptr) {
    return PlainError(400, "Level '" + level + "' is not found");
  }
  if (IsInReview(applicant)) {
    return PlainError(409, "Applicant " + applicant.id +
                               " cannot change its level while it is being "
                               "checked");
  }
  if (applicant.level != level) ChangeLevel(applicant, level);
  return std::nullopt;
}

void Applicants::SetDeactivated(Applicant& applicant, bool deactivated) {
  if (applicant.deactivated == deactivated) return;
  applicant.deactivated = deactivated;
  Emit(applicant, deactivated ? "applicantDeactivated" : "applicantActivated");
}

void Applicants::Delete(Applicant& applicant) {
  Emit(applicant, "applicantDeleted");
  for (const Image& image : applicant.images) {
    if (image.bytes != nullptr) held_bytes_ -= image.size;
  }
  by_external_id_.erase(applicant.external_user_id);
  by_id_.erase(std::string(applicant.id));
}

void Applicants::Decide(Applicant& applicant, ReviewResult result) {
  applicant.status = ReviewStatus::kCompleted;
  applicant.planned.reset();
  applicant.reviewed_ms = NowMs();
  if (!applicant.info) applicant.info = Recognise(applicant);
  // A retry asks for one thing again: the document, or whatever is first.
  std::string blamed;
  if (result.answer == "RED") {
    blamed = HasStep(applicant, "IDENTITY")
                 ? "IDENTITY"
                 : levels_->Steps(applicant.level)->front();
    applicant.sdk_steps.erase(blamed);
  }
  for (Image& image : applicant.images) {
    if (image.deactivated || !HasStep(applicant, image.step)) continue;
    image.review = image.step == blamed ? result : ResultOf(Outcome::kApprove);
  }
  applicant.result = result;
  Emit(applicant, "applicantReviewed", "", std::move(result));
}

void Applicants::Hold(Applicant& applicant) {
  applicant.status = ReviewStatus::kOnHold;
  applicant.planned.reset();
  // The answer that rides on this event is no decision.
  Emit(applicant, "applicantOnHold", "", ResultOf(Outcome::kApprove));
}

void Applicants::RememberToken(const std::string& external_user_id,
                               const std::string& level) {
  const auto [entry, is_new] =
      token_levels_.insert_or_assign(external_user_id, level);
  if (!is_new) return;
  token_order_.push_back(entry->first);
  if (token_order_.size() > kMaxRememberedTokens) {
    token_levels_.erase(token_order_.front());
    token_order_.pop_front();
  }
}

void Applicants::CompleteStepInSdk(Applicant& applicant,
                                   const std::string& step) {
  applicant.sdk_steps.insert(step);
  const auto types = DocumentTypes(step);
  if (types.empty()) return;  // A data step: nothing is photographed.
  for (Image& old : applicant.images) {
    if (old.step == step && IsRejectedImage(old)) old.deactivated = true;
  }
  if (!ActiveImages(applicant, step).empty()) return;
  Image page;
  page.step = step;
  page.document_type = types.front();
  page.country = "GBR";
  page.mime = "image/png";
  page.source = NeedsLiveness(step) ? "liveness" : "docapture";
  StoreImage(
      applicant, std::move(page),
      std::string(reinterpret_cast<const char*>(kPixelPng), sizeof(kPixelPng)));
}

Refusal Applicants::PlayInSdk(const std::string& external_user_id,
                              std::string level, PlannedReview planned_after,
                              Applicant** played) {
  Applicant* applicant = FindByExternalId(external_user_id);
  if (level.empty()) {
    const auto token = token_levels_.find(external_user_id);
    level = token != token_levels_.end() ? token->second
            : applicant != nullptr       ? applicant->level
                                         : levels_->first();
  }
  if (levels_->Steps(level) == nullptr) {
    return PlainError(400, "Level '" + level + "' is not found");
  }
  if (applicant == nullptr) {
    NewApplicant fields;
    fields.external_user_id = external_user_id;
    fields.level = level;
    fields.platform = "Web";
    if (Refusal refusal = Create(std::move(fields), &applicant)) return refusal;
  }
  const bool ended = IsFinalReject(*applicant) ||
                     (IsApproved(*applicant) && applicant->level == level);
  if (applicant->deactivated || IsInReview(*applicant) || ended) {
    return PlainError(409, "The SDK only shows the result now");
  }
  if (applicant->level != level) ChangeLevel(*applicant, level);
  for (const std::string& step : MissingSteps(*applicant)) {
    CompleteStepInSdk(*applicant, step);
  }
  BeginReview(*applicant, planned_after);
  *played = applicant;
  return std::nullopt;
}

void Applicants::RunDue() {
  const int64_t now = NowMs();
  while (!due_.empty() && due_.begin()->first <= now) {
    const auto [due_ms, id] = *due_.begin();
    due_.erase(due_.begin());
    Applicant* applicant = Find(id);
    // Stale where the review was reset, decided or planned anew meanwhile.
    if (applicant == nullptr || !applicant->planned ||
        applicant->planned->due_ms != due_ms) {
      continue;
    }
    if (applicant->planned->outcome == Outcome::kHold) {
      Hold(*applicant);
    } else {
      Decide(*applicant, ResultOf(applicant->planned->outcome));
    }
  }
}

std::optional<int64_t> Applicants::NextDueMs() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

void Applicants::SetOutcome(Outcome outcome, int64_t delay_ms) {
  options_.outcome = outcome;
  options_.outcome_delay_ms = delay_ms;
}

void Applicants::ForEach(
    const std::function<void(const Applicant&)>& visit) const {
  for (const auto& [id, applicant] : by_id_) visit(*applicant);
}

bool Applicants::Restore(Applicant applicant) {
  if (by_id_.contains(applicant.id) ||
      by_external_id_.contains(applicant.external_user_id) ||
      levels_->Steps(applicant.level) == nullptr) {
    return false;
  }
  auto owned = std::make_unique<Applicant>(std::move(applicant));
  if (owned->planned) Plan(*owned, *owned->planned);
  by_external_id_[owned->external_user_id] = owned.get();
  const std::string id = owned->id;
  by_id_[id] = std::move(owned);
  return true;
}

}  // namespace kyc::sandbox
