"""Documents uploaded by the app: hybrid and document-only verifications."""

import concurrent.futures
import hashlib
import hmac
import http.client
import itertools
import json
import os
import secrets
import socket
import stat
import subprocess
import threading
import time
import unittest

from stack import Stack, wait_until

BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"
PATH = "/v0/kyc/documents"
LIMIT = 10485760

MAGIC = {
    "image/jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    "image/png": b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR",
    "image/webp": b"RIFF\x10\x00\x00\x00WEBPVP8 ",
    "application/pdf": b"%PDF-1.7\n",
}
EXTENSION = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "application/pdf": "pdf",
}
LINKS = {
    "self": {"href": PATH, "method": "POST"},
    "required-docs": {"href": PATH + "/required"},
    "applicant": {"href": "/v0/kyc/applicant", "method": "POST"},
    "status": {"href": "/v0/kyc/status"},
}


def field(name, value):
    return (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="{name}"\r\n\r\n{value}\r\n'
    ).encode()


def file_part(data, name="passport.jpg", kind="image/jpeg", part="file"):
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        f'name="{part}"; filename="{name}"\r\n'
    )
    if kind is not None:
        head += f"Content-Type: {kind}\r\n"
    return head.encode() + b"\r\n" + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
FORM = {"content-type": "multipart/form-data; boundary=" + BOUNDARY}


def form(data, document_type="PASSPORT", country="GBR", side=None,
         name="passport.jpg", kind="image/jpeg"):
    """A whole body; fields given as None are left out."""
    fields = {"document_type": document_type, "country": country, "side": side}
    return (
        b"".join(field(k, v) for k, v in fields.items() if v is not None)
        + file_part(data, name, kind)
        + END
    )


def jpeg(size=2000):
    return MAGIC["image/jpeg"] + secrets.token_bytes(
        size - len(MAGIC["image/jpeg"])
    )


class Documents(unittest.TestCase):
    """What stands in every class below."""

    MODE = "document_only"
    FLAGS = {}

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(
            {
                "kyc": ["--default_kyc_mode=" + cls.MODE],
                "provider": ["--accept_webp", "--outcome_delay=300ms"],
                **cls.FLAGS,
            }
        )

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def applicant(self):
        """A user with an applicant; waits where the provider's rate of 50
        POSTs in 5 s is used up."""
        user = self.stack.user()

        def created():
            status, _, body = user.post("/v0/kyc/applicant")
            if status == 502:
                return None
            self.assertEqual(status, 201, body)
            return body["applicant_id"]

        user.applicant = wait_until(created, 10, 0.5, "an applicant")
        return user

    def upload(self, user, body, **kwargs):
        return user.post(PATH, body=body, headers=FORM, **kwargs)

    def assert_problem(self, answer, status, code, instance=PATH):
        self.assertEqual(answer[0], status, answer[2])
        self.assertEqual(
            answer[1]["content-type"], "application/problem+json"
        )
        self.assertEqual(answer[2]["error_code"], code)
        self.assertEqual(answer[2]["status"], status)
        self.assertEqual(answer[2]["instance"], instance)
        return answer[2]

    def uploads_at_provider(self):
        """How often the provider was called with a document."""
        endpoints = self.stack.sandbox("/sandbox/requests")["endpoints"]
        return sum(
            calls["count"]
            for name, calls in endpoints.items()
            if name.endswith("/info/idDoc")
        )

    def image_at_provider(self, user, image_id):
        return self.ask_provider(
            f"/resources/inspections/{user.applicant}/resources/{image_id}"
        )

    def images_at_provider(self, user):
        """How many images the provider has of a user."""
        return json.loads(self.ask_provider(
            f"/resources/applicants/{user.applicant}/metadata/resources"
        ))["totalItems"]

    def ask_provider(self, path):
        """The body of the answer to a signed GET."""

        def read(name):
            with open(self.stack.path(name), encoding="utf-8") as file:
                return file.read().strip()

        ts = str(int(time.time()))
        signature = hmac.new(
            read("secret_key").encode(), (ts + "GET" + path).encode(),
            hashlib.sha256,
        ).hexdigest()
        headers = {
            "X-App-Token": read("app_token"),
            "X-App-Access-Ts": ts,
            "X-App-Access-Sig": signature,
        }
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.stack.port("provider"), timeout=20
        )
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            data = response.read()
            self.assertEqual(response.status, 200, data[:200])
            return data
        finally:
            connection.close()

    def raw(self, user, body, head="", timeout=8, shut=False):
        """Sends these bytes as a body; (status, seconds, answer)."""
        begin = time.monotonic()
        with socket.create_connection(
            ("127.0.0.1", self.stack.port("gateway")), timeout
        ) as sock:
            sock.sendall(
                (
                    f"POST {PATH} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                    f"x-juno-jwt: {user.token}\r\n"
                    f"Content-Type: {FORM['content-type']}\r\n"
                    + (head or f"Content-Length: {len(body)}\r\n")
                    + "\r\n"
                ).encode()
            )
            try:
                sock.sendall(body)
                if shut:
                    sock.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass
            answer = b""
            while True:
                piece = sock.recv(65536)
                if not piece:
                    break
                answer += piece
        return int(answer.split(b" ")[1]), time.monotonic() - begin, answer


