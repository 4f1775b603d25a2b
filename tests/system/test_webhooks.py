"""Signed webhooks through the gateway, in every order and disguise."""

import concurrent.futures
import hashlib
import http.client
import itertools
import json
import os
import unittest

from stack import ROOT, Stack, event, wait_until

PAYLOADS = os.path.join(ROOT, "services/webhook/testdata")


def six(user):
    return [
        event(user, "applicantCreated", 1000),
        event(user, "applicantPending", 2000, status="pending"),
        event(user, "applicantOnHold", 3000, answer="GREEN", status="onHold"),
        event(user, "applicantReviewed", 4000, "RED", "RETRY", "Blurred."),
        event(user, "applicantReviewed", 5000, "GREEN"),
        event(user, "applicantReviewed", 6000, "RED", "FINAL", "Forged."),
    ]


class Webhooks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def test_no_order_of_six_events_changes_the_end(self):
        deliveries = []
        users = []
        for index, order in enumerate(itertools.permutations(range(6))):
            user = f"usr_perm_{index}"
            users.append(user)
            events = six(user)
            deliveries += [events[i] for i in order]

        def send(each):
            return self.stack.webhook(each)[0]

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(send, deliveries))
        self.assertEqual(set(statuses), {200})
        wait_until(self.stack.events_applied, 90, 0.2, "all events applied")
        for user in users:
            key = next(iter(self.record_keys(user)))
            record = self.record(key)
            self.assertEqual(record["state"], "rejected", user)
            self.assertEqual(record["reject_reason"], "Forged.", user)
        # What callers see, for some of them.
        for user in users[::120]:
            _, _, body = self.stack.user(user).get("/v0/kyc/status")
            self.assertEqual(body["status"], "rejected")
            self.assertEqual(body["rejected_at"], 1767225606000)
            self.assertIsNone(body["verified_at"])

    def record_keys(self, user):
        bucket = crc16(user.encode()) % 256
        return [f"kyc:{{b{bucket:03d}}}:user:{user}"]

    def record(self, key):
        lines = self.stack.redis("HGETALL", key).split("\n")
        return dict(zip(lines[::2], lines[1::2]))

    def test_duplicates_have_one_effect(self):
        user = self.stack.user()
        body = json.dumps(
            event(user.sub, "applicantReviewed", 9000, "GREEN")
        ).encode()
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            statuses = list(
                pool.map(lambda _: self.stack.webhook(body)[0], range(100))
            )
        self.assertEqual(set(statuses), {200})
        user.wait_for("approved")
        wait_until(self.stack.events_applied, 30, 0.2, "all events applied")
        key = self.record_keys(user.sub)[0]
        self.assertEqual(self.record(key)["v"], "1")
        self.assertEqual(
            self.stack.redis("XLEN", key.replace(":user:", ":audit:")), "1"
        )

    def test_published_payloads_are_taken_with_their_digests(self):
        with open(
            os.path.join(PAYLOADS, "06_applicantReviewed_green.json"), "rb"
        ) as file:
            body = file.read()
        for algorithm, name in (
            (hashlib.sha256, "HMAC_SHA256_HEX"),
            (hashlib.sha512, "HMAC_SHA512_HEX"),
        ):
            status, _, _ = self.stack.webhook(
                body,
                {
                    "X-Payload-Digest": self.stack.sign(body, algorithm),
                    "X-Payload-Digest-Alg": name,
                },
            )
            self.assertEqual(status, 200)
        # Without the algorithm's name SHA-256 is meant.
        self.assertEqual(
            self.stack.webhook(
                body, {"X-Payload-Digest": self.stack.sign(body)}
            )[0],
            200,
        )

    def test_tampering_is_refused_and_leaves_nothing(self):
        user = self.stack.user()
        body = json.dumps(
            event(user.sub, "applicantReviewed", 9000, "GREEN"), indent=2
        ).encode()
        good = self.stack.sign(body)
        sha1 = self.stack.sign(body, hashlib.sha1)
        alg = {"X-Payload-Digest-Alg": "HMAC_SHA256_HEX"}
        cases = {
            "missing": (body, dict(alg)),
            "empty": (body, {"X-Payload-Digest": "", **alg}),
            "wrong": (body, {"X-Payload-Digest": "0" * 64, **alg}),
            "truncated": (body, {"X-Payload-Digest": good[:-2], **alg}),
            "odd": (body, {"X-Payload-Digest": good[:-1], **alg}),
            "upper": (body, {"X-Payload-Digest": good.upper(), **alg}),
            "not hex": (body, {"X-Payload-Digest": "z" * 64, **alg}),
            "unknown algorithm": (
                body,
                {"X-Payload-Digest": good, "X-Payload-Digest-Alg": "HMAC_MD5"},
            ),
            "downgrade": (
                body,
                {
                    "X-Payload-Digest": sha1,
                    "X-Payload-Digest-Alg": "HMAC_SHA1_HEX",
                },
            ),
            "one byte more": (body + b" ", {"X-Payload-Digest": good, **alg}),
            "written anew": (
                json.dumps(json.loads(body)).encode(),
                {"X-Payload-Digest": good, **alg},
            ),
        }
        length = self.stack.events_stored()
        for name, (text, headers) in cases.items():
            with self.subTest(name):
                status, _, problem = self.stack.webhook(text, headers)
                self.assertEqual(status, 401)
                self.assertEqual(problem["error_code"], "KYC-401-001")
        with self.subTest("two digests"):
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.stack.port("gateway"), timeout=10
            )
            connection.putrequest("POST", "/v0/webhooks/kyc/sumsub/events")
            connection.putheader("X-Payload-Digest", good)
            connection.putheader("X-Payload-Digest", good)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            self.assertEqual(connection.getresponse().status, 401)
            connection.close()
        self.assertEqual(self.stack.events_stored(), length)
        self.assertEqual(user.status(), "pending")

    def test_anything_with_a_good_signature_is_stored(self):
        for body in (b"", b"null", b"[]", b"not json", b"[" * 5000, b"\xff\x00"):
            self.assertEqual(self.stack.webhook(body)[0], 200, body[:10])
        unknown = event("usr_never_seen", "somethingNew", 1000)
        self.assertEqual(self.stack.webhook(unknown)[0], 200)

    def test_a_body_over_one_mebibyte_is_refused(self):
        self.assertEqual(self.stack.webhook(b" " * (1 << 20))[0], 200)
        status, _, problem = self.stack.webhook(b" " * ((1 << 20) + 1))
        self.assertEqual(status, 413)
        self.assertEqual(problem["error_code"], "GEN-413-001")

    def test_a_decision_without_a_time_asks_the_provider(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        self.stack.sandbox("/sandbox/webhooks", {"drop": True})
        try:
            user.play_sdk("reject")
        finally:
            self.stack.sandbox("/sandbox/webhooks", {"drop": False})
        body = event(user.sub, "applicantReviewed", 0, "GREEN")
        body["createdAt"] = None
        body["createdAtMs"] = "yesterday"
        self.assertEqual(self.stack.webhook(body)[0], 200)
        user.wait_for("rejected")

    def test_other_levels_approve_nobody(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        for at, level in ((1000, "liveness"), (2000, "unheard-of")):
            self.stack.webhook(
                event(user.sub, "applicantReviewed", at, "GREEN", level=level)
            )
        user.wait_for("in_progress")
        wait_until(self.stack.events_applied, 30, 0.2, "all events applied")
        self.assertEqual(user.status(), "in_progress")
        self.stack.webhook(event(user.sub, "applicantReviewed", 3000, "GREEN"))
        user.wait_for("approved")

    def test_reset_and_removal(self):
        user = self.stack.user()
        applicant = user.post("/v0/kyc/applicant")[2]["applicant_id"]
        send = lambda *args, **kwargs: self.stack.webhook(
            event(user.sub, *args, applicant=applicant, **kwargs)
        )
        # Far in the future of the sandbox's own events.
        later = 400 * 86400 * 1000
        send("applicantReviewed", later, "RED", "FINAL", "No.")
        user.wait_for("rejected")
        send("applicantReset", later + 1000)
        user.wait_for("pending")
        send("applicantReviewed", later, "RED", "FINAL", "No.")
        wait_until(self.stack.events_applied, 30, 0.2, "all events applied")
        self.assertEqual(user.status(), "pending")
        send("applicantReviewed", later + 2000, "GREEN")
        user.wait_for("approved")
        send("applicantDeleted", later + 3000)
        wait_until(
            lambda: user.get("/v0/kyc/status")[2]["applicant_id"] is None,
            10, 0.1, "the link is gone",
        )
        self.assertEqual(user.status(), "approved")


def crc16(data):
    """XMODEM, as Redis Cluster's."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


if __name__ == "__main__":
    unittest.main()
