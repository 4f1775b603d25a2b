"""The whole service for a test: real processes, real Redis, free ports.

    with Stack() as stack:
        user = stack.user()
        status, headers, body = user.get("/v0/kyc/status")

Every process can be killed, frozen and started again by name. Nothing here
shares code with what it tests: webhooks are signed with Python's hmac.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
BIN = os.path.join(os.environ.get("KYC_BIN", os.path.join(ROOT, "bazel-bin")))

PARTNER_ISSUER = "https://sis.example.test"

BINARIES = {
    "provider": "deploy/sandbox/sumsub_sandbox",
    "kyc": "services/kyc/kyc_server",
    "webhook": "services/webhook/webhook_server",
    "gateway": "gateway/gateway",
    "kycctl": "deploy/kycctl/kycctl",
}


def binary(name):
    return os.path.join(BIN, BINARIES[name])


def free_ports(count):
    """Ports nobody listens on now."""
    sockets = []
    for _ in range(count):
        sock = socket.socket()
        sock.bind(("127.0.0.1", 0))
        sockets.append(sock)
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def wait_until(condition, timeout=20, every=0.05, what="condition"):
    """Polls until condition() is true; returns what it returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(every)


def request(port, method, path, headers=None, body=None, timeout=20):
    """One HTTP exchange: (status, headers by lower-case name, body).

    The body is parsed JSON, bytes for images, or else text.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        text = response.read()
        fields = {k.lower(): v for k, v in response.getheaders()}
        if "json" in fields.get("content-type", "") and text:
            return response.status, fields, json.loads(text)
        if fields.get("content-type", "").startswith("image/"):
            return response.status, fields, text
        return response.status, fields, text.decode("utf-8", "replace")
    finally:
        connection.close()


class User:
    """A caller with a token of its own."""

    def __init__(self, stack, sub):
        self.stack = stack
        self.sub = sub
        self.token = stack.mint(sub)

    def call(self, method, path, headers=None, body=None, timeout=20):
        fields = {"x-juno-jwt": self.token}
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            fields["content-type"] = "application/json"
        fields.update(headers or {})
        return request(
            self.stack.port("gateway"), method, path, fields, body, timeout
        )

    def get(self, path, **kwargs):
        return self.call("GET", path, **kwargs)

    def post(self, path, body=None, **kwargs):
        return self.call("POST", path, body=body, **kwargs)

    def status(self):
        return self.get("/v0/kyc/status")[2]["status"]

    def play_sdk(self, outcome, **options):
        self.stack.sandbox(
            f"/sandbox/applicants/{urllib.parse.quote(self.sub, safe='')}/sdk",
            {"outcome": outcome, **options},
        )

    def wait_for(self, status, timeout=20):
        wait_until(
            lambda: self.status() == status, timeout, 0.1, f"{self.sub} {status}"
        )


class Wallet:
    """A user's account and Safe; signs as kycctl does."""

    def __init__(self, user, safe=True, register=True, tenant=None):
        self.user = user
        self.tenant = tenant
        self.key_file = user.stack.path(f"wallet-{secrets.token_hex(6)}.key")
        self.eoa = user.stack.kycctl(
            "pint", "keygen", "--key_file=" + self.key_file
        ).strip()
        self.safe = "0x" + secrets.token_hex(20) if safe else None
        if register:
            status, _, answer = self.register()
            assert status == 201, answer

    @property
    def address(self):
        return self.safe or self.eoa

    def register(self):
        body = {"primary_eoa_address": self.eoa, "chain_id": 1329}
        if self.safe:
            body["primary_smart_wallet_address"] = self.safe
        headers = {"x-juno-orgid": self.tenant} if self.tenant else {}
        return self.user.post("/v0/user/", body, headers=headers)

    def sign(self, audience, **options):
        """The body that exchanges a new PINT."""
        options.setdefault("wallet", self.address)
        return json.loads(self.user.stack.kycctl(
            "pint", "sign", "--key_file=" + self.key_file,
            "--audience=" + audience,
            *(f"--{name}={value}" for name, value in options.items()),
        ))


