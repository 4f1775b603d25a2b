#include "services/async/pace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <set>
#include <vector>

#include "services/async/loop.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Passed {
  int who;
  int turn;  // Of the loop, counted where it matters.
  steady_clock::time_point at;
};

// `count` come in one turn after another has passed.
std::vector<Passed> PassAfterOne(milliseconds interval, int count) {
  Runtime runtime(1);
  Loop& loop = runtime.loop(0);
  Pace pace(interval);
  std::vector<Passed> passed;
  int turn = 0;
  bool turn_ends = false;
  std::promise<void> all;
  const auto pass = [&](int who) -> Task<void> {
    co_await pace.Pass();
    passed.push_back({who, turn, steady_clock::now()});
    if (!turn_ends) {
      turn_ends = true;
      loop.Post([&] {
        turn_ends = false;
        ++turn;
      });
    }
    if (static_cast<int>(passed.size()) == count + 1) all.set_value();
  };
  loop.Post([&] {
    for (int who = 0; who <= count; ++who) loop.Spawn(pass(who));
  });
  runtime.Start();
  all.get_future().wait();
  runtime.Stop();
  return passed;
}

TEST(PaceTest, TheFirstPassesAtOnceAndTheOthersTogether) {
  const steady_clock::time_point begin = steady_clock::now();
  const std::vector<Passed> passed = PassAfterOne(milliseconds(1000), 50);
  EXPECT_LT(passed[0].at - begin, milliseconds(900));
  std::set<int> who;
  for (size_t i = 0; i < passed.size(); ++i) {
    who.insert(passed[i].who);
    EXPECT_EQ(passed[i].turn, i == 0 ? 0 : 1);
  }
  EXPECT_EQ(passed[0].who, 0);
  EXPECT_EQ(who.size(), 51u);
  EXPECT_GE(passed[1].at - passed[0].at, milliseconds(950));
}

TEST(PaceTest, WhoComesAloneNeverWaits) {
  Runtime runtime(1);
  Pace pace(milliseconds(500));
  std::promise<steady_clock::duration> longest;
  runtime.loop(0).Spawn([](Pace* pace, auto* longest) -> Task<void> {
    steady_clock::duration most{0};
    for (int i = 0; i < 3; ++i) {
      const steady_clock::time_point begin = steady_clock::now();
      co_await pace->Pass();
      most = std::max(most, steady_clock::now() - begin);
      co_await Sleep(milliseconds(550));
    }
    longest->set_value(most);
  }(&pace, &longest));
  runtime.Start();
  EXPECT_LT(longest.get_future().get(), milliseconds(400));
}

TEST(PaceTest, TheIntervalHoldsForTheNextOnesToo) {
  Runtime runtime(1);
  Pace pace(milliseconds(30));
  std::promise<steady_clock::duration> took;
  runtime.loop(0).Spawn([](Pace* pace, auto* took) -> Task<void> {
    const steady_clock::time_point begin = steady_clock::now();
    for (int i = 0; i < 4; ++i) co_await pace->Pass();
    took->set_value(steady_clock::now() - begin);
  }(&pace, &took));
  runtime.Start();
  EXPECT_GE(took.get_future().get(), milliseconds(90));
}

}  // namespace
}  // namespace kyc::async
