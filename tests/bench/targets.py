"""What is measured: this service, and peers that do the same work.

A target has a name, a port, processes (name -> pid; "redis" is shown apart)
and files of requests by what they ask for.
"""

import hashlib
import hmac
import json
import os
import shutil
import subprocess
import sys
import time

from loads import http, load, write_requests
from processes import CpuMeter, memory_mib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))

from stack import (  # noqa: E402
    Stack, Wallet, binary, event, free_ports, request, wait_until,
)

STATUSES = ("pending", "in_progress", "retry", "approved", "rejected")
RETRY = {"answer": "RED", "reject": "RETRY",
         "comment": "Document image is blurry. Please resubmit a clear photo."}
FINAL = {"answer": "RED", "reject": "FINAL",
         "comment": "Document could not be verified."}
STATUS_PATH = "/v0/kyc/status"
WEBHOOK_PATH = "/v0/webhooks/kyc/sumsub/events"


def user_id(index):
    return f"usr_{index:012d}"


def applicant_id(index):
    return f"65abc{index:019d}"


def check_status(port, tokens, name):
    """Answers are the contract's; strangers are refused."""
    for token, status in zip(tokens, STATUSES):
        code, _, body = request(
            port, "GET", STATUS_PATH, {"x-juno-jwt": token}
        )
        assert code == 200 and body["status"] == status, (name, body)
        assert "_links" in body, (name, body)
    for headers in ({}, {"x-juno-jwt": tokens[0][:-4] + "AAAA"}):
        code, _, body = request(port, "GET", STATUS_PATH, headers)
        assert code == 401, (name, code)
        assert body["error_code"] == "USR-401-001", (name, body)


class Target:
    """One stack of processes, once started."""

    def __init__(self, name, port, pids, directory):
        self.name = name
        self.port = port
        self.pids = pids
        self.directory = directory

    def file(self, name):
        return os.path.join(self.directory, f"{self.name}-{name}.bin")

    def meter(self):
        return CpuMeter(self.pids)

    def memory(self, field="VmHWM"):
        return {name: memory_mib(pid, field)
                for name, pid in self.pids.items() if name != "redis"}


class UnixStack(Stack):
    """The services' own calls, and those to Redis, go over unix sockets."""

    def address(self, name):
        if name in ("kyc", "webhook"):
            return "unix:" + self.path(name + ".sock")
        return super().address(name)

    def redis_url(self):
        return "unix:" + self.path("redis.sock")


# Events that are stored and not yet acknowledged, over all partitions.
BACKLOG = """
local left = 0
for _, key in ipairs(redis.call('KEYS', 'kyc:{e*}:events')) do
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    for i = 1, #group, 2 do
      if group[i] == 'pending' or group[i] == 'lag' then
        left = left + (tonumber(group[i + 1]) or 0)
      end
    end
  end
end
return left
"""


class Service(Target):
    """This service: real processes and a real Redis."""

    def __init__(self, directory, users, count_allocations=False):
        self.users = users
        self.allocations = None
        self.stack = stack = UnixStack(start=False)
        quiet = "--log_level=warning"
        stack.flags = {
            # What peers' Redis has too: no rewrite amid a measurement.
            "redis": ["--auto-aof-rewrite-percentage", "0",
                      "--unixsocket", stack.path("redis.sock")],
            "provider": ["--webhook_drop", quiet],
            # SumSub's rate limit would be all that is measured.
            "kyc": ["--provider_timeout=5s", "--provider_max_concurrency=2000",
                    "--provider_reads_per_5s=1000000",
                    "--provider_writes_per_5s=1000000", quiet],
            "webhook": [quiet],
            "gateway": [quiet],
        }
        if count_allocations:
            self.allocations = stack.path("allocations")
            shim = os.path.join(os.environ["KYC_BIN"],
                                "tests/bench/count_allocations.so")
            for name in ("gateway", "kyc", "webhook"):
                stack.env[name] = {"LD_PRELOAD": shim,
                                   "COUNT_ALLOCATIONS": self.allocations}
        super().__init__("kyc", stack.port("gateway"), {}, directory)
        try:
            stack.start_all()
            self.see_processes()
        except BaseException:
            stack.stop()
            raise

    def see_processes(self):
        self.pids = {name: self.stack.processes[name].pid
                     for name in ("gateway", "webhook", "kyc", "redis")
                     if name in self.stack.processes}

    def stop(self):
        self.stack.stop()

    def allocated(self):
        counts = {}
        for name, pid in self.pids.items():
            if name != "redis":
                with open(f"{self.allocations}.{pid}", "rb") as file:
                    counts[name] = int.from_bytes(file.read(8), sys.byteorder)
        return counts

    # Requests.

    def mint(self, subs):
        return subprocess.run(
            [binary("kycctl"), "token", "mint",
             "--key_file=" + self.stack.path("user_key.pem"), "--ttl=24h",
             "--sub=-"],
            input="".join(sub + "\n" for sub in subs),
            capture_output=True, check=True, text=True,
        ).stdout.split()

    def user_requests(self, name, subs, method, path):
        """A request of each user."""
        return write_requests(self.file(name), (
            http(method, path, {"x-juno-jwt": token})
            for token in self.mint(subs)))

    def webhooks(self, name, events):
        """Signed deliveries of events."""
        def deliver(body):
            text = json.dumps(body).encode()
            return http("POST", WEBHOOK_PATH, {
                "Content-Type": "application/json",
                "X-Payload-Digest": self.stack.sign(text),
                "X-Payload-Digest-Alg": "HMAC_SHA256_HEX"}, text)
        return write_requests(self.file(name), map(deliver, events))

    def deliver(self, name, events):
        """All events stored; says how that went."""
        result = load(self.port, self.webhooks(name, events), 64,
                      seconds=600, once=True)
        assert result["bad"] == 0, result
        return result

    # Records.

    def backlog(self):
        return int(self.stack.redis("EVAL", BACKLOG, "0"))

    def streams(self):
        return self.stack.event_streams()

    def make_users(self):
        """A record of each user in every state, by real events."""
        kinds = (
            ("applicantCreated", {}),
            ("applicantPending", {"status": "pending"}),
            ("applicantReviewed", RETRY),
            ("applicantReviewed", {"answer": "GREEN"}),
            ("applicantReviewed", FINAL),
        )
        self.deliver("users", (
            event(user_id(i), kinds[i % 5][0], 1000 + i,
                  applicant=applicant_id(i), **kinds[i % 5][1])
            for i in range(self.users)))
        wait_until(lambda: self.backlog() == 0, 300, 0.2, "events applied")
        file = self.user_requests(
            "status", map(user_id, range(self.users)), "GET", STATUS_PATH)
        check_status(self.port, self.mint(map(user_id, range(5))), self.name)
        return file

    def make_applicants(self, prefix, count):
        """Users whom the provider knows, too."""
        subs = [f"{prefix}_{i:06d}" for i in range(count)]
        file = self.user_requests(prefix, subs, "POST", "/v0/kyc/applicant")
        meter = self.meter()
        result = load(self.port, file, 64, seconds=600, once=True,
                      status=201, expect='"already_existed":false')
        assert result["bad"] == 0, result
        return subs, result, meter.micros_per(count)