class Partner:
    """An organisation with an API key."""

    SCOPES = "get_kyc,lookup,token_exchange,get_pints"

    def __init__(self, stack, org=None, audience=None, scopes=SCOPES,
                 env="live"):
        self.stack = stack
        self.org = org or "org-" + secrets.token_hex(4)
        self.audience = audience or self.org + ".example"
        self.key_id, self.key = self.new_key(scopes, env)

    def new_key(self, scopes, env="live"):
        """(id, text) of another key of the organisation."""
        key = json.loads(self.stack.kycctl(
            "keys", "create", "--kyc_address=" + self.stack.address("kyc"),
            "--org=" + self.org, "--env=" + env, "--name=test",
            "--scopes=" + scopes, "--audience=" + self.audience, "--json",
        ))
        return key["id"], key["key"]

    def call(self, method, path, token=None, body=None, key=None, timeout=20,
             headers=None):
        fields = {"authorization": "Bearer " + (key or self.key)}
        if token is not None:
            fields["x-sumvin-pint-token"] = token
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            fields["content-type"] = "application/json"
        fields.update(headers or {})
        return request(
            self.stack.port("gateway"), method, path, fields, body, timeout
        )

    def get(self, path, token=None, **kwargs):
        return self.call("GET", path, token, **kwargs)

    def exchange(self, body):
        return self.call("POST", "/v0/sis/token/pint", body=body)

    def consent(self, wallet, **options):
        """The answer to the exchange of a new PINT of the wallet."""
        status, _, answer = self.exchange(
            wallet.sign(self.audience, **options)
        )
        assert status == 200, answer
        return answer


