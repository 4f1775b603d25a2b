"""A company's own system: takes our webhooks and remembers all of them."""

import base64
import hashlib
import hmac
import http.server
import json
import subprocess
import threading
import time

from stack import binary


class Receiver:
    """Listens on loopback. Knows `secret` once it has subscribed."""

    def __init__(self):
        self.received = []  # (webhook-id, body), as they came.
        self.wrong = []
        self.secret = ""
        self._lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                size = int(self.headers["content-length"])
                body = self.rfile.read(size)
                if len(body) < size:  # The sender was killed.
                    self.close_connection = True
                    return
                receiver._take(self.headers, body)
                # Long enough for a sender to be killed before it hears.
                time.sleep(0.02)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass  # Senders are killed while they send.

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def subscribe(self, stack):
        """To every change of status of users of no organisation."""
        made = subprocess.run(
            [binary("kycctl"), "webhooks", "create", "--json",
             "--events=kyc.status.changed",
             "--url=http://{}:{}/".format(*self.server.server_address),
             "--webhook_address=" + stack.address("webhook")],
            check=True, capture_output=True, text=True, timeout=30,
        ).stdout
        self.secret = json.loads(made)["secret"]

    def _take(self, headers, body):
        name = headers["webhook-id"]
        text = f"{name}.{headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signature = "v1," + base64.b64encode(
            hmac.new(key, text, hashlib.sha256).digest()
        ).decode()
        with self._lock:
            if signature not in headers["webhook-signature"].split(" "):
                self.wrong.append(f"{name}: bad signature")
            self.received.append((name, body))

    def told(self):
        """{user: (from, to, version) of every change, in order}, each once
        however often it came, and what is wrong with what came."""
        with self._lock:
            received, wrong = list(self.received), list(self.wrong)
        bodies = {}
        for name, body in received:
            if bodies.setdefault(name, body) != body:
                wrong.append(f"{name}: came with two bodies")
        users = {}
        for body in bodies.values():
            data = json.loads(body)["data"]
            users.setdefault(data["user_id"], []).append(
                (data["from"], data["to"], str(data["version"]))
            )
        for user, changes in users.items():
            changes.sort(key=lambda change: int(change[2]))
            if len(changes) != len(set(changes)):
                wrong.append(f"{user}: one change under two ids: {changes}")
        return users, wrong
