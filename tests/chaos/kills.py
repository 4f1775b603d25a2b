"""SIGKILLs at random points of a flow of webhooks, and what it cost.

Run by test_kills.py in small and by tests/chaos/run at length.
"""

import contextlib
import dataclasses
import http.client
import json
import random
import statistics
import threading
import time

from flow import Flow, Redis, Sender, applicant, attempt, quiet, verify
from receiver import Receiver
from stack import Stack, event, wait_until

VICTIMS = ("webhook", "kyc", "redis")
EVERYTHING = "all at once"


@dataclasses.dataclass
class Kill:
    victim: str
    at: int  # Deliveries acknowledged when it was killed.
    acknowledged_after: float = 0.0  # Seconds until a new event was stored,
    applied_after: float = 0.0  # and until its effect was seen by the user.


class Probe:
    """One new event of a new user, from a kill on: when is it acknowledged,
    and when does the user see its effect?"""

    def __init__(self, stack, name):
        self.stack = stack
        self.user = stack.user(name)
        self.body = json.dumps(
            event(name, "applicantReviewed", 1000, "GREEN",
                  applicant=applicant(name))
        ).encode()

    def run(self, kill, limit=90):
        began = time.monotonic()
        digest = self.stack.sign(self.body)

        def acknowledged():
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.stack.port("gateway"), timeout=20
            )
            try:
                return attempt(connection, digest, self.body)[0] == 200
            finally:
                connection.close()

        def seen():
            status, _, body = self.user.get("/v0/kyc/status")
            return status == 200 and body["status"] == "approved"

        wait_until(acknowledged, limit, 0.02, "a new event is stored")
        kill.acknowledged_after = time.monotonic() - began
        wait_until(seen, limit, 0.02, "its effect is seen")
        kill.applied_after = time.monotonic() - began


def run_with_kills(seed, users, events, kills, say=lambda line: None,
                   window=150):
    """One flow with `kills` SIGKILLs of each victim, and a fifth as many of
    all processes together. Returns what is wrong, figures, and the kills."""
    rng = random.Random(seed)
    with contextlib.ExitStack() as cleanup:
        receiver = Receiver()
        cleanup.callback(receiver.close)
        stack = cleanup.enter_context(
            Stack({"webhook": ["--allow_loopback_webhooks"]})
        )
        receiver.subscribe(stack)
        flow = Flow(rng, users, events)
        total = len(flow.deliveries)
        order = [victim for victim in VICTIMS for _ in range(kills)]
        order += [EVERYTHING] * -(-kills // 5)
        rng.shuffle(order)
        points = sorted(rng.sample(range(total // 50, total), len(order)))
        probes = [
            Probe(stack, f"usr_probe_{seed}_{i}") for i in range(len(order))
        ]
        done = []
        sender = Sender(stack, flow.deliveries)
        began = time.monotonic()
        sender.start()
        try:
            for victim, point, probe in zip(order, points, probes):
                sender.allow(point)
                sender.wait_acknowledged(point - 16 if point > 16 else 0)
                # The flow goes on while the victim is down and comes back.
                sender.allow(point + window)
                time.sleep(rng.uniform(0, 0.05))
                kill = Kill(victim, sender.acknowledged)
                down = VICTIMS + ("gateway",)
                down = down if victim == EVERYTHING else (victim,)
                for name in down:
                    stack.kill(name)
                recovery = threading.Thread(
                    target=lambda p=probe, k=kill: guarded(p, k)
                )
                recovery.start()
                time.sleep(rng.uniform(0, 0.3))
                # Not one after the other: each has to wait for the others.
                for name in down:
                    stack.start(name, wait=False)
                recovery.join()
                if not kill.applied_after:
                    raise AssertionError(
                        f"no recovery from the kill of {victim} at "
                        f"{kill.at} (seed {seed})"
                    )
                done.append(kill)
                say(f"  {len(done):3d}/{len(order)} {victim:11s} at delivery "
                    f"{kill.at:6d}: stored again after "
                    f"{kill.acknowledged_after:5.2f} s, seen after "
                    f"{kill.applied_after:5.2f} s")
            sender.allow(total)
            sender.wait_acknowledged(total)
            left = flow.wait_for_end(stack, 150)
            flowed = time.monotonic() - began
            quiet(stack)
        finally:
            sender.stop()
        wrong, figures = verify(stack, flow, receiver)
        if sender.problems:
            wrong.append(f"webhooks were answered {sender.problems[:3]}")
        dead = dead_letters(stack)
        if dead:
            wrong.append(f"{dead} dead letters")
        figures = {
            "seed": seed, "users": users, "events": events,
            "deliveries": total, "acknowledged": sender.acknowledged,
            "attempts": sender.attempts, "refusals": sender.refusals,
            "kills": len(done), "seconds": round(flowed, 1),
            "users_not_where_they_belong": len(left), **figures,
        }
        return wrong, figures, done


def guarded(probe, kill):
    """A probe that fails leaves its kill without a time."""
    try:
        probe.run(kill)
    except (AssertionError, OSError):
        pass


def dead_letters(stack):
    with Redis(stack.port("redis")) as redis:
        return sum(
            redis("XLEN", key)
            for key in redis("KEYS", "kyc:*dead*")
            if redis("TYPE", key) == b"stream"
        )


def summary(done):
    """Lines of a table: recovery by victim."""
    lines = []
    for victim in sorted({kill.victim for kill in done}):
        kills = [kill for kill in done if kill.victim == victim]
        cells = [victim, str(len(kills))]
        for times in ([k.acknowledged_after for k in kills],
                      [k.applied_after for k in kills]):
            cells += [f"{statistics.median(times):.2f}", f"{max(times):.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return lines