class DocumentOnly(Documents):
    def test_walk_with_every_body(self):
        user = self.applicant()
        status, _, required = user.get(PATH + "/required")
        self.assertEqual(status, 200)
        links = {
            "self": {"href": PATH + "/required"},
            "documents": {"href": PATH, "method": "POST"},
            "status": {"href": "/v0/kyc/status"},
        }
        missing = {
            "steps": [
                {
                    "step_type": "IDENTITY",
                    "has_documents": False,
                    "review_answer": None,
                    "moderation_comment": None,
                }
            ],
            "all_uploaded": False,
            "_links": links,
        }
        self.assertEqual(required, missing)
        problem = self.assert_problem(
            user.post("/v0/kyc/submit"), 409, "KYC-409-001", "/v0/kyc/submit"
        )
        self.assertEqual(
            problem["detail"],
            "Not all required documents have been uploaded. "
            "Check GET /v0/kyc/documents/required.",
        )
        data = jpeg(150_000)
        status, headers, body = self.upload(user, form(data))
        self.assertEqual(status, 201, body)
        self.assertEqual(headers["content-type"], "application/json")
        image = body["image_id"]
        self.assertEqual(
            body,
            {
                "document_type": "PASSPORT",
                "country": "GBR",
                "side": None,
                "image_id": image,
                "_links": LINKS,
            },
        )
        self.assertEqual(self.image_at_provider(user, image), data)
        self.assertEqual(user.status(), "in_progress")
        missing["steps"][0]["has_documents"] = True
        self.assertEqual(
            user.get(PATH + "/required")[2],
            {
                **missing,
                "all_uploaded": True,
                "_links": {
                    **links,
                    "submit": {"href": "/v0/kyc/submit", "method": "POST"},
                },
            },
        )
        expected = {
            "status": "pending",
            "applicant_id": user.applicant,
            "_links": {
                "self": {"href": "/v0/kyc/submit", "method": "POST"},
                "status": {"href": "/v0/kyc/status"},
                "details": {"href": "/v0/kyc/details"},
            },
        }
        for _ in range(2):  # Idempotent.
            status, _, body = user.post("/v0/kyc/submit")
            self.assertEqual((status, body), (200, expected))
        user.wait_for("approved")
        status, _, details = user.get("/v0/kyc/details")
        self.assertEqual(status, 200)
        _, _, shown = user.get("/v0/kyc/status")
        self.assertEqual(details["status"], "approved")
        self.assertEqual(details["verified_at"], shown["verified_at"])
        self.assertIsNone(details["rejected_at"])
        self.assertIsInstance(details["started_at"], int)
        self.assertEqual(
            list(details),
            ["status", "verified_at", "rejected_at", "started_at",
             "personal_info", "documents", "verification_complete",
             "verification_passed", "rejection", "_links"],
        )
        self.assertEqual(
            list(details["personal_info"]),
            ["first_name", "last_name", "date_of_birth", "nationality",
             "country_of_residence"],
        )
        self.assertTrue(details["personal_info"]["first_name"])
        [document] = details["documents"]
        self.assertIsInstance(document.pop("submitted_at"), int)
        self.assertEqual(
            document,
            {"document_type": "PASSPORT", "country": "GBR",
             "status": "verified"},
        )
        self.assertIs(details["verification_complete"], True)
        self.assertIs(details["verification_passed"], True)
        self.assertIsNone(details["rejection"])
        self.assertEqual(
            details["_links"],
            {
                "self": {"href": "/v0/kyc/details"},
                "refresh": {"href": "/v0/kyc/details?refresh=true"},
                "status": {"href": "/v0/kyc/status"},
                "user": {"href": "/v0/user/me"},
            },
        )
        _, _, iso = user.get(
            "/v0/kyc/details?refresh=true",
            headers={"X-Timestamp-Format": "iso8601"},
        )
        for name in ("verified_at", "started_at"):
            self.assertRegex(iso[name], r"^\d{4}-\d\d-\d\dT[\d:]{8}Z$")
        self.assertRegex(iso["documents"][0]["submitted_at"], "Z$")

    def test_both_sides(self):
        user = self.applicant()
        for side in ("FRONT_SIDE", "BACK_SIDE"):
            if side == "BACK_SIDE":
                # One side is a document, but not all of it.
                self.assert_problem(
                    user.post("/v0/kyc/submit"), 409, "KYC-409-001",
                    "/v0/kyc/submit",
                )
            status, _, body = self.upload(
                user,
                form(jpeg(), document_type="ID_CARD", side=side, name="a.JPEG"),
            )
            self.assertEqual(status, 201, body)
            self.assertEqual(body["side"], side)
            self.assertEqual(body["document_type"], "ID_CARD")
        self.assertEqual(user.post("/v0/kyc/submit")[0], 200)
        user.wait_for("approved")

    def test_retry_with_another_upload_and_submit(self):
        self.stack.sandbox(
            "/sandbox/outcome", {"outcome": "retry", "delay_ms": 200}
        )
        user = self.applicant()
        try:
            self.assertEqual(self.upload(user, form(jpeg()))[0], 201)
            self.assertEqual(user.post("/v0/kyc/submit")[0], 200)
            user.wait_for("retry")
        finally:
            self.stack.sandbox(
                "/sandbox/outcome", {"outcome": "approve", "delay_ms": 200}
            )
        _, _, details = user.get("/v0/kyc/details?refresh=true")
        self.assertEqual(details["status"], "retry")
        reason = user.get("/v0/kyc/status")[2]["reject_reason"]
        self.assertTrue(reason)
        self.assertEqual(
            details["rejection"], {"can_retry": True, "message": reason}
        )
        self.assertIs(details["verification_passed"], False)
        self.assertEqual(self.upload(user, form(jpeg()))[0], 201)
        self.assertEqual(user.status(), "in_progress")
        self.assertEqual(user.post("/v0/kyc/submit")[0], 200)
        user.wait_for("approved")
        _, _, details = user.get("/v0/kyc/details?refresh=true")
        self.assertIsNone(details["rejection"])

    def test_rejection(self):
        self.stack.sandbox(
            "/sandbox/outcome", {"outcome": "reject", "delay_ms": 200}
        )
        user = self.applicant()
        try:
            self.assertEqual(self.upload(user, form(jpeg()))[0], 201)
            self.assertEqual(user.post("/v0/kyc/submit")[0], 200)
            user.wait_for("rejected")
        finally:
            self.stack.sandbox(
                "/sandbox/outcome", {"outcome": "approve", "delay_ms": 200}
            )
        _, _, details = user.get("/v0/kyc/details?refresh=true")
        self.assertEqual(details["status"], "rejected")
        self.assertIsInstance(details["rejected_at"], int)
        self.assertIs(details["rejection"]["can_retry"], False)
        self.assertTrue(details["rejection"]["message"])
        # The provider takes no more of this person.
        self.assert_problem(
            self.upload(user, form(jpeg())), 500, "KYC-500-003"
        )
        self.assertEqual(user.status(), "rejected")

    def test_without_applicant(self):
        user = self.stack.user()
        calls = self.uploads_at_provider()
        self.assert_problem(self.upload(user, form(jpeg())), 404, "KYC-404-001")
        self.assert_problem(
            self.upload(user, form(jpeg(LIMIT))), 404, "KYC-404-001"
        )
        for method, path in (
            ("GET", PATH + "/required"),
            ("POST", "/v0/kyc/submit"),
            ("GET", "/v0/kyc/details"),
        ):
            self.assert_problem(
                user.call(method, path), 404, "KYC-404-001", path
            )
        self.assertEqual(self.uploads_at_provider(), calls)

    def test_type_extension_and_content_must_agree(self):
        user = self.applicant()
        calls = self.uploads_at_provider()
        passed = 0
        for extension, declared, magic in itertools.product(MAGIC, repeat=3):
            status, headers, body = self.upload(
                user,
                form(MAGIC[magic] + b"\x00" * 64,
                     name="scan." + EXTENSION[extension], kind=declared),
            )
            good = extension == declared == magic
            with self.subTest(ext=extension, declared=declared, magic=magic):
                if good:
                    passed += 1
                    self.assertEqual(status, 201, body)
                else:
                    self.assert_problem(
                        (status, headers, body), 400, "KYC-400-001"
                    )
        self.assertEqual(passed, 4)
        self.assertEqual(self.uploads_at_provider(), calls + 4)

    def test_files_that_are_none_of_the_four(self):
        user = self.applicant()
        calls = self.uploads_at_provider()
        for data, name, kind in (
            (jpeg(), "a.heic", "image/heic"),
            (jpeg(), "a.jpg", "image/jpg"),
            (jpeg(), "a.jpg", None),
            (jpeg(), "a.jpg", "application/octet-stream"),
            (jpeg(), "jpg", "image/jpeg"),
            (jpeg(), "", "image/jpeg"),
            (jpeg(), "a.jpg.exe", "image/jpeg"),
            (b"", "a.jpg", "image/jpeg"),
            (b"MZ\x90\x00", "a.jpg", "image/jpeg"),
            (b"\xff\xd8", "a.jpg", "image/jpeg"),
            (b"\x00" * 1024 + MAGIC["application/pdf"], "a.pdf",
             "application/pdf"),
        ):
            with self.subTest(name=name, kind=kind):
                self.assert_problem(
                    self.upload(user, form(data, name=name, kind=kind)),
                    400, "KYC-400-001",
                )
        problem = self.upload(
            user, form(jpeg(), name="a.heic", kind="image/heic")
        )[2]
        self.assertEqual(
            problem["detail"],
            "Unsupported file type: image/heic. Allowed: application/pdf, "
            "image/jpeg, image/png, image/webp",
        )
        self.assertEqual(problem["title"], "Invalid Document Type")
        self.assertEqual(self.uploads_at_provider(), calls)

    def test_the_limit_of_size(self):
        user = self.applicant()
        data = jpeg(LIMIT)
        status, _, body = self.upload(user, form(data))
        self.assertEqual(status, 201, body)
        self.assertEqual(
            hashlib.sha256(
                self.image_at_provider(user, body["image_id"])
            ).hexdigest(),
            hashlib.sha256(data).hexdigest(),
        )
        calls = self.uploads_at_provider()
        for size in (LIMIT + 1, 12582912, 16 << 20):
            problem = self.assert_problem(
                self.upload(user, form(jpeg(size))), 400, "KYC-400-002"
            )
            self.assertEqual(
                problem["detail"],
                f"File size {size} exceeds maximum of 10485760 bytes (10MB).",
            )
        self.assert_problem(
            self.upload(user, form(jpeg((16 << 20) + 1))), 413, "GEN-413-001"
        )
        status, seconds, _ = self.raw(
            user, b"", f"Content-Length: {(17 << 20) + 1}\r\n"
        )
        self.assertEqual(status, 413)
        self.assertLess(seconds, 3)
        self.assertEqual(self.uploads_at_provider(), calls)

    def test_chunked_bodies(self):
        user = self.applicant()
        data = jpeg(300_000)
        body = form(data)

        def pieces(size):
            for at in range(0, len(body), size):
                yield body[at : at + size]

        for size in (1000, 65537, len(body)):
            status, _, answer = self.upload(user, pieces(size))
            self.assertEqual(status, 201, answer)
            self.assertEqual(
                self.image_at_provider(user, answer["image_id"]), data
            )
        endless = b"%x\r\n" % (1 << 20) + b"x" * (1 << 20) + b"\r\n"
        status, seconds, _ = self.raw(
            user,
            b"%x\r\n" % len(field("x", "")[:-2]) + field("x", "")[:-2] + b"\r\n"
            + endless * 20,
            "Transfer-Encoding: chunked\r\n",
        )
        self.assertEqual(status, 413)
        self.assertLess(seconds, 5)

    def test_fields(self):
        user = self.applicant()
        calls = self.uploads_at_provider()

        def faults(body):
            problem = self.assert_problem(
                self.upload(user, body), 422, "KYC-422-002"
            )
            return sorted(error["pointer"] for error in problem["errors"])

        self.assertEqual(
            faults(END), ["/country", "/document_type", "/file"]
        )
        self.assertEqual(faults(form(jpeg(), country=None)), ["/country"])
        self.assertEqual(faults(form(jpeg(), side="LEFT")), ["/side"])
        self.assertEqual(
            faults(form(jpeg(), document_type="VISA", country="gbr")),
            ["/country", "/document_type"],
        )
        self.assertEqual(
            faults(field("country", "GBR") + form(jpeg())), ["/country"]
        )
        self.assertEqual(
            faults(file_part(jpeg()) + form(jpeg())), ["/file"]
        )
        self.assertEqual(
            faults(file_part(jpeg(), part="back") + form(jpeg())), ["/file"]
        )
        self.assertEqual(
            faults(form(jpeg(), country="G" * 5000)), ["/country"]
        )
        self.assertEqual(self.uploads_at_provider(), calls)
        # The file first, and a field that nobody knows.
        status, _, body = self.upload(
            user,
            file_part(jpeg()) + field("note", "x" * 5000)
            + field("country", "DEU") + field("document_type", "PASSPORT")
            + END,
        )
        self.assertEqual(status, 201, body)

    def test_names_are_only_looked_at_for_their_ending(self):
        user = self.applicant()
        for name in (
            "..%2f..%2fetc%2fpasswd.jpg", "../../a.jpg", "C:\\\\x\\\\a.jpg",
            "\u202egpj.a.jpg", "x" * 300 + ".jpg", "<script>.jpg",
            "a%22b.jpg", "caf\u00e9.jpg", "a;b.jpg",
        ):
            status, _, body = self.upload(user, form(jpeg(), name=name))
            self.assertEqual(status, 201, (name, body))

    def test_other_media_types(self):
        user = self.applicant()
        for kind in ("application/json", "image/jpeg", "text/plain",
                     "multipart/mixed; boundary=B"):
            self.assert_problem(
                user.post(PATH, body=b"{}", headers={"content-type": kind}),
                415, "GEN-415-001",
            )
        self.assert_problem(
            user.post(PATH, body=END,
                      headers={"content-type": "multipart/form-data"}),
            400, "GEN-400-001",
        )

    def test_hostile_multipart(self):
        user = self.applicant()
        calls = self.uploads_at_provider()
        whole = form(jpeg())
        bodies = {
            "no last boundary": whole[: -len(END)],
            "nothing": b"",
            "a thousand parts": field("x", "1") * 1000 + END,
            "a huge header": whole.replace(
                b"Content-Type: image/jpeg",
                b"X: " + b"x" * 9000 + b"\r\nContent-Type: image/jpeg",
            ),
            "many header fields": whole.replace(
                b"Content-Type: image/jpeg",
                b"X: 1\r\n" * 30 + b"Content-Type: image/jpeg",
            ),
            "a boundary in the data": form(
                jpeg() + f"\r\n--{BOUNDARY}\r\n".encode()
            ),
            "a line feed in a name": whole.replace(b'"passport', b'"pass\nport'),
            "a NUL in a name": whole.replace(b'"passport', b'"pass\0port'),
            "line feeds only": whole.replace(b"\r\n", b"\n"),
            "no disposition": whole.replace(b"Content-Disposition", b"X-Other"),
            "another boundary": whole.replace(BOUNDARY.encode(), b"other"),
            "an open quote": whole.replace(b'passport.jpg"', b"passport.jpg"),
            "long before": b"x" * 100_000 + b"\r\n" + whole,
            "long after": whole + b"x" * 100_000,
        }
        for name, body in bodies.items():
            with self.subTest(name):
                begin = time.monotonic()
                answer = self.upload(user, body)
                self.assertIn(answer[0], (400, 422), answer[2])
                self.assertIn(
                    answer[2]["error_code"], ("GEN-400-001", "KYC-422-002")
                )
                self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(self.uploads_at_provider(), calls)
        # Bytes that only look like a boundary are data.
        data = jpeg() + f"\r\n--{BOUNDARY}x\r\n--{BOUNDARY[:-1]}\r\n".encode()
        status, _, body = self.upload(user, form(data))
        self.assertEqual(status, 201, body)
        self.assertEqual(self.image_at_provider(user, body["image_id"]), data)

    def test_truncation_at_every_byte(self):
        user = self.applicant()
        calls = self.uploads_at_provider()
        body = form(MAGIC["image/jpeg"] + b"\r\n--x\r\n")
        for size in range(len(body) - 2):
            answer = self.upload(user, body[:size])
            self.assertEqual(answer[0], 400, (size, answer[2]))
        # A client that goes, or stops, before the end it announced.
        for size in range(0, len(body), 40):
            head = f"Content-Length: {len(body)}\r\n"
            status, seconds, _ = self.raw(user, body[:size], head, shut=True)
            self.assertEqual(status, 400)
            self.assertLess(seconds, 2)
        status, seconds, _ = self.raw(user, body[:100], head)
        self.assertEqual(status, 408)
        self.assertLess(seconds, 5.5)
        self.assertEqual(self.uploads_at_provider(), calls)

    def test_what_the_provider_finds_wrong(self):
        user = self.applicant()
        self.stack.sandbox(
            "/sandbox/uploads",
            {"errors": ["screenshot"], "warnings": ["grayscale"], "count": 1},
        )
        status, _, body = self.upload(user, form(jpeg()))
        self.assertEqual(status, 201, body)
        self.assertTrue(body["image_id"])
        self.assertEqual(sorted(body["warnings"]), ["grayscale", "screenshot"])
        _, _, required = user.get(PATH + "/required")
        self.assertIs(required["all_uploaded"], False)
        self.assertNotIn("warnings", self.upload(user, form(jpeg()))[2])

    def test_provider_faults(self):
        user = self.applicant()
        self.assertEqual(self.upload(user, form(jpeg()))[0], 201)
        try:
            for mode in ("500", "html", "wrong_shape", "down"):
                self.stack.fault(mode)
                self.assert_problem(
                    self.upload(user, form(jpeg())), 500, "KYC-500-003"
                )
                problem = self.assert_problem(
                    user.get(PATH + "/required"), 502, "KYC-502-001",
                    PATH + "/required",
                )
                self.assertEqual(
                    problem["detail"],
                    "Failed to fetch required documents status from KYC "
                    "provider",
                )
                self.assert_problem(
                    user.post("/v0/kyc/submit"), 500, "KYC-500-004",
                    "/v0/kyc/submit",
                )
                self.assert_problem(
                    user.get("/v0/kyc/details?refresh=true"), 502,
                    "KYC-502-001", "/v0/kyc/details",
                )
        finally:
            self.stack.fault("none")


