"""Features of environments, API keys, and what a tenant's mode does."""

import glob
import json
import os
import subprocess
import time
import unittest

from stack import Stack, binary, request

FEATURE = "/v0/organisation/{}/environments/{}/features/kyc"
MODES = "websdk, hybrid, document_only"


class Features(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    # Callers.

    def kycctl(self, *args, code=0):
        run = subprocess.run(
            [binary("kycctl"), "--kyc_address=" + self.stack.address("kyc"), *args],
            capture_output=True, text=True, timeout=30,
        )
        self.assertEqual(run.returncode, code, run.stderr)
        return run.stdout if code == 0 else run.stderr

    def new_key(self, org, env, scopes="manage_features,manage_keys", **more):
        flags = [f"--{name}={value}" for name, value in more.items()]
        return json.loads(self.kycctl(
            "keys", "create", "--org=" + org, "--env=" + env, "--name=test",
            "--scopes=" + scopes, "--json", *flags,
        ))

    def admin(self, key, method, path, body=None):
        headers = {"authorization": "Bearer " + key}
        if body is not None:
            headers["content-type"] = "application/json"
            if not isinstance(body, (str, bytes)):
                body = json.dumps(body)
        return request(
            self.stack.port("gateway"), method, path, headers, body
        )

    def put_mode(self, key, org, env, mode):
        status, _, body = self.admin(
            key, "PUT", FEATURE.format(org, env),
            {"enabled": True, "config": {"mode": mode}},
        )
        self.assertEqual(status, 200, body)
        return body

    def shown_mode(self, user, tenant=None):
        headers = {"x-juno-orgid": tenant} if tenant else {}
        status, _, body = user.get(
            "/v0/user/me/onboarding/steps", headers=headers
        )
        self.assertEqual(status, 200)
        return next(
            step["meta"]["kyc_mode"] for step in body["onboarding"]["steps"]
            if step["step"] == "kyc_verification"
        )

    def level_of(self, user):
        return self.stack.redis(
            "--raw", "hget",
            next(
                key for key in self.stack.redis("--raw", "keys", "*").split("\n")
                if key.endswith("user:" + user.sub)
            ),
            "required_level",
        )

    def expect(self, answer, status, code):
        self.assertEqual(answer[0], status, answer[2])
        self.assertEqual(answer[2]["error_code"], code)
        return answer[2]

    # Modes.

    def test_the_shown_mode_follows_the_feature_at_once(self):
        key = self.new_key("follow", "e")["key"]
        user = self.stack.user()
        path = FEATURE.format("follow", "e")
        self.assertEqual(self.shown_mode(user, "follow:e"), "websdk")
        self.expect(self.admin(key, "GET", path), 404, "KYC-404-003")
        before = int(time.time() * 1000)
        body = self.put_mode(key, "follow", "e", "hybrid")
        created = body["feature"].pop("created_at")
        self.assertEqual(body["feature"].pop("updated_at"), created)
        self.assertLessEqual(before, created)
        self.assertEqual(
            body,
            {
                "_links": {
                    "self": {"href": path},
                    "environment": {
                        "href": "/v0/organisation/follow/environments/e"
                    },
                },
                "feature": {
                    "feature": "kyc",
                    "enabled": True,
                    "config": {"mode": "hybrid"},
                },
            },
        )
        self.assertEqual(self.shown_mode(user, "follow:e"), "hybrid")
        for mode in ("document_only", "websdk", "hybrid"):
            body = self.put_mode(key, "follow", "e", mode)
            self.assertEqual(body["feature"]["created_at"], created)
            self.assertEqual(self.shown_mode(user, "follow:e"), mode)
        # Disabled, without config, deleted: the default applies.
        for setting in (
            {"enabled": False, "config": {"mode": "hybrid"}},
            {"enabled": True},
            {"enabled": True, "config": {}},
        ):
            self.put_mode(key, "follow", "e", "hybrid")
            self.assertEqual(self.admin(key, "PUT", path, setting)[0], 200)
            self.assertEqual(self.shown_mode(user, "follow:e"), "websdk")
        self.assertEqual(
            self.admin(key, "GET", path)[2]["feature"]["config"], {}
        )
        self.put_mode(key, "follow", "e", "hybrid")
        for _ in range(2):
            self.assertEqual(self.admin(key, "DELETE", path)[0], 204)
        self.assertEqual(self.shown_mode(user, "follow:e"), "websdk")
        self.expect(self.admin(key, "GET", path), 404, "KYC-404-003")

    def test_tenants_differ_and_a_level_is_pinned_once(self):
        hybrid = self.new_key("two", "a")["key"]
        documents = self.new_key("two", "b")["key"]
        self.put_mode(hybrid, "two", "a", "hybrid")
        self.put_mode(documents, "two", "b", "document_only")
        user = self.stack.user()
        self.assertEqual(self.shown_mode(user, "two:a"), "hybrid")
        self.assertEqual(self.shown_mode(user, "two:b"), "document_only")
        self.assertEqual(self.shown_mode(user, "two:c"), "websdk")
        self.assertEqual(self.shown_mode(user), "websdk")

        status, _, _ = user.post(
            "/v0/kyc/applicant", headers={"x-juno-orgid": "two:b"}
        )
        self.assertEqual(status, 201)
        self.assertEqual(self.level_of(user), "document-only")
        status, _, body = user.post(
            "/v0/kyc/applicant", headers={"x-juno-orgid": "two:a"}
        )
        self.assertEqual((status, body["already_existed"]), (200, True))
        self.assertEqual(self.level_of(user), "document-only")

        by_token = self.stack.user()
        status, _, _ = by_token.post(
            "/v0/kyc/access-token", headers={"x-juno-orgid": "two:a"}
        )
        self.assertEqual(status, 200)
        self.assertEqual(self.level_of(by_token), "liveness")
        # Steps that are submitted show the mode too.
        status, _, body = by_token.post(
            "/v0/user/me/onboarding/steps", {"step": "phone_verification"},
            headers={"x-juno-orgid": "two:b"},
        )
        self.assertEqual(status, 200)
        self.assertEqual(
            body["onboarding"]["steps"][1]["meta"],
            {"kyc_mode": "document_only"},
        )

    def test_an_unreadable_feature_shows_websdk_and_begins_nothing(self):
        key = self.new_key("broken", "e")["key"]
        began = self.stack.user()
        tenant = {"x-juno-orgid": "broken:e"}
        self.assertEqual(
            began.post("/v0/kyc/applicant", headers=tenant)[0], 201
        )
        self.stack.redis("set", "kyc:{org:broken:e}:features", "text")
        user = self.stack.user()
        self.assertEqual(self.shown_mode(user, "broken:e"), "websdk")
        for path in ("/v0/kyc/applicant", "/v0/kyc/access-token"):
            answer = user.post(path, headers=tenant)
            self.expect(answer, 503, "GEN-503-001")
            self.assertIn("retry-after", answer[1])
            # Who has begun goes on, and other tenants are not concerned.
            self.assertEqual(began.post(path, headers=tenant)[0], 200)
        self.assertIsNone(user.get("/v0/kyc/status")[2]["applicant_id"])
        self.expect(
            self.admin(key, "GET", FEATURE.format("broken", "e")),
            500, "KYC-500-001",
        )
        self.stack.redis("del", "kyc:{org:broken:e}:features")
        self.assertEqual(
            user.post("/v0/kyc/applicant", headers=tenant)[0], 201
        )

    # Bodies.

    def test_wrong_bodies_change_nothing_and_name_what_is_allowed(self):
        key = self.new_key("strict", "e")["key"]
        path = FEATURE.format("strict", "e")
        self.put_mode(key, "strict", "e", "hybrid")
        before = self.admin(key, "GET", path)[2]
        for body in (
            {"enabled": True, "config": {"kyc_mode": "websdk"}},
            {"enabled": True, "config": {"mode": "WebSDK"}},
            {"enabled": True, "config": {"mode": "video"}},
            {"enabled": True, "config": {"mode": None}},
            {"enabled": True, "config": {"mode": "websdk", "x": 1}},
            {"enabled": True, "config": None},
            {"enabled": True, "config": "websdk"},
            {"enabled": True, "mode": "websdk"},
            {"enabled": "true"},
            {"enabled": 1},
            {"config": {"mode": "websdk"}},
            {},
            [],
        ):
            problem = self.expect(
                self.admin(key, "PUT", path, body), 422, "KYC-422-001"
            )
            self.assertIn(MODES, problem["detail"], body)
            self.assertEqual(problem["instance"], path)
        for body in ("", "{", "{'enabled':true}", b'{"enabled":true,"a":"\xff"}',
                     '{"enabled":true,"enabled":false}'):
            self.expect(
                self.admin(key, "PUT", path, body), 422, "KYC-422-002"
            )
        self.assertEqual(self.admin(key, "GET", path)[2], before)
        answer = request(
            self.stack.port("gateway"), "PUT", path,
            {"authorization": "Bearer " + key, "content-type": "text/plain"},
            '{"enabled":true}',
        )
        self.expect(answer, 415, "GEN-415-001")
        self.expect(
            self.admin(key, "PUT", path.replace("/kyc", "/ai_agent"),
                       {"enabled": True}),
            404, "KYC-404-003",
        )

    def test_lists_show_what_is_enabled_or_available(self):
        key = self.new_key("lists", "e")["key"]
        path = "/v0/organisation/lists/environments/e/features"
        self.assertEqual(self.admin(key, "GET", path)[2]["features"], [])
        [feature] = self.admin(key, "GET", path + "?scope=available")[2][
            "features"
        ]
        self.assertEqual(
            feature,
            {"feature": "kyc", "enabled": False, "config": {},
             "created_at": None, "updated_at": None},
        )
        self.put_mode(key, "lists", "e", "hybrid")
        [feature] = self.admin(key, "GET", path)[2]["features"]
        self.assertEqual(feature["config"], {"mode": "hybrid"})
        self.expect(
            self.admin(key, "GET", path + "?scope=x"), 422, "KYC-422-002"
        )

    # Keys.

    def test_a_key_opens_its_own_environment_within_its_scopes(self):
        key = self.new_key("own", "e")["key"]
        reader = self.new_key("own", "e", "sis.get_kyc")["key"]
        path = FEATURE.format("own", "e")
        answer = self.admin(reader, "GET", path)
        problem = self.expect(answer, 403, "SIS-403-001")
        self.assertIn("manage_features", problem["detail"])
        for other in (FEATURE.format("own", "f"), FEATURE.format("else", "e")):
            self.expect(self.admin(key, "GET", other), 404, "KYC-404-003")
            self.expect(
                self.admin(key, "PUT", other, {"enabled": True}),
                404, "KYC-404-003",
            )
        wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
        for headers in (
            {}, {"authorization": "Bearer"}, {"authorization": "Bearer x"},
            {"authorization": "Bearer " + wrong},
            {"authorization": "Basic " + key}, {"authorization": key},
            {"x-juno-jwt": self.stack.mint("usr_1")},
        ):
            answer = request(self.stack.port("gateway"), "GET", path, headers)
            self.expect(answer, 401, "SIS-401-001")
            self.assertEqual(answer[1]["www-authenticate"], "Bearer")
        # A key is no user.
        self.expect(
            self.admin(key, "GET", "/v0/kyc/status"), 401, "USR-401-001"
        )

    def test_keys_are_managed_over_rest(self):
        admin = self.new_key("rest", "e")["key"]
        path = "/v0/organisation/rest/keys"
        status, _, made = self.admin(admin, "POST", path, {
            "name": "partner", "env_id": "e",
            "scopes": ["sis.lookup", "get_kyc"], "audience": "p.example",
        })
        self.assertEqual(status, 201, made)
        self.assertEqual(made["scopes"], ["get_kyc", "lookup"])
        self.assertRegex(made["key"], "^kyc_live_[a-z2-7]{47}$")
        self.assertEqual(
            list(made), ["id", "name", "key", "meta", "scopes", "_links"]
        )
        one = f"{path}/{made['id']}"
        status, _, shown = self.admin(admin, "GET", one)
        self.assertEqual(status, 200)
        self.assertEqual(shown["api_key"]["audience"], "p.example")
        self.assertTrue(shown["api_key"]["enabled"])
        self.assertNotIn(made["key"], json.dumps(shown))
        listed = self.admin(admin, "GET", path)[2]["api_keys"]
        self.assertIn(shown["api_key"], listed)
        self.assertEqual(len(listed), 2)
        for body, code in (
            ({"name": "x", "env_id": "e", "scopes": ["root"]}, "SIS-422-006"),
            ({"name": "x", "env_id": "e", "scopes": []}, "SIS-422-007"),
            ({"name": "", "env_id": "e"}, "KYC-422-002"),
            ({"name": "x", "env_id": "e", "scope": []}, "KYC-422-002"),
        ):
            self.expect(self.admin(admin, "POST", path, body), 422, code)
        self.expect(
            self.admin(admin, "POST", path, {"name": "x", "env_id": "f"}),
            404, "SIS-404-001",
        )
        stranger = self.new_key("other", "e")["key"]
        for method in ("GET", "DELETE"):
            self.expect(self.admin(stranger, method, one), 404, "SIS-404-001")
            self.expect(
                self.admin(admin, method, path + "/key_none"),
                404, "SIS-404-001",
            )
        self.assertEqual(self.admin(admin, "DELETE", one)[0], 204)
        self.assertEqual(self.admin(admin, "DELETE", one)[0], 204)
        shown = self.admin(admin, "GET", one)[2]["api_key"]
        self.assertFalse(shown["enabled"])

    def test_a_revoked_key_is_refused_within_five_seconds(self):
        made = self.new_key("gone", "e")
        path = FEATURE.format("gone", "e")
        self.put_mode(made["key"], "gone", "e", "hybrid")
        for _ in range(40):
            self.assertEqual(self.admin(made["key"], "GET", path)[0], 200)
        self.assertEqual(
            self.kycctl("keys", "revoke", made["id"]),
            f"revoked {made['id']}\n",
        )
        revoked = time.monotonic()
        # Each of the gateway's loops remembers for itself.
        statuses = []
        while time.monotonic() < revoked + 5:
            statuses.append(self.admin(made["key"], "GET", path)[0])
            time.sleep(0.02)
        self.assertLessEqual(set(statuses), {200, 401})
        for _ in range(40):
            self.expect(
                self.admin(made["key"], "GET", path), 401, "SIS-401-001"
            )
        self.kycctl("keys", "revoke", made["id"])

    def test_kycctl_says_what_is_wrong_in_one_line(self):
        made = self.new_key("cli", "e", "sis.get_kyc,lookup",
                            audience="cli.example")
        self.assertEqual(made["scopes"], ["get_kyc", "lookup"])
        self.assertEqual(made["audience"], "cli.example")
        listed = json.loads(
            self.kycctl("keys", "list", "--org=cli", "--env=e", "--json")
        )
        self.assertEqual([key["id"] for key in listed], [made["id"]])
        self.assertNotIn("key", listed[0])
        self.assertIn(made["id"], self.kycctl("keys", "list"))
        text = self.kycctl(
            "keys", "create", "--org=cli", "--env=f", "--name=n",
            "--scopes=get_kyc",
        )
        self.assertRegex(text, "(?m)^key     kyc_live_")
        create = ["keys", "create", "--env=e", "--name=n"]
        for args, code, said in (
            ([*create, "--org=cli", "--scopes=root"], 1, "SIS-422-006"),
            ([*create, "--org=a b", "--scopes=lookup"], 1, "KYC-422-002"),
            ([*create, "--org=cli"], 2, "--scopes"),
            (["keys", "revoke", "key_none"], 1, "SIS-404-001"),
            (["keys", "revoke"], 2, "1 argument"),
            (["keys", "list", "--org=cli"], 2, "--env"),
            (["keys", "list", "--kyc_address=127.0.0.1:1"], 1,
             "127.0.0.1:1 does not answer"),
        ):
            error = self.kycctl(*args, code=code)
            self.assertIn(said, error)
            if code == 1:
                self.assertEqual(error.count("\n"), 1, error)

    def test_no_key_is_kept_or_logged(self):
        keys = [self.new_key("quiet", "e")["key"]]
        keys.append(self.admin(
            keys[0], "POST", "/v0/organisation/quiet/keys",
            {"name": "made", "env_id": "e", "scopes": ["lookup"]},
        )[2]["key"])
        for key in keys:
            self.admin(key, "GET", FEATURE.format("quiet", "e"))
            self.admin(key + "x", "GET", FEATURE.format("quiet", "e"))
        self.stack.redis("save")
        held = b""
        for name in glob.glob(self.stack.path("redis") + "/**", recursive=True):
            if os.path.isfile(name):
                with open(name, "rb") as file:
                    held += file.read()
        self.assertIn(b"quiet", held)
        logs = "".join(
            self.stack.log(name) for name in ("gateway", "kyc", "webhook")
        )
        self.assertIn("API key created", logs)
        for key in keys:
            secret = key[len("kyc_live_"):][:40]
            self.assertNotIn(secret.encode(), held)
            self.assertNotIn(secret, logs)

    def test_without_redis_keys_are_neither_good_nor_bad(self):
        with Stack() as stack:
            stack.kill("redis")
            answer = request(
                stack.port("gateway"), "GET", FEATURE.format("o", "e"),
                # Well-formed, so that it is looked up.
                {"authorization": "Bearer kyc_live_" + "a" * 40 + "hbijmua"},
            )
            self.expect(answer, 503, "GEN-503-001")


if __name__ == "__main__":
    unittest.main()
