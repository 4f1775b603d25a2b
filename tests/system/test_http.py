"""What the gateway refuses, and how it says so."""

import json
import re
import socket
import time
import unittest

from stack import Stack, b64, request, unb64


def b64_json(value):
    return b64(json.dumps(value).encode())


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.user = cls.stack.user()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def raw(self, data, timeout=10):
        """Sends bytes; returns all that comes back until the end."""
        with socket.create_connection(
            ("127.0.0.1", self.stack.port("gateway")), timeout
        ) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
            return answer

    def assert_problem(self, answer, status, code, path=None):
        got, headers, body = answer
        self.assertEqual(got, status, body)
        self.assertEqual(headers["content-type"], "application/problem+json")
        self.assertEqual(body["error_code"], code)
        self.assertEqual(body["status"], status)
        self.assertEqual(
            body["type"], "https://api.sumvin.com/errors/" + code.lower()
        )
        self.assertTrue(body["title"])
        self.assertTrue(body["detail"])
        self.assertRegex(body["trace_id"], "^[0-9a-f]{32}$")
        members = set(body) - {"errors", "current_step"}
        self.assertEqual(
            members,
            {"type", "title", "status", "detail", "instance", "error_code",
             "trace_id"},
        )
        if path:
            self.assertEqual(body["instance"], path)
        return body

    def test_unauthenticated(self):
        port = self.stack.port("gateway")
        path = "/v0/kyc/status"
        good = self.user.token
        head, claims, signature = good.split(".")
        now = int(time.time())
        sign = self.stack.sign_token
        self.assertEqual(
            request(port, "GET", path, {
                "x-juno-jwt": sign({"sub": "usr_1", "exp": now + 60})
            })[0], 200,
        )
        cases = {
            "none": {},
            "empty": {"x-juno-jwt": ""},
            "garbage": {"x-juno-jwt": "garbage"},
            "bearer": {"authorization": "Bearer " + good},
            "alg none": {
                "x-juno-jwt": b64_json({"alg": "none", "kid": "x"}) + "."
                + claims + "."
            },
            "other claims": {
                "x-juno-jwt": head + "." + b64_json(
                    {"sub": "usr_other", "exp": time.time() + 99}
                ) + "." + signature
            },
            "no signature": {"x-juno-jwt": head + "." + claims + "."},
            "expired": {"x-juno-jwt": sign({"sub": "a", "exp": now - 90})},
            "no exp": {"x-juno-jwt": sign({"sub": "a"})},
            "exp is text": {
                "x-juno-jwt": sign({"sub": "a", "exp": str(now + 60)})
            },
            "no sub": {"x-juno-jwt": sign({"exp": now + 60})},
            "empty sub": {"x-juno-jwt": sign({"sub": "", "exp": now + 60})},
            "not yet": {
                "x-juno-jwt": sign(
                    {"sub": "a", "exp": now + 600, "nbf": now + 300}
                )
            },
            "crit": {
                "x-juno-jwt": sign(
                    {"sub": "a", "exp": now + 60}, {"crit": ["b64"]}
                )
            },
            "other kid": {
                "x-juno-jwt": sign(
                    {"sub": "a", "exp": now + 60}, {"kid": "../jwks"}
                )
            },
            "HMAC": {
                "x-juno-jwt": sign(
                    {"sub": "a", "exp": now + 60}, {"alg": "HS256"}
                )
            },
            "padding": {"x-juno-jwt": good + "="},
            "huge": {"x-juno-jwt": good + "A" * 9000},
        }
        for name, headers in cases.items():
            with self.subTest(name):
                body = self.assert_problem(
                    request(port, "GET", path, headers), 401, "USR-401-001",
                    path,
                )
                self.assertEqual(
                    body["detail"],
                    "Missing or invalid authentication credentials",
                )

    def test_every_signature_byte_counts(self):
        head, claims, signature = self.user.token.split(".")
        raw = unb64(signature)
        for index in range(len(raw)):
            changed = bytes(
                byte ^ 1 if i == index else byte for i, byte in enumerate(raw)
            )
            token = ".".join([head, claims, b64(changed)])
            status, _, _ = request(
                self.stack.port("gateway"), "GET", "/v0/kyc/status",
                {"x-juno-jwt": token},
            )
            self.assertEqual(status, 401, index)

    def test_tenant_header(self):
        for value in ("acme", ":", "a:", ":b", "a:b:c", ""):
            with self.subTest(value):
                self.assert_problem(
                    self.user.get(
                        "/v0/kyc/status", headers={"x-juno-orgid": value}
                    ),
                    401, "USR-401-002",
                )
        status, _, _ = self.user.get(
            "/v0/kyc/status", headers={"x-juno-orgid": "org-1:env-1"}
        )
        self.assertEqual(status, 200)

    def test_unknown_paths_and_methods(self):
        for path in ("/", "/v0", "/v0/kyc", "/v0/kyc/statuss", "/healthz",
                     "/metrics", "/readyz", "/v0/kyc/%2e%2e/status"):
            with self.subTest(path):
                self.assert_problem(self.user.get(path), 404, "GEN-404-001")
        answer = self.user.call("DELETE", "/v0/kyc/status")
        self.assert_problem(answer, 405, "GEN-405-001")
        self.assertIn("GET", answer[1]["allow"])
        self.assert_problem(
            self.user.get("/v0/kyc/applicant"), 405, "GEN-405-001"
        )
        self.assert_problem(
            self.user.call("TRACE", "/v0/kyc/status"), 405, "GEN-405-001"
        )

    def test_trailing_slash_and_encoded_segments(self):
        self.assertEqual(self.user.get("/v0/kyc/status/")[0], 200)
        self.assertEqual(self.user.get("/v0/kyc/stat%75s")[0], 200)

    def test_parameters(self):
        for query in ("refresh=yes", "refresh=", "refresh=TRUE",
                      "refresh=true&refresh=true"):
            with self.subTest(query):
                body = self.assert_problem(
                    self.user.get("/v0/kyc/status?" + query), 422,
                    "KYC-422-002", "/v0/kyc/status",
                )
                self.assertEqual(body["errors"][0]["parameter"], "refresh")
        self.assertEqual(
            self.user.get("/v0/kyc/status?refresh=false&x=1")[0], 200
        )
        self.assert_problem(
            self.user.post("/v0/kyc/access-token?level=full"), 422,
            "KYC-422-002",
        )
        self.assertEqual(
            self.user.post("/v0/kyc/access-token?level=liveness")[0], 200
        )

    def test_bodies(self):
        path = "/v0/user/me/onboarding/steps"
        json_type = {"content-type": "application/json"}
        for body in ("", "{", "[]", "null", "{}", '{"step": 1}',
                     '{"step": "a", "step": "b"}', '{"step": null}'):
            with self.subTest(body):
                self.assert_problem(
                    self.user.call("POST", path, json_type, body), 422,
                    "KYC-422-002",
                )
        self.assert_problem(
            self.user.call(
                "POST", path, {"content-type": "text/plain"},
                '{"step":"phone_verification"}',
            ),
            415, "GEN-415-001",
        )
        self.assert_problem(
            self.user.call("POST", path, json_type, '"' + "a" * 200000 + '"'),
            413, "GEN-413-001",
        )

    def test_limits_of_the_head(self):
        token = "x-juno-jwt: " + self.user.token
        long_target = "/v0/kyc/status?x=" + "a" * 9000
        answer = self.raw(
            f"GET {long_target} HTTP/1.1\r\nHost: a\r\n{token}\r\n\r\n".encode()
        )
        self.assertRegex(answer, rb"^HTTP/1.1 414 ")
        self.assertIn(b"GEN-414-001", answer)
        answer = self.raw(
            b"GET /v0/kyc/status HTTP/1.1\r\nHost: a\r\nx-a: "
            + b"a" * 17000 + b"\r\n\r\n"
        )
        self.assertRegex(answer, rb"^HTTP/1.1 431 ")
        self.assertIn(b"GEN-431-001", answer)

    def test_malformed_requests_get_a_problem(self):
        cases = [
            b"nonsense\r\n\r\n",
            b"GET /v0/kyc/status HTTP/1.1\r\n\r\n",  # No Host.
            b"GET /v0/kyc/status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET /v0/kyc/status HTTP/9.9\r\nHost: a\r\n\r\n",
            b"POST /v0/kyc/applicant HTTP/1.1\r\nHost: a\r\n"
            b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            b"POST /v0/kyc/applicant HTTP/1.1\r\nHost: a\r\n"
            b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            b"GET /v0/kyc/status HTTP/1.1\r\nHost: a\r\nx y: 1\r\n\r\n",
            b"GET /v0/kyc/status HTTP/1.1\r\nHost: a\r\nx: a\x00b\r\n\r\n",
        ]
        for case in cases:
            with self.subTest(case[:60]):
                answer = self.raw(case)
                self.assertRegex(answer, rb"^HTTP/1.1 400 ")
                self.assertIn(b"application/problem+json", answer)
                self.assertIn(b"GEN-400-001", answer)

    def test_pipelined_and_chunked(self):
        token = self.user.token
        one = (
            f"GET /v0/kyc/status HTTP/1.1\r\nHost: a\r\nx-juno-jwt: {token}"
            "\r\n\r\n"
        )
        answer = self.raw((one * 50).encode())
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 50)
        body = b'{"step":"phone_verification"}'
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
        user = self.stack.user()
        answer = self.raw(
            b"POST /v0/user/me/onboarding/steps HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\nx-juno-jwt: "
            + user.token.encode() + b"\r\n\r\n" + chunks
        )
        self.assertRegex(answer, rb"^HTTP/1.1 200 ")

    def test_head_and_options(self):
        status, headers, body = self.user.call("HEAD", "/v0/kyc/status")
        self.assertEqual((status, body), (200, ""))
        self.assertGreater(int(headers["content-length"]), 100)
        status, headers, _ = self.user.call("OPTIONS", "/v0/kyc/status")
        self.assertEqual(status, 204)
        self.assertIn("GET", headers["allow"])

    def test_iso_timestamps(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        user.play_sdk("approve")
        user.wait_for("approved")
        iso = {"x-timestamp-format": "iso8601"}
        _, _, body = user.get("/v0/kyc/status", headers=iso)
        self.assertRegex(
            body["verified_at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"
        )
        _, _, body = user.get(
            "/v0/kyc/status", headers={"x-timestamp-format": "other"}
        )
        self.assertIsInstance(body["verified_at"], int)

    def test_trace_is_continued(self):
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        header = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
        _, _, problem = self.user.get("/v0/nothing", headers=header)
        self.assertEqual(problem["trace_id"], trace)
        user = self.stack.user()
        user.post("/v0/kyc/applicant", headers=header)
        provider_lines = [
            line for line in self.stack.log("kyc").splitlines()
            if trace in line
        ]
        self.assertTrue(provider_lines)
        for line in provider_lines:
            json.loads(line)

    def test_logs_are_json_without_tokens(self):
        user = self.stack.user()
        user.post("/v0/kyc/access-token")
        for name in ("gateway", "kyc", "webhook"):
            log = self.stack.log(name)
            for line in log.splitlines():
                self.assertIn("msg", json.loads(line))
            self.assertNotIn(user.token, log)
            self.assertIsNone(re.search("_act-sbx-", log))
            self.assertNotIn(self.stack.webhook_secret, log)


if __name__ == "__main__":
    unittest.main()
