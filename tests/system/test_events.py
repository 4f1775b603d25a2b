"""The event pipeline as its operators see it: several processes share it, and
kycctl looks into it."""

import concurrent.futures
import json
import signal
import subprocess
import unittest

from stack import Stack, binary, event, free_ports, request, wait_until

PARTITIONS = 16


class TwoWebhookServers(Stack):
    """With a second webhook_server, "second", that only consumes."""

    def __init__(self):
        super().__init__(start=False)
        names = ("second", "second_admin")
        self.ports.update(zip(names, free_ports(len(names))))
        self.start_all()
        self.start("second")

    def command(self, name):
        if name != "second":
            return super().command(name)
        return super().command("webhook") + [
            "--listen=" + self.address("second"),
            "--admin_listen=" + self.address("second_admin"),
        ]

    def stop(self):
        second = self.processes.pop("second", None)
        if second and second.poll() is None:
            second.kill()
            second.wait()
        super().stop()

    def owned(self, name):
        text = request(self.port(name + "_admin"), "GET", "/metrics")[2]
        for line in text.split("\n"):
            if line.startswith("kyc_webhook_partitions_owned "):
                return int(line.split()[1])
        return 0


class Sharing(unittest.TestCase):
    def setUp(self):
        self.stack = TwoWebhookServers()
        self.addCleanup(self.stack.stop)
        wait_until(
            lambda: self.stack.owned("webhook") == PARTITIONS / 2
            and self.stack.owned("second") == PARTITIONS / 2,
            60, 0.2, "the partitions are shared",
        )

    def send(self, users, kill_after=None):
        """RED, then GREEN for each; returns when all are acknowledged."""
        deliveries = [
            event(user, "applicantReviewed", time, answer, reject)
            for time, answer, reject in ((1000, "RED", "RETRY"),
                                         (2000, "GREEN", None))
            for user in users
        ]

        def deliver(number, body):
            if number == kill_after:
                self.stack.kill("second")
            return self.stack.webhook(body)[0]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = pool.map(deliver, range(len(deliveries)), deliveries)
            self.assertEqual(set(statuses), {200})

    def check(self, users):
        for user in users:
            self.assertEqual(self.stack.user(user).status(), "approved", user)

    def test_a_dead_one_s_partitions_are_taken_over(self):
        users = [f"usr_shared_{i}" for i in range(100)]
        self.send(users, kill_after=60)
        wait_until(self.stack.events_applied, 75, 0.5, "all events applied")
        self.check(users)
        wait_until(
            lambda: self.stack.owned("webhook") == PARTITIONS,
            75, 0.5, "taken over",
        )
        # Its successor gets its share again.
        self.stack.start("second")
        wait_until(
            lambda: self.stack.owned("second") == PARTITIONS / 2,
            60, 0.2, "shared again",
        )

    def test_one_that_ends_in_peace_leaves_nothing_to_wait_for(self):
        users = [f"usr_peace_{i}" for i in range(30)]
        self.assertEqual(self.stack.kill("second", signal.SIGTERM), 0)
        wait_until(
            lambda: self.stack.owned("webhook") == PARTITIONS,
            10, 0.1, "taken over before any lease ran out",
        )
        self.send(users)
        wait_until(self.stack.events_applied, 30, 0.2, "all events applied")
        self.check(users)


