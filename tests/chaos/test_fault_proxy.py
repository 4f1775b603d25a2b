"""The fault proxy does what it says: a tool that breaks nothing proves
nothing."""

import socket
import threading
import time
import unittest

from fault_proxy import (
    BlackHole, Bandwidth, Corrupt, Cut, Down, FaultProxy, HalfClose, Latency,
    Reset, Slices, UP,
)


class Echo:
    """Sends back what it gets; remembers the sizes of its reads."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "{}:{}".format(*self.listener.getsockname())
        self.reads = []
        self.ended = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(
                target=self.echo, args=(sock,), daemon=True
            ).start()

    def echo(self, sock):
        with sock:
            try:
                while piece := sock.recv(65536):
                    self.reads.append(len(piece))
                    sock.sendall(piece)
                self.ended.append("FIN")
            except ConnectionResetError:
                self.ended.append("RST")

    def close(self):
        # Wakes the thread in accept(), without which the port stays open.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class FaultProxyTest(unittest.TestCase):
    def setUp(self):
        self.echo = Echo()
        self.addCleanup(self.echo.close)
        self.proxy = FaultProxy(self.echo.address)
        self.addCleanup(self.proxy.close)

    def connect(self, timeout=20):
        host, port = self.proxy.address.rsplit(":", 1)
        sock = socket.create_connection((host, int(port)), timeout)
        self.addCleanup(sock.close)
        return sock

    def ask(self, sock, text=b"hello"):
        sock.sendall(text)
        return self.read(sock, len(text))

    def read(self, sock, size):
        answer = b""
        while len(answer) < size:
            piece = sock.recv(65536)
            if not piece:
                break
            answer += piece
        return answer

    def silent(self, sock, seconds=0.3):
        sock.settimeout(seconds)
        with self.assertRaises(socket.timeout):
            sock.recv(1)
        sock.settimeout(20)

    def test_whole(self):
        sock = self.connect()
        self.assertEqual(self.ask(sock), b"hello")
        self.assertEqual(self.ask(sock, b"x" * 500_000), b"x" * 500_000)
        sock.shutdown(socket.SHUT_WR)
        self.assertEqual(sock.recv(1), b"")

    def test_latency_holds_and_ends(self):
        sock = self.connect()
        self.ask(sock)
        self.proxy.set(Latency(0.3))
        began = time.monotonic()
        self.assertEqual(self.ask(sock), b"hello")
        self.assertGreaterEqual(time.monotonic() - began, 0.6)
        self.proxy.set(Latency(3600))
        sock.sendall(b"late")
        self.silent(sock)
        self.proxy.set(None)
        self.assertEqual(self.read(sock, 4), b"late")

    def test_bandwidth(self):
        sock = self.connect()
        self.proxy.set(Bandwidth(100_000, (UP,)))
        began = time.monotonic()
        self.ask(sock, b"x" * 50_000)
        self.assertGreaterEqual(time.monotonic() - began, 0.4)

    def test_slices(self):
        sock = self.connect()
        self.proxy.set(Slices(1, pause=0.005))
        self.assertEqual(self.ask(sock, b"one by one"), b"one by one")
        self.assertGreater(len(self.echo.reads), 5)

    def test_black_hole_swallows_nothing_for_good(self):
        sock = self.connect()
        self.ask(sock)
        self.proxy.set(BlackHole())
        sock.sendall(b"held")
        self.silent(sock)
        other = self.connect()
        other.sendall(b"too")
        self.silent(other)
        self.proxy.set(None)
        self.assertEqual(self.read(sock, 4), b"held")
        self.assertEqual(self.read(other, 3), b"too")

    def test_reset_of_open_and_of_new_connections(self):
        sock = self.connect()
        self.ask(sock)
        self.proxy.set(Reset())
        with self.assertRaises(ConnectionResetError):
            sock.recv(1)
        new = self.connect()
        with self.assertRaises(ConnectionResetError):
            new.sendall(b"first byte")
            new.recv(1)
        self.proxy.set(None)
        self.assertEqual(self.ask(self.connect()), b"hello")
        self.assertIn("RST", self.echo.ended)

    def test_half_close(self):
        sock = self.connect()
        self.ask(sock)
        self.proxy.set(HalfClose())
        sock.sendall(b"heard")
        self.assertEqual(sock.recv(1), b"")
        sock.sendall(b"not refused")
        self.assertEqual(self.echo.reads[:2], [5, 5])

    def test_cut(self):
        sock = self.connect()
        self.proxy.set(Cut(3))
        self.assertEqual(self.ask(sock), b"hel")

    def test_corruption_is_of_the_first_byte(self):
        sock = self.connect()
        self.proxy.set(Corrupt())
        self.assertEqual(self.ask(sock), bytes([ord("h") ^ 0xFF]) + b"ello")

    def test_down_and_up_at_the_same_address(self):
        sock = self.connect()
        self.ask(sock)
        self.proxy.set(Down())
        self.assertEqual(sock.recv(1), b"")
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.proxy.set(None)
        self.assertEqual(self.ask(self.connect()), b"hello")

    def test_unix_sockets(self):
        with FaultProxy(self.echo.address, listen="unix") as front:
            with FaultProxy(front.address) as proxy:
                host, port = proxy.address.rsplit(":", 1)
                with socket.create_connection((host, int(port)), 20) as sock:
                    self.assertEqual(self.ask(sock), b"hello")
                    front.set(Down())
                    self.assertEqual(sock.recv(1), b"")

    def test_a_server_that_is_not_there(self):
        echo = Echo()
        echo.close()
        proxy = FaultProxy(echo.address)
        self.addCleanup(proxy.close)
        host, port = proxy.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), 20) as sock:
            try:
                self.assertEqual(sock.recv(1), b"")
            except ConnectionResetError:
                pass


if __name__ == "__main__":
    unittest.main()
