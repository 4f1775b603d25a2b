"""The platform guide's examples and table rows as golden cases.

platform_guide.json holds the cases: what is asked, and the whole answer that
must come. In expected bodies these strings stand for values:

  <user>   the caller's id              <int>    any integer
  <text>   any text that is not empty   <trace>  32 hex digits
  <name>   any other name: the first value seen; the same from then on

A case's steps are calls, or hands on the sandbox provider: {"sandbox": path,
"json": body}, {"fault": mode}, {"sdk": outcome}, {"wait": status}, or {"stop":
process}.
"""

import json
import os
import re
import sys
import unittest
import uuid

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "system"))

from stack import Stack, event  # noqa: E402

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + b"\x00" * 64 + b"\xff\xd9"
CONTENTS = {
    "jpeg": JPEG,
    "png": b"\x89PNG\r\n\x1a\n" + b"\x00" * 64,
    "webp": b"RIFF\x40\x00\x00\x00WEBPVP8 " + b"\x00" * 52,
    "pdf": b"%PDF-1.4\n" + b"\x00" * 64,
    "heic": b"\x00\x00\x00\x18ftypheic" + b"\x00" * 64,
    "jpeg of 10485760 bytes": JPEG + b"\x00" * (10485760 - len(JPEG)),
    "jpeg of 12582912 bytes": JPEG + b"\x00" * (12582912 - len(JPEG)),
}


def form_body(fields):
    """multipart/form-data as curl writes it."""
    boundary = uuid.uuid4().hex
    parts = []
    for name, value in fields.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'
        if isinstance(value, dict):
            head += f'; filename="{value["name"]}"\r\nContent-Type: {value["type"]}'
            content = CONTENTS[value["content"]]
        else:
            content = value.encode()
        parts.append(head.encode() + b"\r\n\r\n" + content + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return f"multipart/form-data; boundary={boundary}", b"".join(parts)


class Case:
    def __init__(self, test, stack, case):
        self.test = test
        self.stack = stack
        self.case = case
        self.user = stack.user()
        self.names = {"user": self.user.sub}

    def run(self):
        for number, step in enumerate(self.case["steps"], 1):
            where = f"{self.case['name']}, step {number}"
            if "call" in step:
                self.call(step, where)
            elif "sandbox" in step:
                path = step["sandbox"].replace("<user>", self.user.sub)
                self.stack.sandbox(path, step["json"])
            elif "fault" in step:
                self.stack.fault(step["fault"])
            elif "sdk" in step:
                self.user.play_sdk(
                    step["sdk"], delay_ms=step.get("delay_ms", 0)
                )
            elif "wait" in step:
                self.user.wait_for(step["wait"])
            elif "event" in step:
                status = self.stack.webhook(
                    event(self.user.sub, **step["event"])
                )[0]
                self.test.assertEqual(status, 200, where)
            else:
                raise AssertionError(f"{where}: unknown step")

    def call(self, step, where):
        method, path = step["call"].split(" ", 1)
        headers = dict(step.get("headers", {}))
        body = None
        if "json" in step:
            headers.setdefault("content-type", "application/json")
            body = json.dumps(step["json"])
        elif "form" in step:
            headers["content-type"], body = form_body(step["form"])
        status, fields, answer = self.send(step, method, path, headers, body)
        self.test.assertEqual(status, step["status"], f"{where}: {answer}")
        kind = "application/json" if status < 400 else "application/problem+json"
        kind = step.get("type", kind)
        self.test.assertEqual(fields.get("content-type"), kind, where)
        for name, value in step.get("response_headers", {}).items():
            self.test.assertEqual(fields.get(name), value, f"{where}: {name}")
        if "body" in step:
            self.match(step["body"], answer, where)
            self.test.assertEqual(list(answer), list(step["body"]), where)

    def send(self, _, method, path, headers, body):
        return self.user.call(
            method, path, headers=headers, body=body, timeout=30
        )

    def match(self, wanted, got, where):
        if isinstance(wanted, dict):
            self.test.assertIsInstance(got, dict, where)
            self.test.assertEqual(set(got), set(wanted), where)
            for key in wanted:
                self.match(wanted[key], got[key], f"{where}: {key}")
        elif isinstance(wanted, list):
            self.test.assertIsInstance(got, list, where)
            self.test.assertEqual(len(got), len(wanted), where)
            for index, value in enumerate(wanted):
                self.match(value, got[index], f"{where}: [{index}]")
        elif wanted == "<int>":
            self.test.assertIs(type(got), int, where)
        elif wanted == "<text>":
            self.test.assertIsInstance(got, str, where)
            self.test.assertTrue(got, where)
        elif wanted == "<trace>":
            self.test.assertRegex(got, "^[0-9a-f]{32}$", where)
        elif isinstance(wanted, str) and re.fullmatch("<[a-z_]+>", wanted):
            self.test.assertIsInstance(got, (str, int), where)
            self.test.assertEqual(
                got, self.names.setdefault(wanted[1:-1], got), where
            )
        else:
            self.test.assertEqual(got, wanted, where)
            self.test.assertIs(type(got), type(wanted), where)


class PlatformGuide(unittest.TestCase):
    def test_every_case(self):
        with open(os.path.join(HERE, "platform_guide.json"),
                  encoding="utf-8") as file:
            cases = json.load(file)
        for mode in ("websdk", "hybrid", "document_only"):
            stack = Stack(
                flags={"kyc": ["--default_kyc_mode=" + mode],
                       "provider": ["--accept_webp"]}
            )
            try:
                for case in cases:
                    if case.get("mode", "websdk") != mode:
                        continue
                    with self.subTest(case["name"], seed=case["seed"]):
                        try:
                            Case(self, stack, case).run()
                        finally:
                            stack.fault("none")
                            stack.sandbox("/sandbox/webhooks", {})
            finally:
                stack.stop()


if __name__ == "__main__":
    unittest.main()
