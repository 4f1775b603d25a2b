"""The gate: behind a real nginx, and as other proxies ask it."""

import http.server
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import threading
import time
import unittest

from stack import ROOT, Stack, event, free_ports, request, wait_until

NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")

CONFIG = """
daemon off;
%(user)s
pid %(dir)s/nginx.pid;
error_log stderr warn;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path %(dir)s/body;
  proxy_temp_path %(dir)s/proxy;
  fastcgi_temp_path %(dir)s/fastcgi;
  uwsgi_temp_path %(dir)s/uwsgi;
  scgi_temp_path %(dir)s/scgi;
  upstream app { server 127.0.0.1:%(app)d; }
  upstream kyc_gateway { server %(gateway)s; }
  server {
    listen 127.0.0.1:%(nginx)d;
    %(locations)s
  }
}
"""


def documented_locations():
    """The nginx configuration as docs/gate.md has it."""
    with open(os.path.join(ROOT, "docs", "gate.md"), encoding="utf-8") as file:
        return re.search(r"```nginx\n(.*?)```", file.read(), re.S)[1]


class App(http.server.BaseHTTPRequestHandler):
    """What nginx protects: answers with what it was asked."""

    seen = []

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        App.seen.append(self.path)
        text = json.dumps({
            "method": self.command,
            "path": self.path,
            "user": self.headers.get("X-Kyc-User-Id"),
            "size": len(body),
        }).encode()
        self.send_response(403 if self.path.endswith("/own403") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = answer
    do_OPTIONS = answer

    def log_message(self, *_):
        pass


class Gate(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.addClassCleanup(cls.stack.stop)
        cls.approved = cls.stack.user("zoë 100%" + secrets.token_hex(4))
        cls.approved.post("/v0/kyc/applicant")
        cls.approved.play_sdk("approve")
        cls.approved.wait_for("approved")
        cls.pending = cls.stack.user()

    def assert_not_verified(self, answer, instance):
        status, headers, body = answer
        self.assertEqual(status, 403, body)
        self.assertEqual(headers["content-type"], "application/problem+json")
        self.assertEqual(body["error_code"], "KYC-403-001")
        self.assertEqual(body["title"], "KYC Verification Required")
        self.assertEqual(body["instance"], instance)


class Direct(Gate):
    def test_any_method(self):
        name = "zo%C3%AB%20100%25" + self.approved.sub[-8:]
        for method in (
            "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"
        ):
            with self.subTest(method=method):
                status, headers, body = self.approved.call(
                    method, "/v0/kyc/gate"
                )
                self.assertEqual((status, body), (200, ""))
                self.assertEqual(headers["x-kyc-user-id"], name)
                self.assertEqual(headers["x-kyc-status"], "approved")
                self.assertEqual(headers["cache-control"], "no-store")
                status, headers, body = self.pending.call(
                    method, "/v0/kyc/gate"
                )
                self.assertEqual(status, 403)
                self.assertNotIn("x-kyc-user-id", headers)
                self.assertEqual(
                    request(self.stack.port("gateway"), method,
                            "/v0/kyc/gate")[0], 401,
                )

    def test_as_traefik_asks(self):
        self.assert_not_verified(
            self.pending.get("/v0/kyc/gate", headers={
                "X-Forwarded-Method": "POST",
                "X-Forwarded-Uri": "/v0/cards?limit=1",
            }), "/v0/cards",
        )

    def test_as_envoy_asks(self):
        self.assert_not_verified(
            self.pending.post("/v0/kyc/gate/v0/cards/1%2F2?limit=1"),
            "/v0/cards/1%2F2",
        )
        self.assertEqual(
            self.approved.post("/v0/kyc/gate/v0/cards?limit=1")[0], 200
        )
        self.assertEqual(self.approved.post("/v0/kyc/gate/")[0], 200)

    def test_a_body_that_never_comes_is_not_waited_for(self):
        with socket.create_connection(
            ("127.0.0.1", self.stack.port("gateway")), 5
        ) as sock:
            begin = time.monotonic()
            sock.sendall(
                b"POST /v0/kyc/gate HTTP/1.1\r\nHost: x\r\nContent-Length: "
                b"1000\r\nx-juno-jwt: " + self.approved.token.encode()
                + b"\r\n\r\n"
            )
            self.assertIn(b" 200 ", sock.recv(4096).split(b"\r\n")[0])
            self.assertLess(time.monotonic() - begin, 2)

    def test_a_new_decision_closes_it_at_once(self):
        user = self.stack.user()
        self.assertEqual(user.get("/v0/kyc/gate")[0], 403)
        user.post("/v0/kyc/applicant")
        user.play_sdk("approve")
        user.wait_for("approved")
        self.assertEqual(user.get("/v0/kyc/gate")[0], 200)
        year = 365 * 24 * 3600 * 1000
        self.stack.webhook(event(user.sub, "applicantReviewed", 5 * year,
                                 answer="RED", reject="FINAL"))
        user.wait_for("rejected")
        self.assertEqual(user.get("/v0/kyc/gate")[0], 403)


class BehindNginx(Gate):
    @classmethod
    def setUpClass(cls):
        if not NGINX:
            raise AssertionError("nginx is missing: deploy/install_packages test")
        super().setUpClass()
        cls.app = http.server.ThreadingHTTPServer(("127.0.0.1", 0), App)
        cls.addClassCleanup(cls.app.server_close)
        threading.Thread(target=cls.app.serve_forever, daemon=True).start()
        cls.addClassCleanup(cls.app.shutdown)
        (cls.port,) = free_ports(1)
        path = cls.stack.path("nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(CONFIG % {
                "user": "user root;" if os.getuid() == 0 else "",
                "dir": cls.stack.dir,
                "app": cls.app.server_port,
                "gateway": cls.stack.address("gateway"),
                "nginx": cls.port,
                "locations": documented_locations(),
            })
        with open(cls.stack.path("nginx.log"), "wb") as log:
            cls.nginx = subprocess.Popen(
                [NGINX, "-p", cls.stack.dir, "-c", path],
                stdout=log, stderr=log,
            )
        cls.addClassCleanup(cls.nginx.wait, 10)
        cls.addClassCleanup(cls.nginx.terminate)

        def listening():
            if cls.nginx.poll() is not None:
                raise AssertionError(cls.stack.log("nginx"))
            try:
                socket.create_connection(("127.0.0.1", cls.port), 1).close()
                return True
            except OSError:
                return False

        wait_until(listening, 10, what="nginx")

    def setUp(self):
        App.seen.clear()

    def ask(self, user, method="GET", path="/v0/cards", headers=None, body=None):
        fields = {"x-juno-jwt": user.token} if user else {}
        fields.update(headers or {})
        return request(self.port, method, path, fields, body)

    def test_verified_users_reach_the_app(self):
        name = "zo%C3%AB%20100%25" + self.approved.sub[-8:]
        for method, body in (
            ("GET", None), ("DELETE", None), ("POST", b"x" * 100_000),
            ("PUT", b"{}"), ("PATCH", b"{}"), ("OPTIONS", None),
        ):
            with self.subTest(method=method):
                status, _, answer = self.ask(
                    self.approved, method, "/v0/cards/7?limit=1", body=body
                )
                self.assertEqual(status, 200, answer)
                self.assertEqual(answer, {
                    "method": method, "path": "/v0/cards/7?limit=1",
                    "user": name, "size": len(body or b""),
                })
        self.assertEqual(self.ask(self.approved, "HEAD")[0], 200)

    def test_others_get_the_problem(self):
        for method in ("GET", "POST", "PUT", "DELETE"):
            with self.subTest(method=method):
                self.assert_not_verified(
                    self.ask(self.pending, method, "/v0/cards?secret=1",
                             body=b"{}" if method != "GET" else None),
                    "/v0/cards",
                )
        # What the client claims does not count.
        self.assert_not_verified(
            self.ask(self.pending, headers={
                "X-Original-URI": "/claimed", "X-Forwarded-Uri": "/claimed",
                "X-Kyc-User-Id": self.approved.sub.encode(),
            }), "/v0/cards",
        )
        self.assertEqual(App.seen, [])

    def test_a_chunked_body_is_not_read_by_the_gate(self):
        # http.client sends what has no length in chunks.
        status, _, answer = self.ask(
            self.approved, "POST", body=iter([b"a" * 1000] * 50)
        )
        self.assertEqual(status, 200, answer)
        self.assertEqual(answer["size"], 50_000)
        answer = self.ask(
            self.pending, "POST", body=iter([b"a" * 1000] * 50)
        )
        self.assert_not_verified(answer, "/v0/cards")

    def test_without_a_token(self):
        status, headers, body = self.ask(None)
        self.assertEqual(status, 401)
        self.assertEqual(headers["content-type"], "application/problem+json")
        self.assertEqual(body["error_code"], "USR-401-001")
        self.assertEqual(App.seen, [])

    def test_a_client_cannot_name_itself(self):
        answer = self.ask(
            self.approved, headers={"X-Kyc-User-Id": "usr_somebody_else"}
        )[2]
        self.assertIn(self.approved.sub[-8:], answer["user"])

    def test_the_app_s_own_answers_stay(self):
        status, _, body = self.ask(self.approved, path="/v0/cards/own403")
        self.assertEqual(status, 403)
        self.assertEqual(body["path"], "/v0/cards/own403")

    def test_the_gate_s_locations_are_not_public(self):
        for path in ("/_kyc_gate", "/_kyc_gate_problem"):
            self.assertEqual(self.ask(self.approved, path=path)[0], 404)

    def test_nothing_passes_while_the_gate_cannot_tell(self):
        self.stack.kill("kyc")
        try:
            self.assertEqual(self.ask(self.approved)[0], 500)
            self.assertEqual(App.seen, [])
        finally:
            self.stack.start("kyc")
        # Each of the gateway's loops finds its own way back.
        wait_until(
            lambda: all(self.ask(self.approved)[0] == 200 for _ in range(16)),
            15,
        )


if __name__ == "__main__":
    unittest.main()
