"""What the death of Redis loses of what was acknowledged, by its settings.

Every event is of a user of its own and is sent once: whatever was answered
200 and has no effect in the end was lost.

Two deaths: of the process (SIGKILL; what it has written stays with the
kernel) and of the machine (SIGKILL, then the AOF is cut back to what fdatasync
had confirmed: synced.c takes notes).
"""

import dataclasses
import http.client
import json
import os
import random
import shutil
import subprocess
import threading
import time

from flow import Redis, applicant, attempt, bucket, quiet
from stack import Stack, event, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
# By name: the flags of redis-server; the last of two alike counts.
SETTINGS = {
    "`appendfsync always`": ["--appendfsync", "always"],
    "`appendfsync everysec`": ["--appendfsync", "everysec"],
    "no AOF, a snapshot every 5 s": ["--appendonly", "no", "--save", "5 1"],
    "no AOF, no snapshot": ["--appendonly", "no"],
}
# (setting, whether the machine dies with it)
DEATHS = [(setting, False) for setting in SETTINGS] + [
    (setting, True) for setting in list(SETTINGS)[:2]
]


class MortalStack(Stack):
    """A Stack whose Redis can lose what was not synced."""

    def __init__(self, setting):
        self.noting = None
        super().__init__({"redis": SETTINGS[setting]}, start=False)
        try:
            self.noting = self.path("synced.so")
            subprocess.run(
                [shutil.which("clang-16") or "cc", "-shared", "-fPIC", "-o",
                 self.noting, os.path.join(HERE, "synced.c"), "-ldl"],
                check=True,
            )
            self.start_all()
        except BaseException:
            self.stop()
            raise

    def command(self, name):
        command = super().command(name)
        if name != "redis":
            return command
        return ["env", "LD_PRELOAD=" + self.noting,
                "KYC_SYNCED=" + self.path("synced"), *command]

    def lose_what_is_not_synced(self):
        """After Redis was killed. Returns how many bytes were lost."""
        synced = {}
        with open(self.path("synced"), encoding="ascii") as file:
            for line in file:
                inode, size = line.split()
                synced[int(inode)] = max(synced.get(int(inode), 0), int(size))
        lost = 0
        folder = os.path.join(self.path("redis"), "appendonlydir")
        for name in os.listdir(folder):
            if not name.endswith(".incr.aof"):
                continue
            path = os.path.join(folder, name)
            found = os.stat(path)
            keep = synced.get(found.st_ino, 0)
            lost += found.st_size - keep
            os.truncate(path, keep)
        return lost


@dataclasses.dataclass
class Losses:
    kills: int
    acknowledged: int = 0
    lost: int = 0
    worst: int = 0  # Lost by one kill.
    oldest: float = 0.0  # How long before its kill a lost event was stored.


def measure(setting, machine, kills, seed, seconds=3.0):
    """`kills` deaths, each after some `seconds` of events."""
    rng = random.Random(seed)
    result = Losses(kills)
    stack = MortalStack(setting)
    try:
        for number in range(kills):
            acknowledged = send_until(
                stack, f"usr_loss_{number}", rng.uniform(0.8, 1.2) * seconds
            )
            killed = time.monotonic()
            if machine:
                stack.lose_what_is_not_synced()
            stack.start("redis")
            user = stack.user()
            wait_until(
                lambda: user.get("/v0/kyc/status")[0] == 200, 20, 0.1,
                "Redis is back",
            )
            quiet(stack)
            lost = without_effect(stack, list(acknowledged))
            result.acknowledged += len(acknowledged)
            result.lost += len(lost)
            result.worst = max(result.worst, len(lost))
            for user in lost:
                result.oldest = max(result.oldest, killed - acknowledged[user])
    finally:
        stack.stop()
    return result


def send_until(stack, prefix, seconds, threads=8):
    """Events for some seconds, then Redis is killed under them. Returns when
    each user's event was acknowledged."""
    acknowledged = {}
    stop = threading.Event()

    def send(worker):
        connection = None
        count = 0
        while not stop.is_set():
            if connection is None:
                connection = http.client.HTTPConnection(
                    "127.0.0.1", stack.port("gateway"), timeout=20
                )
            count += 1
            user = f"{prefix}_{worker}_{count}"
            body = json.dumps(
                event(user, "applicantReviewed", 1000, "RED", "FINAL",
                      applicant=applicant(user))
            ).encode()
            outcome, again = attempt(connection, stack.sign(body), body)
            if outcome == 200:
                acknowledged[user] = time.monotonic()
            if not again:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    workers = [
        threading.Thread(target=send, args=(i,)) for i in range(threads)
    ]
    for worker in workers:
        worker.start()
    time.sleep(seconds)
    stack.kill("redis")
    stop.set()
    for worker in workers:
        worker.join()
    return acknowledged


def without_effect(stack, users):
    with Redis(stack.port("redis")) as redis:
        states = redis.many(
            [("HGET", f"{bucket(user)}:user:{user}", "state") for user in users]
        )
    return [u for u, state in zip(users, states) if state != b"rejected"]
