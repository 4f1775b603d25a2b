"""A proxy that breaks what passes through it, for tests.

    with FaultProxy(upstream="127.0.0.1:6379") as proxy:
        client = connect(proxy.address)
        proxy.set(Latency(0.2))      # From now on, also on open connections.
        proxy.set(None)              # Whole again.

One fault holds at a time, for both directions unless the fault says
otherwise. Addresses are "host:port" or "unix:/path", as the services take
them. What a fault held back (latency, a black hole) is delivered when it
ends, as TCP would; what it broke stays broken.

Standard library alone: asyncio on a thread of its own. A proxy does not know
the protocol it carries.
"""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import socket
import struct
import tempfile
import threading

CHUNK = 64 * 1024
UP, DOWN = "up", "down"  # Towards the server, towards the client.
BOTH = (UP, DOWN)


@dataclasses.dataclass(frozen=True)
class Latency:
    """Each piece arrives `seconds` after it was sent; none is overtaken."""

    seconds: float
    directions: tuple = BOTH


@dataclasses.dataclass(frozen=True)
class Bandwidth:
    """At most this many bytes a second, in each direction."""

    bytes_per_second: int
    directions: tuple = BOTH


@dataclasses.dataclass(frozen=True)
class Slices:
    """Each write carries no more than `size` bytes, in packets of their own."""

    size: int = 1
    pause: float = 0.0
    directions: tuple = BOTH


@dataclasses.dataclass(frozen=True)
class BlackHole:
    """Connections stand and new ones are accepted, but no byte passes."""

    directions: tuple = BOTH


@dataclasses.dataclass(frozen=True)
class Reset:
    """Open connections end with RST; new ones with their first byte."""


@dataclasses.dataclass(frozen=True)
class HalfClose:
    """The next piece in `direction` is lost, and FIN comes in its place. The
    other direction stays open, unheard."""

    direction: str = DOWN


@dataclasses.dataclass(frozen=True)
class Cut:
    """After `after` bytes more in `direction` the connection is closed."""

    after: int
    direction: str = DOWN


@dataclasses.dataclass(frozen=True)
class Corrupt:
    """The first byte of each piece is inverted.

    Where a piece is one message, as in a quiet request and answer, that byte
    is framing: the length of an HTTP/2 frame, the type of a Redis reply, the
    protocol's name in an HTTP/1 answer. Bytes of the content are left alone:
    a change in them cannot be seen without TLS, by any program.
    """

    directions: tuple = (DOWN,)


@dataclasses.dataclass(frozen=True)
class Down:
    """Open connections are closed and new ones refused."""


def _family(address):
    if address.startswith("unix:"):
        return socket.AF_UNIX, address[len("unix:"):]
    host, port = address.rsplit(":", 1)
    return socket.AF_INET, (host, int(port))


