"""Personal data and secrets stay where they belong.

Marked values go through every flow, and then everything that the services
leave behind is searched for them: logs, metrics, every key in Redis and its
files. What may be where is the table PLACES; anything else is a leak.

The services run under a file size limit of zero: writing a single byte to any
file ends them, so none can have a temporary file.
"""

import hashlib
import hmac
import json
import os
import re
import secrets
import time
import unittest

from stack import Stack, Wallet, event, request, wait_until

SERVICES = ("kyc", "webhook", "gateway")
BOUNDARY = "canary-boundary"

# Logs go through a cat, which was started before the limit.
SEALED = [
    "bash", "-c", 'exec > >(exec cat) 2>&1; ulimit -f 0; exec "$@"', "sealed",
]


def marker(what):
    return f"canary-{what}-{secrets.token_hex(6)}"


FIRST_NAME = marker("first")
LAST_NAME = marker("last")
BIRTH_DATE = "1943-11-27"
DOCUMENT = marker("document")
FILE_NAME = marker("file")
MODERATION_COMMENT = marker("moderation")
CLIENT_COMMENT = marker("client")
FORGED_COMMENT = marker("forged")
NOISE = {
    name: marker(name)
    for name in ("token", "query", "path", "header", "body", "form", "agent")
}

# Marker -> the only places in Redis it may be: (pattern of key, field).
RECORD = r"kyc:\{b\d{3}\}:user:.*"
EVENTS = r"kyc:\{e\d{2}\}:events"
PLACES = {
    FIRST_NAME: {(RECORD, "first_name")},
    LAST_NAME: {(RECORD, "last_names")},
    MODERATION_COMMENT: {(RECORD, "reject_reason"), (EVENTS, "b")},
    # An event is stored as it was received.
    CLIENT_COMMENT: {(EVENTS, "b")},
}


class SealedStack(Stack):
    def command(self, name):
        command = super().command(name)
        return SEALED + command if name in SERVICES else command


def strings(value):
    """All of a JSON value's texts."""
    if isinstance(value, dict):
        for member in value.values():
            yield from strings(member)
    elif isinstance(value, list):
        for element in value:
            yield from strings(element)
    elif isinstance(value, str):
        yield value