class Hybrid(Documents):
    MODE = "hybrid"

    def test_walk(self):
        user = self.applicant()
        status, _, body = self.upload(user, form(jpeg()))
        self.assertEqual(status, 201, body)
        _, _, required = user.get(PATH + "/required")
        self.assertEqual(
            [step["step_type"] for step in required["steps"]], ["IDENTITY"]
        )
        self.assertIs(required["all_uploaded"], True)
        self.assertIn("submit", required["_links"])
        status, _, token = user.post("/v0/kyc/access-token?level=liveness")
        self.assertEqual(status, 200, token)
        user.play_sdk("approve", delay_ms=500)
        status, _, submitted = user.post("/v0/kyc/submit")
        self.assertEqual(status, 200, submitted)
        self.assertEqual(submitted["status"], "pending")
        user.wait_for("approved")

    def test_documents_alone_approve_nobody(self):
        user = self.applicant()
        self.assertEqual(self.upload(user, form(jpeg()))[0], 201)
        self.assertEqual(user.post("/v0/kyc/submit")[0], 200)
        wait_until(
            lambda: any(
                "applicantReviewed" in str(one)
                and user.sub in str(one)
                for one in deliveries(self.stack)
            ),
            what="the review's webhook",
        )
        _, _, body = user.get("/v0/kyc/status?refresh=true")
        self.assertNotEqual(body["status"], "approved")
        self.assertIsNone(body["verified_at"])


