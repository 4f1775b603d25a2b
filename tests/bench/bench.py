"""What a cached status read costs; see tests/bench/run.

CPU is user + system time of each process over the measured seconds, from
/proc, divided by the requests answered. Targets are measured in turn, round
after round, and medians are printed: the machine's speed drifts, so only
figures of one run compare.
"""

import argparse
import concurrent.futures
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))

from stack import Stack, binary, event, request, wait_until  # noqa: E402

USERS = 10_000
STATUSES = ("pending", "in_progress", "retry", "approved", "rejected")
TICK = os.sysconf("SC_CLK_TCK")


def user_id(index):
    return f"usr_{index:012d}"


def cpu_seconds(pid):
    """Of a process and the children it has now."""
    total = 0.0
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        total = (int(fields[11]) + int(fields[12])) / TICK
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            for child in file.read().split():
                total += cpu_seconds(int(child))
    except FileNotFoundError:
        pass
    return total


def memory_mib(pid, field):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    return 0.0


class Target:
    """One stack of processes that answers GET /v0/kyc/status."""

    def __init__(self, name, port, tokens, pids):
        self.name = name
        self.port = port
        self.tokens = tokens
        self.pids = pids  # name -> pid; "redis" is shown apart.
        self.rows = []

    def check(self):
        """Answers are the contract's; strangers are refused."""
        with open(self.tokens, encoding="utf-8") as file:
            tokens = [next(file).strip() for _ in range(len(STATUSES))]
        for index, status in enumerate(STATUSES):
            code, _, body = request(
                self.port, "GET", "/v0/kyc/status",
                {"x-juno-jwt": tokens[index]},
            )
            assert code == 200 and body["status"] == status, (self.name, body)
            assert "_links" in body
        for headers in ({}, {"x-juno-jwt": tokens[0][:-4] + "AAAA"}):
            code, _, body = request(
                self.port, "GET", "/v0/kyc/status", headers
            )
            assert code == 401, (self.name, code)
            assert body["error_code"] == "USR-401-001", (self.name, body)

    def load(self, seconds, connections):
        env = {
            **os.environ,
            "BENCH_TOKENS": self.tokens,
            "BENCH_PATH": "/v0/kyc/status",
        }
        output = subprocess.run(
            ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency",
             "-s", os.path.join(HERE, "status.lua"),
             f"http://127.0.0.1:{self.port}"],
            env=env, check=True, capture_output=True, text=True,
        ).stdout
        line = next(l for l in output.splitlines() if l.startswith("RESULT "))
        return json.loads(line[7:])

    def measure(self, seconds, connections):
        before = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        result = self.load(seconds, connections)
        assert result["bad"] == 0, (self.name, result)
        row = {
            "rps": result["requests"] / (result["us"] / 1e6),
            "p50": result["p50"] / 1000,
            "p99": result["p99"] / 1000,
            "p999": result["p999"] / 1000,
        }
        for name, pid in self.pids.items():
            used = cpu_seconds(pid) - before[name]
            row["cpu " + name] = used * 1e6 / result["requests"]
        self.rows.append(row)

    def median(self, column):
        return statistics.median(row[column] for row in self.rows)

    def server_cpu(self):
        return sum(
            self.median("cpu " + name) for name in self.pids if name != "redis"
        )


def ours(directory):
    """Our stack over unix sockets, with its records made by real events."""
    stack = Stack(start=False)
    kyc = "unix:" + stack.path("kyc.sock")
    webhook = "unix:" + stack.path("webhook.sock")
    stack.flags = {
        "kyc": ["--listen=" + kyc, "--log_level=warning"],
        "webhook": ["--listen=" + webhook, "--kyc_address=" + kyc,
                    "--log_level=warning"],
        "gateway": ["--kyc_address=" + kyc, "--webhook_address=" + webhook,
                    "--log_level=warning"],
    }
    stack.start_all()

    def send(index):
        user, applicant = user_id(index), f"65abc{index:019d}"
        kinds = (
            ("applicantCreated", {}),
            ("applicantPending", {"status": "pending"}),
            ("applicantReviewed",
             {"answer": "RED", "reject": "RETRY",
              "comment": "Document image is blurry. Please resubmit a clear "
                         "photo."}),
            ("applicantReviewed", {"answer": "GREEN"}),
            ("applicantReviewed",
             {"answer": "RED", "reject": "FINAL",
              "comment": "Document could not be verified."}),
        )
        kind, options = kinds[index % len(kinds)]
        return stack.webhook(
            event(user, kind, 1000 + index, applicant=applicant, **options)
        )[0]

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(send, range(USERS))) == {200}

    wait_until(stack.events_applied, 120, 0.2, "all events applied")
    tokens = os.path.join(directory, "tokens.txt")
    with open(tokens, "w", encoding="utf-8") as file:
        subprocess.run(
            [binary("kycctl"), "token", "mint",
             "--key_file=" + stack.path("user_key.pem"), "--ttl=24h",
             "--sub=-"],
            input="".join(user_id(i) + "\n" for i in range(USERS)),
            stdout=file, check=True, text=True,
        )
    pids = {name: stack.processes[name].pid
            for name in ("gateway", "kyc", "redis")}
    return stack, Target("kyc", stack.port("gateway"), tokens, pids)


