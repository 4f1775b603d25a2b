#include "deploy/kycctl/cli.h"

#include <cstdlib>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace kyc::kycctl {
namespace {

class CliTest : public ::testing::Test {
 protected:
  CliTest() {
    const auto echo = [](const Args& args, std::ostream& out) {
      out << args.Get("name") << "/" << args.Get("size") << "/"
          << args.IsOn("json");
      for (const std::string& word : args.positional()) out << "/" << word;
      if (args.Get("size") == "bad") {
        return absl::InvalidArgumentError("--size is bad");
      }
      if (args.Get("size") == "down") return absl::UnavailableError("is down");
      return absl::OkStatus();
    };
    const std::vector<Flag> flags = {{"name", "NAME", "A name.", "", true},
                                     {"size", "N", "A size.", "7", false},
                                     {"json", "", "Prints JSON.", "", false}};
    commands_ = {
        {"thing make", "makes it", {"kycctl thing make"}, flags, {}, echo},
        {"thing revoke", "revokes it", {}, flags, {"ID"}, echo},
        {"thing look", "looks", {}, flags, {"[ID]"}, echo}};
  }

  int Run(std::vector<std::string> argv) {
    out_.str("");
    err_.str("");
    return RunCli(commands_, argv, out_, err_);
  }

  std::vector<Command> commands_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CliTest, TakesFlagsAnywhereAndTheLastOneWins) {
  EXPECT_EQ(Run({"--name=a", "thing", "make", "--name", "b", "--json"}), 0);
  EXPECT_EQ(out_.str(), "b/7/1");
  EXPECT_EQ(Run({"thing", "--json", "revoke", "id-1", "--name=a"}), 0);
  EXPECT_EQ(out_.str(), "a/7/1/id-1");
  EXPECT_EQ(Run({"thing", "revoke", "--name=a", "--", "--odd"}), 0);
  EXPECT_EQ(out_.str(), "a/7/0/--odd");
  EXPECT_EQ(Run({"thing", "make", "--name=a", "--json=false"}), 0);
  EXPECT_EQ(out_.str(), "a/7/0");
}

TEST_F(CliTest, AnArgumentInBracketsMayBeLeftOut) {
  EXPECT_EQ(Run({"thing", "look", "--name=a"}), 0);
  EXPECT_EQ(out_.str(), "a/7/0");
  EXPECT_EQ(Run({"thing", "look", "--name=a", "id"}), 0);
  EXPECT_EQ(out_.str(), "a/7/0/id");
  EXPECT_EQ(Run({"thing", "look", "--name=a", "id", "more"}), 2);
}

TEST_F(CliTest, FallsBackToTheEnvironment) {
  setenv("KYC_NAME", "from env", 1);
  EXPECT_EQ(Run({"thing", "make"}), 0);
  EXPECT_EQ(out_.str(), "from env/7/0");
  EXPECT_EQ(Run({"thing", "make", "--name=line"}), 0);
  EXPECT_EQ(out_.str(), "line/7/0");
  unsetenv("KYC_NAME");
  EXPECT_EQ(Run({"thing", "make"}), 2);
  EXPECT_NE(err_.str().find("needs --name"), std::string::npos);
}

TEST_F(CliTest, SuggestsWhatWasMeant) {
  EXPECT_EQ(Run({"thin", "mkae"}), 2);
  EXPECT_NE(err_.str().find("Did you mean 'thing make'?"), std::string::npos);
  EXPECT_EQ(Run({"thing", "make", "--nmae=x"}), 2);
  EXPECT_NE(err_.str().find("Did you mean '--name'?"), std::string::npos);
  EXPECT_EQ(Run({"completely", "different"}), 2);
  EXPECT_EQ(err_.str().find("Did you mean"), std::string::npos);
}

TEST_F(CliTest, RefusesWrongLinesWithoutRunning) {
  for (const std::vector<std::string>& argv :
       {std::vector<std::string>{},
        {"thing"},
        {"thing", "revoke", "--name=a"},
        {"thing", "make", "extra", "--name=a"},
        {"thing", "make", "--name"},
        {"thing", "make", "--name=a", "--json=maybe"},
        {"thing", "make", "-n"},
        {"thing", "make", "--name="}}) {
    EXPECT_EQ(Run(argv), 2);
    EXPECT_EQ(out_.str(), "");
    EXPECT_NE(err_.str(), "");
  }
}

TEST_F(CliTest, ExitCodesTellUsageFromFailure) {
  EXPECT_EQ(Run({"thing", "make", "--name=a", "--size=bad"}), 2);
  EXPECT_EQ(Run({"thing", "make", "--name=a", "--size=down"}), 1);
  EXPECT_EQ(err_.str(), "kycctl: is down\n");
}

TEST_F(CliTest, HelpLeadsWithExamples) {
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_EQ(out_.str().rfind("Examples:\n  kycctl thing make", 0), 0u);
  EXPECT_EQ(Run({"thing", "revoke", "--help"}), 0);
  EXPECT_NE(out_.str().find("kycctl thing revoke ID"), std::string::npos);
  EXPECT_NE(out_.str().find("--size=N"), std::string::npos);
}

}  // namespace
}  // namespace kyc::kycctl
