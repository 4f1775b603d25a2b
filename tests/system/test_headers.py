"""Headers that every answer has, and what browsers of other origins may do."""

import unittest

from stack import Stack, request

ORIGIN = "https://app.example"
READABLE = {
    "retry-after", "ratelimit", "ratelimit-policy", "traceparent",
    "idempotency-replayed",
}
SENDABLE = {
    "x-juno-jwt", "x-juno-orgid", "x-timestamp-format", "idempotency-key",
    "content-type", "traceparent",
}


def words(field):
    return {word.strip().lower() for word in field.split(",")}


class Headers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack({"gateway": [
            f"--cors_allowed_origins={ORIGIN}, http://localhost:3000",
            "--rate_limit_user=2",
        ]})
        cls.addClassCleanup(cls.stack.stop)
        cls.paths = request(
            cls.stack.port("gateway"), "GET", "/openapi.json"
        )[2]["paths"]

    def send(self, method, path, headers=None):
        return request(self.stack.port("gateway"), method, path, headers)

    def test_every_answer_has_the_common_headers(self):
        for path, item in self.paths.items():
            for method in ("get", "post", "put", "delete", "patch", "options"):
                with self.subTest(f"{method} {path}"):
                    status, headers, _ = self.send(method.upper(), path)
                    public = status == 200 and path.endswith("/jwks.json")
                    self.assertEqual(
                        headers["cache-control"],
                        "public, max-age=300" if public else "no-store",
                    )
                    self.assertEqual(
                        headers["x-content-type-options"], "nosniff"
                    )
                    self.assertRegex(
                        headers["traceparent"],
                        "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
                    )
                    for banner in ("server", "x-powered-by", "via"):
                        self.assertNotIn(banner, headers)
                    self.assertNotIn("access-control-allow-origin", headers)
        for path in ("/", "/nowhere", "/v0/%zz"):
            headers = self.send("GET", path)[1]
            self.assertEqual(headers["cache-control"], "no-store")
            self.assertEqual(headers["x-content-type-options"], "nosniff")
            self.assertNotIn("server", headers)

    def test_pages_of_an_allowed_origin(self):
        user = self.stack.user()
        for expected in (200, 200, 429):
            status, headers, _ = user.get(
                "/v0/kyc/status", headers={"Origin": ORIGIN}
            )
            self.assertEqual(status, expected)
            self.assertEqual(headers["access-control-allow-origin"], ORIGIN)
            self.assertEqual(
                words(headers["access-control-expose-headers"]), READABLE
            )
            self.assertIn("origin", words(headers["vary"]))
            # Tokens travel in a header of their own, never as a cookie.
            self.assertNotIn("access-control-allow-credentials", headers)

    def test_preflights(self):
        for path, item in self.paths.items():
            if path.startswith("/v0/kyc/gate"):
                continue  # Proxies ask it, not pages.
            for method in item:
                with self.subTest(f"{method} {path}"):
                    status, headers, body = self.send("OPTIONS", path, {
                        "Origin": "http://localhost:3000",
                        "Access-Control-Request-Method": method.upper(),
                        "Access-Control-Request-Headers": "x-juno-jwt",
                    })
                    self.assertEqual((status, body), (204, ""))
                    self.assertEqual(
                        headers["access-control-allow-origin"],
                        "http://localhost:3000",
                    )
                    self.assertIn(
                        method,
                        words(headers["access-control-allow-methods"]),
                    )
                    self.assertEqual(
                        words(headers["access-control-allow-headers"]),
                        SENDABLE,
                    )

    def test_pages_of_other_origins(self):
        for origin in (
            "https://app.example.evil", "https://evil.example", "null",
            "http://app.example", "https://app.example:8443", "",
        ):
            for method, path in (
                ("GET", "/v0/kyc/status"), ("OPTIONS", "/v0/kyc/status"),
                ("GET", "/nowhere"),
            ):
                with self.subTest(f"{origin} {method} {path}"):
                    headers = self.send(method, path, {
                        "Origin": origin,
                        "Access-Control-Request-Method": "GET",
                    })[1]
                    for name in headers:
                        self.assertFalse(
                            name.startswith("access-control-"), name
                        )
                    self.assertIn("origin", words(headers["vary"]))

    def test_the_page_for_people_needs_nothing_else(self):
        status, headers, page = self.send("GET", "/docs")
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        policy = headers["content-security-policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotIn("http", policy)
        self.assertNotIn("<script", page)
        for path in self.paths:
            self.assertIn(path.replace("&", "&amp;"), page)


if __name__ == "__main__":
    unittest.main()
