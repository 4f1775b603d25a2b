"""Broken neighbours: the right answer in time, and recovery by itself."""

import concurrent.futures
import signal
import threading
import time
import unittest

from stack import Stack, event, wait_until

PROVIDER_TIMEOUT = 2.0  # As the stack configures it.


class ProviderFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def tearDown(self):
        self.stack.fault("none")

    def test_each_fault_has_its_problem_in_time(self):
        for mode in ("down", "hang", "garbage", "html", "429", "500",
                     "redirect", "wrong_shape", "slow"):
            known = self.stack.user()
            self.stack.fault("none")
            # A breaker that an earlier fault opened closes again.
            wait_until(
                lambda: known.post("/v0/kyc/applicant")[0] in (200, 201),
                60, 0.5, "the provider is back",
            )
            reader = self.stack.user()
            self.stack.fault(mode, delay_ms=10_000)
            slow_reads = []
            stop = threading.Event()

            def read():
                while not stop.is_set():
                    began = time.monotonic()
                    status = reader.get("/v0/kyc/status")[0]
                    slow_reads.append((time.monotonic() - began, status))

            thread = threading.Thread(target=read)
            thread.start()
            try:
                fresh = self.stack.user()
                for call, status, code in (
                    (lambda: fresh.post("/v0/kyc/applicant"), 502,
                     "KYC-502-001"),
                    (lambda: fresh.post("/v0/kyc/access-token"), 500,
                     "KYC-500-002"),
                    (lambda: known.get("/v0/kyc/status?refresh=true"), 502,
                     "KYC-502-001"),
                ):
                    with self.subTest(mode=mode, code=code):
                        began = time.monotonic()
                        got, _, body = call()
                        took = time.monotonic() - began
                        self.assertEqual(
                            (got, body.get("error_code")), (status, code), body
                        )
                        self.assertLess(took, PROVIDER_TIMEOUT + 0.2)
                self.assertEqual(fresh.status(), "pending")
            finally:
                stop.set()
                thread.join()
            self.assertEqual({status for _, status in slow_reads}, {200})
            self.assertLess(max(took for took, _ in slow_reads), 1.0)

    def test_our_own_credentials_are_our_own_fault(self):
        stack = Stack(start=False)
        try:
            with open(stack.path("other_key"), "w", encoding="utf-8") as file:
                file.write("not the key")
            stack.flags["kyc"] = [
                "--sumsub_secret_key_file=" + stack.path("other_key")
            ]
            stack.start_all()
            status, _, body = stack.user().post("/v0/kyc/applicant")
            self.assertEqual((status, body["error_code"]), (500, "KYC-500-001"))
        finally:
            stack.stop()


class Races(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def test_a_hundred_creations_make_one_applicant(self):
        user = self.stack.user()
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            answers = list(
                pool.map(lambda _: user.post("/v0/kyc/applicant"), range(100))
            )
        self.assertEqual({a[2]["applicant_id"] for a in answers},
                         {answers[0][2]["applicant_id"]})
        statuses = sorted(a[0] for a in answers)
        self.assertEqual(statuses, [200] * 99 + [201])
        self.assertEqual(
            sum(not a[2]["already_existed"] for a in answers), 1
        )

    def test_refreshes_share_one_provider_call(self):
        user = self.stack.user()
        stored = self.stack.events_stored()
        user.post("/v0/kyc/applicant")
        # A record that an event changes while the provider is asked is asked
        # about again.
        wait_until(lambda: self.stack.events_stored() > stored
                   and self.stack.events_applied(), what="its event applied")
        before = sum_of_reads(self.stack)
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(
                pool.map(
                    lambda _: user.get("/v0/kyc/status?refresh=true"),
                    range(50),
                )
            )
        self.assertEqual({a[0] for a in answers}, {200})
        self.assertEqual(sum_of_reads(self.stack) - before, 1)


def sum_of_reads(stack):
    endpoints = stack.sandbox("/sandbox/requests")["endpoints"]
    return sum(
        counts["count"] for route, counts in endpoints.items()
        if route.startswith("GET ")
    )


class Crashes(unittest.TestCase):
    """SIGKILL in the middle of a walk ends in the same approved state."""

    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.stop)

    def eventually(self, call, statuses):
        def accepted():
            try:
                return call()[0] in statuses
            except OSError:
                return False

        wait_until(accepted, 30, 0.2, "accepted again")

    def walk_with_kill(self, victim, before):
        user = self.stack.user()
        steps = [
            ("applicant", lambda: user.post("/v0/kyc/applicant"), (200, 201)),
            ("token", lambda: user.post("/v0/kyc/access-token"), (200,)),
            ("sdk", lambda: (user.play_sdk("approve"), (200,))[1], (200,)),
        ]
        for name, call, statuses in steps:
            if name == before:
                self.stack.kill(victim)
                if name == "sdk":
                    # The provider's webhook meets a service that is down.
                    call()
                    time.sleep(0.3)
                    self.stack.start(victim)
                    continue
                self.stack.start(victim)
            self.eventually(call, statuses)
        user.wait_for("approved", 75)
        self.assertIsInstance(
            user.get("/v0/kyc/status")[2]["verified_at"], int
        )

    def test_kyc(self):
        self.walk_with_kill("kyc", "token")
        self.walk_with_kill("kyc", "sdk")

    def test_webhook(self):
        self.walk_with_kill("webhook", "applicant")
        self.walk_with_kill("webhook", "sdk")

    def test_gateway(self):
        self.walk_with_kill("gateway", "token")
        self.walk_with_kill("gateway", "sdk")

    def test_redis(self):
        self.walk_with_kill("redis", "token")
        self.walk_with_kill("redis", "sdk")

    def test_an_acknowledged_event_outlives_everything(self):
        user = self.stack.user()
        self.stack.kill("kyc")
        self.assertEqual(
            self.stack.webhook(
                event(user.sub, "applicantReviewed", 1000, "GREEN")
            )[0],
            200,
        )
        for name in ("webhook", "redis", "gateway"):
            self.stack.kill(name)
        for name in ("redis", "kyc", "webhook", "gateway"):
            self.stack.start(name)
        user.wait_for("approved", 75)

    def test_an_empty_redis_is_made_ready_again(self):
        self.stack.redis("FLUSHALL")
        user = self.stack.user()

        def delivered():
            return self.stack.webhook(
                event(user.sub, "applicantReviewed", 1000, "GREEN")
            )[0] == 200

        wait_until(delivered, 10, 0.2, "stored")
        user.wait_for("approved")