class Canary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        flags = {name: ["--log_level=debug"] for name in SERVICES}
        flags["kyc"].append("--default_kyc_mode=document_only")
        cls.stack = SealedStack(flags)
        try:
            cls.before = cls.shared_folders()
            cls.secrets = {}
            for name in ("app_token", "secret_key", "webhook_secret"):
                with open(cls.stack.path(name), encoding="utf-8") as file:
                    cls.secrets[name] = file.read().strip()
            cls.approve_with_documents()
            cls.read_by_a_partner()
            cls.reject_by_webhook()
            cls.make_noise()
            cls.wait_until_applied()
            cls.redis_fields = cls.dump_redis()
        except BaseException:
            cls.stack.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    # The flows.

    @classmethod
    def provider(cls, method, path, body):
        """A call of the provider's own API, signed by the client's secret."""
        text = json.dumps(body)
        now = str(int(time.time()))
        signature = hmac.new(
            cls.secrets["secret_key"].encode(),
            (now + method + path + text).encode(), hashlib.sha256,
        ).hexdigest()
        status, _, answer = request(
            cls.stack.port("provider"), method, path,
            {
                "content-type": "application/json",
                "x-app-token": cls.secrets["app_token"],
                "x-app-access-ts": now,
                "x-app-access-sig": signature,
            },
            text,
        )
        assert status < 300, (path, status, answer)
        return answer

    @staticmethod
    def form(data):
        def part(name, value, more=""):
            return (
                f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
                f'name="{name}"{more}\r\n\r\n'
            ).encode() + value + b"\r\n"

        kind = f'; filename="{FILE_NAME}.jpg"\r\nContent-Type: image/jpeg'
        return (
            part("document_type", b"PASSPORT")
            + part("country", b"GBR")
            + part(NOISE["form"], b"unknown")
            + part("file", data, kind)
            + f"--{BOUNDARY}--\r\n".encode()
        )

    @classmethod
    def upload(cls, user, data):
        return user.post(
            "/v0/kyc/documents", body=cls.form(data),
            headers={"content-type": "multipart/form-data; boundary=" + BOUNDARY},
        )

    @classmethod
    def approve_with_documents(cls):
        user = cls.approved = cls.stack.user()
        # The provider knows the person before the user comes to us.
        cls.provider(
            "POST", "/resources/applicants?levelName=document-only",
            {
                "externalUserId": user.sub,
                "fixedInfo": {
                    "firstName": FIRST_NAME,
                    "lastName": LAST_NAME,
                    "dob": BIRTH_DATE,
                },
            },
        )
        status, _, answer = user.post("/v0/kyc/applicant")
        assert status in (200, 201), answer
        status, _, answer = user.post("/v0/kyc/access-token")
        assert status == 200, answer
        cls.secrets["sdk_token"] = answer["access_token"]
        content = b"\xff\xd8\xff\xe0" + DOCUMENT.encode() * 8000
        status, _, answer = cls.upload(user, content)
        assert status == 201, answer
        # Refused on each of the ways that look at it.
        assert cls.upload(user, DOCUMENT.encode() * 100)[0] == 400
        assert cls.upload(user, content * 60)[0] == 400
        assert user.post(
            "/v0/kyc/documents", body=cls.form(content)[:-40],
            headers={"content-type": "multipart/form-data; boundary=" + BOUNDARY},
        )[0] == 400
        # Documents are there, of whichever sort the level asks for.
        user.play_sdk("approve")
        user.wait_for("approved")
        status, _, cls.details = user.get("/v0/kyc/details?refresh=true")
        assert status == 200, cls.details
        user.get("/v0/kyc/documents/required")
        user.get("/v0/kyc/status?refresh=true")
        user.get("/v0/user/me")

    @classmethod
    def read_by_a_partner(cls):
        user = cls.approved
        wallet = Wallet(user)
        partner = cls.stack.partner()
        body = wallet.sign(partner.audience)
        status, _, exchanged = partner.exchange(body)
        assert status == 200, exchanged
        token = exchanged["token"]
        cls.secrets["api key"] = partner.key
        cls.secrets["PINT token"] = token
        cls.secrets["PINT token's signature"] = token.split(".")[2]
        cls.secrets["wallet's key"] = open(
            wallet.key_file, encoding="utf-8"
        ).read().strip().removeprefix("0x")
        # The user's signature opens the exchange to whoever has it and a key.
        cls.secrets["PINT signature"] = body["signature"][2:]
        path = f"/v0/users/{user.sub}/kyc"
        status, _, kyc = partner.get(path, token)
        assert status == 200, kyc
        assert BIRTH_DATE in strings(kyc)
        images = [one for document in kyc["documents"]
                  for one in document["image_ids"]]
        contents = [partner.get(f"{path}/document/{one}", token)
                    for one in images]
        assert any(
            status == 200 and DOCUMENT.encode() in content
            for status, _, content in contents
        ), contents
        # What goes wrong tells no more.
        partner.get(path, token + NOISE["token"])
        partner.get(path, token, key=NOISE["token"])
        partner.get(f"{path}/document/{NOISE['path']}", token)
        partner.exchange({**body, "signature": "0x" + NOISE["body"]})
        partner.exchange({**body, "audience": NOISE["body"]})
        cls.stack.fault("garbage")
        try:
            for one in images:
                partner.get(f"{path}/document/{one}", token)
        finally:
            cls.stack.fault("none")
        user.get("/v0/user/me/kyc/access-log")
        pint = exchanged["id"].replace(":", "%3A")
        assert user.call("DELETE", "/v0/pint/" + pint)[0] == 200
        assert partner.get(path, token)[0] == 401
        with open(cls.stack.path("partner_key.pem"), encoding="utf-8") as file:
            cls.secrets["signing key"] = file.read().splitlines()[1]

    @classmethod
    def reject_by_webhook(cls):
        user = cls.rejected = cls.stack.user()
        body = event(
            user.sub, "applicantReviewed", 1000, "RED", "FINAL",
            MODERATION_COMMENT, level="document-only",
        )
        body["reviewResult"]["clientComment"] = CLIENT_COMMENT
        assert cls.stack.webhook(body)[0] == 200
        user.wait_for("rejected")
        # A known comment under a signature that is none is not even stored.
        body["reviewResult"]["moderationComment"] = FORGED_COMMENT
        forged = cls.secrets["forged_digest"] = secrets.token_hex(32)
        status = cls.stack.webhook(body, {"X-Payload-Digest": forged})[0]
        assert status == 401, status

    @classmethod
    def make_noise(cls):
        """What goes wrong must not be told in detail either."""
        user = cls.approved
        gateway = cls.stack.port("gateway")
        for method, path, headers, body in (
            ("GET", "/v0/kyc/status", {"x-juno-jwt": NOISE["token"]}, None),
            ("GET", "/v0/kyc/status",
             {"x-juno-jwt": user.token + NOISE["token"]}, None),
            ("GET", "/v0/kyc/status",
             {"authorization": "Bearer " + NOISE["token"]}, None),
            ("GET", f"/v0/kyc/status?refresh={NOISE['query']}", {}, None),
            ("GET", f"/v0/{NOISE['path']}?x={NOISE['query']}", {}, None),
            ("DELETE", f"/v0/kyc/status?x={NOISE['query']}", {}, None),
            ("GET", "/v0/kyc/status",
             {"x-other": NOISE["header"], "user-agent": NOISE["agent"],
              "traceparent": NOISE["header"], "cookie": NOISE["header"],
              "x-juno-orgid": NOISE["header"]}, None),
            ("POST", "/v0/user/me/onboarding/steps",
             {"content-type": "application/json"},
             '{"step":"%s"}' % NOISE["body"]),
            ("POST", "/v0/user/me/onboarding/steps",
             {"content-type": "application/json"}, NOISE["body"]),
            ("POST", "/v0/kyc/documents",
             {"content-type": f"multipart/form-data; boundary={NOISE['form']}"},
             NOISE["body"]),
        ):
            fields = {"x-juno-jwt": user.token, **headers}
            status = request(gateway, method, path, fields, body)[0]
            assert status < 500, (path, status)
        cls.stack.fault("wrong_shape")
        try:
            user.get("/v0/kyc/details?refresh=true")
            cls.upload(user, b"\xff\xd8\xff\xe0" + DOCUMENT.encode())
            user.get("/v0/kyc/status?refresh=true")
        finally:
            cls.stack.fault("none")

    @classmethod
    def wait_until_applied(cls):
        wait_until(cls.stack.events_applied, 30, 0.2, "all events applied")

    # What is left behind.

    @classmethod
    def dump_redis(cls):
        """Every (key, field, value); the field is "" where there is none."""
        redis = cls.stack.redis
        found = []
        for key in redis("KEYS", "*").splitlines():
            kind = redis("TYPE", key)
            if kind == "hash":
                lines = redis("HGETALL", key).split("\n")
                for field, value in zip(lines[::2], lines[1::2]):
                    found.append((key, field, value))
            elif kind == "stream":
                entries = json.loads(
                    redis(
                        "EVAL",
                        "return cjson.encode(redis.call('XRANGE',KEYS[1],"
                        "'-','+'))", "1", key,
                    )
                )
                for _, pairs in entries:
                    for field, value in zip(pairs[::2], pairs[1::2]):
                        found.append((key, field, value))
            elif kind == "string":
                found.append((key, "", redis("GET", key)))
            elif kind == "set":
                found.append((key, "", redis("SMEMBERS", key)))
            elif kind == "zset":
                found.append((key, "", redis("ZRANGE", key, "0", "-1")))
            elif kind == "list":
                found.append((key, "", redis("LRANGE", key, "0", "-1")))
            else:
                raise AssertionError(f"{key} is a {kind}: teach dump_redis")
        return found

    @staticmethod
    def shared_folders():
        """Files in the folders that programs like to put files into."""
        found = set()
        for folder in ("/tmp", "/var/tmp", "/dev/shm", os.getcwd()):
            try:
                found.update(
                    entry.path for entry in os.scandir(folder)
                    if entry.is_file(follow_symlinks=False)
                )
            except OSError:
                pass
        return found

    def sensitive(self):
        """Everything marked: what it is -> its text."""
        values = {
            "first name": FIRST_NAME, "last name": LAST_NAME,
            "date of birth": BIRTH_DATE, "document": DOCUMENT,
            "file name": FILE_NAME, "moderation comment": MODERATION_COMMENT,
            "client comment": CLIENT_COMMENT, "forged comment": FORGED_COMMENT,
            "user token": self.approved.token,
            "token's signature": self.approved.token.split(".")[2],
            "other user token": self.rejected.token,
            **NOISE, **self.secrets,
        }
        with open(self.stack.path("user_key.pem"), encoding="utf-8") as file:
            values["private key"] = file.read().splitlines()[1]
        return values

    def assert_clean(self, where, text, allowed=()):
        for what, value in self.sensitive().items():
            if value not in allowed and value in text:
                at = text.index(value)
                self.fail(
                    f"{what} in {where}: …{text[max(0, at - 200):at + 80]}…"
                )

    # The tests.

    def test_the_markers_went_where_they_belong(self):
        # Else all of the searches below would find nothing by mistake.
        self.assertIn(BIRTH_DATE, list(strings(self.details)))
        for who in (FIRST_NAME, LAST_NAME):
            self.assertTrue(any(who in text for text in strings(self.details)))
        with open(self.stack.path("provider.json"), encoding="utf-8") as file:
            self.assertIn(FIRST_NAME, file.read())
        answer = self.rejected.get("/v0/kyc/status")[2]
        self.assertEqual(answer["reject_reason"], MODERATION_COMMENT)
        for value, places in PLACES.items():
            for pattern, name in places:
                self.assertTrue(
                    any(
                        re.fullmatch(pattern, key) and field == name
                        and value in text
                        for key, field, text in self.redis_fields
                    ),
                    f"{value} is not in {pattern} {name}",
                )

    def test_redis_holds_no_more_than_it_should(self):
        self.assertGreater(len(self.redis_fields), 20)
        for key, field, text in self.redis_fields:
            allowed = {
                value for value, places in PLACES.items()
                if any(
                    re.fullmatch(pattern, key) and field == name
                    for pattern, name in places
                )
            }
            self.assert_clean(f"{key} {field}", text, allowed)
            self.assert_clean("a key", key)

    def test_logs_tell_nothing(self):
        for name in SERVICES + ("redis",):
            with self.subTest(process=name):
                log = self.stack.log(name)
                self.assertTrue(log)
                self.assert_clean(name + "'s log", log)
        # The calls above have been logged at all.
        self.assertIn('"/v0/kyc/details"', self.stack.log("gateway"))

    def test_metrics_tell_nothing(self):
        for name in SERVICES:
            with self.subTest(process=name):
                status, _, text = request(
                    self.stack.port(name + "_admin"), "GET", "/metrics"
                )
                self.assertEqual(status, 200)
                self.assertIn("kyc_", text)
                self.assert_clean(name + "'s metrics", text)
                self.assertNotIn(self.approved.sub, text)
                _, _, ready = request(
                    self.stack.port(name + "_admin"), "GET", "/readyz"
                )
                self.assert_clean(name + "'s readiness", str(ready))

    def test_files_hold_nothing(self):
        self.stack.redis("CONFIG", "SET", "rdbcompression", "no")
        self.stack.redis("--rdb", self.stack.path("dump.rdb"))
        given = {
            self.stack.path(name)
            for name in ("app_token", "secret_key", "webhook_secret",
                         "user_key.pem", "partner_key.pem", "provider.json",
                         "provider.log")
        }
        in_redis = set(PLACES)
        searched = 0
        for folder, _, names in os.walk(self.stack.dir):
            for name in names:
                path = os.path.join(folder, name)
                self.assertNotRegex(name, r"^core(\.\d+)?$")
                if path in given or name.endswith(".key"):
                    continue
                if not os.path.isfile(path):
                    continue
                with open(path, encoding="latin-1") as file:
                    text = file.read()
                is_redis = folder.startswith(self.stack.path("redis")) or (
                    name == "dump.rdb"
                )
                self.assert_clean(path, text, in_redis if is_redis else ())
                searched += 1
        self.assertGreaterEqual(searched, 6)  # Logs, the AOF, the dump.

    def test_no_process_writes_files(self):
        for name in SERVICES:
            with self.subTest(process=name):
                process = self.stack.processes[name]
                self.assertIsNone(process.poll())
                proc = f"/proc/{process.pid}"
                with open(proc + "/limits", encoding="utf-8") as file:
                    limits = file.read()
                self.assertRegex(limits, r"Max file size +0 +0 ")
                self.assertRegex(limits, r"Max core file size +0 +0 ")
                for fd in os.listdir(proc + "/fd"):
                    try:
                        target = os.readlink(f"{proc}/fd/{fd}")
                    except FileNotFoundError:
                        continue
                    if target.startswith("/"):
                        self.assertTrue(target.startswith("/dev/"), target)
        for path in self.shared_folders() - self.before:
            try:
                with open(path, encoding="latin-1") as file:
                    text = file.read(1 << 24)
            except OSError:
                continue  # Somebody else's, gone by now.
            self.assert_clean(path, text)


if __name__ == "__main__":
    unittest.main()
