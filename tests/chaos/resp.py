"""A plain Redis client for tests: pipelined commands, bytes in and out."""

import socket


class RedisError(Exception):
    pass


class Redis:
    def __init__(self, port, timeout=30):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def __call__(self, *words):
        return self.many([words])[0]

    def many(self, commands):
        """Sends all commands, then reads all replies; raises for an error."""
        out = bytearray()
        for words in commands:
            out += b"*%d\r\n" % len(words)
            for word in words:
                data = word if isinstance(word, bytes) else str(word).encode()
                out += b"$%d\r\n%s\r\n" % (len(data), data)
        self.sock.sendall(out)
        replies = [self._read() for _ in commands]
        for reply in replies:
            if isinstance(reply, RedisError):
                raise reply
        return replies

    def _read(self):
        line = self.file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if int(rest) < 0:
                return None
            return self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            if int(rest) < 0:
                return None
            return [self._read() for _ in range(int(rest))]
        raise ConnectionError("not a reply: " + repr(line))


def pairs(words):
    """Names and values in turn, as text, in their order."""
    texts = [word.decode() for word in words]
    return dict(zip(texts[::2], texts[1::2]))
