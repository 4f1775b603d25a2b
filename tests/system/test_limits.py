"""Rate limits by user and by client address."""

import http.client
import json
import re
import socket
import unittest

from stack import Stack, event, request

PATH = "/v0/kyc/status"
PER_USER = 5
PER_ADDRESS = 8


def own_address():
    """An address of this machine that is not loopback, if it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # Sends nothing.
        except OSError:
            return None
        address = sock.getsockname()[0]
    return None if address.startswith("127.") else address


class Limits(unittest.TestCase):
    PROXY = "127.0.0.2"

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(start=False)
        cls.stack.flags["gateway"] = [
            f"--listen=0.0.0.0:{cls.stack.port('gateway')}",
            f"--rate_limit_user={PER_USER}",
            f"--rate_limit_address={PER_ADDRESS}",
            "--trusted_proxies=" + cls.PROXY,
        ]
        try:
            cls.stack.start_all()
        except BaseException:
            cls.stack.stop()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def send(self, forwarded=None, source=None, host="127.0.0.1", path=PATH):
        """A request without a token: only the limit by address can hold."""
        connection = http.client.HTTPConnection(
            host, self.stack.port("gateway"), timeout=10,
            source_address=(source, 0) if source else None,
        )
        try:
            connection.request(
                "GET", path,
                headers={"X-Forwarded-For": forwarded} if forwarded else {},
            )
            response = connection.getresponse()
            body = json.loads(response.read())
            fields = {k.lower(): v for k, v in response.getheaders()}
            return response.status, fields, body
        finally:
            connection.close()

    def assert_limited(self, answer, name, quota):
        status, headers, body = answer
        self.assertEqual(status, 429, body)
        self.assertEqual(headers["content-type"], "application/problem+json")
        self.assertEqual(body["error_code"], "GEN-429-001")
        self.assertEqual(headers["ratelimit-policy"], f'"{name}";q={quota};w=60')
        wait = int(headers["retry-after"])
        self.assertEqual(headers["ratelimit"], f'"{name}";r=0;t={wait}')
        self.assertGreaterEqual(wait, 1)
        self.assertLessEqual(wait, 60 / quota + 1)

    def test_a_user_may_make_so_many_requests(self):
        user = self.stack.user()
        for left in reversed(range(PER_USER)):
            status, headers, _ = user.get(PATH)
            self.assertEqual(status, 200)
            self.assertEqual(
                headers["ratelimit-policy"], f'"user";q={PER_USER};w=60'
            )
            found = re.fullmatch(
                r'"user";r=(\d+);t=(\d+)', headers["ratelimit"]
            )
            self.assertEqual(int(found[1]), left)
            self.assertTrue(1 <= int(found[2]) <= 60, headers["ratelimit"])
        self.assert_limited(user.get(PATH), "user", PER_USER)
        # Whatever the path, the method or the token.
        self.assert_limited(user.post("/v0/kyc/applicant"), "user", PER_USER)
        user.token = self.stack.mint(user.sub, ttl="5m")
        self.assert_limited(user.get(PATH), "user", PER_USER)
        self.assertEqual(self.stack.user().get(PATH)[0], 200)
        # Nothing was done.
        self.assertEqual(
            self.stack.redis("--raw", "KEYS", f"kyc:*:user:{user.sub}"), ""
        )

    def test_an_address_may_make_so_many_requests(self):
        # As the proxy saw them; the client's own word stands further left.
        for i in range(PER_ADDRESS):
            answer = self.send(f"10.9.9.{i}, 203.0.113.7", self.PROXY)
            self.assertEqual(answer[0], 401, answer)
        self.assert_limited(
            self.send("10.9.9.99, 203.0.113.7", self.PROXY),
            "address", PER_ADDRESS,
        )
        self.assert_limited(
            self.send("203.0.113.7", self.PROXY, path="/nowhere"),
            "address", PER_ADDRESS,
        )
        self.assertEqual(self.send("203.0.113.8", self.PROXY)[0], 401)

    def test_only_trusted_proxies_are_believed(self):
        victim = "203.0.113.20"
        for _ in range(2 * PER_ADDRESS):
            # A loopback peer that is no proxy: not limited, and not believed.
            self.assertEqual(self.send(victim, "127.0.0.3")[0], 401)
        for _ in range(PER_ADDRESS):
            self.assertEqual(self.send(victim, self.PROXY)[0], 401)
        self.assertEqual(self.send(victim, self.PROXY)[0], 429)

    def test_a_client_cannot_change_its_address(self):
        address = own_address()
        if not address:
            self.skipTest("this machine has no address but loopback")
        for i in range(PER_ADDRESS):
            self.assertEqual(
                self.send(f"203.0.113.{100 + i}", host=address)[0], 401
            )
        self.assert_limited(
            self.send("203.0.113.200", host=address), "address", PER_ADDRESS
        )

    def test_webhooks_and_the_gate_have_no_limit(self):
        user = self.stack.user()
        for i in range(3 * PER_ADDRESS):
            body = json.dumps(
                event(user.sub, "applicantPending", i, applicant=f"{i:024x}")
            ).encode()
            status, headers, _ = self.stack.webhook(body, {
                "X-Payload-Digest": self.stack.sign(body),
                "X-Forwarded-For": "203.0.113.30",
            })
            self.assertEqual(status, 200)
            self.assertNotIn("ratelimit", headers)
            self.assertEqual(user.get("/v0/kyc/gate")[0], 403)
        self.assertEqual(user.get(PATH)[0], 200)

    def test_the_admin_port_has_no_limit(self):
        port = self.stack.port("gateway_admin")
        for _ in range(2 * PER_ADDRESS):
            self.assertEqual(request(port, "GET", "/healthz")[0], 200)


if __name__ == "__main__":
    unittest.main()