class Peers:
    """The Go and Node peers on a Redis of their own."""

    def __init__(self, root, directory):
        self.root = root
        self.run_dir = os.path.join(directory, "peers-run")
        os.makedirs(self.run_dir, exist_ok=True)
        self.env = {
            **os.environ, "RUN_DIR": self.run_dir, "REDIS_PORT": "16379",
        }
        self.script("redis/start.sh")
        self.script("go/start.sh")
        self.script("node/start.sh")
        tokens = os.path.join(directory, "peer-tokens.txt")
        with open(tokens, "w", encoding="utf-8") as file:
            self.generate("tokens", file)
        seed = os.path.join(directory, "peer-seed.txt")
        with open(seed, "w", encoding="utf-8") as file:
            self.generate("seed", file)
        with open(seed, encoding="utf-8") as file:
            subprocess.run(
                ["redis-cli", "-p", "16379", "--pipe"], stdin=file,
                check=True, capture_output=True,
            )
        redis = self.pid("redis")
        self.targets = [
            Target(name, port, tokens, {
                "gateway": self.pid(name + "-gateway"),
                "service": self.pid(name + "-service"), "redis": redis,
            })
            for name, port in (("go", 18081), ("node", 18091))
        ]

    def script(self, path):
        subprocess.run(
            [os.path.join(self.root, path)], env=self.env, check=True,
            stdout=sys.stderr,
        )

    def generate(self, what, file):
        subprocess.run(
            ["node", os.path.join(self.root, "tools/gen.mjs"), what],
            env=self.env, stdout=file, check=True,
        )

    def pid(self, name):
        with open(os.path.join(self.run_dir, name + ".pid"),
                  encoding="utf-8") as file:
            return int(file.read())

    def stop(self):
        self.script("stop.sh")


def table(targets):
    lines = [
        "| target | requests/s | p50 ms | p99 ms | p99.9 ms | server CPU "
        "µs/request | of which | Redis CPU µs | peak RSS MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for target in targets:
        servers = [name for name in target.pids if name != "redis"]
        split = " + ".join(
            f"{name} {target.median('cpu ' + name):.1f}" for name in servers
        )
        rss = " + ".join(
            f"{memory_mib(target.pids[name], 'VmHWM'):.0f}" for name in servers
        )
        lines.append(
            f"| {target.name} | {target.median('rps'):,.0f} "
            f"| {target.median('p50'):.2f} | {target.median('p99'):.2f} "
            f"| {target.median('p999'):.2f} | {target.server_cpu():.1f} "
            f"| {split} | {target.median('cpu redis'):.1f} | {rss} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=64)
    args = parser.parse_args()

    directory = os.path.join("run", "bench")
    os.makedirs(directory, exist_ok=True)
    stack, target = ours(os.path.abspath(directory))
    peers = None
    try:
        targets = [target]
        if os.environ.get("KYC_PEERS"):
            peers = Peers(os.environ["KYC_PEERS"], os.path.abspath(directory))
            targets += peers.targets
        for each in targets:
            each.check()
            # Node needs a long warm-up before it is at its best.
            each.load(15 if each.name == "node" else 5, args.connections)
        for number in range(args.rounds):
            for each in targets:
                print(f"round {number + 1}: {each.name}", file=sys.stderr)
                each.measure(args.seconds, args.connections)
        print(f"\nGET /v0/kyc/status, {args.connections} connections, medians "
              f"of {args.rounds} rounds of {args.seconds} s\n")
        print(table(targets))
        for other in targets[1:]:
            ratio = statistics.median(
                sum(theirs["cpu " + n] for n in other.pids if n != "redis")
                / sum(mine["cpu " + n] for n in target.pids if n != "redis")
                for mine, theirs in zip(target.rows, other.rows)
            )
            print(f"\n{other.name} needs {ratio:.2f} times the server CPU per "
                  "request.")
    finally:
        if peers:
            peers.stop()
        stack.stop()


main()