class _Connection:
    """One client's connection and the one made for it to the server."""

    def __init__(self, proxy, client):
        self.proxy = proxy
        self.ends = {UP: None, DOWN: client}  # Where each direction goes.
        self.tasks = []

    async def run(self):
        family, where = _family(self.proxy.upstream)
        server = socket.socket(family)
        server.setblocking(False)
        self.ends[UP] = server
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(server, where)
            for end in self.ends.values():
                if end.family == socket.AF_INET:
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.tasks = [
                asyncio.ensure_future(self._carry(direction))
                for direction in BOTH
            ]
            await asyncio.gather(*self.tasks)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self.close()

    def close(self, reset=False):
        for task in self.tasks:
            task.cancel()
        for end in self.ends.values():
            if end is None or end.fileno() < 0:
                continue
            if reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER,
                        struct.pack("ii", 1, 0),
                    )
            # Not end.close() alone: asyncio may still watch the descriptor.
            loop = self.proxy._loop
            loop.remove_reader(end)
            loop.remove_writer(end)
            end.close()

    async def _carry(self, direction):
        """Reads as things come; a second coroutine delivers, so that a fault
        that delays does not also slow down what is behind it."""
        source = self.ends[DOWN if direction == UP else UP]
        queue = asyncio.Queue(maxsize=256)
        deliver = asyncio.ensure_future(self._deliver(direction, queue))
        self.tasks.append(deliver)
        loop = asyncio.get_running_loop()
        try:
            while True:
                piece = await loop.sock_recv(source, CHUNK)
                if piece and isinstance(self.proxy.fault, Reset):
                    self.close(reset=True)
                    return
                self.proxy.pieces[direction] += bool(piece)
                await queue.put((loop.time(), piece))
                if not piece:
                    break
            await deliver
        except OSError:
            # The other end reset: pass that on.
            self.close(reset=True)

    async def _deliver(self, direction, queue):
        target = self.ends[direction]
        loop = asyncio.get_running_loop()
        try:
            while True:
                came, piece = await queue.get()
                fault = await self._wait_to_pass(direction, came)
                if not piece:
                    target.shutdown(socket.SHUT_WR)
                    return
                if not await self._send(loop, target, direction, fault, piece):
                    return
                self.proxy.bytes_passed += len(piece)
        except OSError:
            self.close(reset=True)

    async def _wait_to_pass(self, direction, came):
        """Returns the fault in force once the piece may go."""
        loop = asyncio.get_running_loop()
        while True:
            fault = self.proxy.fault
            left = None
            if isinstance(fault, BlackHole) and direction in fault.directions:
                left = 3600
            elif isinstance(fault, Latency) and direction in fault.directions:
                left = came + fault.seconds - loop.time()
            if left is None or left <= 0:
                return fault
            await self.proxy._changed_within(left)

    async def _send(self, loop, target, direction, fault, piece):
        """Sends one piece as the fault wants it; False when that was the
        last of this direction."""
        applies = direction in getattr(fault, "directions", ())
        if isinstance(fault, HalfClose) and direction == fault.direction:
            target.shutdown(socket.SHUT_WR)
            return False
        if isinstance(fault, Cut) and direction == fault.direction:
            await loop.sock_sendall(target, piece[:fault.after])
            if len(piece) >= fault.after:
                self.close()
                return False
            return True
        if isinstance(fault, Corrupt) and applies:
            piece = bytes([piece[0] ^ 0xFF]) + piece[1:]
        if isinstance(fault, Slices) and applies:
            for at in range(0, len(piece), fault.size):
                await loop.sock_sendall(target, piece[at : at + fault.size])
                await asyncio.sleep(fault.pause)
            return True
        if isinstance(fault, Bandwidth) and applies:
            size = max(1, fault.bytes_per_second // 20)
            while piece and self.proxy.fault == fault:
                await loop.sock_sendall(target, piece[:size])
                await self.proxy._changed_within(
                    len(piece[:size]) / fault.bytes_per_second
                )
                piece = piece[size:]
        await loop.sock_sendall(target, piece)
        return True


class FaultProxy:
    """See the module's text. Listens on a free port of its own, or on
    `listen`; "unix" is a socket in a folder of its own. `connections` and
    `bytes_passed` count from the start, `pieces` what was read of each
    direction, whether or not it has passed."""

    def __init__(self, upstream, listen="127.0.0.1:0"):
        self.upstream = upstream
        self.fault = None
        self.connections = 0
        self.bytes_passed = 0
        self.pieces = dict.fromkeys(BOTH, 0)
        self._open = set()
        self._dir = None
        if listen == "unix":
            self._dir = tempfile.mkdtemp(prefix="kyc-proxy-")
            listen = "unix:" + os.path.join(self._dir, "socket")
        self.address = listen
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        try:
            self._call(self._start())
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def set(self, fault):
        """Changes the fault; it holds when this returns."""
        self._call(self._set(fault))

    @contextlib.contextmanager
    def during(self, fault):
        self.set(fault)
        try:
            yield
        finally:
            self.set(None)

    def close(self):
        if self._loop.is_closed():
            return
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self._dir:
            shutil.rmtree(self._dir, ignore_errors=True)

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _start(self):
        self._change = asyncio.Event()
        self._listener = None
        self._accepting = None
        self._listen()

    async def _stop(self):
        self._unlisten()
        for connection in list(self._open):
            connection.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _set(self, fault):
        self.fault = fault
        self._change.set()
        self._change = asyncio.Event()
        if isinstance(fault, (Reset, Down)):
            for connection in list(self._open):
                connection.close(reset=isinstance(fault, Reset))
        if isinstance(fault, Down):
            self._unlisten()
        elif self._listener is None:
            self._listen()

    async def _changed_within(self, seconds):
        """Returns after `seconds`, or sooner when the fault changes."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._change.wait(), seconds)

    def _listen(self):
        family, where = _family(self.address)
        if family == socket.AF_UNIX:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(where)
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen(128)
        listener.setblocking(False)
        if family == socket.AF_INET:
            self.address = "{}:{}".format(*listener.getsockname())
        self._listener = listener
        self._accepting = asyncio.ensure_future(self._accept(listener))

    def _unlisten(self):
        if self._listener is None:
            return
        self._accepting.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._listener = None

    async def _accept(self, listener):
        while True:
            client, _ = await self._loop.sock_accept(listener)
            client.setblocking(False)
            self.connections += 1
            asyncio.ensure_future(self._serve(client))

    async def _serve(self, client):
        connection = _Connection(self, client)
        self._open.add(connection)
        try:
            await connection.run()
        finally:
            self._open.discard(connection)