class Operator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def kycctl(self, *words, code=0):
        done = subprocess.run(
            [binary("kycctl"), *words,
             "--webhook_address=" + self.stack.address("webhook")],
            capture_output=True, text=True, timeout=60, check=False,
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def json(self, *words):
        return json.loads(self.kycctl(*words, "--json"))

    def letters(self):
        return self.json("deadletters", "list")

    def test_dead_letters(self):
        self.assertEqual(self.letters(), [])
        # Of a provider that the engine does not know: no repetition helps.
        body = json.dumps({
            "type": "applicantReviewed", "applicantId": "65abc",
            "externalUserId": "jane@example.test", "fullName": "Jane Doe",
        })
        self.stack.redis(
            "XADD", "kyc:{e03}:events", "*", "p", "other", "b", body, "t",
            "1767225600000", "tp", "",
        )
        wait_until(self.letters, 60, 0.5, "given up")
        letter = self.letters()[0]
        self.assertEqual(letter["reason"], "INVALID_ARGUMENT")
        self.assertEqual(letter["attempts"], 5)
        shown = self.json("deadletters", "show", letter["id"])
        self.assertEqual(shown["type"], "applicantReviewed")
        self.assertEqual(shown["applicant_id"], "65abc")
        for text in (json.dumps(shown), self.kycctl("deadletters", "list"),
                     self.kycctl("deadletters", "show", letter["id"])):
            self.assertNotIn("ane", text)

        # It fails again, and is a dead letter again: neither lost nor doubled.
        answer = self.json("deadletters", "redrive", letter["id"])
        self.assertEqual(answer["redriven"], 1)
        self.assertEqual(self.letters(), [])
        self.assertIn(
            "OPS-404-001",
            self.kycctl("deadletters", "redrive", letter["id"], code=1),
        )
        wait_until(self.letters, 60, 0.5, "given up again")
        self.assertEqual(
            self.json("deadletters", "redrive", "--all"), {"redriven": 1}
        )
        wait_until(self.letters, 60, 0.5, "given up again")
        again = self.letters()
        self.assertEqual(len(again), 1)
        self.kycctl("deadletters", "drop", again[0]["id"])
        self.assertEqual(self.letters(), [])
        self.kycctl("deadletters", "show", again[0]["id"], code=1)
        for wrong in ((), ("--all", "e00:1-0")):
            self.kycctl("deadletters", "redrive", *wrong, code=2)

    def test_a_replay_changes_nothing(self):
        user = self.stack.user()
        for time, answer, reject in ((1000, "RED", "FINAL"),
                                     (2000, "GREEN", None)):
            body = event(user.sub, "applicantReviewed", time, answer, reject)
            self.assertEqual(self.stack.webhook(body)[0], 200)
        user.wait_for("approved")
        wait_until(self.stack.events_applied, 30, 0.2, "applied")
        before = user.get("/v0/kyc/status")[2]
        stored = self.stack.events_stored()
        replayed = self.json("events", "replay", "--from=1h")["replayed"]
        self.assertGreaterEqual(replayed, 2)
        self.assertEqual(self.stack.events_stored(), stored + replayed)
        wait_until(self.stack.events_applied, 30, 0.2, "applied again")
        self.assertEqual(user.get("/v0/kyc/status")[2], before)
        self.kycctl("events", "replay", "--from=yesterday", code=2)

    def test_pending_events(self):
        user = self.stack.user()
        with self.stack.frozen("kyc"):
            body = event(user.sub, "applicantReviewed", 1000, "GREEN")
            self.assertEqual(self.stack.webhook(body)[0], 200)
            pending = wait_until(
                lambda: self.json("events", "pending"), 20, 0.2, "delivered"
            )
            self.assertEqual(pending[0]["deliveries"], 1)
            self.assertRegex(pending[0]["id"], r"^e\d\d:\d+-\d+$")
        user.wait_for("approved", 60)
        wait_until(self.stack.events_applied, 60, 0.2, "applied")
        self.assertEqual(self.json("events", "pending"), [])

    def test_help_begins_with_examples(self):
        for words in ("deadletters list", "deadletters show",
                      "deadletters redrive", "deadletters drop",
                      "events replay", "events pending"):
            text = subprocess.run(
                [binary("kycctl"), *words.split(), "--help"],
                check=True, capture_output=True, text=True,
            ).stdout
            self.assertTrue(text.startswith("Examples:\n  kycctl " + words))


if __name__ == "__main__":
    unittest.main()
