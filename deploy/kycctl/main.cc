#include <iostream>

#include "deploy/kycctl/cli.h"
#include "deploy/kycctl/token_commands.h"

int main(int argc, char** argv) {
  const std::vector<kyc::kycctl::Command> commands =
      kyc::kycctl::TokenCommands();
  return kyc::kycctl::RunCli(commands,
                             std::vector<std::string>(argv + 1, argv + argc),
                             std::cout, std::cerr);
}
