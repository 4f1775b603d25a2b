"""Flags, configuration checks, admin ports and gRPC of every binary."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import grpc

from stack import ROOT, Stack, binary, event, request, wait_until

SERVERS = ("kyc", "webhook", "gateway")


def run(name, *args, env=None):
    return subprocess.run(
        [binary(name), *args], capture_output=True, text=True, timeout=20,
        env={**os.environ, **(env or {})}, cwd="/",
    )


class Flags(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(start=False)

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def good(self, name):
        return self.stack.command(name)[1:]

    def test_help_and_version(self):
        for name in SERVERS + ("provider", "kycctl"):
            with self.subTest(name):
                result = run(name, "--help")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertTrue(result.stdout)
                result = run(name, "--version")
                self.assertEqual(result.returncode, 0)
                self.assertRegex(result.stdout, r"\d+\.\d+\.\d+")

    def test_check_config_accepts_what_starts(self):
        for name in SERVERS:
            result = run(name, *self.good(name), "--check_config")
            self.assertEqual(result.returncode, 0, result.stderr)

    def test_check_config_names_what_is_wrong(self):
        missing = self.stack.path("missing")
        broken = self.stack.path("broken.json")
        with open(broken, "w", encoding="utf-8") as file:
            file.write("{")
        cases = [
            ("kyc", "--sumsub_app_token_file=" + missing,
             ["sumsub_app_token_file", missing]),
            ("kyc", "--sumsub_secret_key_file=", ["sumsub_secret_key_file"]),
            ("kyc", "--default_kyc_mode=selfie", ["default_kyc_mode"]),
            ("kyc", "--redis_url=http://x", ["redis_url"]),
            ("kyc", "--redis_url=redis://:pw@127.0.0.1/0", ["redis_url"]),
            ("kyc", "--onboarding_steps=a,b", ["onboarding_steps"]),
            ("kyc", "--listen=nowhere", ["listen"]),
            ("kyc", "--provider_timeout=soon", ["provider_timeout"]),
            ("webhook", "--sumsub_webhook_secret_file=" + missing,
             ["sumsub_webhook_secret_file", missing]),
            ("webhook", "--sumsub_digest_algorithms=MD5",
             ["sumsub_digest_algorithms"]),
            ("gateway", "--user_jwks=" + missing, ["user_jwks", missing]),
            ("gateway", "--user_jwks=" + broken, ["user_jwks", broken]),
            ("gateway", "--kyc_address=", ["kyc_address"]),
            ("gateway", "--no_such_flag=1", ["no_such_flag"]),
        ]
        for name, flag, words in cases:
            with self.subTest(flag):
                result = run(name, *self.good(name), flag, "--check_config")
                self.assertEqual(result.returncode, 2, result.stderr)
                for word in words:
                    self.assertIn(word, result.stderr)
                self.assertNotIn(":pw@", result.stderr)

    def test_without_check_config_it_refuses_to_start_too(self):
        result = run("kyc", *self.good("kyc"), "--default_kyc_mode=selfie")
        self.assertEqual(result.returncode, 2)
        self.assertIn("default_kyc_mode", result.stderr)

    def test_environment_fills_in_and_the_command_line_wins(self):
        flags = [f for f in self.good("kyc") if "app_token" not in f]
        env = {"KYC_SUMSUB_APP_TOKEN_FILE": self.stack.path("app_token")}
        self.assertEqual(run("kyc", *flags, "--check_config").returncode, 2)
        self.assertEqual(
            run("kyc", *flags, "--check_config", env=env).returncode, 0
        )
        env["KYC_SUMSUB_APP_TOKEN_FILE"] = "/nowhere"
        self.assertEqual(
            run("kyc", *self.good("kyc"), "--check_config", env=env).returncode,
            0,
        )


class Admin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    @classmethod
    def tearDownClass(cls):
        cls.stack.stop()

    def test_health_readiness_and_metrics(self):
        for name in SERVERS:
            port = self.stack.port(name + "_admin")
            with self.subTest(name):
                self.assertEqual(request(port, "GET", "/healthz")[0], 200)
                self.assertEqual(request(port, "GET", "/readyz")[0], 200)
                status, headers, text = request(port, "GET", "/metrics")
                self.assertEqual(status, 200)
                self.assertIn("kyc_build_info", text)
                self.assertIn("# TYPE", text)
                self.assertEqual(request(port, "GET", "/v0/user/me")[0], 404)

    def test_metrics_name_no_user(self):
        user = self.stack.user()
        user.get("/v0/kyc/status")
        user.post("/v0/kyc/applicant")
        for name in SERVERS:
            port = self.stack.port(name + "_admin")
            self.assertNotIn(user.sub, request(port, "GET", "/metrics")[2])

    def test_readiness_follows_the_dependencies(self):
        stack = Stack()
        try:
            ready = lambda name: request(
                stack.port(name + "_admin"), "GET", "/readyz"
            )[0]
            stack.kill("redis")
            for name in ("kyc", "webhook"):
                wait_until(lambda: ready(name) == 503, 10, what=name + " 503")
            stack.start("redis")
            for name in ("kyc", "webhook"):
                wait_until(lambda: ready(name) == 200, 10, what=name + " 200")
            stack.kill("kyc")
            wait_until(lambda: ready("gateway") == 503, 10, what="gateway 503")
            self.assertEqual(ready("webhook"), 200)
        finally:
            stack.stop()


class Grpc(unittest.TestCase):
    """KycService as the company's own services call it."""

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.generated = tempfile.mkdtemp()
        protos = ["kyc/v1/types", "kyc/v1/kyc_service", "google/rpc/status",
                  "google/rpc/error_details"]
        subprocess.run(
            ["protoc", "-I" + os.path.join(ROOT, "proto"),
             "--python_out=" + cls.generated,
             *[os.path.join(ROOT, "proto", p + ".proto") for p in protos]],
            check=True,
        )
        import google

        google.__path__.append(os.path.join(cls.generated, "google"))
        sys.path.insert(0, cls.generated)
        from google.rpc import error_details_pb2, status_pb2
        from kyc.v1 import kyc_service_pb2

        cls.pb = kyc_service_pb2
        cls.status_pb2 = status_pb2
        cls.details_pb2 = error_details_pb2
        cls.channel = grpc.insecure_channel(cls.stack.address("kyc"))

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        cls.stack.stop()

    def call(self, method, message, response, **options):
        return self.channel.unary_unary(
            "/kyc.v1.KycService/" + method,
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=response.FromString,
        )(message, timeout=10, **options)

    def reason(self, error):
        trailers = dict(error.trailing_metadata())
        status = self.status_pb2.Status.FromString(
            trailers["grpc-status-details-bin"]
        )
        info = self.details_pb2.ErrorInfo()
        status.details[0].Unpack(info)
        return info.reason

    def test_health_and_reflection(self):
        health = self.channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=lambda service: (
                b"" if not service else
                b"\x0a" + bytes([len(service)]) + service.encode()
            ),
            response_deserializer=lambda data: data,
        )
        for service in ("", "kyc.v1.KycService", "kyc.v1.UserService"):
            self.assertEqual(health(service, timeout=5), b"\x08\x01")
        with self.assertRaises(grpc.RpcError) as caught:
            health("no.such.Service", timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)
        # A reflection request "list_services".
        stream = self.channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=lambda data: data,
            response_deserializer=lambda data: data,
        )(iter([b"\x3a\x01*"]), timeout=5)
        self.assertIn(b"kyc.v1.KycService", next(stream))

    def test_check_verified(self):
        user = self.stack.user()
        message = self.pb.CheckVerifiedRequest(user_id=user.sub)
        with self.assertRaises(grpc.RpcError) as caught:
            self.call("CheckVerified", message, self.pb.CheckVerifiedResponse)
        error = caught.exception
        self.assertEqual(error.code(), grpc.StatusCode.PERMISSION_DENIED)
        self.assertEqual(self.reason(error), "KYC-403-001")
        self.stack.webhook(event(user.sub, "applicantReviewed", 1000, "GREEN"))
        user.wait_for("approved")
        answer = self.call(
            "CheckVerified", message, self.pb.CheckVerifiedResponse
        )
        self.assertEqual(answer.verified_at_ms, 1767225601000)

    def test_batch_keeps_order_and_item_errors(self):
        user = self.stack.user()
        user.post("/v0/kyc/applicant")
        batch = self.pb.BatchGetStatusRequest()
        for user_id in ("nobody", "", user.sub, "x" * 300):
            batch.requests.add(user_id=user_id)

        def read_both():
            results = self.call(
                "BatchGetStatus", batch, self.pb.BatchGetStatusResponse
            ).results
            single = self.call(
                "GetStatus", self.pb.GetStatusRequest(user_id=user.sub),
                type(results[2].verification),
            )
            # The webhook of the creation may come between the two.
            same = single.version == results[2].verification.version
            return (results, single) if same else None

        results, single = wait_until(read_both, what="one version of both")
        self.assertEqual(len(results), 4)
        self.assertEqual(results[0].verification.user_id, "nobody")
        self.assertEqual(results[0].verification.version, 0)
        self.assertEqual(results[1].error.code, 3)
        self.assertTrue(results[2].verification.applicant_id)
        self.assertEqual(results[3].error.code, 3)
        self.assertEqual(single, results[2].verification)
        for _ in range(1001):
            batch.requests.add(user_id="a")
        with self.assertRaises(grpc.RpcError) as caught:
            self.call("BatchGetStatus", batch, self.pb.BatchGetStatusResponse)
        self.assertEqual(
            caught.exception.code(), grpc.StatusCode.INVALID_ARGUMENT
        )

    def watch(self, *users):
        return self.channel.unary_stream(
            "/kyc.v1.KycService/WatchStatus",
            request_serializer=lambda m: m.SerializeToString(),
            response_deserializer=self.pb.BatchGetStatusResponse.Result
            .DESCRIPTOR.fields_by_name["verification"].message_type
            ._concrete_class.FromString,
        )(self.pb.WatchStatusRequest(user_ids=users), timeout=60)

    def test_watch_pushes_each_change(self):
        user = self.stack.user()
        stream = self.watch(user.sub)
        self.assertEqual(next(stream).state, 1)  # pending
        for at, kind, args, state in (
            (1000, "applicantPending", {"status": "pending"}, 2),
            (2000, "applicantReviewed", {"answer": "RED", "reject": "RETRY"},
             5),
            (3000, "applicantReviewed", {"answer": "GREEN"}, 3),
        ):
            self.stack.webhook(event(user.sub, kind, at, **args))
            while True:
                change = next(stream)
                if change.state == state:
                    break
                self.assertNotEqual(change.state, state)
        stream.cancel()

    def test_watch_survives_a_lost_redis(self):
        user = self.stack.user()
        stream = self.watch(user.sub)
        next(stream)
        self.stack.restart("redis")

        def delivered():
            return self.stack.webhook(
                event(user.sub, "applicantReviewed", 1000, "GREEN")
            )[0] == 200

        wait_until(delivered, 10, 0.2, "stored")
        while next(stream).state != 3:
            pass
        stream.cancel()

    def test_drain_ends_watches(self):
        stack = Stack()
        try:
            channel = grpc.insecure_channel(stack.address("kyc"))
            stream = channel.unary_stream(
                "/kyc.v1.KycService/WatchStatus",
                request_serializer=lambda m: m.SerializeToString(),
                response_deserializer=lambda data: data,
            )(self.pb.WatchStatusRequest(user_ids=["a"]), timeout=60)
            next(stream)
            began = time.monotonic()
            self.assertEqual(stack.kill("kyc", signal.SIGTERM), 0)
            self.assertLess(time.monotonic() - began, 5)
            with self.assertRaises(grpc.RpcError) as caught:
                next(stream)
            self.assertIn(
                caught.exception.code(),
                (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED),
            )
            channel.close()
        finally:
            stack.stop()


