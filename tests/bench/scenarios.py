"""The scenarios: each makes a load, checks its answers, and reports rows."""

import hashlib
import hmac
import http.client
import json
import os
import socket
import subprocess
import sys
import time

from loads import (
    finish_load, http as http_request, load, start_load, write_requests, wrk,
)
from processes import memory_mib, reset_peak
from targets import (
    STATUS_PATH, Service, Wallet, intake_events, rejected_events, request,
    user_id, wait_until,
)

ADMIN_PORTS = {"gateway": "gateway_admin", "kyc": "kyc_admin",
               "webhook": "webhook_admin"}


def say(text):
    print(text, file=sys.stderr, flush=True)


def measured(report, scenario, how, target, run, per="requests"):
    """Runs one load with a meter on its target; reports the row."""
    say(f"  {scenario}, {how}: {target.name}")
    meter = target.meter()
    result = run()
    assert result["bad"] == 0, (scenario, how, target.name, result)
    result["cpu"] = meter.micros_per(max(1, result[per]))
    result["memory"] = target.memory()
    report.add(scenario, how, target.name, result)
    return result


# Cached status.

def status(bench):
    """GET /v0/kyc/status of users whose records stand in Redis."""
    name, seconds = "cached status", bench.seconds
    for start in range(bench.starts):
        say(f"status: start {start + 1} of {bench.starts}")
        service = bench.new_status_service()
        targets = [service]
        peers = bench.new_peers()
        try:
            if peers:
                targets += peers.start_status()
            for target in targets:
                # Node is at its best only after a while.
                wrk(target.port, target.file("status"), 64,
                    bench.warm_up if target.name == "node" else 2)
            most = {}
            for connections in (64, 512):
                for _ in range(bench.rounds):
                    for target in targets:
                        result = measured(
                            bench.report, name, f"closed, {connections}",
                            target, lambda: wrk(
                                target.port, target.file("status"),
                                connections, seconds))
                        if connections == 64:
                            most[target.name] = result["rps"]
            # At the same offered rate: half of what each peer can do.
            for connections in (64, 512):
                for peer in targets:
                    rate = int(most[peer.name] / 2)
                    for target in (service, *([peer] if peer != service
                                              else [])):
                        measured(
                            bench.report, name,
                            f"half of {peer.name}'s most, {connections}",
                            target, lambda: load(
                                target.port, target.file("status"),
                                connections, seconds=seconds, rate=rate,
                                expect='"status":'))
            for target in targets:
                measured(bench.report, name, "closed, 1", target,
                         lambda: load(target.port, target.file("status"), 1,
                                      seconds=seconds, expect='"status":'))
        finally:
            if peers:
                peers.stop()
            if start + 1 < bench.starts:
                bench.drop_status_service()


# Calls that reach the provider.


def refresh(bench):
    """One read in a hundred asks the provider, who takes 500 ms."""
    service = bench.status_service()
    subs, _, _ = service.make_applicants("refresh", 2000)
    reads = service.mint(user_id(i) for i in range(min(service.users, 9900)))
    asks = service.mint(subs)
    requests = []
    for i, token in enumerate(asks):
        requests.append(http_request("GET", STATUS_PATH + "?refresh=true",
                                     {"x-juno-jwt": token}))
        requests += [
            http_request("GET", STATUS_PATH,
                         {"x-juno-jwt": reads[(99 * i + j) % len(reads)]})
            for j in range(99)]
    file = write_requests(service.file("refresh-mix"), requests)
    service.stack.fault("slow", delay_ms=500)
    try:
        measured(bench.report, "status, 1 % refresh", "4,000/s, 512", service,
                 lambda: load(service.port, file, 512, rate=4000,
                              seconds=max(3, bench.seconds),
                              expect='"status":'))
    finally:
        service.stack.fault("none")


