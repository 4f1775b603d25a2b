"""Uploads while the way to kyc_server breaks, or kyc_server itself: an answer
in time, no upload under way for ever, no document twice."""

import concurrent.futures
import http.client
import json
import threading
import time

from broken_stack import BrokenStack
from fault_proxy import DOWN, Bandwidth, BlackHole, Reset
from stack import wait_until
from test_documents import FORM, PATH, Documents, form, jpeg
from test_faults_between import READ, RECOVERY, SLACK

# From an upload's begin to its answer, whatever happens: ARCHITECTURE.md has
# more for a large one.
LIMIT = 40.0
# What needs nobody's answer: a dead connection, no room.
AT_ONCE = 2.0
# A read that waits for no upload.
QUICK = 1.0
# Longer than the gateway waits for a client's next bytes.
FREEZE = 4.5

PLACES = 5  # As many uploads may be under way at the same time.

SMALL, LARGE = 2_000, 10_000_000
PART = 1_000_000
# What the gateway may hold back of what it has, for a chunk to be full.
HELD = 256 * 1024

AWAY = {503: "GEN-503-001", 504: "GEN-504-001"}


class Upload:
    """One upload, which its client may interrupt."""

    def __init__(self, user, size):
        self.user = user
        self.body = form(jpeg(size))
        self.took = None
        self._connection = None
        self._sent = 0

    def send(self, size):
        """Begins and sends the first `size` bytes; negative: but for the
        last ones."""
        stack = self.user.stack
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", stack.port("gateway"), timeout=LIMIT + SLACK
        )
        self._connection.putrequest("POST", PATH)
        for name, value in {
            "x-juno-jwt": self.user.token, "content-length": len(self.body),
            **FORM,
        }.items():
            self._connection.putheader(name, value)
        self._connection.endheaders(self.body[:size])
        self._sent = len(self.body[:size])

    def finish(self):
        """Sends what is left of it: (status, headers, body)."""
        began = time.monotonic()
        if self._connection is None:
            self.send(0)
        try:
            self._connection.send(self.body[self._sent:])
        except (BrokenPipeError, ConnectionResetError):
            pass  # Answered before.
        try:
            response = self._connection.getresponse()
            text = response.read()
        finally:
            self.leave()
        self.took = time.monotonic() - began
        fields = {k.lower(): v for k, v in response.getheaders()}
        return response.status, fields, json.loads(text)

    def leave(self):
        """Is gone, whatever was sent."""
        self._connection.close()
        self._connection = None


