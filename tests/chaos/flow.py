"""A flow of signed webhooks, and the proof of what became of it.

    flow = Flow(random.Random(seed), users=1000, events=10_000, duplicates=0.2)
    sender = Sender(stack, flow.deliveries)
    sender.run(...)                 # Anything may be killed meanwhile.
    flow.wait_for_end(stack, 150)
    wrong, figures = verify(stack, flow, receiver)

What is expected comes from model.py alone. What is found is read from Redis
directly, and the audit chain is computed here, from its definition.
"""

import dataclasses
import hashlib
import http.client
import json
import os
import random
import sys
import threading
import time

sys.path.insert(
    0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system")
)
import model  # noqa: E402
from resp import Redis, pairs  # noqa: E402
from stack import event, request, wait_until  # noqa: E402

EPOCH_MS = 1767225600000  # stack.event()'s zero.
BUCKETS = 256
WEBHOOKS = "/v0/webhooks/kyc/sumsub/events"

# What a provider sends: its type, how often, and what docs/states.md calls it.
KINDS = [
    # weight, kind of the model, type, options of stack.event()
    (2, "applicant_known", "applicantCreated", {}),
    (4, "progress", "applicantPending", {"status": "pending"}),
    (1, "progress", "applicantPrechecked", {"status": "prechecked"}),
    (1, "progress", "applicantOnHold", {"answer": "GREEN", "status": "onHold"}),
    (2, "awaiting_user", "applicantAwaitingUser", {"status": "awaitingUser"}),
    (1, "partial_approval", "applicantReviewed",
     {"answer": "GREEN", "level": "liveness"}),
    (1, "unknown_level", "applicantReviewed",
     {"answer": "GREEN", "level": "unheard-of"}),
    (4, "approved", "applicantReviewed", {"answer": "GREEN"}),
    (4, "retry_requested", "applicantReviewed",
     {"answer": "RED", "reject": "RETRY"}),
    (3, "rejected", "applicantReviewed", {"answer": "RED", "reject": "FINAL"}),
    (1, "reset", "applicantReset", {}),
]


@dataclasses.dataclass(frozen=True)
class Delivery:
    user: str
    body: bytes


def crc16(data):
    """XMODEM, as Redis Cluster's."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1
        crc &= 0xFFFF
    return crc


def bucket(user):
    return f"kyc:{{b{crc16(user.encode()) % BUCKETS:03d}}}"


def applicant(user):
    """An id of the provider's for each user."""
    return hashlib.sha256(user.encode()).hexdigest()[:24]


class Flow:
    """Events of many users, some of them twice, in random order."""

    def __init__(self, rng, users, events, duplicates=0.2, kinds=KINDS):
        table = model.read_table()
        tag = "%08x" % rng.getrandbits(32)
        self.steps = {f"usr_{tag}_{i}": [] for i in range(users)}
        names = list(self.steps)
        weights = [row[0] for row in kinds]
        originals = []
        for i in range(events):
            user = names[i % users]
            _, kind, provider_type, options = rng.choices(kinds, weights)[0]
            at = rng.randrange(1, 10_000_000)
            if self.steps[user] and rng.random() < 0.1:
                at = rng.choice(self.steps[user]).time  # At the same time.
            if any((s.kind, s.time) == (kind, at) for s in self.steps[user]):
                at += 1
            reason = ""
            if options.get("answer") == "RED":
                reason = f"Reason {i}."
                options = {**options, "comment": reason}
            self.steps[user].append(model.Step(kind, at, reason))
            body = event(
                user, provider_type, at, applicant=applicant(user), **options
            )
            originals.append(Delivery(user, json.dumps(body).encode()))
        again = rng.sample(originals, int(events * duplicates))
        self.deliveries = originals + again
        rng.shuffle(self.deliveries)
        self.expected = {
            user: model.walk(table, steps)
            for user, steps in self.steps.items()
        }

    def records(self, redis):
        keys = {user: f"{bucket(user)}:user:{user}" for user in self.steps}
        replies = redis.many([("HGETALL", key) for key in keys.values()])
        return {user: pairs(r) for user, r in zip(keys, replies)}

    def unfinished(self, redis):
        """Users that are not yet, or not any more, where they must end."""
        records = self.records(redis)
        return [u for u in self.steps if not fits(records[u], self.expected[u])]

    def wait_for_end(self, stack, timeout):
        """Waits until every user is where the model says; returns those who
        are not when the time is over."""
        left = []

        def done():
            nonlocal left
            with Redis(stack.port("redis")) as redis:
                left = self.unfinished(redis)
            return not left

        try:
            wait_until(done, timeout, 0.25, "all effects")
        except AssertionError:
            pass
        return left


