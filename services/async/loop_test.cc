#include "services/async/loop.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/async/waiter.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Runs `work` on the loop and waits for it.
void RunOn(Loop& loop, std::function<Task<void>()> work) {
  std::promise<void> done;
  loop.Spawn([](std::function<Task<void>()> work,
                std::promise<void>* done) -> Task<void> {
    co_await work();
    done->set_value();
  }(std::move(work), &done));
  ASSERT_EQ(done.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST(LoopTest, RunsPostedWorkOnItsOwnThread) {
  Runtime runtime(2);
  runtime.Start();
  EXPECT_EQ(Loop::Current(), nullptr);
  for (int i = 0; i < runtime.size(); ++i) {
    Loop& loop = runtime.loop(i);
    EXPECT_EQ(loop.index(), i);
    EXPECT_FALSE(loop.RunsHere());
    std::promise<Loop*> where;
    loop.Post([&] { where.set_value(Loop::Current()); });
    EXPECT_EQ(where.get_future().get(), &loop);
  }
}

TEST(LoopTest, PostedWorkRunsInOrderAndNeverInsidePost) {
  Runtime runtime(1);
  std::vector<int> order;
  std::promise<void> done;
  runtime.loop(0).Post([&] {
    runtime.loop(0).Post([&] {
      order.push_back(2);
      done.set_value();
    });
    order.push_back(1);
  });
  EXPECT_TRUE(order.empty());
  runtime.Start();
  done.get_future().wait();
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

TEST(LoopTest, PostsOfManyThreadsAllArrive) {
  Runtime runtime(1);
  runtime.Start();
  int sum = 0;  // Only touched on the loop.
  std::promise<void> done;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) {
        runtime.loop(0).Post([&] {
          if (++sum == 20000) done.set_value();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done.get_future().wait_for(seconds(10)), std::future_status::ready);
}

TEST(LoopTest, AKeyAlwaysHasTheSameLoopAndKeysSpread) {
  Runtime runtime(4);
  std::set<Loop*> used;
  for (int i = 0; i < 200; ++i) {
    const std::string key = "usr_" + std::to_string(i);
    Loop& loop = runtime.LoopFor(key);
    EXPECT_EQ(&loop, &runtime.LoopFor(key));
    used.insert(&loop);
  }
  EXPECT_EQ(used.size(), 4u);
}

TEST(LoopTest, SleepTakesItsTime) {
  Runtime runtime(1);
  runtime.Start();
  RunOn(runtime.loop(0), []() -> Task<void> {
    const auto before = steady_clock::now();
    co_await Sleep(milliseconds(-5));
    co_await Sleep(milliseconds(0));
    co_await Sleep(milliseconds(20));
    EXPECT_GE(steady_clock::now() - before, milliseconds(20));
  });
}

TEST(LoopTest, AnEventWakesThoseWhoWait) {
  Runtime runtime(1);
  runtime.Start();
  Loop& loop = runtime.loop(0);
  RunOn(loop, [&]() -> Task<void> {
    Event event;
    Event all_woken;
    int woken = 0;
    const auto waiter = [&]() -> Task<void> {
      EXPECT_TRUE(co_await event.Wait(seconds(10)));
      if (++woken == 3) all_woken.Notify();
    };
    for (int i = 0; i < 3; ++i) loop.Spawn(waiter());
    co_await Sleep(milliseconds(1));
    EXPECT_EQ(woken, 0);
    event.Notify();
    EXPECT_EQ(woken, 0);  // Each on a turn of its own.
    EXPECT_TRUE(co_await all_woken.Wait(seconds(10)));
    EXPECT_EQ(woken, 3);
    // A Notify without waiters is not remembered.
    event.Notify();
    EXPECT_FALSE(co_await event.Wait(milliseconds(5)));
  });
}

TEST(LoopTest, AWaiterOutlivesItsEvent) {
  Runtime runtime(1);
  runtime.Start();
  RunOn(runtime.loop(0), [&]() -> Task<void> {
    auto event = std::make_unique<Event>();
    Event done;
    bool notified = true;
    const auto waiter = [&]() -> Task<void> {
      notified = co_await event->Wait(milliseconds(20));
      done.Notify();
    };
    runtime.loop(0).Spawn(waiter());
    co_await Sleep(milliseconds(1));
    event.reset();
    EXPECT_TRUE(co_await done.Wait(seconds(10)));
    EXPECT_FALSE(notified);
  });
}

// What Stop promises about what is still suspended: destroyed before it
// returns, while the objects it refers to are alive, on a thread that counts
// as the loop's.
TEST(LoopTest, StopDestroysSuspendedCoroutinesAndQueuedWork) {
  struct Witness {
    std::atomic<int>& destroyed;
    Loop& loop;
    ~Witness() {
      EXPECT_TRUE(loop.RunsHere());
      ++destroyed;
    }
  };
  std::atomic<int> destroyed = 0;
  Runtime runtime(2);
  runtime.Start();
  for (int i = 0; i < runtime.size(); ++i) {
    Loop& loop = runtime.loop(i);
    // An object with a timer of the loop, that outlives the loop's thread.
    auto event = std::make_shared<Event>();
    std::promise<void> started;
    loop.Spawn([](Loop& loop, std::shared_ptr<Event> event,
                  std::atomic<int>& destroyed,
                  std::promise<void>& started) -> Task<void> {
      const Witness outer{destroyed, loop};
      const auto inner = [&]() -> Task<void> {
        const Witness witness{destroyed, loop};
        started.set_value();
        co_await event->Wait(seconds(1000));
        ADD_FAILURE() << "went on";
      };
      co_await inner();
    }(loop, event, destroyed, started));
    started.get_future().wait();
    loop.Spawn([]() -> Task<void> { co_await Sleep(seconds(1000)); }());
  }
  boost::asio::steady_timer outside(runtime.loop(0).context(), seconds(1000));
  outside.async_wait([](auto) { ADD_FAILURE() << "ran"; });
  runtime.Stop();
  EXPECT_EQ(destroyed, 4);
  outside.cancel();
  runtime.loop(0).Post([] { ADD_FAILURE() << "ran"; });
  runtime.Stop();
}

// A coroutine may be destroyed while its destructor wakes another one.
TEST(LoopTest, DestructorsMayPostWhileStopping) {
  Runtime runtime(1);
  runtime.Start();
  Event event;
  std::promise<void> started;
  struct Notifier {
    Event& event;
    Loop& loop;
    ~Notifier() {
      event.Notify();
      loop.Post([] { ADD_FAILURE() << "ran"; });
    }
  };
  Loop& loop = runtime.loop(0);
  for (int i = 0; i < 4; ++i) {
    loop.Spawn([](Event& event, Loop& loop, int i,
                  std::promise<void>& started) -> Task<void> {
      const Notifier notifier{event, loop};
      if (i == 3) started.set_value();
      co_await event.Wait(seconds(1000));
    }(event, loop, i, started));
  }
  started.get_future().wait();
  runtime.Stop();
}

TEST(WaiterTest, ContinuesWhenResumed) {
  Runtime runtime(1);
  runtime.Start();
  Loop& loop = runtime.loop(0);
  RunOn(loop, [&]() -> Task<void> {
    Waiter posted(loop), now(loop), before(loop), done(loop);
    std::vector<int> order;
    const auto wait = [&](Waiter& waiter, int id) -> Task<void> {
      co_await waiter.Wait();
      order.push_back(id);
      if (order.size() == 2) done.Resume();
    };
    loop.Spawn(wait(posted, 1));
    loop.Spawn(wait(now, 2));
    EXPECT_TRUE(order.empty());
    posted.Resume();
    now.ResumeNow();
    EXPECT_EQ(order, std::vector<int>{2});
    co_await done.Wait();
    EXPECT_EQ(order, (std::vector<int>{2, 1}));
    before.Resume();
    before.Resume();
    co_await before.Wait();
  });
}

TEST(WaiterTest, WhoWaitsGoesWithTheWaiterOrWithTheLoop) {
  Runtime runtime(1);
  Loop& loop = runtime.loop(0);
  int destroyed = 0;
  struct Witness {
    int& destroyed;
    ~Witness() { ++destroyed; }
  };
  std::optional<Waiter> kept(loop);
  auto gone = std::make_unique<Waiter>(loop);
  std::promise<void> started;
  // One waits in a Waiter of its own frame, one in the object that outlives
  // the loop, one in the object destroyed on the loop.
  const auto in_frame = [&]() -> Task<void> {
    Witness witness{destroyed};
    Waiter waiter(loop);
    co_await waiter.Wait();
    ADD_FAILURE() << "went on";
  };
  const auto in_object = [&](Waiter& waiter) -> Task<void> {
    Witness witness{destroyed};
    co_await waiter.Wait();
    ADD_FAILURE() << "went on";
  };
  loop.Spawn(in_frame());
  loop.Spawn(in_object(*kept));
  loop.Spawn(in_object(*gone));
  loop.Post([&] {
    gone.reset();
    loop.Post([&] {
      EXPECT_EQ(destroyed, 1);
      started.set_value();
    });
  });
  runtime.Start();
  started.get_future().wait();
  runtime.Stop();
  EXPECT_EQ(destroyed, 3);
}

TEST(LoopDeathTest, AnExceptionEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Runtime runtime(1);
        runtime.Start();
        runtime.loop(0).Spawn([]() -> Task<void> {
          co_await Sleep(milliseconds(1));
          throw std::runtime_error("unexpected");
        }());
        std::this_thread::sleep_for(seconds(10));
      },
      "exception on a loop");
}

}  // namespace
}  // namespace kyc::async
