#include "services/webhook/secret_file.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace kyc::webhook {
namespace {

class SecretFileTest : public testing::Test {
 protected:
  ~SecretFileTest() override { std::remove(path_.c_str()); }

  void Write(const std::string& text) {
    std::ofstream(path_, std::ios::trunc) << text;
  }
  static std::vector<std::string> Texts(const SecretFile& file) {
    std::vector<std::string> texts;
    for (const base::Secret& secret : *file.Get()) {
      texts.emplace_back(secret.Reveal());
    }
    return texts;
  }

  const std::string path_ = testing::TempDir() + "/webhook_secrets";
};

using Lines = std::vector<std::string>;

TEST_F(SecretFileTest, ReloadsAllLinesAtOnce) {
  SecretFile file(path_);
  EXPECT_EQ(Texts(file), Lines{});
  Write("old\n");
  ASSERT_TRUE(file.Load().ok());
  const auto before = file.Get();
  EXPECT_EQ(Texts(file), Lines{"old"});

  Write("new\nold\n");
  ASSERT_TRUE(file.Load().ok());
  EXPECT_EQ(Texts(file), (Lines{"new", "old"}));
  // Who holds the earlier set keeps it whole.
  ASSERT_EQ(before->size(), 1u);
  EXPECT_EQ((*before)[0].Reveal(), "old");
}

TEST_F(SecretFileTest, ABadFileKeepsTheSecrets) {
  SecretFile file(path_);
  Write("good\n");
  ASSERT_TRUE(file.Load().ok());

  Write("");
  absl::Status status = file.Load();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(path_), absl::string_view::npos);
  EXPECT_EQ(Texts(file), Lines{"good"});

  Write("\n\n");
  EXPECT_FALSE(file.Load().ok());
  EXPECT_EQ(Texts(file), Lines{"good"});

  std::remove(path_.c_str());
  status = file.Load();
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(status.message().find("good"), absl::string_view::npos);
  EXPECT_EQ(Texts(file), Lines{"good"});
}

}  // namespace
}  // namespace kyc::webhook
