#include <iostream>
#include <utility>
#include <vector>

#include "deploy/kycctl/cli.h"
#include "deploy/kycctl/event_commands.h"
#include "deploy/kycctl/key_commands.h"
#include "deploy/kycctl/pint_commands.h"
#include "deploy/kycctl/token_commands.h"
#include "deploy/kycctl/user_commands.h"
#include "deploy/kycctl/webhook_commands.h"

int main(int argc, char** argv) {
  std::vector<kyc::kycctl::Command> commands = kyc::kycctl::TokenCommands();
  for (auto& command : kyc::kycctl::KeyCommands()) {
    commands.push_back(std::move(command));
  }
  for (auto& command : kyc::kycctl::PintCommands()) {
    commands.push_back(std::move(command));
  }
  for (auto& command : kyc::kycctl::WebhookCommands()) {
    commands.push_back(std::move(command));
  }
  for (auto& command : kyc::kycctl::EventCommands()) {
    commands.push_back(std::move(command));
  }
  for (auto& command : kyc::kycctl::UserCommands()) {
    commands.push_back(std::move(command));
  }
  return kyc::kycctl::RunCli(commands,
                             std::vector<std::string>(argv + 1, argv + argc),
                             std::cout, std::cerr);
}