class Peers:
    """The Go and Node peers on Redis servers of their own."""

    def __init__(self, root, directory):
        self.root = root
        self.directory = directory
        run_dir = os.path.join(directory, "peers-run")
        shutil.rmtree(run_dir, ignore_errors=True)
        os.makedirs(run_dir)
        self.env = {**os.environ, "RUN_DIR": run_dir}

    def script(self, path, **env):
        subprocess.run(
            [os.path.join(self.root, path)],
            env={**self.env, **{k: str(v) for k, v in env.items()}},
            check=True, stdout=subprocess.DEVNULL,
        )

    def pid(self, name):
        path = os.path.join(self.env["RUN_DIR"], name + ".pid")
        with open(path, encoding="utf-8") as file:
            return int(file.read())

    def generate(self, what):
        return subprocess.run(
            ["node", os.path.join(self.root, "tools/gen.mjs"), what],
            env=self.env, check=True, capture_output=True,
        ).stdout

    def start_status(self):
        redis, *ports = free_ports(5)
        self.script("redis/start.sh", REDIS_PORT=redis)
        subprocess.run(
            ["redis-cli", "-p", str(redis), "--pipe"],
            input=self.generate("seed"), check=True, capture_output=True,
        )
        tokens = self.generate("tokens").decode().split()
        targets = []
        for name in ("go", "node"):
            gateway, service = ports.pop(), ports.pop()
            self.script(name + "/start.sh", GATEWAY_PORT=gateway,
                        SERVICE_PORT=service, REDIS_PORT=redis)
            target = Target(name, gateway, {
                "gateway": self.pid(name + "-gateway"),
                "service": self.pid(name + "-service"),
                "redis": self.pid("redis")}, self.directory)
            check_status(gateway, tokens, name)
            write_requests(target.file("status"), (
                http("GET", STATUS_PATH, {"x-juno-jwt": token})
                for token in tokens))
            targets.append(target)
        return targets

    def start_webhooks(self):
        redis, *ports = free_ports(3)
        self.script("redis/start.sh", REDIS_PORT=redis, NAME="redis-wh",
                    FSYNC="always")
        targets = []
        for name in ("go", "node"):
            port = ports.pop()
            self.script(name + "/start_webhook.sh", WEBHOOK_PORT=port,
                        REDIS_PORT=redis)
            target = Target(name, port, {
                "webhook": self.pid(name + "-webhook"),
                "redis": self.pid("redis-wh")}, self.directory)
            target.redis_port = redis
            target.streams = lambda: ["kyc:webhook:events"]
            # The bodies that the service gets too, signed with their secret.
            write_requests(target.file("intake"), map(
                self.signed, intake_events(1000)))
            targets.append(target)
        return targets

    def signed(self, body):
        text = json.dumps(body).encode()
        digest = hmac.new(b"peer-webhook-secret", text, hashlib.sha256)
        return http("POST", WEBHOOK_PATH, {
            "Content-Type": "application/json",
            "X-Payload-Digest": digest.hexdigest(),
            "X-Payload-Digest-Alg": "HMAC_SHA256_HEX"}, text)

    def stop(self):
        self.script("stop.sh")


def intake_events(count):
    """Events as a busy day brings them."""
    for i in range(count):
        options = ({"answer": "GREEN"}, RETRY, FINAL)[i % 3]
        yield event(user_id(i), "applicantReviewed", 10_000_000 + i,
                    applicant=applicant_id(i), **options)


def rejected_events(count):
    """Three events of each user, of which each has an effect."""
    begin = int(time.time() * 1000) - 1767225600_000 - 10_000_000
    for i in range(count):
        step, index = divmod(i, (count + 2) // 3)
        kind, options = (
            ("applicantCreated", {}),
            ("applicantPending", {"status": "pending"}),
            ("applicantReviewed", FINAL),
        )[step]
        yield event(f"apply_{index:08d}", kind, begin + i,
                    applicant=f"65apply{index:017d}", **options)