class Stack:
    """Processes on ports of their own; see the module's text."""

    def __init__(self, flags=None, start=True):
        self.flags = flags or {}
        self.env = {}  # More of the environment, by process.
        self.dir = tempfile.mkdtemp(prefix="kyc-test-")
        self.processes = {}
        self._subs = itertools.count(1)
        names = (
            "gateway gateway_admin kyc kyc_admin webhook webhook_admin "
            "redis provider"
        ).split()
        self.ports = dict(zip(names, free_ports(len(names))))
        self.webhook_secret = secrets.token_hex(16)
        for name, value in {
            "app_token": "sbx:" + secrets.token_hex(8),
            "secret_key": secrets.token_hex(16),
            "webhook_secret": self.webhook_secret,
        }.items():
            with open(self.path(name), "w", encoding="utf-8") as file:
                file.write(value + "\n")
        subprocess.run(
            [
                binary("kycctl"),
                "token",
                "keygen",
                "--key_file=" + self.path("user_key.pem"),
                "--jwks_file=" + self.path("jwks.json"),
            ],
            check=True,
            capture_output=True,
        )
        self.new_signing_key("partner_key.pem")
        os.mkdir(self.path("redis"))
        if start:
            try:
                self.start_all()
            except BaseException:
                self.stop()
                raise

    def new_signing_key(self, name):
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-out", self.path(name)],
            check=True, capture_output=True,
        )

    def kycctl(self, *args):
        return subprocess.run(
            [binary("kycctl"), *args], check=True, capture_output=True,
            text=True,
        ).stdout

    def path(self, name):
        return os.path.join(self.dir, name)

    def port(self, name):
        return self.ports[name]

    def address(self, name):
        return f"127.0.0.1:{self.ports[name]}"

    def redis_url(self):
        return f"redis://{self.address('redis')}/0"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # Processes.

    def command(self, name):
        address = self.address
        redis_url = self.redis_url()
        commands = {
            "redis": [
                "redis-server", "--port", str(self.port("redis")),
                "--bind", "127.0.0.1", "--dir", self.path("redis"),
                "--appendonly", "yes", "--appendfsync", "always", "--save", "",
                "--maxmemory-policy", "noeviction",
            ],
            "provider": [
                binary("provider"),
                "--listen=" + address("provider"),
                "--app_token_file=" + self.path("app_token"),
                "--secret_key_file=" + self.path("secret_key"),
                "--webhook_secret_file=" + self.path("webhook_secret"),
                f"--webhook_url=http://{address('gateway')}"
                "/v0/webhooks/kyc/sumsub/events",
                "--webhook_retry_scale=0.002",
                "--data_file=" + self.path("provider.json"),
            ],
            "kyc": [
                binary("kyc"),
                "--listen=" + address("kyc"),
                "--admin_listen=" + address("kyc_admin"),
                "--redis_url=" + redis_url,
                f"--sumsub_base_url=http://{address('provider')}",
                "--sumsub_app_token_file=" + self.path("app_token"),
                "--sumsub_secret_key_file=" + self.path("secret_key"),
                "--sumsub_hybrid_level=hybrid-docs",
                "--sumsub_liveness_level=liveness",
                "--sumsub_document_only_level=document-only",
                "--provider_timeout=2s",
                "--support_address=help@example.test",
                "--partner_signing_key_file=" + self.path("partner_key.pem"),
                "--partner_issuer=" + PARTNER_ISSUER,
            ],
            "webhook": [
                binary("webhook"),
                "--listen=" + address("webhook"),
                "--admin_listen=" + address("webhook_admin"),
                "--redis_url=" + redis_url,
                "--kyc_address=" + address("kyc"),
                "--sumsub_webhook_secret_file=" + self.path("webhook_secret"),
            ],
            "gateway": [
                binary("gateway"),
                "--listen=" + address("gateway"),
                "--admin_listen=" + address("gateway_admin"),
                "--kyc_address=" + address("kyc"),
                "--webhook_address=" + address("webhook"),
                "--user_jwks=" + self.path("jwks.json"),
                "--rate_limit_user=0",
                "--rate_limit_address=0",
                "--rate_limit_key=0",
                "--partner_issuer=" + PARTNER_ISSUER,
            ],
        }
        return commands[name] + self.flags.get(name, [])

    def start(self, name, wait=True):
        log = open(self.path(name + ".log"), "ab")
        with log:
            self.processes[name] = subprocess.Popen(
                self.command(name), stdout=log, stderr=log,
                env={**os.environ, **self.env.get(name, {})},
            )
        if wait:
            self.wait_ready(name)

    def wait_ready(self, name, timeout=20):
        def ready():
            process = self.processes[name]
            if process.poll() is not None:
                raise AssertionError(
                    f"{name} ended with {process.returncode}:\n"
                    + self.log(name)[-2000:]
                )
            try:
                if name in ("redis", "provider"):
                    socket.create_connection(
                        ("127.0.0.1", self.port(name)), 1
                    ).close()
                    return True
                admin = self.port(name + "_admin")
                return request(admin, "GET", "/readyz", timeout=2)[0] == 200
            except OSError:
                return False

        wait_until(ready, timeout, what=name + " ready")

    def start_all(self):
        # Who finds a service down asks again only after a moment, and calls
        # fail until then: so each starts when what it calls is there.
        for name in ("redis", "provider", "kyc", "webhook", "gateway"):
            self.start(name, wait=name != "provider")
        self.wait_ready("provider")

    def kill(self, name, sig=signal.SIGKILL):
        process = self.processes.pop(name)
        process.send_signal(sig)
        process.wait(30)
        return process.returncode

    def restart(self, name):
        self.kill(name)
        self.start(name)

    @contextlib.contextmanager
    def frozen(self, name):
        process = self.processes[name]
        process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def stop(self):
        for name in ("gateway", "webhook", "kyc", "provider", "redis"):
            process = self.processes.pop(name, None)
            if process and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def log(self, name):
        with open(self.path(name + ".log"), encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    # Callers.

    def mint(self, sub, **options):
        flags = [f"--{key}={value}" for key, value in options.items()]
        return subprocess.run(
            [
                binary("kycctl"), "token", "mint",
                "--key_file=" + self.path("user_key.pem"),
                "--sub=" + sub, *flags,
            ],
            check=True, capture_output=True, text=True,
        ).stdout.strip()

    def sign_token(self, claims, header=None):
        """A token made here, whatever its claims: kycctl mints good ones."""
        head = json.loads(unb64(self.mint("usr_1").split(".")[0]))
        head.update(header or {})
        text = b64(json.dumps(head).encode()) + "." + b64(
            json.dumps(claims).encode()
        )
        return text + "." + b64(self.sign_text(text, "user_key.pem"))

    def sign_text(self, text, key_name):
        """An ES256 signature in JWS form."""
        der = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.path(key_name)],
            input=text.encode(), check=True, capture_output=True,
        ).stdout
        # SEQUENCE of two INTEGERs: r and s, each 32 bytes in a token.
        numbers, at = [], 2
        for _ in range(2):
            size = der[at + 1]
            value = int.from_bytes(der[at + 2 : at + 2 + size], "big")
            numbers.append(value.to_bytes(32, "big"))
            at += 2 + size
        return b"".join(numbers)

    def user(self, sub=None):
        return User(self, sub or f"usr_{next(self._subs)}_{secrets.token_hex(3)}")

    def partner(self, **options):
        return Partner(self, **options)

    def rpcs(self, process="kyc"):
        """How many RPCs a process has answered, by method."""
        text = request(self.port(process + "_admin"), "GET", "/metrics")[2]
        counts = {}
        for line in text.splitlines():
            found = re.match(
                r'kyc_rpc_server_requests_total\{.*method="([^"]+)".*\} (\d+)',
                line,
            )
            if found:
                counts[found[1]] = counts.get(found[1], 0) + int(found[2])
        return counts

    def sandbox(self, path, body=None):
        """The provider's control surface."""
        status, _, answer = request(
            self.port("provider"), "POST" if body is not None else "GET", path,
            {"content-type": "application/json"},
            json.dumps(body) if body is not None else None,
        )
        assert status < 300, (path, status, answer)
        return answer

    def fault(self, mode, **options):
        self.sandbox("/sandbox/faults", {"mode": mode, **options})

    def redis(self, *args):
        return subprocess.run(
            ["redis-cli", "-p", str(self.port("redis")), *args],
            check=True, capture_output=True, text=True,
        ).stdout.strip()

    def event_streams(self):
        """The partitions of the provider events' stream, as far as they are."""
        return self.redis("KEYS", "kyc:{e*}:events").split()

    def events_stored(self):
        return sum(int(self.redis("XLEN", key)) for key in self.event_streams())

    def events_applied(self):
        """Whether every stored event is acknowledged."""
        for key in self.event_streams():
            lines = self.redis("XINFO", "GROUPS", key).split("\n")
            fields = dict(zip(lines[::2], lines[1::2]))
            if fields.get("pending") != "0" or fields.get("lag") != "0":
                return False
        return True

    def sign(self, body, algorithm=hashlib.sha256, secret=None):
        return hmac.new(
            (secret or self.webhook_secret).encode(), body, algorithm
        ).hexdigest()

    def webhook(self, body, headers=None):
        """Delivers one event as the provider would."""
        if not isinstance(body, bytes):
            body = json.dumps(body, indent=2).encode()
        if headers is None:
            headers = {
                "X-Payload-Digest": self.sign(body),
                "X-Payload-Digest-Alg": "HMAC_SHA256_HEX",
            }
        return request(
            self.port("gateway"), "POST", "/v0/webhooks/kyc/sumsub/events",
            {"content-type": "application/json", **headers}, body,
        )


