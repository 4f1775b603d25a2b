"""Partners: what the guide says, and what an auditor would try."""

import collections
import json
import secrets
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse

from stack import Stack, Wallet, request, wait_until
from test_documents import FORM, form, jpeg

READ = "sr:us:pint:identity:kyc_read"


def quote(text):
    return urllib.parse.quote(text, safe="")


class PartnerTest(unittest.TestCase):
    FLAGS = {}

    @classmethod
    def setUpClass(cls):
        flags = {
            "kyc": ["--default_kyc_mode=document_only"],
            "provider": ["--outcome_delay=100ms"],
        }
        for name, more in cls.FLAGS.items():
            flags[name] = flags.get(name, []) + more
        cls.stack = Stack(flags)
        cls.addClassCleanup(cls.stack.stop)

    def assert_problem(self, answer, status, code):
        got, headers, body = answer
        self.assertEqual((got, body["error_code"]), (status, code), body)
        self.assertEqual(headers["content-type"], "application/problem+json")
        self.assertEqual(headers["cache-control"], "no-store")

    @classmethod
    def verified(cls, *pages):
        """A user approved with these pages."""
        user = cls.stack.user()
        assert user.post("/v0/kyc/applicant")[0] == 201
        for page in pages:
            status, _, answer = user.post(
                "/v0/kyc/documents", body=form(page), headers=FORM, timeout=60
            )
            assert status == 201, answer
        user.play_sdk("approve", level="document-only")
        user.wait_for("approved")
        return user

    @staticmethod
    def kyc(user):
        return f"/v0/users/{quote(user.sub)}/kyc"


