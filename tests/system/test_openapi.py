"""Every operation of /openapi.json, called: answers are as described."""

import copy
import json
import re
import secrets
import subprocess
import unittest
import urllib.parse

import jsonschema

from stack import Stack, Wallet, binary, request
from test_documents import FORM, form, jpeg

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


def closed(schema):
    """The schema with objects that take no members but those it names."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        out.setdefault("additionalProperties", False)
    return out


class OpenApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack({
            "kyc": ["--default_kyc_mode=document_only"],
            "provider": ["--outcome_delay=300ms"],
        })
        cls.addClassCleanup(cls.stack.stop)
        status, headers, cls.document = request(
            cls.stack.port("gateway"), "GET", "/openapi.json"
        )
        assert status == 200 and headers["content-type"] == "application/json"
        components = copy.deepcopy(cls.document["components"])
        components["schemas"] = closed(components["schemas"])
        cls.components = components
        cls.key = cls.new_key("manage_features,manage_keys,manage_webhooks")
        cls.weak_key = cls.new_key("get_details")
        cls.operations = {
            operation["operationId"]: (method, path, operation)
            for path, item in cls.document["paths"].items()
            for method, operation in item.items() if method in METHODS
        }

    @classmethod
    def new_key(cls, scopes):
        return json.loads(subprocess.run(
            [binary("kycctl"), "--kyc_address=" + cls.stack.address("kyc"),
             "keys", "create", "--org=acme", "--env=live", "--name=test",
             "--scopes=" + scopes, "--json"],
            check=True, capture_output=True, text=True,
        ).stdout)["key"]

    def setUp(self):
        self.stack.fault("none")
        self.called = set()

    def resolve(self, value):
        while "$ref" in value:
            target = self.document
            for token in value["$ref"][2:].split("/"):
                target = target[token]
            value = target
        return value

    def check_schema(self, schema, value):
        jsonschema.Draft202012Validator(
            {"allOf": [closed(schema)], "components": self.components}
        ).validate(value)

    def check(self, operation_id, answer, expected):
        """That an answer has this status, and is described."""
        status, headers, body = answer
        method, _, operation = self.operations[operation_id]
        self.assertEqual(status, expected, body)
        self.assertIn(str(status), operation["responses"])
        response = self.resolve(operation["responses"][str(status)])
        for name, header in response.get("headers", {}).items():
            header = self.resolve(header)
            if header.get("required"):
                self.assertIn(name.lower(), headers)
            if name.lower() in headers and "const" in header["schema"]:
                self.assertEqual(headers[name.lower()], header["schema"]["const"])
        if method == "head":
            self.assertEqual(body, "")
            return
        content = response.get("content")
        if not content:
            self.assertEqual(body, "")
            return
        kind = headers["content-type"].split(";")[0]
        self.assertIn(kind, content)
        if kind.startswith("image/"):
            self.assertIsInstance(body, bytes)
            return
        self.check_schema(content[kind]["schema"], body)
        if kind == "application/problem+json":
            self.assertIn(body["error_code"], response["x-error-codes"])

    def call(self, operation_id, expected, user=None, key=None, token=None,
             headers=None, body=None, query="", **params):
        """Calls one operation, as a user, with a key, or as nobody."""
        self.called.add(operation_id)
        method, path, operation = self.operations[operation_id]
        params["key"] = params.pop("key_id", None)  # Not the caller's key.
        path = re.sub(
            r"\{(\w+)\}",
            lambda m: params[m[1]] if m[1] == "path"
            else urllib.parse.quote(params[m[1]], safe=""), path,
        ) + query
        fields = dict(headers or {})
        if user:
            fields["x-juno-jwt"] = user.token
        if key:
            fields["authorization"] = "Bearer " + key
        if token:
            fields["x-sumvin-pint-token"] = token
        if isinstance(body, dict):
            # What is sent with success is as described, too.
            media = operation["requestBody"]["content"]["application/json"]
            if expected < 300:
                self.check_schema(media["schema"], body)
            body = json.dumps(body)
            fields["content-type"] = "application/json"
        answer = request(
            self.stack.port("gateway"), method.upper(), path, fields, body
        )
        self.check(operation_id, answer, expected)
        return answer

    def applicant(self):
        user = self.stack.user()
        self.call("createApplicant", 201, user)
        return user

    def test_every_operation(self):
        self.verification()
        self.documents()
        self.user_and_onboarding()
        self.gate()
        self.webhooks()
        self.features()
        self.keys()
        self.webhooks_out()
        self.partners()
        self.call("getOpenApi", 200)
        self.call("getDocs", 200)
        self.assertEqual(self.called, set(self.operations))

    def verification(self):
        user = self.applicant()
        self.call("createApplicant", 200, user)
        once = {"idempotency-key": secrets.token_hex(4)}
        self.call("createApplicant", 200, user, headers=once)
        self.call("createApplicant", 200, user, headers=once)
        self.call("createApplicant", 422, user, headers=once,
                  body=b"another")
        self.call("createApplicant", 413, user, headers=once,
                  body=b"x" * 20_000)
        self.call("createApplicant", 422, user,
                  headers={"idempotency-key": "k" * 256})
        self.call("createApplicant", 401, user,
                  headers={"x-juno-orgid": "malformed"})
        self.call("createAccessToken", 200, user)
        self.call("createAccessToken", 200, user, query="?level=liveness")
        self.call("createAccessToken", 422, user, query="?level=x")
        fresh = self.stack.user()
        self.call("getStatus", 200, fresh)
        self.call("getStatus", 404, fresh, query="?refresh=true")
        self.call("getStatus", 422, fresh, query="?refresh=x")
        self.call("getDetails", 404, fresh)
        self.call("getDetails", 422, fresh, query="?refresh=x")
        for outcome, status in (("retry", "retry"), ("approve", "approved"),
                                ("reject", "rejected")):
            one = self.applicant()
            one.play_sdk(outcome, level="document-only")
            one.wait_for(status)
            for fields in ({}, {"x-timestamp-format": "iso8601"}):
                self.call("getStatus", 200, one, headers=fields)
                self.call("getUser", 200, one, headers=fields)
                self.call("getDetails", 200, one, headers=fields)
            self.call("getStatus", 200, one, query="?refresh=true")
            self.call("getDetails", 200, one, query="?refresh=true")
        self.stack.fault("down")
        self.call("createApplicant", 502, self.stack.user())
        self.call("createAccessToken", 500, user)
        self.call("getStatus", 502, user, query="?refresh=true")
        self.call("getDetails", 502, user)
        self.stack.fault("none")

    def upload(self, user):
        return self.call(
            "uploadDocument", 201, user, headers=FORM, body=form(jpeg())
        )

    def documents(self):
        user = self.applicant()
        self.call("getRequiredDocuments", 200, user)
        self.call("submit", 409, user)
        self.call("uploadDocument", 400, user, headers=FORM,
                  body=form(b"GIF89a"))
        self.call("uploadDocument", 400, user, headers=FORM, body=b"--x")
        self.call("uploadDocument", 415, user, body=b"x")
        self.call("uploadDocument", 422, user, headers=FORM,
                  body=form(jpeg(), country="gb"))
        self.stack.sandbox("/sandbox/uploads", {
            "warnings": ["badPhoto"], "count": 1,
        })
        warned = self.upload(user)[2]
        self.assertTrue(warned["warnings"])
        self.upload(user)
        self.call("getRequiredDocuments", 200, user)
        once = {"idempotency-key": secrets.token_hex(4)}
        self.call("submit", 200, user, headers=once)
        again = self.call("submit", 200, user, headers=once)
        self.assertEqual(again[1]["idempotency-replayed"], "true")
        self.call("submit", 422, user, headers=once, body=b"another")
        fresh = self.stack.user()
        self.call("uploadDocument", 404, fresh, headers=FORM,
                  body=form(jpeg()))
        self.call("getRequiredDocuments", 404, fresh)
        self.call("submit", 404, fresh)
        other = self.applicant()
        self.stack.fault("down")
        self.call("uploadDocument", 500, other, headers=FORM,
                  body=form(jpeg()))
        self.call("getRequiredDocuments", 502, other)
        self.call("submit", 500, other)
        self.stack.fault("none")

    def user_and_onboarding(self):
        user = self.stack.user()
        self.call("getUser", 200, user)
        self.call("getOnboarding", 200, user)
        self.call("submitOnboardingStep", 200, user,
                  body={"step": "phone_verification"})
        self.call("submitOnboardingStep", 409, user,
                  body={"step": "card_setup"})
        self.call("submitOnboardingStep", 422, user, body={"step": 1})
        self.call("submitOnboardingStep", 415, user, body=b"x",
                  headers={"content-type": "text/plain"})
        self.call("submitOnboardingStep", 413, user,
                  body={"step": "x" * 5000})

    def gate(self):
        approved = self.stack.user()
        self.call("createApplicant", 201, approved)
        approved.play_sdk("approve", level="document-only")
        approved.wait_for("approved")
        for method in METHODS:
            name = "gate" + method.capitalize()
            path = "gatePath" + method.capitalize()
            self.call(name, 200, approved)
            self.call(path, 200, approved, path="v0/cards")
            self.call(name, 403, self.stack.user())
            self.call(path, 403, self.stack.user(), path="v0/cards")

    def webhooks(self):
        body = b'{"type":"unknown"}'
        self.call("ingestSumsubEvent", 200, body=body, headers={
            "X-Payload-Digest": self.stack.sign(body),
            "content-type": "application/json",
        })
        self.call("ingestSumsubEvent", 401, body=body)
        self.call("ingestSumsubEvent", 413, body=b"x" * (1 << 20) + b"x")

    def features(self):
        at = {"org": "acme", "env": "live"}
        one = {**at, "feature": "kyc", "key": self.key}
        self.call("getFeature", 404, **one)
        self.call("listFeatures", 200, key=self.key, **at)
        self.call("listFeatures", 200, key=self.key, query="?scope=available",
                  **at)
        self.call("listFeatures", 422, key=self.key, query="?scope=x", **at)
        for body in ({"enabled": True, "config": {"mode": "hybrid"}},
                     {"enabled": False}, {"enabled": True, "config": {}}):
            self.call("putFeature", 200, body=body, **one)
            self.call("getFeature", 200, **one)
        self.call("getFeature", 200, headers={
            "x-timestamp-format": "iso8601"}, **one)
        self.call("listFeatures", 200, key=self.key, **at)
        self.call("putFeature", 422, body={"enabled": 1}, **one)
        self.call("putFeature", 415, body=b"x", **one)
        self.call("putFeature", 413, body={"x": "x" * 20_000}, **one)
        self.call("deleteFeature", 204, **one)
        for name in ("getFeature", "putFeature", "deleteFeature"):
            self.call(name, 404, org="other", env="live", feature="kyc",
                      key=self.key,
                      body={"enabled": True} if "put" in name else None)
        self.call("listFeatures", 404, key=self.key, org="other", env="live")

    def keys(self):
        at = {"org": "acme", "key": self.key}
        form_ = {"name": "backend", "env_id": "live"}
        created = self.call("createKey", 201, body={
            **form_, "scopes": ["sis.get_kyc"], "audience": "a.example"},
            **at)[2]
        self.call("createKey", 201, body=form_, **at)
        self.call("createKey", 422, body={**form_, "scopes": []}, **at)
        self.call("createKey", 422, body={**form_, "scopes": ["x"]}, **at)
        self.call("createKey", 422, body={"name": 1}, **at)
        self.call("createKey", 404, body={**form_, "env_id": "x"}, **at)
        self.call("createKey", 415, body=b"x", **at)
        self.call("createKey", 413, body={"name": "x" * 20_000}, **at)
        self.call("listKeys", 200, **at)
        self.call("listKeys", 404, org="other", key=self.key)
        self.call("getKey", 200, key_id=created["id"], **at)
        self.call("getKey", 404, key_id="none", **at)
        self.call("revokeKey", 404, key_id="none", **at)
        self.call("revokeKey", 204, key_id=created["id"], **at)
        self.call("getKey", 200, key_id=created["id"], **at)

    def webhooks_out(self):
        at = {"org": "acme", "env": "live", "key": self.key}
        body = {"url": "https://hooks.acme.example/kyc"}
        created = self.call("createWebhook", 201, body=body, **at)[2]
        one = {**at, "webhook": created["id"]}
        self.call("createWebhook", 201, body={
            **body, "event_types": ["kyc.approved"], "description": "x",
            "enabled": False, "secret": created["secret"]}, **at)
        self.call("createWebhook", 422, body={"url": "http://10.0.0.1/"}, **at)
        self.call("createWebhook", 422, body={**body, "event_types": ["x"]},
                  **at)
        self.call("createWebhook", 415, body=b"x", **at)
        self.call("createWebhook", 413, body={"url": "x" * 20_000}, **at)
        self.call("listWebhooks", 200, **at)
        self.call("getWebhook", 200, **one)
        self.call("getWebhook", 200, headers={
            "x-timestamp-format": "iso8601"}, **one)
        self.call("updateWebhook", 200, body={"description": "y"}, **one)
        self.call("updateWebhook", 422, body={"url": "x"}, **one)
        self.call("updateWebhook", 415, body=b"x", **one)
        self.call("updateWebhook", 413, body={"url": "x" * 20_000}, **one)
        self.call("rotateWebhookSecret", 200, **one)
        self.call("rotateWebhookSecret", 200,
                  body={"secret": created["secret"]}, **one)
        self.call("rotateWebhookSecret", 422, body={"secret": "x"}, **one)
        self.call("rotateWebhookSecret", 415, body=b"x", **one)
        self.call("rotateWebhookSecret", 413, body={"secret": "x" * 20_000},
                  **one)
        delivery = self.call("testWebhook", 202, **one)[2]
        self.call("listDeliveries", 200, **one)
        self.call("listDeliveries", 200, query="?limit=1", **one)
        self.call("listDeliveries", 422, query="?limit=0", **one)
        self.call("resendDelivery", 202, delivery=delivery["id"], **one)
        self.call("resendDelivery", 404, delivery="x", **one)
        for _ in range(18):
            self.call("createWebhook", 201, body=body, **at)
        self.call("createWebhook", 409, body=body, **at)
        self.call("deleteWebhook", 204, **one)
        for name in ("getWebhook", "deleteWebhook", "testWebhook",
                     "listDeliveries", "rotateWebhookSecret"):
            self.call(name, 404, **one)
        self.call("updateWebhook", 404, body={}, **one)
        self.call("listWebhooks", 404, **{**at, "org": "other"})
        self.call("createWebhook", 404, body=body, **{**at, "env": "other"})

    def partners(self):
        user = self.applicant()
        self.upload(user)
        user.play_sdk("approve", level="document-only")
        user.wait_for("approved")
        wallet = Wallet(user, register=False)
        form_ = {"primary_eoa_address": wallet.eoa, "chain_id": 1329,
                 "primary_smart_wallet_address": wallet.safe}
        self.call("registerUser", 201, user, body=form_)
        self.call("registerUser", 208, user, body=form_)
        self.call("registerUser", 409, self.stack.user(), body=form_)
        self.call("registerUser", 422, user, body={"chain_id": 1})
        self.call("registerUser", 415, user, body=b"x")
        self.call("registerUser", 413, user, body={"x": "x" * 5000})
        self.call("getUser", 200, user, query="?expand=wallets")

        partner = self.stack.partner()
        key = {"key": partner.key}
        signed = wallet.sign(partner.audience)
        exchanged = self.call("exchangePint", 200, body=signed, **key)[2]
        self.call("exchangePint", 400, body={}, **key)
        self.call("exchangePint", 400, body={**signed, "audience": "x"}, **key)
        changed = {**signed, "pint": {**signed["pint"], "nonce": 1}}
        self.call("exchangePint", 401, body=changed, **key)
        self.call("exchangePint", 403, body=wallet.sign(
            partner.audience, scopes="sr:us:pint:identity:x"), **key)
        changed = {**signed, "pint": {**signed["pint"], "statement": ""}}
        self.call("exchangePint", 409, body=changed, **key)
        self.call("exchangePint", 410, body=wallet.sign(
            partner.audience, expires_at=1), **key)
        self.call("exchangePint", 415, body=b"x", **key)
        self.call("exchangePint", 413, body={"x": "x" * 70_000}, **key)
        self.call("exchangePint", 422, body=b"\xff", headers={
            "content-type": "application/json"}, **key)
        self.call("getSigningKeys", 200)

        pint = {"pint_id": exchanged["id"], **key}
        none = {"pint_id": "sr:us:pint:0", **key}
        iso = {"x-timestamp-format": "iso8601"}
        self.call("listPints", 200, **key)
        self.call("listPints", 200, headers=iso, query="?status=active", **key)
        self.call("listPints", 422, query="?limit=0", **key)
        self.call("getPint", 200, **pint)
        self.call("getPint", 200, query="?expand=tokens", **pint)
        self.call("getPint", 422, query="?expand=x", **pint)
        self.call("getPintStatus", 200, **pint)
        self.call("listPintTokens", 200, **pint)
        self.call("listPintTokens", 200, user, pint_id=exchanged["id"])
        for name in ("getPint", "getPintStatus", "listPintTokens"):
            self.call(name, 404, **none)

        self.call("lookUpUser", 200, sri=exchanged["sri"], **key)
        self.call("lookUpUser", 400, sri="x", **key)
        self.call("lookUpUser", 404,
                  sri="sr:us:person:safe:0x" + "1" * 40, **key)

        read = {"user_id": user.sub, "token": exchanged["token"], **key}
        kyc = self.call("readKyc", 200, **read)[2]
        self.call("readKyc", 200, headers=iso, **read)
        self.call("readKyc", 403, **{**read, "user_id": "usr_other"})
        image = next(one["image_ids"][0] for one in kyc["documents"]
                     if one["image_ids"])
        self.call("readImage", 200, image_id=image, **read)
        self.call("readImage", 404, image_id="1", **read)
        self.stack.fault("down")
        self.call("readImage", 502, image_id=image, **read)
        self.stack.fault("none")
        fresh = self.stack.user()
        token = partner.consent(Wallet(fresh))["token"]
        self.call("readKyc", 404, user_id=fresh.sub, token=token, **key)

        self.call("getAccessLog", 200, user)
        self.call("getAccessLog", 200, user, query="?limit=1", headers=iso)
        self.call("getAccessLog", 422, user, query="?limit=0")
        self.call("revokePint", 404, user, pint_id="sr:us:pint:0")
        self.call("revokePint", 200, user, pint_id=exchanged["id"])
        self.call("getPintStatus", 200, **pint)
        self.call("readKyc", 401, **read)
        self.call("readImage", 401, image_id=image, **read)

    def test_nobody_gets_in(self):
        params = {"org": "acme", "env": "live", "feature": "kyc",
                  "key_id": "k", "path": "x", "pint_id": "p", "sri": "s",
                  "user_id": "u", "image_id": "i", "webhook": "w",
                  "delivery": "d"}
        for name, (method, _, operation) in self.operations.items():
            security = operation.get("security", self.document["security"])
            if not security:
                continue
            with self.subTest(name):
                self.call(name, 401, **params)
                self.call(name, 401, headers={
                    "x-juno-jwt": "a.b.c", "authorization": "Bearer x",
                    "x-payload-digest": "00",
                }, **params)
                if operation["responses"].get("403", {}).get(
                        "$ref", "").endswith("InsufficientScope"):
                    self.call(name, 403, headers={
                        "authorization": "Bearer " + self.weak_key}, **params)

    def test_limits_are_described(self):
        stack = Stack({"gateway": ["--rate_limit_user=1"]}, start=False)
        self.addCleanup(stack.stop)
        stack.start_all()
        user = stack.user()
        self.check("getStatus", user.get("/v0/kyc/status"), 200)
        answer = user.get("/v0/kyc/status")
        self.check("getStatus", answer, 429)
        described = self.resolve(
            self.operations["getStatus"][2]["responses"]["429"]
        )["headers"]
        for name in described:
            self.assertIn(name.lower(), answer[1])

    def test_what_is_behind_may_be_missing(self):
        stack = Stack(start=False)
        self.addCleanup(stack.stop)
        stack.start_all()
        user = stack.user()
        stack.kill("kyc")
        answer = user.get("/v0/kyc/status")
        self.check("getStatus", answer, 503)
        self.assertIn("retry-after", answer[1])
        self.check("gateGet", user.get("/v0/kyc/gate"), 503)
        stack.kill("webhook")
        self.check("ingestSumsubEvent", stack.webhook({}), 503)

    def test_examples_are_as_described(self):
        count = 0
        for name, (_, _, operation) in self.operations.items():
            places = list(operation["responses"].values())
            if "requestBody" in operation:
                places.append(operation["requestBody"])
            for place in places:
                for media in self.resolve(place).get("content", {}).values():
                    if "example" in media:
                        with self.subTest(name):
                            self.check_schema(media["schema"], media["example"])
                            count += 1
        self.assertGreater(count, 15)

    def test_schemas_are_schemas(self):
        for name, schema in self.document["components"]["schemas"].items():
            with self.subTest(name):
                jsonschema.Draft202012Validator.check_schema(schema)

    def test_the_checks_can_fail(self):
        good = {"status": "pending", "applicant_id": "a", "_links": {
            "self": {"href": "/"}, "status": {"href": "/"},
            "details": {"href": "/"}}}
        schema = {"$ref": "#/components/schemas/Submission"}
        self.check_schema(schema, good)
        for bad in ({**good, "extra": 1}, {**good, "applicant_id": None},
                    {**good, "_links": {}}):
            with self.assertRaises(jsonschema.ValidationError):
                self.check_schema(schema, bad)


if __name__ == "__main__":
    unittest.main()