class Dependencies(unittest.TestCase):
    def setUp(self):
        self.stack = Stack()
        self.addCleanup(self.stack.stop)

    def timed(self, call):
        began = time.monotonic()
        status, _, body = call()
        return status, body.get("error_code"), time.monotonic() - began

    def test_redis_down_then_back(self):
        user = self.stack.user()
        self.stack.kill("redis")
        status, code, took = self.timed(lambda: user.get("/v0/kyc/status"))
        self.assertEqual((status, code), (503, "GEN-503-001"))
        self.assertLess(took, 2.2)
        status, code, took = self.timed(
            lambda: self.stack.webhook(
                event(user.sub, "applicantReviewed", 1000, "GREEN")
            )
        )
        self.assertEqual((status, code), (503, "GEN-503-001"))
        self.assertLess(took, 1.2)
        self.stack.start("redis")
        wait_until(
            lambda: user.get("/v0/kyc/status")[0] == 200, 10, 0.1, "read again"
        )

    def test_redis_frozen(self):
        user = self.stack.user()
        with self.stack.frozen("redis"):
            status, code, took = self.timed(lambda: user.get("/v0/kyc/status"))
            self.assertIn((status, code), {(503, "GEN-503-001"),
                                           (504, "GEN-504-001")})
            self.assertLess(took, 5)
            status, _, took = self.timed(
                lambda: self.stack.webhook(
                    event(user.sub, "applicantReviewed", 1000, "GREEN")
                )
            )
            self.assertEqual(status, 503)
            self.assertLess(took, 1.2)
        wait_until(
            lambda: user.get("/v0/kyc/status")[0] == 200, 10, 0.1, "read again"
        )

    def test_kyc_down_and_frozen(self):
        user = self.stack.user()
        with self.stack.frozen("kyc"):
            status, code, took = self.timed(lambda: user.get("/v0/kyc/status"))
            self.assertIn((status, code), {(503, "GEN-503-001"),
                                           (504, "GEN-504-001")})
            self.assertLess(took, 5)
        self.stack.kill("kyc")
        status, code, took = self.timed(lambda: user.get("/v0/kyc/status"))
        self.assertEqual((status, code), (503, "GEN-503-001"))
        # Webhooks are stored all the same.
        self.assertEqual(
            self.stack.webhook(
                event(user.sub, "applicantReviewed", 1000, "GREEN")
            )[0],
            200,
        )
        self.stack.start("kyc")
        user.wait_for("approved", 30)

    def test_webhook_service_down(self):
        self.stack.kill("webhook")
        user = self.stack.user()
        status, code, took = self.timed(
            lambda: self.stack.webhook(
                event(user.sub, "applicantReviewed", 1000, "GREEN")
            )
        )
        self.assertEqual((status, code), (503, "GEN-503-001"))
        self.assertLess(took, 1.2)
        self.assertEqual(user.get("/v0/kyc/status")[0], 200)

    def test_drain_finishes_what_was_begun(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        self.stack.fault("slow", delay_ms=1000)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(user.post, "/v0/kyc/access-token")
            time.sleep(0.3)
            self.assertEqual(self.stack.kill("gateway", signal.SIGTERM), 0)
            self.assertEqual(answer.result()[0], 200)
        for name in ("webhook", "kyc"):
            self.assertEqual(self.stack.kill(name, signal.SIGTERM), 0)


if __name__ == "__main__":
    unittest.main()