class Guide(PartnerTest):
    def test_the_complete_example(self):
        page = jpeg() + secrets.token_bytes(1000)
        user = self.verified(page)
        wallet = Wallet(user)
        partner = self.stack.partner()

        # Step 1: a token for the signed PINT.
        body = wallet.sign(partner.audience, nonce=42,
                           statement="KYC data access for partner X")
        status, headers, exchanged = partner.exchange(body)
        self.assertEqual(status, 200, exchanged)
        self.assertEqual(headers["cache-control"], "no-store")
        token = exchanged["token"]
        self.assertEqual(token, exchanged["sig"])
        self.assertEqual(exchanged["audience"], partner.audience)
        self.assertEqual(exchanged["scopes"], [READ])
        self.assertEqual(exchanged["expires_at"], body["pint"]["expiresAt"])
        self.assertTrue(exchanged["id"].startswith("sr:us:pint:"))

        # Step 2: the user behind the identifier.
        sri = exchanged["sri"]
        self.assertEqual(sri.lower(),
                         f"sr:us:person:safe:{wallet.safe}".lower())
        for spelling in (sri, quote(sri), quote(sri).replace("%3A", "%3a"),
                         quote(sri.lower())):
            status, _, found = partner.get("/v0/users/" + spelling)
            self.assertEqual(status, 200, found)
            self.assertEqual(found["external_id"], user.sub)
            self.assertEqual(found["user"]["id"], user.sub)
            self.assertEqual(found["sri"], sri)
        by_eoa = partner.get(
            "/v0/users/" + quote("sr:us:person:eoa:" + wallet.eoa)
        )[2]
        self.assertEqual(by_eoa["external_id"], user.sub)

        # Step 3: the details.
        status, headers, kyc = partner.get(self.kyc(user), token)
        self.assertEqual(status, 200, kyc)
        self.assertEqual(headers["cache-control"], "no-store")
        self.assertEqual(list(kyc), [
            "status", "verified_at", "rejected_at", "started_at",
            "personal_info", "documents", "verification_complete",
            "verification_passed", "rejection", "_links",
        ])
        self.assertEqual(kyc["status"], "approved")
        self.assertIs(type(kyc["verified_at"]), int)
        self.assertEqual(set(kyc["personal_info"]), {
            "first_name", "last_name", "date_of_birth", "nationality",
            "country_of_residence",
        })
        self.assertEqual(kyc["_links"],
                         {"self": {"href": self.kyc(user)}})
        document = next(
            one for one in kyc["documents"] if one["image_ids"]
        )
        self.assertEqual(set(document), {
            "document_type", "country", "status", "submitted_at", "image_ids",
        })
        self.assertEqual(document["status"], "approved")

        # Step 4: its images.
        image = document["image_ids"][0]
        status, headers, content = partner.get(
            f"{self.kyc(user)}/document/{image}", token
        )
        self.assertEqual(status, 200, content)
        self.assertEqual(content, page)
        self.assertEqual(headers["content-type"], "image/jpeg")
        self.assertEqual(headers["cache-control"], "private, max-age=300")
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        self.assertEqual(headers["content-length"], str(len(page)))

        # The user sees both reads, the newest first.
        status, _, log = user.get("/v0/user/me/kyc/access-log")
        self.assertEqual(status, 200, log)
        self.assertEqual(
            [(one["what"], one["image_id"], one["pint_id"],
              one["partner"]["org_id"], one["partner"]["key_id"])
             for one in log["data"]],
            [("document_image", image, exchanged["id"], partner.org,
              partner.key_id),
             ("kyc_details", None, exchanged["id"], partner.org,
              partner.key_id)],
        )
        self.assertFalse(log["has_more"])
        first = user.get("/v0/user/me/kyc/access-log?limit=1")[2]
        self.assertTrue(first["has_more"])
        second = user.get("/v0/user/me/kyc/access-log?limit=1&cursor="
                          + quote(first["cursor"]))[2]
        self.assertEqual(first["data"] + second["data"], log["data"])

        # Revoked at once, for every token of the PINT.
        again = partner.exchange(body)[2]
        self.assertEqual(again["id"], exchanged["id"])
        self.assertNotEqual(again["token"], token)
        self.assertEqual(partner.get(self.kyc(user), again["token"])[0], 200)
        pint = quote(exchanged["id"])
        self.assertTrue(partner.get(f"/v0/sis/pint/{pint}/status")[2]["valid"])
        status, _, revoked = user.call("DELETE", "/v0/pint/" + pint)
        self.assertEqual((status, revoked["status"]), (200, "revoked"))
        for one in (token, again["token"]):
            for path in ("", f"/document/{image}"):
                self.assert_problem(
                    partner.get(self.kyc(user) + path, one), 401,
                    "PINT-401-004",
                )
        answer = partner.get(f"/v0/sis/pint/{pint}/status")[2]
        self.assertEqual((answer["valid"], answer["reason"]),
                         (False, "revoked"))
        self.assertIs(type(answer["revoked_at"]), int)
        self.assert_problem(partner.exchange(body), 409, "PINT-409-002")
        # Taking back again changes nothing.
        again = user.call("DELETE", "/v0/pint/" + pint)[2]
        self.assertEqual(again["revoked_at"], revoked["revoked_at"])

    def test_a_wallet_is_registered_once(self):
        user = self.stack.user()
        wallet = Wallet(user, register=False)
        status, _, answer = wallet.register()
        self.assertEqual(status, 201, answer)
        self.assertEqual(answer["user"]["id"], user.sub)
        self.assertEqual(answer["user"]["primary_eoa_address"], wallet.eoa)
        for path in ("/v0/user/", "/v0/user"):
            status, _, again = user.post(path, {
                "primary_eoa_address": wallet.eoa.lower(),
                "chain_id": 1329,
            })
            self.assertEqual(status, 208, again)
            self.assertEqual(again["user"], answer["user"])
        thief = self.stack.user()
        self.assert_problem(
            thief.post("/v0/user/", {"primary_eoa_address": wallet.eoa}), 409,
            "USR-409-001",
        )
        for bad in ({}, {"primary_eoa_address": "0x12"},
                    {"primary_eoa_address": 7},
                    {"primary_eoa_address": wallet.eoa, "chain_id": "1"}):
            self.assert_problem(
                thief.post("/v0/user/", bad), 422, "KYC-422-002"
            )

    def test_who_has_no_verification_and_who_is_rejected(self):
        partner = self.stack.partner()
        fresh = self.stack.user()
        token = partner.consent(Wallet(fresh))["token"]
        self.assert_problem(partner.get(self.kyc(fresh), token), 404,
                            "KYC-404-001")
        for outcome, status in (("reject", "rejected"), ("retry", "retry")):
            user = self.stack.user()
            user.post("/v0/kyc/applicant")
            user.play_sdk(outcome, level="document-only")
            user.wait_for(status)
            token = partner.consent(Wallet(user))["token"]
            got, _, kyc = partner.get(self.kyc(user), token)
            self.assertEqual((got, kyc["status"]), (200, status), kyc)
            self.assertEqual(kyc["rejection"]["can_retry"], outcome == "retry")
            self.assertFalse(kyc["verification_passed"])

    def test_a_provider_that_is_away(self):
        user = self.verified(jpeg())
        partner = self.stack.partner()
        token = partner.consent(Wallet(user))["token"]
        image = next(
            one["image_ids"][0]
            for one in partner.get(self.kyc(user), token)[2]["documents"]
            if one["image_ids"]
        )
        self.stack.fault("down")
        try:
            self.assert_problem(
                partner.get(f"{self.kyc(user)}/document/{image}", token), 502,
                "KYC-502-001",
            )
        finally:
            self.stack.fault("none")
        for mode in ("html", "redirect", "wrong_shape"):
            self.stack.fault(mode)
            try:
                self.assert_problem(
                    partner.get(f"{self.kyc(user)}/document/{image}", token),
                    502, "KYC-502-001",
                )
            finally:
                self.stack.fault("none")

    def test_consents_are_listed(self):
        partner = self.stack.partner()
        wallets = [Wallet(self.stack.user(), safe=False) for _ in range(3)]
        pints = [partner.consent(one)["id"] for one in wallets]
        listed = partner.get("/v0/sis/pint?order=asc")[2]
        self.assertEqual([one["pint"]["id"] for one in listed["data"]], pints)
        page = partner.get("/v0/sis/pint?order=asc&limit=2")[2]
        self.assertTrue(page["has_more"])
        rest = partner.get("/v0/sis/pint?order=asc&limit=2&cursor="
                           + quote(page["cursor"]))[2]
        self.assertEqual(page["data"] + rest["data"], listed["data"])
        self.assertFalse(rest["has_more"])
        one = partner.get("/v0/sis/pint?wallet=" + wallets[1].eoa.lower())[2]
        self.assertEqual([o["pint"]["id"] for o in one["data"]], [pints[1]])
        wallets[0].user.call("DELETE", "/v0/pint/" + quote(pints[0]))
        revoked = partner.get("/v0/sis/pint?status=revoked")[2]["data"]
        self.assertEqual([o["pint"]["id"] for o in revoked], [pints[0]])
        full = partner.get(
            f"/v0/sis/pint/{quote(pints[1])}?expand=tokens"
        )[2]["pint"]
        self.assertEqual(full["status"], "active")
        self.assertEqual(full["wallet"].lower(), wallets[1].eoa.lower())
        self.assertEqual(len(full["tokens"]), 1)
        path = f"/v0/pint/{quote(pints[1])}/tokens"
        self.assertEqual(partner.get(path)[2]["tokens"], full["tokens"])
        self.assertEqual(wallets[1].user.get(path)[2]["tokens"],
                         full["tokens"])
        for query in ("status=x", "sort=x", "order=x", "limit=0"):
            self.assert_problem(partner.get("/v0/sis/pint?" + query), 422,
                                "KYC-422-002")

    def test_errors_of_the_exchange(self):
        user = self.stack.user()
        wallet = Wallet(user)
        partner = self.stack.partner()
        good = wallet.sign(partner.audience, nonce=1)
        bad = json.loads(json.dumps(good))
        bad["pint"]["statement"] += "."
        self.assert_problem(partner.exchange(bad), 401, "PINT-401-001")
        self.assert_problem(
            partner.exchange({**good, "audience": "other.example"}), 400,
            "PINT-400-002",
        )
        for body in ({}, {**good, "signature": "0x12"},
                     {**good, "pint": {**good["pint"], "nonce": -1}},
                     {**good, "pint": {**good["pint"], "nonce": 1.5}}):
            self.assert_problem(partner.exchange(body), 400, "PINT-400-001")
        self.assert_problem(
            partner.exchange(wallet.sign(partner.audience, chain_id=1)), 401,
            "PINT-401-001",
        )
        self.assert_problem(
            partner.exchange(wallet.sign(
                partner.audience, scopes="sr:us:pint:identity:everything")),
            403, "PINT-403-001",
        )
        self.assert_problem(
            partner.exchange(wallet.sign(partner.audience, expires_at=1)),
            410, "PINT-410-001",
        )
        self.assert_problem(
            partner.exchange({**good, "signature": good["signature"] + "00"}),
            401, "PINT-401-002",
        )
        # None of these has used the nonce up.
        self.assertEqual(partner.exchange(good)[0], 200)
        self.assert_problem(
            partner.exchange(wallet.sign(partner.audience, nonce=1,
                                         statement="another")),
            409, "PINT-409-001",
        )
        # A key nobody registered.
        stranger = Wallet(user, safe=False, register=False)
        self.assert_problem(
            partner.exchange(stranger.sign(partner.audience)), 401,
            "PINT-401-001",
        )
        # 2^256 - 1 passes as it is.
        most = str(2**256 - 1)
        token = partner.consent(wallet, nonce=most, max_amount=most)
        pint = partner.get("/v0/sis/pint/" + quote(token["id"]))[2]["pint"]
        self.assertEqual((pint["nonce"], pint["max_amount"]), (most, most))

    def test_what_a_key_is_for(self):
        user = self.verified(jpeg())
        wallet = Wallet(user)
        partner = self.stack.partner()
        consent = partner.consent(wallet)
        other = partner.consent(
            wallet, scopes="sr:us:pint:identity:kyc_status"
        )["token"]
        with_parameters = partner.consent(
            wallet, scopes=READ + "?until=2030"
        )["token"]
        self.assertEqual(partner.get(self.kyc(user), with_parameters)[0], 200)
        sri = "/v0/users/" + quote(consent["sri"])
        pint = quote(consent["id"])
        routes = {
            ("GET", sri): {"lookup", "get_kyc"},
            ("POST", "/v0/sis/token/pint"): {"token_exchange"},
            ("GET", "/v0/sis/pint"): {"get_pints"},
            ("GET", "/v0/sis/pint/" + pint): {"get_pints"},
            ("GET", f"/v0/pint/{pint}/tokens"): {"get_pints"},
            ("GET", self.kyc(user)): {"get_kyc"},
        }
        for scope in ("lookup", "get_kyc", "token_exchange", "get_pints",
                      "sis.get_kyc", "manage_webhooks"):
            key = partner.new_key(scope)[1]
            for (method, path), scopes in routes.items():
                with self.subTest(scope, path=path):
                    answer = partner.call(
                        method, path, consent["token"], key=key,
                        body={} if method == "POST" else None,
                    )
                    if scope.replace("sis.", "") in scopes:
                        self.assertNotEqual(answer[0], 403, answer)
                    else:
                        self.assert_problem(answer, 403, "SIS-403-001")
            self.assertEqual(
                partner.get(f"/v0/sis/pint/{pint}/status", key=key)[0], 200
            )
        self.assert_problem(partner.get(self.kyc(user), other), 403,
                            "PINT-403-003")
        # The order of the guide: what is wrong first is told first.
        weak = partner.new_key("lookup")[1]
        self.assert_problem(partner.get(self.kyc(user), key="nobody"), 401,
                            "SIS-401-001")
        self.assert_problem(partner.get(self.kyc(user), key=weak), 401,
                            "PINT-401-003")
        self.assert_problem(partner.get(self.kyc(user), "x", key=weak), 401,
                            "PINT-401-004")
        self.assert_problem(partner.get(self.kyc(user), other, key=weak), 403,
                            "SIS-403-001")

    def test_a_revoked_key_ends_within_five_seconds(self):
        user = self.verified(jpeg())
        partner = self.stack.partner()
        token = partner.consent(Wallet(user))["token"]
        key_id, key = partner.new_key("get_kyc")
        self.assertEqual(partner.get(self.kyc(user), token, key=key)[0], 200)
        self.stack.kycctl(
            "keys", "revoke", "--kyc_address=" + self.stack.address("kyc"),
            key_id,
        )
        revoked = time.monotonic()

        # Each of the gateway's threads remembers keys by itself, so many ask.
        while time.monotonic() - revoked < 5:
            partner.get(self.kyc(user), token, key=key)
            time.sleep(0.1)
        for _ in range(40):
            self.assert_problem(
                partner.get(self.kyc(user), token, key=key), 401,
                "SIS-401-001",
            )
        # The organisation's other keys go on.
        self.assertEqual(partner.get(self.kyc(user), token)[0], 200)

    def test_a_consent_ends_to_the_second(self):
        user = self.verified(jpeg())
        partner = self.stack.partner()
        end = int(time.time()) + 5
        consent = partner.consent(Wallet(user), expires_at=end)
        answers = []
        while time.time() < end + 1:
            asked = time.time()
            answers.append(
                (asked, partner.get(self.kyc(user), consent["token"]),
                 time.time())
            )
            time.sleep(0.1)
        for asked, answer, answered in answers:
            if answered < end:
                self.assertEqual(answer[0], 200, answer)
            elif asked >= end:
                self.assert_problem(answer, 401, "PINT-401-004")
        status = partner.get(
            f"/v0/sis/pint/{quote(consent['id'])}/status"
        )[2]
        self.assertEqual((status["valid"], status["reason"]),
                         (False, "expired"))