def deliveries(stack):
    answer = stack.sandbox("/sandbox/deliveries")
    return answer["deliveries"] if isinstance(answer, dict) else answer


class Load(Documents):
    def memory(self, name):
        """VmHWM in MB."""
        pid = self.stack.processes[name].pid
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            for line in file:
                if line.startswith("VmHWM"):
                    return int(line.split()[1]) / 1024
        raise AssertionError("no VmHWM")

    def written(self, name):
        pid = self.stack.processes[name].pid
        with open(f"/proc/{pid}/io", encoding="utf-8") as file:
            for line in file:
                if line.startswith("write_bytes"):
                    return int(line.split()[1])
        raise AssertionError("no write_bytes")

    def open_files(self, name):
        """Regular files a process holds, but for its log."""
        found = set()
        folder = f"/proc/{self.stack.processes[name].pid}/fd"
        for fd in os.listdir(folder):
            try:
                path = os.readlink(f"{folder}/{fd}")
                mode = os.stat(f"{folder}/{fd}").st_mode
            except OSError:
                continue
            if stat.S_ISREG(mode) and not path.endswith(".log"):
                found.add(path)
        return found

    def test_fifty_large_uploads_at_once(self):
        users = [self.applicant() for _ in range(50)]
        data = jpeg(10_000_000)
        body = form(data)
        names = ("gateway", "kyc")
        before = {name: self.written(name) for name in names}
        files = {name: set() for name in names}
        done = threading.Event()

        def watch():
            while not done.wait(0.01):
                for name in names:
                    files[name] |= self.open_files(name)

        watcher = threading.Thread(target=watch)
        watcher.start()
        full = 0

        def one(user):
            refused = 0
            while True:
                status, headers, answer = self.upload(user, body, timeout=60)
                if status != 503:
                    return status, answer, refused
                self.assertEqual(answer["error_code"], "GEN-503-001")
                refused += 1
                time.sleep(int(headers["retry-after"]))

        try:
            with concurrent.futures.ThreadPoolExecutor(50) as pool:
                for status, answer, refused in pool.map(one, users):
                    self.assertEqual(status, 201, answer)
                    full += refused
        finally:
            done.set()
            watcher.join()
        peak = {name: round(self.memory(name)) for name in names}
        print(f"peak memory in MB: {peak}, refused for now: {full}")
        # The gateway holds chunks, the engine whole files.
        self.assertLess(peak["gateway"], 100)
        self.assertLess(peak["kyc"], 32 * 10.5 * 1.5 + 100)
        for name in names:
            self.assertEqual(files[name], set())
            self.assertLess(self.written(name) - before[name], 4 << 20)

    def test_a_full_house_and_clients_that_leave(self):
        user = self.applicant()
        body = form(jpeg(100_000))
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nx-juno-jwt: {user.token}\r\n"
            f"Content-Type: {FORM['content-type']}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        held = []

        def hold():
            sock = socket.create_connection(
                ("127.0.0.1", self.stack.port("gateway"))
            )
            held.append(sock)
            sock.sendall(head + body[:50_000])

        try:
            for _ in range(32):
                hold()

            def full():
                status, headers, answer = self.upload(user, body)
                if status != 503:
                    hold()  # This upload may have had the place of one.
                    return False
                self.assertEqual(answer["error_code"], "GEN-503-001")
                self.assertGreaterEqual(int(headers["retry-after"]), 1)
                return True

            wait_until(full, 3, 0.3, "all places taken")
        finally:
            for sock in held:
                sock.close()
        wait_until(
            lambda: self.upload(user, body)[0] == 201, 3, 0.3, "places free"
        )

    def test_without_the_service(self):
        user = self.applicant()
        body = form(jpeg(5_000_000))
        self.stack.kill("kyc")
        try:
            begin = time.monotonic()
            self.assert_problem(
                self.upload(user, body), 503, "GEN-503-001"
            )
            self.assertLess(time.monotonic() - begin, 2)
        finally:
            self.stack.start("kyc")
        wait_until(
            lambda: self.upload(user, body)[0] == 201, 10, what="recovery"
        )

    def test_what_curl_sends(self):
        user = self.applicant()
        data = jpeg(2_000_000)
        path = self.stack.path("pass port.jpg")
        with open(path, "wb") as file:
            file.write(data)
        for more in ([], ["-H", "Expect: 100-continue"],
                     ["-H", "Transfer-Encoding: chunked"]):
            answer = subprocess.run(
                ["curl", "-sS", "--max-time", "20", "-H",
                 "x-juno-jwt: " + user.token, "-F", "document_type=PASSPORT",
                 "-F", "country=GBR", "-F", "file=@" + path, *more,
                 f"http://{self.stack.address('gateway')}{PATH}"],
                check=True, capture_output=True, text=True,
            ).stdout
            image = json.loads(answer)["image_id"]
            self.assertEqual(self.image_at_provider(user, image), data)