def storm(bench):
    """1,000 refreshes in flight against a provider of 2 s, amid reads.

    What they cost in processor time they would cost anywhere: so the same
    refreshes are also put to another service on the same cores. And their
    writes are synced, which holds up whoever reads from the same Redis: so
    they are also made without that.
    """
    service = bench.status_service()
    elsewhere = bench.new_service()
    elsewhere.name = "elsewhere"
    seconds = max(4, bench.seconds)
    per_second, reads_per_second = 500, 1000
    each_round = per_second * (seconds + 3)

    def reads(what):
        measured(bench.report, what, f"{reads_per_second:,}/s, 64", service,
                 lambda: load(service.port, service.file("status"), 64,
                              rate=reads_per_second, seconds=seconds,
                              expect='"status":'))

    def reads_amid_refreshes(what, target, asks):
        refreshes = start_load(target.port, asks, 2 * per_second + 200,
                               rate=per_second, once=True, seconds=600,
                               status="200")
        time.sleep(2.2)
        reads(what)
        result = finish_load(refreshes)
        assert result["bad"] == 0, result
        return {**result, "cpu": {}}

    def make_asks(target, times):
        # Users of whom the first poll brings news, each asked for once.
        subs, _, _ = target.make_applicants("storm", each_round * times)
        return [target.user_requests(f"storm-{at}", subs[at:at + each_round],
                                     "GET", STATUS_PATH + "?refresh=true")
                for at in range(0, len(subs), each_round)]

    try:
        asks_elsewhere = make_asks(elsewhere, bench.rounds)
        asks = make_asks(service, 2 * bench.rounds)
        for target in (elsewhere, service):
            target.stack.fault("slow", delay_ms=2000)
        for _ in range(bench.rounds):
            reads("reads, nothing else")
            reads_amid_refreshes("reads, 1,000 refreshes elsewhere", elsewhere,
                                 asks_elsewhere.pop())
            for policy in ("everysec", "always"):
                service.stack.redis("CONFIG", "SET", "appendfsync", policy)
                result = reads_amid_refreshes(
                    f"reads amid 1,000 refreshes, AOF {policy}", service,
                    asks.pop())
            bench.report.add("the last refreshes, provider of 2 s",
                             f"{per_second}/s", service.name, result)
    finally:
        service.stack.redis("CONFIG", "SET", "appendfsync", "always")
        service.stack.fault("none")
        elsewhere.stop()


def applicants(bench):
    """POST /v0/kyc/applicant of users never seen."""
    service = bench.status_service()
    count = 200 if bench.quick else 4000
    say("  applicant creation")
    _, result, cpu = service.make_applicants("create", count)
    result["cpu"] = cpu
    bench.report.add("applicant creation", "once each, 64", service.name,
                     result)


def token(bench):
    """POST /v0/kyc/access-token."""
    service = bench.status_service()
    subs, _, _ = service.make_applicants("token", 1000)
    file = service.user_requests("access-token", subs, "POST",
                                 "/v0/kyc/access-token")
    measured(bench.report, "access token", "closed, 64", service,
             lambda: load(service.port, file, 64, seconds=bench.seconds,
                          expect='"access_token":'))


# Webhooks.

def webhooks(bench):
    """Webhooks taken in: verified, stored, answered."""
    service = bench.new_service()
    peers = bench.new_peers()
    targets = [service]
    try:
        if peers:
            targets += peers.start_webhooks()
        service.redis_port = service.stack.port("redis")
        # So that intake alone is measured; its promise is the same.
        service.stack.kill("kyc")
        service.see_processes()
        service.webhooks("intake", intake_events(1000))
        for target in targets:
            wrk(target.port, target.file("intake"), 64,
                bench.warm_up if target.name == "node" else 2)
        for policy in ("always", "everysec"):
            for connections in (64, 512):
                for _ in range(bench.rounds):
                    for target in targets:
                        intake(bench, policy, connections, target)
    finally:
        if peers:
            peers.stop()
        service.stop()


def redis_cli(port, *args):
    return subprocess.run(["redis-cli", "-p", str(port), *args], check=True,
                          capture_output=True, text=True).stdout.strip()


def intake(bench, policy, connections, target):
    def each_stream(command, *more):
        return [redis_cli(target.redis_port, command, stream, *more)
                for stream in target.streams()]

    redis_cli(target.redis_port, "CONFIG", "SET", "appendfsync", policy)
    each_stream("XTRIM", "MAXLEN", "0")
    result = measured(
        bench.report, "webhook intake", f"AOF {policy}, closed, {connections}",
        target, lambda: wrk(target.port, target.file("intake"), connections,
                            bench.seconds))
    # wrk does not count what was answered after its end.
    stored = sum(map(int, each_stream("XLEN")))
    assert result["requests"] <= stored, (target.name, stored, result)
    each_stream("XTRIM", "MAXLEN", "0")


