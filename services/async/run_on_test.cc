#include "services/async/run_on.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>

namespace kyc::async {
namespace {

struct Ran {
  std::string value;
  bool there = false;
  bool back = false;
};

Task<std::string> Work(Loop& expected, std::string text, Ran* ran) {
  co_await Sleep(std::chrono::milliseconds(1));
  ran->there = expected.RunsHere();
  if (text == "throw") throw std::runtime_error(text);
  co_return text;
}

Task<void> Caller(Loop& home, Loop& other, std::string text,
                  std::promise<Ran>* done) {
  Ran ran;
  try {
    ran.value = co_await RunOn<std::string>(
        other, [&] { return Work(other, text, &ran); });
  } catch (const std::runtime_error&) {
    ran.value = "caught";
  }
  ran.back = home.RunsHere();
  done->set_value(ran);
}

TEST(RunOnTest, RunsThereAndContinuesHere) {
  Runtime runtime(2);
  runtime.Start();
  for (int other : {0, 1}) {
    for (const char* text : {"value", "throw"}) {
      std::promise<Ran> done;
      Loop& home = runtime.loop(0);
      home.Post(
          [&] { home.Spawn(Caller(home, runtime.loop(other), text, &done)); });
      const Ran ran = done.get_future().get();
      EXPECT_EQ(ran.value, text == std::string("throw") ? "caught" : text);
      EXPECT_TRUE(ran.there);
      EXPECT_TRUE(ran.back);
    }
  }
}

Task<std::string> Sleeper(std::shared_ptr<int> held,
                          std::promise<void>* begun) {
  begun->set_value();
  co_await Sleep(std::chrono::seconds(60));
  co_return std::to_string(*held);
}

Task<void> AwaitSleeper(Loop& other, std::shared_ptr<int> held,
                        std::promise<void>* begun) {
  co_await RunOn<std::string>(other,
                              [held, begun] { return Sleeper(held, begun); });
}

TEST(RunOnTest, StopFreesBothSides) {
  const auto held = std::make_shared<int>(1);
  {
    Runtime runtime(2);
    runtime.Start();
    std::promise<void> begun;
    runtime.loop(0).Post([&] {
      runtime.loop(0).Spawn(AwaitSleeper(runtime.loop(1), held, &begun));
    });
    begun.get_future().wait();
    runtime.Stop();
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace kyc::async