def fits(record, end):
    """Whether a stored record shows what the model expects."""
    if record.get("state", "pending") != end.state:
        return False
    if end.state in ("retry", "rejected"):
        if record.get("reject_reason", "") != end.reason:
            return False
    field = {"approved": "verified_at", "rejected": "rejected_at"}
    if end.state in field:
        times = [str(EPOCH_MS + time) for time in end.times]
        return record.get(field[end.state]) in times
    return True


class Sender:
    """Delivers as a provider does: until it is answered 200, however often
    that takes. `limit` is how many deliveries may begin; raise it with
    allow()."""

    def __init__(self, stack, deliveries, threads=16):
        self.stack = stack
        self.deliveries = deliveries
        self.acknowledged = 0
        self.attempts = 0
        self.refusals = {}  # By status, or the error's name.
        self.problems = []  # Answers that no answer may be.
        self._next = 0
        self._limit = 0
        self._changed = threading.Condition()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._run, args=(random.Random(i),))
            for i in range(threads)
        ]

    def start(self):
        for thread in self._threads:
            thread.start()

    def allow(self, limit):
        with self._changed:
            self._limit = limit
            self._changed.notify_all()

    def wait_acknowledged(self, count, timeout=300):
        deadline = time.monotonic() + timeout
        with self._changed:
            while self.acknowledged < count:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(
                        f"{self.acknowledged} of {count} acknowledged in "
                        f"{timeout} s; {self.refusals}"
                    )

    def stop(self):
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _take(self):
        with self._changed:
            while not self._stopped and (
                self._next >= min(self._limit, len(self.deliveries))
            ):
                self._changed.wait()
            if self._stopped:
                return None
            self._next += 1
            return self.deliveries[self._next - 1]

    def _run(self, rng):
        connection = None
        while (delivery := self._take()) is not None:
            pause = 0.02
            while not self._stopped:
                if connection is None:
                    connection = http.client.HTTPConnection(
                        "127.0.0.1", self.stack.port("gateway"), timeout=20
                    )
                outcome, again = attempt(
                    connection, self.stack.sign(delivery.body), delivery.body
                )
                if not again:
                    connection.close()
                    connection = None
                with self._changed:
                    self.attempts += 1
                    if outcome == 200:
                        self.acknowledged += 1
                        self._changed.notify_all()
                        break
                    self.refusals[outcome] = self.refusals.get(outcome, 0) + 1
                    if isinstance(outcome, int) and outcome not in (503, 504):
                        self.problems.append((outcome, delivery.body))
                time.sleep(rng.uniform(pause / 2, pause))
                pause = min(0.3, pause * 2)
        if connection is not None:
            connection.close()


def attempt(connection, digest, body):
    """One delivery: its status or the name of what went wrong, and whether
    the connection can be used again."""
    try:
        connection.request("POST", WEBHOOKS, body, {
            "content-type": "application/json",
            "X-Payload-Digest": digest,
            "X-Payload-Digest-Alg": "HMAC_SHA256_HEX",
        })
        response = connection.getresponse()
        response.read()
        return response.status, not response.will_close
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__, False


def metric(stack, process, name):
    """A metric, or its sum over all labels."""
    _, _, text = request(stack.port(process + "_admin"), "GET", "/metrics")
    total = 0.0
    for line in text.splitlines():
        if line.startswith((name + " ", name + "{")):
            total += float(line.rsplit(" ", 1)[1])
    return total


def quiet(stack, processes=("webhook",), timeout=90):
    """Waits until nothing stored is left to apply, by the metrics that an
    operator watches."""

    def none_left():
        return all(
            metric(stack, name, "kyc_webhook_lag_entries") == 0
            and metric(stack, name, "kyc_webhook_pending_entries") == 0
            for name in processes
        )

    # They are sampled: two looks more than one period apart.
    for _ in range(2):
        wait_until(none_left, timeout, 0.5, "the stream is drained")
        time.sleep(5.5)
    wait_until(none_left, timeout, 0.5, "the stream stays drained")


