"""SIGTERM under load: what was begun is finished, and the exit is quick."""

import concurrent.futures
import http.client
import random
import signal
import threading
import time
import unittest

from broken_stack import BrokenStack
from fault_proxy import UP, Latency
from flow import KINDS, Flow, Sender, verify
from receiver import Receiver
from stack import wait_until

ROUNDS = 3  # Of each process.
DRAIN, SLACK = 15, 5
SLOW = 1.5  # Seconds that the provider takes for a call in flight.


class Terms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The provider will be slow, but in time.
        cls.stack = BrokenStack(
            {"kyc": ["--provider_timeout=10s"],
             "gateway": ["--rpc_timeout=15s"],
             "webhook": ["--allow_loopback_webhooks"]},
            links=[("kyc", "provider")],
        )
        cls.receiver = Receiver()
        cls.receiver.subscribe(cls.stack)
        cls.provider = cls.stack.proxies["kyc", "provider"]

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()
        cls.receiver.close()

    def test_what_was_begun_is_finished(self):
        rng = random.Random(53)
        # Approvals would make kyc_server ask the provider for names, and what
        # it asks is counted below.
        kinds = [row for row in KINDS if row[1] != "approved"]
        flow = Flow(rng, users=40, events=1500, duplicates=0.1, kinds=kinds)
        sender = Sender(self.stack, flow.deliveries, threads=4)
        readers = [self.stack.user() for _ in range(4)]
        callers = [self.stack.user() for _ in range(6)]
        for user in callers:
            self.assertIn(user.post("/v0/kyc/applicant")[0], (200, 201))
        self.provider.set(Latency(SLOW / 2))
        stop, reads = threading.Event(), []

        def read(user):
            while not stop.is_set():
                began = time.monotonic()
                try:
                    outcome = user.get("/v0/kyc/status")[0]
                except (OSError, http.client.HTTPException) as error:
                    outcome = type(error).__name__
                reads.append((began, time.monotonic(), outcome))
                time.sleep(0.01)

        threads = [threading.Thread(target=read, args=(u,)) for u in readers]
        for thread in threads:
            thread.start()
        sender.start()
        terms = []
        try:
            victims = ["gateway", "kyc", "webhook"] * ROUNDS
            for number, name in enumerate(victims, 1):
                sender.allow(len(flow.deliveries) * number // len(victims))
                terms.append(self.term(rng, name, callers))
            sender.wait_acknowledged(len(flow.deliveries))
            left = flow.wait_for_end(self.stack, 120)
        finally:
            stop.set()
            sender.stop()
            for thread in threads:
                thread.join()
            self.provider.set(None)
        self.assertEqual(left, [])
        wrong, _ = verify(self.stack, flow, self.receiver)
        self.assertEqual(wrong, [])
        self.assertEqual(sender.problems, [])
        self.check_reads(reads, terms)

    def term(self, rng, name, callers):
        """SIGTERM while slow calls are under way: (name, from, until)."""
        before = self.provider.pieces[UP]
        with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
            calls = [
                pool.submit(user.post, "/v0/kyc/access-token")
                for user in callers
            ]
            wait_until(
                lambda: self.provider.pieces[UP] - before >= len(callers),
                10, 0.01, "the calls are on their way to the provider",
            )
            time.sleep(rng.uniform(0, SLOW / 2))
            began = time.monotonic()
            code = self.stack.kill(name, signal.SIGTERM)
            took = time.monotonic() - began
            self.stack.start(name)
            # Each of the gateway's connections is made again in its own time.
            wait_until(
                lambda: all(
                    callers[0].get("/v0/kyc/status")[0] == 200
                    for _ in range(20)
                ),
                20, 0.1, "every read is answered again",
            )
            answers = [call.result()[0] for call in calls]
        self.assertEqual(code, 0, name)
        self.assertLess(took, DRAIN + SLACK, name)
        self.assertEqual(answers, [200] * len(callers), name)
        return name, began, time.monotonic()

    def check_reads(self, reads, terms):
        """Outside the restarts every read is answered; within them it is
        answered, refused as a whole, or told to come again."""
        for began, ended, outcome in reads:
            if outcome == 200:
                continue
            during = [
                name for name, start, end in terms
                if ended > start - 0.5 and began < end + 3
            ]
            self.assertTrue(during, outcome)
            may = {503, 504}
            if "gateway" in during:
                may |= {"ConnectionRefusedError", "ConnectionResetError",
                        "RemoteDisconnected"}
            self.assertIn(outcome, may, during)
            # Begun well before the signal, it was in flight, and is answered.
            for name, start, _ in terms:
                if began < start - 1:
                    self.assertFalse(ended > start, (name, outcome))
        self.assertIn(200, [outcome for *_, outcome in reads])


if __name__ == "__main__":
    unittest.main()
