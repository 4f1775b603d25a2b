"""Requests in files, and the two tools that send them."""

import json
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def http(method, path, headers=None, body=b""):
    """One whole request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def write_requests(path, requests):
    """The format of load.cc and replay.lua."""
    with open(path, "wb") as file:
        for request in requests:
            file.write(len(request).to_bytes(4, "little") + request)
    return path


def _result(text):
    raw = json.loads(text)
    return {
        "requests": raw["requests"],
        "seconds": raw["us"] / 1e6,
        "rps": raw["requests"] / max(raw["us"] / 1e6, 1e-6),
        "bad": raw["bad"],
        "p50": raw["p50"] / 1000,
        "p99": raw["p99"] / 1000,
        "p999": raw["p999"] / 1000,
        "statuses": raw.get("statuses", {}),
    }


def wrk(port, file, connections, seconds):
    """A closed loop."""
    output = subprocess.run(
        ["wrk", f"-t{min(2, connections)}", f"-c{connections}",
         f"-d{seconds}s", "--latency", "--timeout", "10s",
         "-s", os.path.join(HERE, "replay.lua"), f"http://127.0.0.1:{port}"],
        env={**os.environ, "BENCH_REQUESTS": file},
        check=True, capture_output=True, text=True,
    ).stdout
    line = next(l for l in output.splitlines() if l.startswith("RESULT "))
    return _result(line[7:])


def start_load(port, file, connections, **options):
    """load.cc in the background: its options by name; None leaves one out."""
    flags = [f"--{name}" if value is True else f"--{name}={value}"
             for name, value in options.items() if value is not None]
    return subprocess.Popen(
        [os.path.join(os.environ["KYC_BIN"], "tests/bench/load"),
         f"--port={port}", f"--requests={file}",
         f"--connections={connections}", *flags],
        stdout=subprocess.PIPE, text=True,
    )


def finish_load(process):
    output, _ = process.communicate()
    assert process.returncode == 0, output
    return _result(output)


def load(port, file, connections, **options):
    return finish_load(start_load(port, file, connections, **options))