class UploadsBetween(Documents):
    @classmethod
    def setUpClass(cls):
        places = f"--max_uploads_in_flight={PLACES}"
        cls.stack = BrokenStack(
            {"kyc": ["--default_kyc_mode=document_only", places],
             "gateway": [places]},
            links=[("gateway", "kyc"), ("kyc", "provider")],
        )
        cls.to_kyc = cls.stack.proxies["gateway", "kyc"]
        cls.to_provider = cls.stack.proxies["kyc", "provider"]

    def tearDown(self):
        self.to_kyc.set(None)
        self.to_provider.set(None)

    # Uploads, and how far they are.

    def fresh(self, size):
        return Upload(self.applicant(), size)

    def images(self, upload):
        return self.images_at_provider(upload.user)

    def send_to_kyc(self, upload, size):
        """Sends so much of it, until that is with kyc_server."""
        passed = self.to_kyc.bytes_passed
        upload.send(size)
        expected = passed + len(upload.body[:size]) - HELD
        wait_until(
            lambda: self.to_kyc.bytes_passed > max(passed, expected), 3, 0.01,
            "kyc_server has it",
        )

    def send_to_provider(self, upload):
        """Sends all of it; the provider has it, but its answer is held up."""
        self.to_provider.set(BlackHole((DOWN,)))
        upload.send(len(upload.body))
        wait_until(
            lambda: self.images(upload) == 1, 5, 0.01, "the provider has it"
        )

    def ended(self):
        """How many uploads have ended at kyc_server."""
        return self.stack.rpcs().get("KycService/UploadDocument", 0)

    # What must hold.

    def assert_away(self, answer):
        self.assertIn(answer[0], AWAY, answer[2])
        self.assert_problem(answer, answer[0], AWAY[answer[0]])

    def assert_full(self, user):
        """The gateway refuses one upload more, at once."""
        upload = Upload(user, SMALL)
        answer = upload.finish()
        self.assert_problem(answer, 503, "GEN-503-001")
        self.assertEqual(
            answer[2]["detail"], "Too many uploads at the moment. Try again."
        )
        self.assertGreaterEqual(int(answer[1]["retry-after"]), 1)
        self.assertLess(upload.took, AT_ONCE)

    def assert_taken_again(self, upload):
        """The same upload succeeds, and adds one image."""
        images = self.images(upload)

        def taken():
            answer = upload.finish()
            if answer[0] != 201:
                self.assert_away(answer)
            return answer[0] == 201

        wait_until(taken, RECOVERY + SLACK, 0.1, "an upload works again")
        self.assertEqual(self.images(upload), images + 1)

    def assert_nothing_under_way(self):
        """There is room for as many uploads as there are places."""
        user = self.applicant()
        uploads = [Upload(user, PART) for _ in range(PLACES)]
        try:
            for upload in uploads:
                self.send_to_kyc(upload, PART // 2)
            self.assert_full(user)
        finally:
            answers = [upload.finish() for upload in uploads]
        for answer in answers:
            self.assertEqual(answer[0], 201, answer[2])
        self.assertEqual(self.images_at_provider(user), PLACES)

    def test_a_black_hole(self):
        before = [self.fresh(SMALL), self.fresh(LARGE)]
        middle, end = self.fresh(LARGE), self.fresh(PART)
        arrived = self.fresh(PART)
        uploads = [*before, middle, end, arrived]
        self.assertEqual(len(uploads), PLACES)
        reader = self.applicant()
        self.send_to_kyc(middle, PART)
        self.send_to_kyc(end, -10)
        self.send_to_provider(arrived)  # Its answer goes into the hole.

        def images():
            return [self.images(upload) for upload in uploads]

        self.to_kyc.set(BlackHole())
        self.to_provider.set(None)
        with concurrent.futures.ThreadPoolExecutor(PLACES) as pool:
            answers = [pool.submit(upload.finish) for upload in uploads]
            began = time.monotonic()
            answer = reader.get("/v0/kyc/status", timeout=LIMIT)
            self.assertLess(time.monotonic() - began, READ + SLACK)
            self.assertIn(answer[0], AWAY)
            # By now all have begun.
            self.assert_full(reader)
            for upload, answer in zip(uploads, answers):
                self.assert_away(answer.result())
                self.assertLess(upload.took, LIMIT)
        self.assertEqual(images(), [0, 0, 0, 0, 1])
        # What the hole has taken is lost.
        self.to_kyc.set(Reset())
        self.to_kyc.set(None)
        for upload in uploads:
            self.assert_taken_again(upload)
        self.assertEqual(images(), [1, 1, 1, 1, 2])
        self.assert_nothing_under_way()

    def test_kyc_is_killed(self):
        middle, arrived = self.fresh(LARGE), self.fresh(PART)
        self.send_to_kyc(middle, PART)
        self.send_to_provider(arrived)
        self.stack.kill("kyc")
        try:
            self.to_provider.set(None)
            for upload in (arrived, middle):
                self.assert_away(upload.finish())
                self.assertLess(upload.took, AT_ONCE)
        finally:
            self.stack.start("kyc")
        self.assertEqual([self.images(middle), self.images(arrived)], [0, 1])
        self.assert_taken_again(middle)
        self.assert_taken_again(arrived)
        self.assert_nothing_under_way()

    def test_kyc_is_frozen_for_a_while(self):
        middle, later, gone = (
            self.fresh(size) for size in (LARGE, SMALL, PART)
        )
        ended = self.ended()
        self.send_to_kyc(middle, PART)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            with self.stack.frozen("kyc"):
                answers = [pool.submit(u.finish) for u in (middle, later)]
                gone.send(len(gone.body))
                time.sleep(FREEZE)
                gone.leave()
                self.assertFalse(any(answer.done() for answer in answers))
            for answer in answers:
                answer = answer.result()
                self.assertEqual(answer[0], 201, answer[2])
        wait_until(
            lambda: self.ended() == ended + 3, 5,
            what="the upload without a client has ended too",
        )
        self.assertEqual([self.images(middle), self.images(later)], [1, 1])
        self.assertLessEqual(self.images(gone), 1)
        self.assert_nothing_under_way()

    def timed_read(self, reader):
        began = time.monotonic()
        status, _, body = reader.get("/v0/kyc/status")
        return time.monotonic() - began, status, body

    def test_reads_do_not_wait_behind_documents_on_a_slow_link(self):
        reader, upload = self.applicant(), self.fresh(4 * PART)
        self.assertEqual(reader.get("/v0/kyc/status")[0], 200)
        self.to_kyc.set(Bandwidth(PART))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(upload.finish)
            time.sleep(0.5)
            for _ in range(20):
                took, status, _ = self.timed_read(reader)
                self.assertEqual(status, 200)
                self.assertLess(took, QUICK)
                time.sleep(0.05)
            self.assertFalse(answer.done())
            self.to_kyc.set(None)
            self.assertEqual(answer.result()[0], 201)

    def test_reads_go_on_beside_uploads_that_do_not(self):
        reader = self.applicant()
        truth = reader.get("/v0/kyc/status")
        self.assertEqual(truth[0], 200)
        arrived = self.fresh(PART)
        uploads = [self.fresh(PART) for _ in range(PLACES - 1)]
        self.send_to_provider(arrived)
        for upload in uploads:
            self.send_to_kyc(upload, PART // 2)
        stop = threading.Event()
        reads = []

        def read():
            while not stop.is_set():
                reads.append(self.timed_read(reader))

        threads = [threading.Thread(target=read) for _ in range(4)]
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(arrived.finish)
            for thread in threads:
                thread.start()
            try:
                time.sleep(1.5)
                self.assert_full(reader)
                self.assertFalse(answer.done())
            finally:
                stop.set()
                for thread in threads:
                    thread.join()
                self.to_provider.set(None)
            uploads.append(arrived)
            answers = [u.finish() for u in uploads[:-1]] + [answer.result()]
        for took, status, body in reads:
            self.assertEqual((status, body), (200, truth[2]))
            self.assertLess(took, QUICK)
        for upload, answer in zip(uploads, answers):
            self.assertEqual(answer[0], 201, answer[2])
            self.assertEqual(self.images(upload), 1)
