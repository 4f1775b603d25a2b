#include "deploy/kycctl/pint_commands.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "deploy/kycctl/cli.h"
#include "services/kyc/domain/pint.h"

namespace kyc::kycctl {
namespace {

class PintCommandsTest : public ::testing::Test {
 protected:
  PintCommandsTest() {
    std::ofstream(path_) << "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5ef"
                            "cae784d7bf4f2ff80\n";
  }
  ~PintCommandsTest() override { std::remove(path_.c_str()); }

  int Run(std::vector<std::string> argv) {
    out_.str("");
    err_.str("");
    argv.push_back("--key_file=" + path_);
    return RunCli(PintCommands(), argv, out_, err_);
  }

  const std::string path_ =
      ::testing::TempDir() + "/wallet_" + std::to_string(getpid());
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(PintCommandsTest, SignsAsOtherImplementationsDo) {
  ASSERT_EQ(Run({"pint", "sign",
                 "--wallet=0x5FbDB2315678afecb367f032d93F642f64180aa3",
                 "--nonce=7", "--statement=KYC data access for Example Partner",
                 "--expires_at=1893456000", "--audience=partner.example"}),
            kExitOk)
      << err_.str();
  EXPECT_EQ(out_.str(),
            R"({"pint":{"wallet":"0x5FbDB2315678afecb367f032d93F642f64180aa3",)"
            R"("nonce":7,"statement":"KYC data access for Example Partner",)"
            R"("scopes":["sr:us:pint:identity:kyc_read"],"resources":[],)"
            R"("maxAmount":0,)"
            R"("maxAmountToken":"0x0000000000000000000000000000000000000000",)"
            R"("expiresAt":1893456000},"signature":")"
            "0xebdabd42e1a7c598f84f204cebbb51e373df6a9e80755c1af07dcc80c29cc980"
            "1607063f2f4abecbce8eb59e9a8282c437570458f2a09ac249758723c08c259e1b"
            "\",\"audience\":\"partner.example\"}\n");
}

TEST_F(PintCommandsTest, WhatItPrintsIsItsOwnSignature) {
  ASSERT_EQ(Run({"pint", "sign", "--audience=a", "--scopes=x,y",
                 "--resources=z", "--ttl=90s", "--max_amount=5"}),
            kExitOk);
  const auto request = domain::ParsePintRequest(out_.str());
  ASSERT_TRUE(request.ok()) << request.status();
  const auto signer = domain::RecoverSigner(
      domain::PintDigest(request->pint, 1329), request->signature);
  ASSERT_TRUE(signer.ok()) << signer.status();
  EXPECT_EQ(ToText(*signer), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  EXPECT_EQ(request->pint.wallet, *signer);
  EXPECT_EQ(request->pint.scopes, (std::vector<std::string>{"x", "y"}));
  // Nonces differ by themselves.
  const domain::Uint256 nonce = request->pint.nonce;
  ASSERT_EQ(Run({"pint", "sign", "--audience=a"}), kExitOk);
  EXPECT_NE(domain::ParsePintRequest(out_.str())->pint.nonce, nonce);
}

TEST_F(PintCommandsTest, MakesAKeyOnce) {
  EXPECT_EQ(Run({"pint", "keygen"}), kExitOk);
  EXPECT_EQ(out_.str(), "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n");
  std::remove(path_.c_str());
  EXPECT_EQ(Run({"pint", "keygen"}), kExitOk);
  const std::string address = out_.str();
  EXPECT_EQ(address.size(), 43u);
  EXPECT_EQ(Run({"pint", "keygen"}), kExitOk);
  EXPECT_EQ(out_.str(), address);
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(PintCommandsTest, SaysWhatIsWrongAndNotTheKey) {
  EXPECT_EQ(Run({"pint", "sign"}), kExitUsage);
  for (const char* flag :
       {"--wallet=0x1", "--nonce=-1", "--nonce=1.5", "--ttl=0s", "--ttl=x",
        "--expires_at=x", "--chain_id=x", "--max_amount_token=0"}) {
    EXPECT_EQ(Run({"pint", "sign", "--audience=a", flag}), kExitUsage) << flag;
  }
  std::ofstream(path_) << "0xsecret\n";
  EXPECT_EQ(Run({"pint", "sign", "--audience=a"}), kExitFailed);
  EXPECT_EQ(err_.str().find("secret"), std::string::npos) << err_.str();
  std::ofstream(path_) << "0x" + std::string(64, '0') + "\n";
  EXPECT_EQ(Run({"pint", "sign", "--audience=a"}), kExitFailed);
}

}  // namespace
}  // namespace kyc::kycctl