class UnixSockets(unittest.TestCase):
    def test_addresses_may_be_unix_sockets(self):
        stack = Stack(start=False)
        try:
            kyc = "unix:" + stack.path("kyc.sock")
            webhook = "unix:" + stack.path("webhook.sock")
            stack.flags = {
                "kyc": ["--listen=" + kyc],
                "webhook": ["--listen=" + webhook, "--kyc_address=" + kyc],
                "gateway": ["--kyc_address=" + kyc,
                            "--webhook_address=" + webhook],
            }
            stack.start_all()
            user = stack.user()
            self.assertEqual(user.post("/v0/kyc/applicant")[0], 201)
            user.play_sdk("approve")
            user.wait_for("approved")
        finally:
            stack.stop()


class KeyRotation(unittest.TestCase):
    def test_a_new_key_is_taken_up_and_an_old_one_forgotten(self):
        stack = Stack()
        try:
            old = stack.user()
            self.assertEqual(old.get("/v0/kyc/status")[0], 200)
            os.rename(stack.path("user_key.pem"), stack.path("old_key.pem"))
            os.rename(stack.path("jwks.json"), stack.path("old_jwks.json"))
            subprocess.run(
                [binary("kycctl"), "token", "keygen",
                 "--key_file=" + stack.path("user_key.pem"),
                 "--jwks_file=" + stack.path("new_jwks.json")],
                check=True, capture_output=True,
            )
            new = stack.user()
            with open(stack.path("old_jwks.json"), encoding="utf-8") as file:
                both = json.load(file)
            with open(stack.path("new_jwks.json"), encoding="utf-8") as file:
                fresh = json.load(file)
            both["keys"] += fresh["keys"]

            def publish(keys):
                with open(stack.path("tmp"), "w", encoding="utf-8") as file:
                    json.dump(keys, file)
                os.rename(stack.path("tmp"), stack.path("jwks.json"))
                stack.processes["gateway"].send_signal(signal.SIGHUP)

            publish(both)
            wait_until(
                lambda: new.get("/v0/kyc/status")[0] == 200, 10,
                what="the new key is known",
            )
            self.assertEqual(old.get("/v0/kyc/status")[0], 200)
            publish(fresh)
            wait_until(
                lambda: old.get("/v0/kyc/status")[0] == 401, 10,
                what="the old key is forgotten",
            )
            self.assertEqual(new.get("/v0/kyc/status")[0], 200)
        finally:
            stack.stop()


if __name__ == "__main__":
    unittest.main()