def event(user, kind, at_ms, answer=None, reject=None, comment=None,
          status=None, level="basic-kyc-level", applicant=None):
    """A SumSub event body; at_ms is milliseconds after 2026-01-01."""
    seconds, ms = divmod(at_ms, 1000)
    created = time.strftime(
        "%Y-%m-%d %H:%M:%S", time.gmtime(1767225600 + seconds)
    )
    body = {
        "applicantId": applicant or "aaaaaaaaaaaaaaaaaaaaaaaa",
        "inspectionId": applicant or "aaaaaaaaaaaaaaaaaaaaaaaa",
        "applicantType": "individual",
        "correlationId": secrets.token_hex(16),
        "levelName": level,
        "sandboxMode": True,
        "externalUserId": user,
        "type": kind,
        "reviewStatus": status or "init",
        "createdAt": created + "+0000",
        "createdAtMs": f"{created}.{ms:03d}",
        "clientId": "acme.example_27055",
    }
    if answer:
        body["reviewStatus"] = status or "completed"
        body["reviewResult"] = {"reviewAnswer": answer}
        if reject:
            body["reviewResult"]["reviewRejectType"] = reject
        if comment:
            body["reviewResult"]["moderationComment"] = comment
            body["reviewResult"]["clientComment"] = "internal remark"
    return body
