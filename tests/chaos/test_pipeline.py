"""Consumers side by side, an emptied Redis, duplicates and slow handlers."""

import concurrent.futures
import json
import os
import shutil
import time
import unittest

from fault_proxy import BlackHole, Latency
from flow import (
    Delivery, Redis, Sender, applicant, bucket, metric, quiet, trails,
)
from stack import Stack, event, wait_until
from two_webhooks import SECOND, TwoWebhooks

# A dead process' events are taken over within this, and what a loaded machine
# may add.
TAKEOVER, SLACK = 75, 15


def approvals(stack, users):
    """One approval of each user, all acknowledged."""
    sender = Sender(stack, [
        Delivery(user, json.dumps(
            event(user, "applicantReviewed", 1000, "GREEN",
                  applicant=applicant(user))
        ).encode())
        for user in users
    ])
    sender.start()
    try:
        sender.allow(len(users))
        sender.wait_acknowledged(len(users), 60)
    finally:
        sender.stop()


def approved(stack, users):
    with Redis(stack.port("redis")) as redis:
        states = redis.many(
            [("HGET", f"{bucket(user)}:user:{user}", "state") for user in users]
        )
    return sum(state == b"approved" for state in states)


def names(prefix, count):
    return [f"usr_{prefix}_{i}" for i in range(count)]


class TwoConsumers(unittest.TestCase):
    def test_the_living_take_over_from_the_dead(self):
        stack = TwoWebhooks()
        self.addCleanup(stack.stop)
        # The second takes events and gets nowhere with them.
        stack.proxies[SECOND].set(BlackHole())
        users = names("takeover", 300)
        approvals(stack, users)

        def stuck():
            before = approved(stack, users)
            time.sleep(3)
            return before > 0 and before == approved(stack, users)

        wait_until(stuck, 60, 0, "the first has done what it can")
        done = approved(stack, users)
        self.assertLess(done, len(users), "the second holds nothing")
        stack.kill(SECOND)
        killed = time.monotonic()
        wait_until(
            lambda: approved(stack, users) == len(users), TAKEOVER + SLACK,
            0.2, "all events of the dead",
        )
        took = time.monotonic() - killed
        if os.environ.get("KYC_CHAOS_VERBOSE"):
            print(f"took over {len(users) - done} events after {took:.1f} s")
        with Redis(stack.port("redis")) as redis:
            for user, entries in trails(redis, users).items():
                self.assertEqual(len(entries), 1, user)

    def test_a_hundred_duplicates_at_once_have_one_effect(self):
        stack = TwoWebhooks()
        self.addCleanup(stack.stop)
        user = stack.user()
        body = json.dumps(
            event(user.sub, "applicantReviewed", 9000, "GREEN")
        ).encode()
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            answers = list(
                pool.map(lambda _: stack.webhook(body)[0], range(100))
            )
        self.assertEqual(answers, [200] * 100)
        user.wait_for("approved", 60)
        quiet(stack, ("webhook", SECOND))
        with Redis(stack.port("redis")) as redis:
            self.assertEqual(len(trails(redis, [user.sub])[user.sub]), 1)

    def test_one_that_is_too_slow_delivers_twice_and_has_one_effect(self):
        stack = TwoWebhooks(("--lease_time=2s",))
        self.addCleanup(stack.stop)
        # The second is frozen with events under way, for longer than it may
        # keep its partitions.
        stack.proxies[SECOND].set(Latency(5))
        users = names("slow", 40)
        approvals(stack, users)
        with stack.frozen(SECOND):
            wait_until(
                lambda: approved(stack, users) == len(users), 60, 0.2,
                "the first has taken over",
            )
            self.assertGreater(
                metric(stack, "webhook", "kyc_webhook_redeliveries_total"), 0
            )
        stack.proxies[SECOND].set(None)
        quiet(stack, ("webhook", SECOND))
        with Redis(stack.port("redis")) as redis:
            for user, entries in trails(redis, users).items():
                self.assertEqual(len(entries), 1, user)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def no_group_errors(stack):
    with Redis(stack.port("redis")) as redis:
        stats = redis("INFO", "errorstats").decode()
    for line in stats.splitlines():
        if line.startswith("errorstat_NOGROUP:count="):
            return int(line.split("=")[1])
    return 0


class EmptiedRedis(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.stop)

    def drains_again(self, prefix):
        users = names(prefix, 50)
        began = time.monotonic()

        def delivered():
            return self.stack.webhook(
                event(users[0], "applicantReviewed", 1000, "GREEN")
            )[0] == 200

        wait_until(delivered, 10, 0.1, "intake is back")
        approvals(self.stack, users[1:])
        wait_until(
            lambda: approved(self.stack, users) == len(users), 20, 0.1,
            "new events are applied",
        )
        return time.monotonic() - began

    def becomes_calm(self):
        """Nothing spins: soon five seconds pass with few errors at Redis, few
        complaints and little CPU."""
        process = self.stack.processes["webhook"]

        def spent():
            return (no_group_errors(self.stack), self.complaints(),
                    cpu_seconds(process.pid))

        def calm():
            before = spent()
            time.sleep(5)
            errors, complaints, cpu = (
                after - start for after, start in zip(spent(), before)
            )
            return errors <= 10 and complaints <= 10 and cpu < 1.5

        wait_until(calm, 20, 0, "it is calm")

    def complaints(self):
        return sum(
            json.loads(line)["level"] != "info"
            for line in self.stack.log("webhook").splitlines()
        )

    def test_restarted_with_nothing(self):
        approvals(self.stack, names("before", 50))
        self.stack.kill("redis")
        shutil.rmtree(self.stack.path("redis"))
        os.mkdir(self.stack.path("redis"))
        self.stack.start("redis")
        began = time.monotonic()
        self.drains_again("restarted")
        took = time.monotonic() - began
        self.assertLessEqual(no_group_errors(self.stack), 10 + 2 * took)
        self.becomes_calm()

    def test_flushed_while_it_runs(self):
        approvals(self.stack, names("before", 50))
        before = no_group_errors(self.stack)
        self.stack.redis("FLUSHALL")
        began = time.monotonic()
        self.drains_again("flushed")
        took = time.monotonic() - began
        self.assertLessEqual(
            no_group_errors(self.stack) - before, 10 + 2 * took
        )
        self.becomes_calm()


if __name__ == "__main__":
    unittest.main()
