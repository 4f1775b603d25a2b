"""What operators rely on: records that heal by themselves, audit trails that
show tampering, and users who can be erased for good."""

import json
import subprocess
import time
import unittest
import urllib.parse

from stack import Stack, event, request, wait_until, binary



def kycctl(stack, *args):
    """Runs the operator's command: (exit code, stdout, stderr)."""
    done = subprocess.run(
        [binary("kycctl"), "--kyc_address=" + stack.address("kyc"), *args],
        capture_output=True, text=True, timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


class Operator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(
            flags={
                "kyc": [
                    "--reconcile_after=500ms", "--reconcile_interval=500ms",
                    "--reconcile_rate=50",
                ]
            }
        )

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def setUp(self):
        self.stack.fault("none")
        self.stack.sandbox("/sandbox/webhooks", {"drop": False})
        self.user = self.stack.user()

    def ctl(self, *args):
        code, out, err = kycctl(self.stack, *args)
        self.assertEqual(code, 0, out + err)
        return out

    def ctl_json(self, *args):
        return json.loads(self.ctl(*args, "--json"))

    def review(self, outcome):
        self.stack.sandbox(
            f"/sandbox/applicants/{urllib.parse.quote(self.user.sub)}/review",
            {"outcome": outcome},
        )

    def key(self, kind, sub=None):
        found = self.stack.redis(
            "--raw", "KEYS", f"kyc:*:{kind}:{sub or self.user.sub}"
        ).split("\n")
        self.assertEqual(len(found), 1, found)
        return found[0]

    def metric(self, name):
        text = request(self.stack.port("kyc_admin"), "GET", "/metrics")[2]
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith(name)
        )

    def me(self):
        return self.user.get("/v0/user/me")[2]["user"]

    def approve(self):
        self.assertEqual(self.user.post("/v0/kyc/applicant")[0], 201)
        self.user.play_sdk("approve")
        self.user.wait_for("approved")
        wait_until(
            lambda: self.me()["first_name"],
            what="the name is stored",
        )

    # Reconciliation.

    def test_a_webhook_that_never_comes_heals_by_itself(self):
        self.user.post("/v0/kyc/applicant")
        self.user.play_sdk("hold")
        self.user.wait_for("in_progress")
        self.stack.sandbox("/sandbox/webhooks", {"drop": True})
        self.review("approve")
        self.user.wait_for("approved", timeout=60)
        self.assertGreater(
            self.metric('kyc_reconcile_asked_total{result="settled"}'), 0
        )
        record = self.ctl_json("user", "show", self.user.sub)
        self.assertEqual(record["decision"], "approved")
        trail = self.ctl_json("user", "audit", self.user.sub)
        approval = [e for e in trail if e["to"] == "approved"][0]
        self.assertEqual(approval["actor"], "POLL")
        self.assertEqual(approval["decision"], "approved")

    def test_an_event_without_a_time_waits_for_the_provider(self):
        self.user.post("/v0/kyc/applicant")
        self.user.play_sdk("hold")
        self.user.wait_for("in_progress")
        self.stack.sandbox("/sandbox/webhooks", {"drop": True})
        self.stack.fault("500")
        self.review("reject")
        body = event(self.user.sub, "applicantReviewed", 0, "RED", "FINAL")
        del body["createdAt"], body["createdAtMs"]
        self.assertEqual(self.stack.webhook(body)[0], 200)

        def unsettled():
            return self.ctl_json("user", "show", self.user.sub)[
                "unsettled_since"
            ]

        wait_until(unsettled, 30, what="the event is deferred")
        # It is stored with the record: kyc_server may die.
        self.stack.restart("kyc")
        self.assertTrue(unsettled())
        self.stack.fault("none")
        self.user.wait_for("rejected", timeout=90)
        wait_until(lambda: not unsettled(), what="nothing is left unsettled")

    # Audit.

    def test_tampering_with_a_trail_is_found_and_its_entry_named(self):
        self.approve()
        sub = self.user.sub
        self.assertIn("checked", self.ctl("audit", "verify", sub))
        key = self.key("audit")
        entries = self.ctl_json("user", "audit", sub)
        victim = entries[1]
        # One byte of one value, under the same id: a stream cannot be edited,
        # so it is written anew.
        self.stack.redis("DEL", key)
        for entry in entries:
            words = []
            for name, value in entry.items():
                if name == "id":
                    continue
                if entry is victim and name == "action":
                    value = value[:-1] + "X"
                words += [name, value]
            self.stack.redis("XADD", key, entry["id"], *words)
        code, out, err = kycctl(self.stack, "audit", "verify", sub)
        self.assertEqual(code, 1)
        self.assertIn(victim["id"], out)
        self.assertIn(sub, out)
        # Also among all users.
        code, out, _ = kycctl(self.stack, "audit", "verify", "--all", "--json")
        self.assertEqual(code, 1)
        broken = {
            finding["user_id"]: finding["entry_id"]
            for finding in json.loads(out)
            if not finding["ok"]
        }
        self.assertEqual(broken[sub], victim["id"])
        # A trail that is gone.
        self.stack.redis("DEL", key)
        code, out, _ = kycctl(self.stack, "audit", "verify", sub)
        self.assertEqual(code, 1)
        self.assertIn("gone", out)
        self.stack.redis("DEL", self.key("user"))

    def test_the_record_is_shown_without_the_name(self):
        self.approve()
        for flags in ([], ["--json"]):
            out = self.ctl("user", "show", self.user.sub, *flags)
            person = self.me()
            self.assertNotIn(person["first_name"], out)
            self.assertNotIn(person["last_names"], out)
        record = self.ctl_json("user", "show", self.user.sub)
        self.assertIs(record["has_name"], True)
        self.assertEqual(record["state"], "approved")
        self.assertEqual(kycctl(self.stack, "user", "show", "nobody")[0], 1)

    # Erasure.

    def test_an_erased_user_is_gone_for_good(self):
        self.user.post(
            "/v0/kyc/applicant", headers={"idempotency-key": "erase-me"}
        )
        self.user.play_sdk("approve")
        self.user.wait_for("approved")
        person = wait_until(
            lambda: self.me() if self.me()["first_name"] else None,
            what="the name is stored",
        )
        names = [person["first_name"], person["last_names"]]
        self.assertEqual(self.user.get("/v0/kyc/details")[0], 200)
        verified_at = self.user.get("/v0/kyc/status")[2]["verified_at"]
        out = self.ctl("user", "erase", self.user.sub, "--reference=case-1")
        self.assertIn("erased", out)

        me = self.me()
        self.assertIsNone(me["first_name"])
        self.assertIsNone(me["last_names"])
        status = self.user.get("/v0/kyc/status")[2]
        self.assertEqual(status["status"], "approved")
        self.assertEqual(status["verified_at"], verified_at)
        self.assertNotEqual(self.user.get("/v0/kyc/details")[0], 500)
        self.assertEqual(
            self.user.get("/v0/kyc/status?refresh=true")[0], 404
        )
        # The provider says it all again.
        at_ms = int(time.time() * 1000) - 1767225600000 + 1000
        self.stack.webhook(
            event(self.user.sub, "applicantReviewed", at_ms, "GREEN")
        )
        wait_until(
            lambda: self.ctl_json("user", "show", self.user.sub)["decision_at"]
            == 1767225600000 + at_ms,
            what="the repetition is applied",
        )
        self.assertIsNone(self.me()["first_name"])

        # Nothing of this user's keys holds a name, and no answer is kept.
        record = self.stack.redis("HGETALL", self.key("user"))
        trail = self.stack.redis("XRANGE", self.key("audit"), "-", "+")
        for name in names:
            self.assertNotIn(name, record + trail)
        self.assertEqual(
            self.stack.redis("KEYS", f"kyc:*:idem*:{self.user.sub}*"), ""
        )
        self.ctl("audit", "verify", self.user.sub)
        actions = [
            entry["action"]
            for entry in self.ctl_json("user", "audit", self.user.sub)
        ]
        self.assertEqual(actions.count("erased"), 1)
        # Again: nothing happens.
        self.ctl("user", "erase", self.user.sub)
        self.assertIn("nothing was stored",
                      self.ctl("user", "erase", "stranger"))
        self.assertIn("erased", self.ctl("user", "erase", "stranger"))

    def test_a_legal_hold_forbids_it(self):
        self.approve()
        self.ctl("user", "hold", self.user.sub, "--reference=court-1")
        code, _, err = kycctl(self.stack, "user", "erase", self.user.sub)
        self.assertEqual(code, 1)
        self.assertIn("OPS-409-001", err)
        self.assertIsNotNone(self.me()["first_name"])
        self.ctl("user", "release", self.user.sub)
        self.ctl("user", "erase", self.user.sub)
        self.assertIsNone(self.me()["first_name"])
        self.ctl("audit", "verify", self.user.sub)

    def test_help_begins_with_examples(self):
        code, out, _ = kycctl(self.stack, "audit", "verify", "--help")
        self.assertEqual(code, 0)
        self.assertTrue(out.startswith("Examples:"))
        self.assertEqual(kycctl(self.stack, "audit", "verify")[0], 2)


if __name__ == "__main__":
    unittest.main()