class Tenants(PartnerTest):
    """Every route with what belongs to another: as if it did not exist."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = cls.verified(jpeg())
        cls.other_user = cls.verified(jpeg())
        # Users of an organisation that is neither partner's.
        cls.wallet = Wallet(cls.user, tenant="home:live")
        cls.other_wallet = Wallet(cls.other_user, tenant="home:live")
        cls.partner = cls.stack.partner()
        cls.rival = cls.stack.partner()
        cls.consent = cls.partner.consent(cls.wallet)
        cls.other_consent = cls.rival.consent(cls.other_wallet)
        cls.image = cls.image_of(cls.partner, cls.user, cls.consent)
        cls.other_image = cls.image_of(
            cls.rival, cls.other_user, cls.other_consent
        )

    @classmethod
    def image_of(cls, partner, user, consent):
        kyc = partner.get(cls.kyc(user), consent["token"])[2]
        return next(one["image_ids"][0] for one in kyc["documents"]
                    if one["image_ids"])

    def assert_same(self, answer, nothing):
        """The same answer as for what is nowhere, but for what was asked."""
        for member in ("instance", "trace_id"):
            answer[2].pop(member)
            nothing[2].pop(member)
        self.assertEqual(answer[0], nothing[0])
        self.assertEqual(answer[2], nothing[2])
        volatile = {"date", "traceparent", "content-length"}
        self.assertEqual(set(answer[1]) - volatile, set(nothing[1]) - volatile)

    def test_users(self):
        rival, partner = self.rival, self.partner
        # Nobody's wallet, and one whose user has not consented to this one.
        nowhere = "sr:us:person:safe:0x" + secrets.token_hex(20)
        for sri in (self.consent["sri"],
                    "sr:us:person:eoa:" + self.wallet.eoa):
            answer = rival.get("/v0/users/" + quote(sri))
            self.assert_problem(answer, 404, "SRI-404-001")
            self.assert_same(answer, rival.get("/v0/users/" + quote(nowhere)))
        self.assertEqual(
            partner.get("/v0/users/" + quote(self.consent["sri"]))[0], 200
        )
        home = self.stack.partner(org="home")
        self.assertEqual(
            home.get("/v0/users/" + quote(self.consent["sri"]))[0], 200
        )
        # Only while the consent stands.
        user = self.stack.user()
        consent = rival.consent(Wallet(user, tenant="home:live"))
        path = "/v0/users/" + quote(consent["sri"])
        self.assertEqual(rival.get(path)[0], 200)
        user.call("DELETE", "/v0/pint/" + quote(consent["id"]))
        self.assert_problem(rival.get(path), 404, "SRI-404-001")
        for bad in ("x", "sr:us:person:safe:0x12", "sr:xx:person:safe:0x" +
                    "0" * 40, "sr:us:pint:identity:kyc_read"):
            self.assert_problem(rival.get("/v0/users/" + quote(bad)), 400,
                                "SRI-400-001")

    def test_tokens_of_others(self):
        # A stolen token is worth nothing with another organisation's key.
        for path in (self.kyc(self.user),
                     f"{self.kyc(self.user)}/document/{self.image}"):
            self.assert_problem(
                self.rival.get(path, self.consent["token"]), 401,
                "PINT-401-004",
            )
        # Nor does anybody else get the same audience's name.
        with self.assertRaises(subprocess.CalledProcessError):
            self.stack.partner(audience=self.partner.audience)

    def test_other_users(self):
        token = self.consent["token"]
        nobody = f"/v0/users/usr_{secrets.token_hex(8)}/kyc"
        for suffix in ("", "/document/" + self.other_image):
            answer = self.partner.get(self.kyc(self.other_user) + suffix,
                                      token)
            self.assert_problem(answer, 403, "PINT-403-004")
            self.assert_same(answer, self.partner.get(nobody + suffix, token))

    def test_other_images(self):
        token = self.consent["token"]
        base = self.kyc(self.user) + "/document/"
        nothing = self.partner.get(base + "999999999", token)
        self.assert_problem(nothing, 404, "KYC-404-002")
        answer = self.partner.get(base + self.other_image, token)
        self.assert_same(answer, nothing)
        for bad in ("..", "%2e%2e", "..%2F..%2Fresources", "x%00", "a%0d%0ab",
                    "1%2F..%2F1", "%F0%9F%98%80", "9" * 400):
            status, _, body = self.partner.get(base + bad, token)
            self.assertIn(status, (400, 404), body)

    def test_consents_of_others(self):
        pint = quote(self.consent["id"])
        nowhere = quote("sr:us:pint:" + secrets.token_hex(16))
        for path in ("/v0/sis/pint/{}", "/v0/sis/pint/{}?expand=tokens",
                     "/v0/pint/{}/tokens"):
            answer = self.rival.get(path.format(pint))
            self.assert_problem(answer, 404, "PINT-404-001")
            self.assert_same(answer, self.rival.get(path.format(nowhere)))
            self.assertEqual(self.partner.get(path.format(pint))[0], 200)
        for path in ("/v0/pint/{}/tokens",):
            answer = self.other_user.get(path.format(pint))
            self.assert_problem(answer, 404, "PINT-404-001")
        answer = self.other_user.call("DELETE", "/v0/pint/" + pint)
        self.assert_problem(answer, 404, "PINT-404-001")
        self.assert_same(
            answer, self.other_user.call("DELETE", "/v0/pint/" + nowhere)
        )
        ids = [one["pint"]["id"]
               for one in self.rival.get("/v0/sis/pint")[2]["data"]]
        self.assertEqual(ids, [self.other_consent["id"]])
        listed = self.rival.get("/v0/sis/pint?wallet=" + self.wallet.address)
        self.assertEqual(listed[2]["data"], [])
        # Whoever was shown a token may ask whether it stands.
        self.assertTrue(
            self.rival.get(f"/v0/sis/pint/{pint}/status")[2]["valid"]
        )
        self.assert_problem(
            self.rival.get(f"/v0/sis/pint/{nowhere}/status"), 404,
            "PINT-404-001",
        )

    def test_the_log_is_the_users_own(self):
        log = self.other_user.get("/v0/user/me/kyc/access-log")[2]
        self.assertTrue(log["data"])
        for one in log["data"]:
            self.assertEqual(one["partner"]["org_id"], self.rival.org)
            self.assertEqual(one["pint_id"], self.other_consent["id"])

    def test_not_found_takes_no_longer_for_one_than_for_the_other(self):
        """Medians of interleaved calls, within a wide factor."""
        def median(values):
            return sorted(values)[len(values) // 2]

        nowhere = "sr:us:person:safe:0x" + secrets.token_hex(20)
        pairs = {
            "user": (self.rival, None, "/v0/users/" + quote(
                self.consent["sri"]), "/v0/users/" + quote(nowhere)),
            "pint": (self.rival, None,
                     "/v0/sis/pint/" + quote(self.consent["id"]),
                     "/v0/sis/pint/" + quote("sr:us:pint:" + "0" * 32)),
            "subject": (self.partner, self.consent["token"],
                        self.kyc(self.other_user),
                        "/v0/users/usr_nobody/kyc"),
        }
        for name, (partner, token, there, nothing) in pairs.items():
            times = {there: [], nothing: []}
            for _ in range(60):
                for path in (there, nothing):
                    start = time.perf_counter()
                    status = partner.get(path, token)[0]
                    times[path].append(time.perf_counter() - start)
                    self.assertIn(status, (403, 404))
            one, other = median(times[there]), median(times[nothing])
            self.assertLess(max(one, other), 3 * min(one, other) + 0.002, name)


class Limits(PartnerTest):
    FLAGS = {"gateway": ["--rate_limit_key=3"]}

    def test_one_too_many(self):
        partner = self.stack.partner()
        pint = "/v0/sis/pint/" + quote("sr:us:pint:x") + "/status"
        for left in (2, 1, 0):
            status, headers, _ = partner.get(pint, headers={
                "x-forwarded-for": secrets.token_hex(2)})
            self.assertEqual(status, 404)
            self.assertEqual(headers["x-ratelimit-limit"], "3")
            self.assertEqual(headers["x-ratelimit-remaining"], str(left))
            self.assertGreater(int(headers["x-ratelimit-reset"]),
                               time.time() - 1)
        before = self.stack.rpcs()
        answer = partner.get(pint)
        self.assert_problem(answer, 429, "GEN-429-001")
        self.assertGreaterEqual(int(answer[1]["retry-after"]), 1)
        self.assertEqual(answer[1]["x-ratelimit-remaining"], "0")
        after = self.stack.rpcs()
        self.assertEqual(before.get("PartnerService/GetPintStatus"),
                         after.get("PartnerService/GetPintStatus"))
        self.assertEqual(self.stack.partner().get(pint)[0], 404)


class Downloads(PartnerTest):
    # Two hundred at once keep a small machine's provider busy for a while.
    FLAGS = {"kyc": ["--provider_timeout=60s"]}
    SIZE = 10_000_000
    PARALLEL = 200
    USERS = 8  # Reads of one user wait for each other's entry in the log.

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.page = jpeg() + secrets.token_bytes(cls.SIZE - len(jpeg()))
        cls.partner = cls.stack.partner()
        cls.images = []  # (user, token, path)
        for _ in range(cls.USERS):
            user = cls.verified(cls.page)
            token = cls.partner.consent(Wallet(user))["token"]
            kyc = cls.partner.get(cls.kyc(user), token)[2]
            image = next(one["image_ids"][0] for one in kyc["documents"]
                         if one["image_ids"])
            cls.images.append(
                (user, token, f"{cls.kyc(user)}/document/{image}")
            )

    def peak(self, name):
        """A process's memory at its highest, in MB."""
        pid = self.stack.processes[name].pid
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")

    def head(self, number):
        _, token, path = self.images[number % self.USERS]
        return (
            f"GET {path} HTTP/1.1\r\nHost: a\r\n"
            f"Authorization: Bearer {self.partner.key}\r\n"
            f"x-sumvin-pint-token: {token}\r\n\r\n"
        ).encode()

    def open(self, number):
        sock = socket.socket()
        sock.settimeout(120)
        # Little room on this side, so that what waits waits at the other.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.connect(("127.0.0.1", self.stack.port("gateway")))
        sock.sendall(self.head(number))
        return sock

    def read(self, sock):
        """(status, bytes of the body, whether it is the page or the error)."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return 0, 0, False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status != 200:
            return status, 0, body
        size, same = 0, True
        while True:
            same = same and body == self.page[size : size + len(body)]
            size += len(body)
            if size >= self.SIZE:
                return status, size, same
            body = sock.recv(262144)
            if not body:
                return status, size, False

    def test_many_at_once_take_little_memory(self):
        before = {name: self.peak(name) for name in ("gateway", "kyc")}
        results = []
        lock = threading.Lock()

        def download(number):
            with self.open(number) as sock:
                result = self.read(sock)
            with lock:
                results.append(result)

        threads = [threading.Thread(target=download, args=(number,))
                   for number in range(self.PARALLEL)]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        took = time.monotonic() - start
        self.assertEqual(
            collections.Counter(results),
            {(200, self.SIZE, True): self.PARALLEL},
        )
        grown = {name: self.peak(name) - before[name] for name in before}
        print(f"\n{self.PARALLEL} downloads of {self.SIZE / 1e6:.0f} MB in "
              f"{took:.0f} s; memory grew by {grown} MB")
        # Whole they would be 2000 MB; a window of each is what is held, and
        # gRPC makes its windows larger the slower the other side reads.
        for name, megabytes in grown.items():
            self.assertLess(megabytes, 400, name)

    def test_who_stops_reading_stalls_only_itself(self):
        stalled = [self.open(number) for number in range(20)]
        user, token, path = self.images[0]
        try:
            for sock in stalled:
                self.assertTrue(sock.recv(1))
            for _ in range(3):
                start = time.monotonic()
                status, _, content = self.partner.get(
                    path, token, timeout=60
                )
                self.assertEqual((status, content == self.page), (200, True))
                self.assertEqual(
                    self.partner.get(self.kyc(user), token)[0], 200
                )
                self.assertLess(time.monotonic() - start, 20)
            # They are cut in the end, and their providers' answers with them.
            def cut():
                text = request(
                    self.stack.port("gateway_admin"), "GET", "/metrics"
                )[2]
                line = next(line for line in text.splitlines()
                            if line.startswith("kyc_http_connections "))
                return float(line.split()[1]) < len(stalled)

            wait_until(cut, 90, 0.5, "stalled connections are cut")
        finally:
            for sock in stalled:
                sock.close()


if __name__ == "__main__":
    unittest.main()
