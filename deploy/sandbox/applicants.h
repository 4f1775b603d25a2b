// SumSub's applicants and what can be done to them: the sandbox's whole
// state. Pure: no I/O, no clock of its own; what a webhook would tell goes to
// a sink.
//
// Every rule is SumSub's where it is known (the API's documentation, error
// table and observed behaviour); what is not known is marked "assumed".
#ifndef KYC_DEPLOY_SANDBOX_APPLICANTS_H_
#define KYC_DEPLOY_SANDBOX_APPLICANTS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "deploy/sandbox/api_error.h"
#include "deploy/sandbox/applicant.h"
#include "deploy/sandbox/levels.h"
#include "services/base/clock.h"

namespace kyc::sandbox {

// Used by one thread.
class Applicants {
 public:
  struct Options {
    Outcome outcome = Outcome::kApprove;  // How a submitted review ends…
    int64_t outcome_delay_ms = 1000;      // …and how soon.
    size_t max_applicants = 200'000;
    int64_t max_image_bytes = 256 << 20;  // Of all; the oldest bytes go.
    size_t max_images_per_applicant = 50;
  };

  // `levels` and `clock` outlive this. `sink` is called within the methods.
  Applicants(const Levels* levels, const base::Clock* clock, Options options,
             std::function<void(Event)> sink);

  struct NewApplicant {
    std::string external_user_id;
    std::string level;
    std::string type = "individual";
    std::string platform = "API";
    std::string email;
    std::string phone;
    std::string lang;
    std::vector<std::pair<std::string, std::string>> fixed_info;
  };
  // 409 for an external id in use, a deactivated one included; the text names
  // the id of the applicant there is. 400 for an unknown level (assumed).
  Refusal Create(NewApplicant fields, Applicant** created);

  // Pointers stay valid until the applicant is deleted.
  Applicant* Find(std::string_view id);
  Applicant* FindByExternalId(std::string_view external_user_id);

  struct Upload {
    std::string document_type;
    std::string sub_type;
    std::string country;
    std::string mime;
    std::string bytes;
    bool accepted = true;  // False: stored, but marked inactive at once.
  };
  // Stores a page; *image is set on success.
  Refusal AddDocument(Applicant& applicant, Upload upload, const Image** image);

  // Ends the user's part: the review begins and its end is planned.
  Refusal Submit(Applicant& applicant);
  Refusal Reset(Applicant& applicant);
  Refusal MoveToLevel(Applicant& applicant, const std::string& level);
  void SetDeactivated(Applicant& applicant, bool deactivated);
  void Delete(Applicant& applicant);

  // A decision, whatever the state before: officers and monitoring decide
  // again at any time.
  void Decide(Applicant& applicant, ReviewResult result);
  void Hold(Applicant& applicant);

  // A token for the SDK was handed out.
  void RememberToken(const std::string& external_user_id,
                     const std::string& level);
  // The user goes through the SDK: the applicant is created or moved where
  // that is due, missing steps are completed and all is submitted; the review
  // will end as told. `level` empty: that of the last token, else the
  // applicant's, else the first. 409 while a review runs or after it ended
  // for good, when the SDK only shows the result.
  Refusal PlayInSdk(const std::string& external_user_id, std::string level,
                    PlannedReview planned_after, Applicant** played);

  // Steps of the applicant's level that still lack something.
  std::vector<std::string> MissingSteps(const Applicant& applicant) const;
  // The images of a step that count, in order of upload.
  std::vector<const Image*> ActiveImages(const Applicant& applicant,
                                         std::string_view step) const;

  // Ends the reviews that are due.
  void RunDue();
  // When the next is due, or nullopt.
  std::optional<int64_t> NextDueMs() const;
  // For reviews submitted from now on.
  void SetOutcome(Outcome outcome, int64_t delay_ms);

  const Levels& levels() const { return *levels_; }
  size_t size() const { return by_id_.size(); }
  void ForEach(const std::function<void(const Applicant&)>& visit) const;
  // Takes in an applicant saved earlier. False: an id is already there.
  bool Restore(Applicant applicant);
  // Rises with every change.
  int64_t version() const { return version_; }

 private:
  int64_t NowMs() const { return clock_->NowMs(); }
  void Emit(Applicant& applicant, std::string type,
            const std::string& previous_level = "",
            std::optional<ReviewResult> result = std::nullopt,
            bool null_result = false);
  void Plan(Applicant& applicant, PlannedReview planned);
  void BeginReview(Applicant& applicant, PlannedReview planned);
  void ChangeLevel(Applicant& applicant, const std::string& level);
  Image& StoreImage(Applicant& applicant, Image image, std::string bytes);
  void CompleteStepInSdk(Applicant& applicant, const std::string& step);
  bool StepIsComplete(const Applicant& applicant,
                      const std::string& step) const;
  bool HasStep(const Applicant& applicant, std::string_view step) const;

  const Levels* const levels_;
  const base::Clock* const clock_;
  Options options_;
  const std::function<void(Event)> sink_;
  int64_t version_ = 0;
  std::unordered_map<std::string, std::unique_ptr<Applicant>> by_id_;
  std::unordered_map<std::string, Applicant*> by_external_id_;
  // The level of each user's last token; bounded, the oldest go.
  std::unordered_map<std::string, std::string> token_levels_;
  std::deque<std::string> token_order_;
  std::multimap<int64_t, std::string> due_;  // Time to applicant id.
  // Applicant and image ids whose bytes are held, oldest first.
  std::deque<std::pair<std::string, int64_t>> held_images_;
  int64_t held_bytes_ = 0;
};

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_APPLICANTS_H_