def apply(bench):
    """How fast a backlog of events, each with an effect, is stored."""
    service = bench.new_service()
    count = 1500 if bench.quick else 30000
    say(f"  {count} events")
    try:
        service.stack.kill("kyc")
        service.deliver("apply", rejected_events(count))
        service.stack.start("kyc")
        service.see_processes()
        meter = service.meter()
        wait_until(lambda: service.backlog() < count, 60, 0.01, "a first one")
        begin, left = time.monotonic(), service.backlog()
        wait_until(lambda: service.backlog() == 0, 300, 0.02, "all applied")
        took = time.monotonic() - begin
        cpu = meter.micros_per(count)
        users = [f"apply_{i:08d}" for i in range(0, (count + 2) // 3, 97)]
        for token in service.mint(users):
            _, _, body = request(service.port, "GET", STATUS_PATH,
                                 {"x-juno-jwt": token})
            assert body["status"] == "rejected", body
        bench.report.add("webhook apply", "a backlog, AOF always",
                         service.name,
                         {"rps": left / took, "cpu": cpu,
                          "memory": service.memory(), "requests": count})
    finally:
        service.stop()


# Documents.

def form(data):
    boundary = "bench-7d6f0e0c"
    parts = []
    for name, value in (("document_type", "PASSPORT"), ("country", "GBR")):
        parts.append(f"--{boundary}\r\nContent-Disposition: form-data; "
                     f'name="{name}"\r\n\r\n{value}\r\n')
    parts.append(f"--{boundary}\r\nContent-Disposition: form-data; "
                 'name="file"; filename="passport.jpg"\r\n'
                 "Content-Type: image/jpeg\r\n\r\n")
    body = "".join(parts).encode() + data + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def upload(bench):
    """16 uploads of 10 MB at a time."""
    size = 10_000_000
    at_a_time = 16
    # Memory that other scenarios left free would hide what uploads take.
    service = bench.new_status_service()
    subs, _, _ = service.make_applicants("upload", at_a_time)
    media_type, body = form(b"\xff\xd8\xff\xe0" + os.urandom(size - 4))
    file = write_requests(service.file("upload"), (
        http_request("POST", "/v0/kyc/documents",
                     {"x-juno-jwt": token, "Content-Type": media_type}, body)
        for token in service.mint(subs)))
    gateway = service.pids["gateway"]
    before = memory_mib(gateway, "VmRSS")
    reset_peak(gateway)

    def uploads(seconds):
        return load(service.port, file, at_a_time, seconds=seconds, status=201,
                    expect='"image_id"')

    # The memory of the first ones is new to the processes.
    uploads(min(2, bench.seconds))
    result = measured(bench.report, "10 MB upload", f"closed, {at_a_time}",
                      service, lambda: uploads(bench.seconds))
    per_upload = (memory_mib(gateway, "VmHWM") - before) / at_a_time
    limit = direct_uploads(bench, service, subs, body, media_type)
    bench.report.note(
        f"10 MB upload: {result['rps'] * size / 1e6:,.0f} MB/s, that is "
        f"{result['rps'] / limit:.0%} of what the provider's stand-in takes "
        f"directly ({limit * size / 1e6:,.0f} MB/s); gateway memory per "
        f"upload in flight {per_upload:.2f} MiB")


def direct_uploads(bench, service, subs, body, media_type):
    """The same bytes sent to the stand-in itself, signed."""
    stack = service.stack
    with open(stack.path("app_token"), encoding="utf-8") as file:
        app_token = file.read().strip()
    with open(stack.path("secret_key"), encoding="utf-8") as file:
        key = file.read().strip().encode()
    boundary = media_type.split("boundary=")[1]
    metadata = json.dumps({"idDocType": "PASSPORT", "country": "GBR"})
    head = (f"--{boundary}\r\nContent-Disposition: form-data; "
            f'name="metadata"\r\n\r\n{metadata}\r\n')
    part = body.index(b'name="file"')
    content = body[body.index(b"\r\n\r\n", part) + 4:]
    body = head.encode() + (
        f"--{boundary}\r\nContent-Disposition: form-data; "
        'name="content"; filename="passport.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n").encode() + content

    def signed(sub):
        applicant = stack.user(sub).post("/v0/kyc/applicant")[2]
        target = ("/resources/applicants/" + applicant["applicant_id"] +
                  "/info/idDoc")
        stamp = str(int(time.time()))
        signature = hmac.new(key, (stamp + "POST" + target).encode() + body,
                             hashlib.sha256).hexdigest()
        return http_request(
            "POST", target,
            {"X-App-Token": app_token, "X-App-Access-Ts": stamp,
             "X-App-Access-Sig": signature, "Content-Type": media_type,
             "X-Return-Doc-Warnings": "true"}, body)

    file = write_requests(service.file("direct"), map(signed, subs))
    result = load(stack.port("provider"), file, len(subs),
                  seconds=bench.seconds)
    assert result["bad"] == 0, result
    return result["rps"]


def image(bench):
    """16 downloads of a 10 MB image at a time, by a partner."""
    size = 10_000_000
    at_a_time = 16
    marker = b"the end of a picture"
    service = bench.status_service()
    stack = service.stack
    partner = stack.partner()
    page = b"\xff\xd8\xff\xe0" + os.urandom(size - 4 - len(marker)) + marker
    media_type, body = form(page)
    requests = []
    # Reads of one user wait for each other's entry in the log.
    for i in range(at_a_time):
        user = stack.user(f"image_{i}")
        user.post("/v0/kyc/applicant")
        status, _, answer = user.post("/v0/kyc/documents", body=body,
                                      headers={"content-type": media_type})
        assert status == 201, answer
        user.play_sdk("approve", level="basic-kyc-level")
        wait_until(lambda: user.get(STATUS_PATH + "?refresh=true")[2]["status"]
                   == "approved", 30, 0.2, "approved")
        consent = partner.consent(Wallet(user))["token"]
        requests.append(http_request(
            "GET", f"/v0/users/{user.sub}/kyc/document/{answer['image_id']}",
            {"Authorization": "Bearer " + partner.key,
             "x-sumvin-pint-token": consent}))
    file = write_requests(service.file("image"), requests)
    result = measured(
        bench.report, "10 MB image", f"closed, {at_a_time}", service,
        lambda: load(service.port, file, at_a_time, seconds=bench.seconds,
                     expect=marker.decode()))
    bench.report.note(
        f"10 MB image: {result['rps'] * size / 1e6:,.0f} MB/s")


# Processes at rest.

def idle(bench):
    """10,000 keep-alive connections of users, each used once."""
    count = 1000 if bench.quick else 10000
    service = bench.new_status_service()
    gateway = service.pids["gateway"]
    before = memory_mib(gateway, "VmRSS")
    token = service.mint([user_id(3)])[0]
    text = http_request("GET", STATUS_PATH, {"x-juno-jwt": token})
    sockets = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", service.port))
            connection.sendall(text)
            sockets.append(connection)
        for connection in sockets:
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
        after = memory_mib(gateway, "VmRSS")
        for connection in sockets[::100]:
            connection.sendall(text)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 OK\r\n")
    finally:
        for connection in sockets:
            connection.close()
    bench.report.note(
        f"{count:,} idle keep-alive connections: gateway RSS {after:.1f} MiB "
        f"({before:.1f} before), all answered")


def cold(bench):
    """From exec to /readyz 200, and the memory of a process at rest."""
    ready, memory = {}, {}
    for _ in range(1 if bench.quick else 3):
        service = bench.new_service()
        try:
            time.sleep(1)
            for name, mib in service.memory("VmRSS").items():
                memory.setdefault(name, []).append(mib)
            for name in ("kyc", "webhook", "gateway"):
                service.stack.kill(name)
                ready.setdefault(name, []).append(start_time(service, name))
        finally:
            service.stop()
    bench.report.note("ready after start: " + ", ".join(
        f"{name} {min(times) * 1e3:.0f} ms" for name, times in ready.items()))
    bench.report.note("RSS at rest: " + ", ".join(
        f"{name} {min(all_):.1f} MiB" for name, all_ in memory.items()))


def start_time(service, name):
    port = service.stack.port(ADMIN_PORTS[name])
    begin = time.monotonic()
    service.stack.start(name, wait=False)
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port,
                                                    timeout=1)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return time.monotonic() - begin
        except OSError:
            pass
        finally:
            connection.close()
        assert time.monotonic() - begin < 20, name + " is not ready"
        time.sleep(0.001)


# A run of its own, as counting costs time.

def allocations(bench):
    """Memory allocations per request, with a counting malloc."""
    service = Service(bench.directory, 1000, count_allocations=True)
    try:
        service.make_users()
        subs, _, _ = service.make_applicants("counted", 200)
        tokens = service.user_requests("counted-token", subs, "POST",
                                       "/v0/kyc/access-token")
        service.webhooks("counted-intake", intake_events(1000))
        for scenario, file, connections in (
            ("cached status", service.file("status"), 64),
            ("access token", tokens, 64),
            ("webhook intake", service.file("counted-intake"), 64),
        ):
            load(service.port, file, connections, seconds=.5)
            if scenario == "webhook intake":
                service.stack.kill("kyc")
                service.see_processes()
            before = service.allocated()
            result = load(service.port, file, connections, seconds=1.5)
            assert result["bad"] == 0, (scenario, result)
            after = service.allocated()
            each = {name: (after[name] - before[name]) / result["requests"]
                    for name in after}
            bench.report.note(
                f"allocations per request, {scenario}: " + " + ".join(
                    f"{name} {count:.1f}" for name, count in each.items()
                    if count >= .05))
    finally:
        service.stop()


SCENARIOS = {
    "status": status,
    "refresh": refresh,
    "storm": storm,
    "applicant": applicants,
    "token": token,
    "webhook": webhooks,
    "apply": apply,
    "upload": upload,
    "image": image,
    "idle": idle,
    "cold": cold,
    "allocations": allocations,
}
