"""Webhooks to the company's own systems, from subscription to receipt."""

import base64
import hashlib
import hmac
import http.server
import json
import subprocess
import threading
import time
import unittest

from stack import Stack, binary, request, wait_until

WEBHOOKS = "/v0/organisation/acme/environments/live/webhooks"
TENANT = {"x-juno-orgid": "acme:live"}


def verify(secret, headers, body):
    """As a receiver does, with nothing of ours."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
    expected = "v1," + base64.b64encode(
        hmac.new(key, text + body, hashlib.sha256).digest()
    ).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and any(
        hmac.compare_digest(expected, each)
        for each in headers["webhook-signature"].split(" ")
    )


class Receiver:
    """Answers by `answer(path)`, and keeps what it was sent."""

    def __init__(self):
        self.received = []
        self.answer = lambda path: (204, {})
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {k.lower(): v for k, v in self.headers.items()}
                receiver.received.append((self.path, headers, body))
                status, fields = receiver.answer(self.path)
                if status == 0:  # Never, or not while this test runs.
                    receiver.closed.wait(60)
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.closed = threading.Event()
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), Handler
        )
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def close(self):
        self.closed.set()
        self.server.shutdown()
        self.server.server_close()

    def events(self, path="/"):
        return [
            (headers, json.loads(body))
            for at, headers, body in list(self.received) if at == path
        ]

    def changes(self, user, path="/"):
        """(from, to) of a user in the order of the versions, each once."""
        seen = {
            headers["webhook-id"]: event["data"]
            for headers, event in self.events(path)
            if event["data"].get("user_id") == user.sub
        }
        data = sorted(seen.values(), key=lambda each: each["version"])
        return [(each["from"], each["to"]) for each in data]


class OutgoingWebhooks(unittest.TestCase):
    def setUp(self):
        self.stack = Stack({
            "webhook": ["--allow_loopback_webhooks"],
            "provider": ["--outcome_delay=100ms"],
        })
        self.addCleanup(self.stack.stop)
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.key = json.loads(self.kycctl(
            "keys", "create", "--org=acme", "--env=live", "--name=test",
            "--scopes=manage_webhooks", "--json"))["key"]

    def kycctl(self, *args):
        run = subprocess.run(
            [binary("kycctl"), *args], text=True, capture_output=True,
            env={"KYC_KYC_ADDRESS": self.stack.address("kyc"),
                 "KYC_WEBHOOK_ADDRESS": self.stack.address("webhook")},
            timeout=30,
        )
        self.assertEqual(run.returncode, 0, run.stderr)
        return run.stdout

    def call(self, method, path="", body=None, expected=200):
        headers = {"authorization": "Bearer " + self.key}
        if body is not None:
            headers["content-type"] = "application/json"
            body = json.dumps(body)
        status, _, answer = request(
            self.stack.port("gateway"), method, WEBHOOKS + path, headers, body
        )
        self.assertEqual(status, expected, answer)
        return answer

    def subscribe(self, path="/", **more):
        return self.call(
            "POST", body={"url": self.receiver.url(path), **more},
            expected=201,
        )

    def walk(self, user, outcome="approve", status="approved"):
        """A verification on behalf of the tenant."""
        code = user.post("/v0/kyc/applicant", headers=TENANT)[0]
        self.assertEqual(code, 201)
        user.play_sdk(outcome)
        user.wait_for(status)

    def deliveries(self, webhook):
        return self.call("GET", f"/{webhook['id']}/deliveries?limit=1000")[
            "deliveries"]

    def wait_delivered(self, webhook, count=1, timeout=30):
        wait_until(
            lambda: sum(each["state"] == "delivered"
                        for each in self.deliveries(webhook)) >= count,
            timeout, 0.1, f"{count} deliveries",
        )

    def test_a_walk_is_told_signed_and_once(self):
        webhook = self.subscribe(event_types=[
            "kyc.status.changed", "kyc.approved"])
        user = self.stack.user("usr|ünï code/1")
        self.walk(user)
        wait_until(
            lambda: [e for _, e in self.receiver.events()
                     if e["type"] == "kyc.approved"],
            what="the approval",
        )
        wait_until(
            lambda: self.receiver.changes(user)[-1:] == [
                ("in_progress", "approved")],
            what="the change to approved",
        )
        ids = [h["webhook-id"] for h, _ in self.receiver.events()]
        self.assertEqual(len(ids), len(set(ids)))
        changed = [e for _, e in self.receiver.events()
                   if e["type"] == "kyc.status.changed"]
        # Each starts where the one before it ended.
        by_version = sorted(changed, key=lambda e: e["data"]["version"])
        states = ["pending"]
        for event in by_version:
            self.assertEqual(event["data"]["from"], states[-1])
            states.append(event["data"]["to"])
        self.assertEqual(states[-1], "approved")
        for path, headers, body in self.receiver.received:
            self.assertTrue(verify(webhook["secret"], headers, body))
            self.assertFalse(verify(webhook["secret"], headers, body + b" "))
            event = json.loads(body)
            self.assertEqual(set(event), {"type", "timestamp", "data"})
            self.assertEqual(set(event["data"]),
                             {"user_id", "from", "to", "version"})
            self.assertEqual(event["data"]["user_id"], user.sub)
        # Nothing of the secret or the body is logged.
        self.assertNotIn(webhook["secret"][6:], self.stack.log("webhook"))
        self.assertNotIn(user.sub, self.stack.log("webhook"))

    def test_only_the_tenant_of_the_user_is_told(self):
        mine = self.subscribe("/mine")
        nobody = json.loads(self.kycctl(
            "webhooks", "create", "--url=" + self.receiver.url("/nobody"),
            "--json"))
        member, stranger = self.stack.user(), self.stack.user()
        self.walk(member)
        stranger.post("/v0/kyc/applicant")
        stranger.play_sdk("approve")
        stranger.wait_for("approved")
        for user, path in ((member, "/mine"), (stranger, "/nobody")):
            wait_until(
                lambda: self.receiver.changes(user, path)[-1:] == [
                    ("in_progress", "approved")],
                what=path,
            )
        self.assertEqual(self.receiver.changes(stranger, "/mine"), [])
        self.assertEqual(self.receiver.changes(member, "/nobody"), [])
        self.assertTrue(mine["secret"] != nobody["secret"])

    def test_a_killed_process_loses_nothing(self):
        webhook = self.subscribe()
        users = [self.stack.user() for _ in range(10)]
        # While it is away, changes wait in the outbox.
        self.stack.kill("webhook")
        for user in users[:5]:
            self.assertEqual(
                user.post("/v0/kyc/applicant", headers=TENANT)[0], 201)
            user.play_sdk("approve")
            user.get("/v0/kyc/status?refresh=true")
        self.stack.start("webhook")
        # Killed in the middle of attempts, several times.
        self.receiver.answer = lambda path: (0, {})
        for user in users[5:]:
            self.assertEqual(
                user.post("/v0/kyc/applicant", headers=TENANT)[0], 201)
            user.play_sdk("approve")
        wait_until(lambda: len(self.receiver.received) >= 5, 30,
                   what="attempts under way")
        for _ in range(3):
            self.stack.restart("webhook")
        self.receiver.answer = lambda path: (204, {})
        self.stack.restart("webhook")
        for user in users:
            user.wait_for("approved", 90)
        for user in users:
            wait_until(
                lambda: [end for _, end in self.receiver.changes(user)][-1:]
                == ["approved"],
                60, what=user.sub,
            )
            states = ["pending"]
            for start, end in self.receiver.changes(user):
                self.assertEqual(start, states[-1])
                states.append(end)
        # One webhook-id per change: repetitions have the same.
        versions = {
            (event["data"]["user_id"], event["data"]["version"])
            for _, event in self.receiver.events()
        }
        ids = {headers["webhook-id"] for headers, _ in self.receiver.events()}
        self.assertEqual(len(ids), len(versions))
        for _, headers, body in self.receiver.received:
            self.assertTrue(verify(webhook["secret"], headers, body))

    def test_a_dead_endpoint_delays_nobody(self):
        self.receiver.answer = lambda path: (0 if path == "/dead" else 204, {})
        dead = self.subscribe("/dead")
        good = self.subscribe("/good")
        users = [self.stack.user() for _ in range(5)]
        for user in users:
            self.walk(user)
        for user in users:
            wait_until(
                lambda: self.receiver.changes(user, "/good")[-1:] == [
                    ("in_progress", "approved")],
                20, what="the good endpoint is told",
            )
        self.assertTrue(all(
            each["state"] == "delivered" for each in self.deliveries(good)))
        self.assertTrue(all(
            each["state"] == "pending" for each in self.deliveries(dead)))

    def test_life_of_a_subscription(self):
        webhook = self.subscribe(description="first")
        path = "/" + webhook["id"]
        shown = self.call("GET", path)
        self.assertNotIn("secret", shown)
        self.assertEqual(shown["event_types"], ["kyc.status.changed"])
        self.assertEqual(
            [each["id"] for each in self.call("GET")["webhooks"]],
            [webhook["id"]])
        # A test event, then a new secret beside the old one.
        sent = self.call("POST", path + "/test", expected=202)
        self.wait_delivered(webhook)
        _, headers, body = self.receiver.received[-1]
        self.assertEqual(json.loads(body)["type"], "webhook.test")
        self.assertEqual(headers["webhook-id"], sent["id"])
        self.assertTrue(verify(webhook["secret"], headers, body))
        rotated = self.call("POST", path + "/rotate-secret")
        self.assertNotEqual(rotated["secret"], webhook["secret"])
        self.assertIsNotNone(rotated["old_secret_until"])
        self.call("POST", path + "/test", expected=202)
        self.wait_delivered(webhook, 2)
        _, headers, body = self.receiver.received[-1]
        self.assertTrue(verify(webhook["secret"], headers, body))
        self.assertTrue(verify(rotated["secret"], headers, body))
        # Sent again: another attempt under the same id.
        before = len(self.receiver.received)
        self.call("POST", f"{path}/deliveries/{sent['id']}/resend",
                  expected=202)
        wait_until(lambda: len(self.receiver.received) > before,
                   what="resent")
        self.assertEqual(
            self.receiver.received[-1][1]["webhook-id"], sent["id"])
        # The receiver ends it, the company takes it up again.
        self.receiver.answer = lambda path: (410, {})
        self.call("POST", path + "/test", expected=202)
        wait_until(
            lambda: self.call("GET", path)["disabled_reason"] == "gone",
            what="disabled",
        )
        again = self.call("PATCH", path, {"enabled": True,
                                          "description": None})
        self.assertTrue(again["enabled"])
        self.assertIsNone(again["disabled_reason"])
        self.assertIsNone(again["description"])
        self.call("DELETE", path, expected=204)
        self.call("GET", path, expected=404)
        self.assertEqual(self.call("GET")["webhooks"], [])

    def test_redirects_are_not_followed(self):
        elsewhere = Receiver()
        self.addCleanup(elsewhere.close)
        self.receiver.answer = lambda path: (
            301, {"location": elsewhere.url()})
        webhook = self.subscribe()
        self.call("POST", f"/{webhook['id']}/test", expected=202)
        wait_until(
            lambda: self.deliveries(webhook)[0]["last_status"] == 301,
            what="an attempt",
        )
        self.assertEqual(self.deliveries(webhook)[0]["state"], "pending")
        self.assertEqual(elsewhere.received, [])

    def test_urls_that_may_not_be_called(self):
        port = self.receiver.server.server_address[1]
        for url in ("http://hooks.example.com/", "https://10.0.0.1/",
                    "https://169.254.169.254/", "https://[fd00::1]/",
                    f"http://2130706433:{port}/", f"http://0x7f.1:{port}/",
                    f"http://0.0.0.0:{port}/", "https://a:b@example.com/",
                    "https://redis.internal/", "https://example.com:22/"):
            answer = self.call("POST", body={"url": url}, expected=422)
            self.assertEqual(answer["error_code"], "WHK-422-001", url)
        self.assertEqual(self.call("GET")["webhooks"], [])
        # Loopback is for development: without the flag nothing is sent there,
        # also not to a subscription from before.
        webhook = self.subscribe()
        self.stack.flags["webhook"] = []
        self.stack.restart("webhook")
        self.call("POST", body={"url": self.receiver.url()}, expected=422)
        self.call("POST", f"/{webhook['id']}/test", expected=202)
        wait_until(
            lambda: self.deliveries(webhook)[0]["last_error"] == "address",
            what="an attempt",
        )
        self.assertEqual(self.receiver.received, [])

    def test_kycctl(self):
        made = json.loads(self.kycctl(
            "webhooks", "create", "--org=acme", "--env=live",
            "--url=" + self.receiver.url(), "--events=kyc.approved", "--json"))
        self.assertTrue(made["secret"].startswith("whsec_"))
        listed = json.loads(self.kycctl(
            "webhooks", "list", "--org=acme", "--env=live", "--json"))
        self.assertEqual([each["id"] for each in listed], [made["id"]])
        self.assertIn("kyc.approved", self.kycctl(
            "webhooks", "show", made["id"]))
        sent = json.loads(self.kycctl(
            "webhooks", "test", made["id"], "--json"))
        self.wait_delivered(made)
        log = json.loads(self.kycctl(
            "webhooks", "deliveries", made["id"], "--json"))
        self.assertEqual([each["id"] for each in log], [sent["id"]])
        self.kycctl("webhooks", "resend", made["id"], sent["id"])
        rotated = json.loads(self.kycctl(
            "webhooks", "rotate", made["id"], "--json"))
        self.assertNotEqual(rotated["secret"], made["secret"])
        self.kycctl("webhooks", "delete", made["id"])
        self.assertEqual(json.loads(self.kycctl(
            "webhooks", "list", "--json")), [])


if __name__ == "__main__":
    unittest.main()