def audit_hash(previous, user, fields):
    """SHA-256 over the previous hash, the user and every name and value, each
    as "<length>:<bytes>" (services/kyc/store/audit.h)."""
    hasher = hashlib.sha256()
    words = [previous, user]
    for name, value in fields:
        words += [name, value]
    for word in words:
        data = word.encode()
        hasher.update(b"%d:" % len(data) + data)
    return hasher.hexdigest()


def check_trail(user, record, entries):
    """The trail of one user is whole: every change once, in a chain that ends
    at the record. Returns what is wrong."""
    wrong = []
    head, state = "", "pending"
    effects = set()
    for number, fields in enumerate(entries, 1):
        where = f"{user} audit {number}"
        names = list(fields.items())
        if names[-1][0] != "hash":
            wrong.append(f"{where}: no hash")
            continue
        head = audit_hash(head, user, names[:-1])
        if head != fields["hash"]:
            wrong.append(f"{where}: the chain is broken")
        if fields["version"] != str(number):
            wrong.append(f"{where}: version {fields['version']}")
        if fields["from"] != state:
            wrong.append(f"{where}: from {fields['from']}, was {state}")
        state = fields["to"]
        effect = (fields["provider_type"], fields["action"],
                  fields["provider_time_ms"], fields["level"])
        if effect in effects:
            wrong.append(f"{where}: {effect} a second time")
        effects.add(effect)
    if record.get("audit_head", "") != head:
        wrong.append(f"{user}: the trail does not end at the record")
    if record.get("v", "0") != str(len(entries)):
        wrong.append(f"{user}: version {record.get('v')}, "
                     f"{len(entries)} entries")
    if record.get("state", "pending") != state:
        wrong.append(f"{user}: {record.get('state')}, trail says {state}")
    return wrong


def changes_of(entries):
    """What the outside must hear of a trail: one event for each change of
    the public state."""
    return [
        (fields["from"], fields["to"], fields["version"])
        for fields in entries
        if fields["from"] != fields["to"]
    ]


def trails(redis, users):
    replies = redis.many(
        [("XRANGE", f"{bucket(user)}:audit:{user}", "-", "+") for user in users]
    )
    return {
        user: [pairs(fields) for _, fields in reply]
        for user, reply in zip(users, replies)
    }


def outbox(redis):
    """How many outgoing events nobody has taken yet."""
    return sum(redis.many(
        [("XLEN", f"kyc:{{b{i:03d}}}:outbox") for i in range(BUCKETS)]
    ))


def verify(stack, flow, receiver):
    """Everything that is wrong after a flow has ended, and figures. The
    receiver must have heard of every change; it is given time for that."""
    with Redis(stack.port("redis")) as redis:
        records = flow.records(redis)
        entries = trails(redis, list(flow.steps))
    expected = {user: changes_of(entries[user]) for user in flow.steps}
    changes = sum(len(each) for each in expected.values())

    def heard():
        told, _ = receiver.told()
        return all(
            told.get(user, []) == each for user, each in expected.items()
        )

    try:
        wait_until(heard, 120, 0.5, "all changes are told")
    except AssertionError:
        pass  # Each that is missing is named below.
    told, wrong = receiver.told()
    for user, end in flow.expected.items():
        if not fits(records[user], end):
            wrong.append(f"{user}: expected {end}, found {records[user]}, of "
                         f"{sorted(flow.steps[user], key=model.Step.order)}")
        wrong += check_trail(user, records[user], entries[user])
        if told.get(user, []) != expected[user]:
            wrong.append(f"{user}: changes {expected[user]}, told "
                         f"{told.get(user)}")
    with Redis(stack.port("redis")) as redis:
        left = outbox(redis)
    if left:
        wrong.append(f"{left} outgoing events left in the outbox")
    return wrong, {
        "audit_entries": sum(len(each) for each in entries.values()),
        "state_changes": changes,
        "told": sum(len(told.get(user, [])) for user in flow.steps),
        "told_again": len(receiver.received)
        - len({name for name, _ in receiver.received}),
    }
