#include "deploy/sandbox/data_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "deploy/sandbox/applicant_json.h"
#include "gtest/gtest.h"

namespace kyc::sandbox {
namespace {

constexpr int64_t kNow = 1'740'911'091'000;
constexpr char kImageBytes[] = "the bytes of a document";

class DataFileTest : public ::testing::Test {
 protected:
  DataFileTest() : levels_(*Levels::Parse("docs=IDENTITY")), clock_(kNow) {}

  Applicants Empty() {
    return Applicants(&levels_, &clock_, Applicants::Options(), [](Event) {});
  }

  // One approved applicant and one whose review has not ended.
  Applicants Filled() {
    Applicants applicants = Empty();
    for (const char* user : {"done", "waiting|\xc3\xab"}) {
      Applicants::NewApplicant fields;
      fields.external_user_id = user;
      fields.level = "docs";
      fields.fixed_info = {{"firstName", "Zo\xc3\xab"}};
      Applicant* applicant = nullptr;
      EXPECT_FALSE(applicants.Create(fields, &applicant).has_value());
      const Image* image = nullptr;
      EXPECT_FALSE(applicants
                       .AddDocument(*applicant,
                                    {"PASSPORT", "", "GBR", "image/png",
                                     kImageBytes, true},
                                    &image)
                       .has_value());
      EXPECT_FALSE(applicants.Submit(*applicant).has_value());
    }
    applicants.Decide(*applicants.FindByExternalId("done"),
                      ResultOf(Outcome::kApprove));
    return applicants;
  }

  std::string TestPath(const std::string& name) {
    const char* dir = std::getenv("TEST_TMPDIR");
    return std::string(dir != nullptr ? dir : "/tmp") + "/" + name;
  }

  const Levels levels_;
  base::FakeClock clock_;
};

TEST_F(DataFileTest, BringsBackEverythingButTheImages) {
  Applicants before = Filled();
  const std::string text = RenderData(before);
  EXPECT_EQ(text.find(kImageBytes), std::string::npos);
  Applicants after = Empty();
  ASSERT_TRUE(RestoreData(text, &after).ok());
  EXPECT_EQ(after.size(), 2u);
  for (const char* user : {"done", "waiting|\xc3\xab"}) {
    const Applicant* old_one = before.FindByExternalId(user);
    const Applicant* new_one = after.FindByExternalId(user);
    ASSERT_NE(new_one, nullptr) << user;
    EXPECT_EQ(RenderApplicant(after, *new_one),
              RenderApplicant(before, *old_one));
    EXPECT_EQ(RenderRequiredDocuments(after, *new_one),
              RenderRequiredDocuments(before, *old_one));
    EXPECT_EQ(RenderResources(*new_one), RenderResources(*old_one));
    EXPECT_EQ(new_one->last_event_ms, old_one->last_event_ms);
    EXPECT_EQ(new_one->images[0].bytes, nullptr);
  }
}

TEST_F(DataFileTest, AReviewInterruptedByARestartStillEnds) {
  Applicants before = Filled();
  Applicants after = Empty();
  ASSERT_TRUE(RestoreData(RenderData(before), &after).ok());
  clock_.Advance(60'000);
  after.RunDue();
  EXPECT_EQ(after.FindByExternalId("waiting|\xc3\xab")->status,
            ReviewStatus::kCompleted);
}

TEST_F(DataFileTest, RefusesWhatItDidNotWrite) {
  for (const char* text :
       {"", "{", "[]", "{}", R"({"format":2,"applicants":[]})",
        R"({"format":1,"applicants":[{"id":"a"}]})",
        R"({"format":1,"applicants":[{"id":"a","external_user_id":"u",)"
        R"("status":"init","level":"gone"}]})"}) {
    Applicants applicants = Empty();
    EXPECT_FALSE(RestoreData(text, &applicants).ok()) << text;
  }
}

TEST_F(DataFileTest, LoadNamesTheFileAndTakesAMissingOneAsEmpty) {
  Applicants applicants = Empty();
  EXPECT_TRUE(LoadDataFile(TestPath("missing.json"), &applicants).ok());
  const std::string path = TestPath("broken.json");
  std::ofstream(path) << "{";
  const absl::Status status = LoadDataFile(path, &applicants);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find(path), std::string::npos);
}

TEST_F(DataFileTest, TheWriterKeepsTheLastTextForTheOwnerAlone) {
  const std::string path = TestPath("written.json");
  {
    FileWriter writer(path);
    for (int i = 0; i < 100; ++i) writer.Write(std::to_string(i));
  }
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "99");
  struct stat info {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

}  // namespace
}  // namespace kyc::sandbox
