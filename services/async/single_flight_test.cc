#include "services/async/single_flight.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "services/async/waiter.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

using Flights = SingleFlight<int>;

class SingleFlightTest : public ::testing::Test {
 protected:
  SingleFlightTest() : runtime_(1), loop_(runtime_.loop(0)) {
    runtime_.Start();
  }

  void Run(std::function<Task<void>()> body) {
    auto done = std::make_shared<std::promise<void>>();
    loop_.Spawn([](std::function<Task<void>()> body,
                   std::shared_ptr<std::promise<void>> done) -> Task<void> {
      co_await body();
      done->set_value();
    }(std::move(body), done));
    ASSERT_EQ(done->get_future().wait_for(seconds(10)),
              std::future_status::ready);
  }

  // A caller of its own, whose work waits for `gate` and gives `result`.
  struct Caller {
    explicit Caller(Loop& loop) : gate(loop), done(loop) {}
    Waiter gate;
    Waiter done;
    absl::StatusOr<int> result = 0;
    std::optional<Flights::Outcome> outcome;
    bool worked = false;
  };
  static Task<void> Call(Flights& flights, std::string key, Caller& caller) {
    caller.outcome =
        co_await flights.Run(key, [&caller] { return Work(caller); });
    caller.done.Resume();
  }
  static Task<absl::StatusOr<int>> Work(Caller& caller) {
    caller.worked = true;
    co_await caller.gate.Wait();
    co_return caller.result;
  }
  // A run whose work gives `value` at once; what came back, and whether led.
  static Task<Flights::Outcome> Quick(Flights& flights, std::string key,
                                      absl::StatusOr<int> value) {
    co_return co_await flights.Run(key, [&value] { return Give(value); });
  }
  static Task<absl::StatusOr<int>> Give(absl::StatusOr<int> value) {
    co_return value;
  }

  Runtime runtime_;
  Loop& loop_;
};

TEST_F(SingleFlightTest, FollowersShareTheLeadersResult) {
  Run([&]() -> Task<void> {
    Flights flights;
    Caller leader(loop_), follower(loop_), other(loop_);
    leader.result = 7;
    loop_.Spawn(Call(flights, "a", leader));
    loop_.Spawn(Call(flights, "a", follower));
    loop_.Spawn(Call(flights, "b", other));
    EXPECT_TRUE(leader.worked);
    EXPECT_FALSE(follower.worked);
    EXPECT_TRUE(other.worked);  // Another key does not wait.
    leader.gate.Resume();
    co_await leader.done.Wait();
    co_await follower.done.Wait();
    EXPECT_EQ(*leader.outcome->value, 7);
    EXPECT_TRUE(leader.outcome->led);
    EXPECT_EQ(*follower.outcome->value, 7);
    EXPECT_FALSE(follower.outcome->led);
    // Without reuse the next caller leads again.
    const auto next = co_await Quick(flights, "a", 8);
    EXPECT_EQ(*next.value, 8);
    EXPECT_TRUE(next.led);
    other.gate.Resume();
    co_await other.done.Wait();
  });
}

TEST_F(SingleFlightTest, AResultIsReusedForItsTimeOnly) {
  Run([]() -> Task<void> {
    Flights flights(milliseconds(40));
    EXPECT_TRUE((co_await Quick(flights, "a", 1)).led);
    const auto again = co_await Quick(flights, "a", 2);
    EXPECT_FALSE(again.led);
    EXPECT_EQ(*again.value, 1);
    co_await Sleep(milliseconds(41));
    const auto later = co_await Quick(flights, "a", 3);
    EXPECT_TRUE(later.led);
    EXPECT_EQ(*later.value, 3);
  });
}

TEST_F(SingleFlightTest, ErrorsAreSharedButNotKept) {
  Run([&]() -> Task<void> {
    Flights flights(seconds(100));
    Caller leader(loop_), follower(loop_);
    leader.result = absl::NotFoundError("x");
    loop_.Spawn(Call(flights, "a", leader));
    loop_.Spawn(Call(flights, "a", follower));
    leader.gate.Resume();
    co_await follower.done.Wait();
    EXPECT_EQ(follower.outcome->value.status(), absl::NotFoundError("x"));
    EXPECT_TRUE((co_await Quick(flights, "a", 1)).led);
  });
}

TEST_F(SingleFlightTest, ForgetDropsWhatIsKeptAndWhatIsBeingMade) {
  Run([&]() -> Task<void> {
    Flights flights(seconds(100));
    EXPECT_TRUE((co_await Quick(flights, "a", 1)).led);
    flights.Forget("a");
    EXPECT_TRUE((co_await Quick(flights, "a", 2)).led);

    Caller leader(loop_), follower(loop_);
    leader.result = 3;
    loop_.Spawn(Call(flights, "b", leader));
    flights.Forget("b");
    loop_.Spawn(Call(flights, "b", follower));
    leader.gate.Resume();
    co_await follower.done.Wait();
    EXPECT_EQ(*follower.outcome->value, 3);
    EXPECT_TRUE((co_await Quick(flights, "b", 4)).led);
  });
}

// A result that was forgotten and made anew keeps its own time, not that of
// the one before.
TEST_F(SingleFlightTest, AnOldExpiryDoesNotTouchANewResult) {
  Run([]() -> Task<void> {
    Flights flights(milliseconds(60));
    EXPECT_TRUE((co_await Quick(flights, "a", 1)).led);
    co_await Sleep(milliseconds(40));
    flights.Forget("a");
    const auto made = std::chrono::steady_clock::now();
    EXPECT_TRUE((co_await Quick(flights, "a", 2)).led);
    co_await Sleep(milliseconds(25));
    const auto again = co_await Quick(flights, "a", 3);
    if (std::chrono::steady_clock::now() - made < milliseconds(60)) {
      EXPECT_FALSE(again.led);
    }
  });
}

TEST_F(SingleFlightTest, ADestroyedLeaderReleasesItsFollowers) {
  Run([&]() -> Task<void> {
    Flights flights(seconds(100));
    auto leader = std::make_unique<Caller>(loop_);
    Caller follower(loop_);
    loop_.Spawn(Call(flights, "a", *leader));
    loop_.Spawn(Call(flights, "a", follower));
    leader.reset();  // Its gate takes the coroutine with it.
    co_await follower.done.Wait();
    EXPECT_TRUE(absl::IsUnavailable(follower.outcome->value.status()));
    EXPECT_TRUE((co_await Quick(flights, "a", 1)).led);
  });
}

}  // namespace
}  // namespace kyc::async
