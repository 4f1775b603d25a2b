"""One verification through the public API, in every ending."""

import json
import unittest

from stack import Stack, wait_until

STATUS_LINKS = {
    "self": {"href": "/v0/kyc/status"},
    "user": {"href": "/v0/user/me"},
    "refresh": {"href": "/v0/kyc/status?refresh=true"},
}
START = {"href": "/v0/kyc/access-token", "method": "POST"}
APPLICANT_LINKS = {
    "self": {"href": "/v0/kyc/applicant", "method": "POST"},
    "documents": {"href": "/v0/kyc/documents", "method": "POST"},
    "required-docs": {"href": "/v0/kyc/documents/required"},
    "status": {"href": "/v0/kyc/status"},
}


class Walk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def test_approval_by_webhook_with_every_body(self):
        user = self.stack.user()
        status, headers, body = user.get("/v0/kyc/status")
        self.assertEqual(status, 200)
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertNotIn("server", headers)
        self.assertEqual(
            body,
            {
                "status": "pending",
                "applicant_id": None,
                "verified_at": None,
                "rejected_at": None,
                "reject_reason": None,
                "_links": {**STATUS_LINKS, "start-verification": START},
            },
        )
        status, _, body = user.post("/v0/kyc/applicant")
        self.assertEqual(status, 201)
        applicant = body["applicant_id"]
        self.assertRegex(applicant, "^[0-9a-f]{24}$")
        self.assertEqual(
            body,
            {
                "applicant_id": applicant,
                "user_id": user.sub,
                "already_existed": False,
                "_links": APPLICANT_LINKS,
            },
        )
        status, _, again = user.post("/v0/kyc/applicant")
        self.assertEqual(status, 200)
        self.assertEqual(again, {**body, "already_existed": True})

        status, _, body = user.post("/v0/kyc/access-token")
        self.assertEqual(status, 200)
        self.assertRegex(body.pop("access_token"), "^_act-sbx-.")
        self.assertEqual(
            body,
            {
                "expires_in": 600,
                "user_id": user.sub,
                "_links": {
                    "self": {"href": "/v0/kyc/access-token", "method": "POST"},
                    "status": {"href": "/v0/kyc/status"},
                },
            },
        )
        user.play_sdk("approve")
        user.wait_for("approved")
        _, _, body = user.get("/v0/kyc/status")
        self.assertIsInstance(body["verified_at"], int)
        self.assertEqual(body["applicant_id"], applicant)
        self.assertEqual(body["_links"], STATUS_LINKS)
        _, _, me = user.get("/v0/user/me")
        self.assertEqual(me["user"]["id"], user.sub)
        self.assertEqual(me["user"]["kyc_verified_at"], body["verified_at"])
        self.assertIsNone(me["user"]["kyc_rejected_at"])
        # Everything still answers after the decision.
        self.assertEqual(user.post("/v0/kyc/applicant")[0], 200)
        self.assertEqual(user.post("/v0/kyc/access-token")[0], 200)
        self.assertEqual(user.status(), "approved")

    def test_members_stand_in_the_documented_order(self):
        user = self.stack.user()
        status, _, body = user.get("/v0/kyc/status")
        self.assertEqual(status, 200)
        self.assertEqual(
            list(body),
            ["status", "applicant_id", "verified_at", "rejected_at",
             "reject_reason", "_links"],
        )

    def test_retry_then_approval(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        user.play_sdk("retry")
        user.wait_for("retry")
        _, _, body = user.get("/v0/kyc/status")
        self.assertTrue(body["reject_reason"])
        self.assertIsNone(body["verified_at"])
        self.assertIsNone(body["rejected_at"])
        self.assertEqual(body["_links"]["start-verification"], START)
        user.play_sdk("approve")
        user.wait_for("approved")
        self.assertIsNone(user.get("/v0/kyc/status")[2]["reject_reason"])

    def test_rejection_shows_where_to_turn(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        user.play_sdk("reject")
        user.wait_for("rejected")
        _, _, body = user.get("/v0/kyc/status")
        self.assertIsInstance(body["rejected_at"], int)
        self.assertIn("help@example.test", body["reject_reason"])
        self.assertNotIn("clientSupportEmail", body["reject_reason"])
        self.assertNotIn("start-verification", body["_links"])

    def test_hold_stays_in_progress(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        user.play_sdk("hold")
        user.wait_for("in_progress")
        self.assertEqual(user.status(), "in_progress")

    def test_a_poll_finds_what_no_webhook_said(self):
        user = self.stack.user()
        self.assertEqual(user.get("/v0/kyc/status?refresh=true")[0], 404)
        self.stack.sandbox("/sandbox/webhooks", {"drop": True})
        try:
            user.post("/v0/kyc/access-token")
            user.play_sdk("approve")

            def polled():
                status, _, body = user.get("/v0/kyc/status?refresh=true")
                return status == 200 and body["status"] == "approved"

            wait_until(polled, 15, 0.5, "approved by poll")
        finally:
            self.stack.sandbox("/sandbox/webhooks", {"drop": False})
        self.assertIsInstance(
            user.get("/v0/kyc/status")[2]["verified_at"], int
        )

    def test_onboarding_advances_exactly_once(self):
        user = self.stack.user()
        status, _, body = user.get("/v0/user/me/onboarding/steps")
        self.assertEqual(status, 200)
        onboarding = body["onboarding"]
        self.assertEqual(onboarding["current_step"], "phone_verification")
        self.assertFalse(onboarding["is_complete"])
        kyc = onboarding["steps"][1]
        self.assertEqual(kyc["step"], "kyc_verification")
        self.assertEqual(kyc["status"], "pending")
        self.assertEqual(kyc["meta"], {"kyc_mode": "websdk"})

        path = "/v0/user/me/onboarding/steps"
        status, _, problem = user.post(path, {"step": "card_setup"})
        self.assertEqual(status, 409)
        self.assertEqual(problem["error_code"], "ONB-409-001")
        self.assertIn("phone_verification", json.dumps(problem))
        status, _, body = user.post(path, {"step": "phone_verification"})
        self.assertEqual(status, 200)
        self.assertEqual(
            body["onboarding"]["current_step"], "kyc_verification"
        )
        self.assertEqual(
            user.post(path, {"step": "phone_verification"})[0], 200
        )
        user.post("/v0/kyc/applicant")
        user.play_sdk("approve")
        user.wait_for("approved")
        current = user.get(path)[2]["onboarding"]["current_step"]
        self.assertEqual(current, "safe_deploy")
        user.get("/v0/kyc/status?refresh=true")
        self.assertEqual(
            user.get(path)[2]["onboarding"]["current_step"], current
        )

    def test_an_approval_waits_for_the_user_to_arrive(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        user.play_sdk("approve")
        user.wait_for("approved")
        path = "/v0/user/me/onboarding/steps"
        self.assertEqual(
            user.get(path)[2]["onboarding"]["current_step"],
            "phone_verification",
        )
        _, _, body = user.post(path, {"step": "phone_verification"})
        self.assertEqual(body["onboarding"]["current_step"], "safe_deploy")

    def test_any_text_is_a_user(self):
        for sub in ("auth0|a b", "a/b;c=d", "zoë@例え", "did:privy:x%2Fy"):
            with self.subTest(sub=sub):
                user = self.stack.user(sub + self.stack.user().sub)
                status, _, body = user.post("/v0/kyc/applicant")
                self.assertEqual(status, 201)
                self.assertEqual(body["user_id"], user.sub)
                self.assertEqual(
                    user.get("/v0/kyc/status?refresh=true")[0], 200
                )


if __name__ == "__main__":
    unittest.main()
