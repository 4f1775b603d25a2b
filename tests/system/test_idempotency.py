"""Requests sent again with the same Idempotency-Key."""

import concurrent.futures
import json
import secrets
import threading
import unittest

from stack import Stack, wait_until

APPLICANT = "/v0/kyc/applicant"
STEPS = "/v0/user/me/onboarding/steps"


class Idempotency(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def setUp(self):
        self.stack.fault("none")
        self.user = self.stack.user()
        self.key = secrets.token_hex(8)

    def post(self, path=APPLICANT, body=None, key=None, user=None, **headers):
        return (user or self.user).post(
            path, body=body,
            headers={"idempotency-key": key or self.key, **headers},
        )

    def assert_problem(self, answer, status, code):
        self.assertEqual(answer[0], status, answer[2])
        self.assertEqual(answer[2]["error_code"], code)
        self.assertNotIn("idempotency-replayed", answer[1])

    def records(self):
        return self.stack.redis("--raw", "KEYS", "kyc:*:idem:*").split()

    def test_the_answer_is_given_again(self):
        status, headers, body = self.post()
        self.assertEqual(status, 201)
        self.assertNotIn("idempotency-replayed", headers)
        self.assertFalse(body["already_existed"])
        for _ in range(2):
            # What differs between attempts does not matter.
            again = self.post(**{"user-agent": secrets.token_hex(4)})
            self.assertEqual(again[0], 201)
            self.assertEqual(again[1]["idempotency-replayed"], "true")
            self.assertEqual(again[1]["content-type"], "application/json")
            self.assertEqual(again[2], body)
        self.assertEqual(self.post(key="another")[0], 200)

    def test_a_step_is_taken_once(self):
        def step():
            return self.post(STEPS, {"step": "phone_verification"})

        first = step()
        self.assertEqual(first[0], 200)
        self.user.post(STEPS, body={"step": "kyc_verification"})
        again = step()
        self.assertEqual(again[2], first[2])
        self.assertEqual(again[1]["idempotency-replayed"], "true")

    def test_refusals_are_answers(self):
        first = self.post(STEPS, {"step": "card_setup"})
        self.assert_problem(first, 409, "ONB-409-001")
        again = self.post(STEPS, {"step": "card_setup"})
        self.assertEqual(again[0], 409)
        self.assertEqual(
            again[1]["content-type"], "application/problem+json"
        )
        self.assertEqual(again[1]["idempotency-replayed"], "true")
        self.assertEqual(again[2], first[2])

    def test_one_key_one_request(self):
        self.assertEqual(self.post(STEPS, {"step": "phone_verification"})[0], 200)
        for path, body in (
            (STEPS, {"step": "kyc_verification"}),
            (STEPS + "?x=1", {"step": "phone_verification"}),
            (APPLICANT, None),
            ("/v0/kyc/submit", None),
        ):
            self.assert_problem(self.post(path, body), 422, "GEN-422-001")
        self.assert_problem(
            self.post(STEPS, {"step": "phone_verification"},
                      **{"x-juno-orgid": "o:e"}),
            422, "GEN-422-001",
        )
        # A body that is not read counts all the same.
        key = secrets.token_hex(8)
        self.assertEqual(self.post(body={"a": 1}, key=key)[0], 201)
        self.assert_problem(
            self.post(body={"a": 2}, key=key), 422, "GEN-422-001"
        )
        self.assertEqual(self.post(body={"a": 1}, key=key)[0], 201)

    def test_users_have_keys_of_their_own(self):
        other = self.stack.user()
        self.assertEqual(self.post()[2]["user_id"], self.user.sub)
        answer = self.post(user=other)
        self.assertEqual(answer[0], 201)
        self.assertEqual(answer[2]["user_id"], other.sub)
        self.assertNotIn("idempotency-replayed", answer[1])

    def test_while_the_first_is_in_flight(self):
        self.stack.fault("slow", delay_ms=1000)
        first = []
        thread = threading.Thread(target=lambda: first.append(self.post()))
        thread.start()
        try:
            wait_until(
                lambda: any(self.user.sub in r for r in self.records()),
                5, 0.02, "the claim",
            )
            second = self.post()
            self.assert_problem(second, 409, "GEN-409-001")
            self.assertEqual(second[1]["retry-after"], "1")
            self.assert_problem(
                self.post(body={"a": 1}), 422, "GEN-422-001"
            )
        finally:
            thread.join()
        self.assertEqual(first[0][0], 201)
        again = self.post()
        self.assertEqual(again[0], 201)
        self.assertEqual(again[2], first[0][2])

    def test_many_at_once_are_one(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(
                lambda _: self.post(STEPS, {"step": "phone_verification"}),
                range(8),
            ))
        done = [a for a in answers if a[0] == 200]
        fresh = [a for a in done if "idempotency-replayed" not in a[1]]
        self.assertEqual(len(fresh), 1)
        for answer in answers:
            if answer[0] != 200:
                self.assert_problem(answer, 409, "GEN-409-001")
            else:
                self.assertEqual(answer[2], fresh[0][2])

    def test_failures_are_not_answers(self):
        self.stack.fault("down")
        self.assert_problem(self.post(), 502, "KYC-502-001")
        self.assertFalse([r for r in self.records() if self.user.sub in r])
        self.stack.fault("none")
        status, headers, _ = self.post()
        self.assertEqual(status, 201)
        self.assertNotIn("idempotency-replayed", headers)

    def test_what_is_no_key(self):
        for key in (" ", "k" * 256, "a\tb", "\u00e9"):
            with self.subTest(key=key):
                answer = self.post(key=key)
                self.assert_problem(answer, 422, "KYC-422-002")
                self.assertEqual(
                    answer[2]["errors"][0]["parameter"], "Idempotency-Key"
                )
        self.assertEqual(self.user.get("/v0/kyc/status")[2]["applicant_id"],
                         None)
        self.assertEqual(self.post(key="k" * 255)[0], 201)

    def test_credentials_are_not_kept(self):
        before = len(self.records())
        first = self.post("/v0/kyc/access-token")
        again = self.post("/v0/kyc/access-token", body={"a": 1})
        self.assertEqual((first[0], again[0]), (200, 200))
        self.assertNotIn("idempotency-replayed", again[1])
        self.assertNotEqual(first[2]["access_token"], again[2]["access_token"])
        self.assertEqual(self.user.get(
            "/v0/kyc/status", headers={"idempotency-key": ""})[0], 200)
        self.assertEqual(len(self.records()), before)

    def test_what_is_kept_and_how_long(self):
        self.assertEqual(self.post()[0], 201)
        (record,) = [r for r in self.records() if self.user.sub in r]
        self.assertRegex(
            record, r"^kyc:\{b\d{3}\}:idem:" + self.user.sub + ":[0-9a-f]{64}$"
        )
        self.assertNotIn(self.key, record)
        left = int(self.stack.redis("TTL", record))
        self.assertTrue(86000 < left <= 86400, left)
        self.assertNotIn(
            self.key, self.stack.redis("--no-raw", "HGETALL", record)
        )

    def test_any_gateway_gives_it_again(self):
        first = self.post()
        self.stack.restart("gateway")
        self.stack.restart("kyc")
        wait_until(
            lambda: all(
                self.user.get("/v0/kyc/status")[0] == 200 for _ in range(16)
            ), 15,
        )
        again = self.post()
        self.assertEqual(again[1]["idempotency-replayed"], "true")
        self.assertEqual(again[2], first[2])

    def test_without_redis_nothing_is_done(self):
        def calls():
            return json.dumps(self.stack.sandbox("/sandbox/requests"))

        self.assertEqual(self.user.get("/v0/kyc/status")[0], 200)
        before = calls()
        with self.stack.frozen("redis"):
            answer = self.post()
            self.assert_problem(answer, 503, "GEN-503-001")
            self.assertIn("retry-after", answer[1])
        self.stack.kill("redis")
        try:
            self.assert_problem(
                self.post(key=secrets.token_hex(8)), 503, "GEN-503-001"
            )
        finally:
            self.stack.start("redis")
        self.assertEqual(calls(), before)
        wait_until(
            lambda: self.post(key=secrets.token_hex(8))[0] in (200, 201), 10
        )


if __name__ == "__main__":
    unittest.main()
