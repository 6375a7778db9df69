# SPDX-License-Identifier: Apache-2.0
"""A provider that speaks HTTP/2, as much of it as tests need: by prior knowledge or, with TLS, by
ALPN. Standard library only. The fields of requests are not read (their code has a state), what is
asked stands in the body; answers use literals. Windows are kept to, both ways."""

import contextlib
import json
import select
import socket
import struct
import threading
import time

from harness import SLOW, Provider

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW = 0, 1, 3, 4, 6, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
REFUSED_STREAM, CANCEL = 7, 8
MAX_CONCURRENT_STREAMS, INITIAL_WINDOW = 3, 4
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def text(value):
    if len(value) < 127:
        return bytes([len(value)]) + value
    out, rest = b"\x7f", len(value) - 127
    while rest >= 128:
        out += bytes([0x80 | rest & 0x7f])
        rest >>= 7
    return out + bytes([rest]) + value


class Stream:
    """One request, and how it is answered. Calls block while the windows are closed; they raise
    ConnectionError when the stream or the connection is over."""

    def __init__(self, connection, number):
        self.connection = connection
        self.number = number
        self.body = b""
        self.window = connection.initial_window
        self.reset_code = None
        self.sent = 0
        self.last_sent = time.monotonic()

    def quiet_time(self):
        """Seconds since something of it was sent."""
        return time.monotonic() - self.last_sent

    def json(self):
        return json.loads(self.body)

    def head(self, status=200, ends=False, **fields):
        block = b"\0" + text(b":status") + text(str(status).encode())
        for name, value in fields.items():
            block += b"\0" + text(name.replace("_", "-").encode()) + text(str(value).encode())
        self.connection.write(HEADERS, END_HEADERS | (END_STREAM if ends else 0), self.number,
                              block)

    def data(self, data, ends=False):
        while True:
            size = self.connection.take_window(self, len(data))
            last = size == len(data)
            self.connection.write(DATA, END_STREAM if ends and last else 0, self.number,
                                  data[:size])
            self.sent += size
            self.last_sent = time.monotonic()
            data = data[size:]
            if last:
                return

    def answer(self, value, status=200):
        self.head(status, content_type="application/json")
        self.data(json.dumps(value).encode(), ends=True)

    def events(self, events, ends=True):
        self.head(content_type="text/event-stream")
        for one in events:
            self.data(one)
        if ends:
            self.data(b"", ends=True)

    def reset(self, code):
        self.connection.write(RESET, 0, self.number, struct.pack(">I", code))

    def wait_for_reset(self, seconds=5.0):
        """The code of the client's RST_STREAM, or None."""
        with self.connection.changed:
            self.connection.changed.wait_for(lambda: self.reset_code is not None, seconds * SLOW)
        return self.reset_code


class Connection:
    def __init__(self, provider, sock):
        self.provider = provider
        self.sock = sock
        self.number = len(provider.sessions)
        self.lock = threading.RLock()
        self.changed = threading.Condition()
        self.streams = {}
        self.window = 65_535
        self.initial_window = 65_535
        self.is_over = False
        self.goaways = 0  # of the client's

    def write(self, kind, flags, number, payload=b""):
        frame = struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
        with self.lock:
            if self.is_over:
                raise ConnectionError("over")
            self.sock.sendall(frame + struct.pack(">I", number) + payload)

    def goaway(self, last, code=0):
        self.write(GOAWAY, 0, 0, struct.pack(">II", last, code))

    def take_window(self, stream, wanted):
        """How much of it may be sent now; waits until that is something."""
        with self.changed:
            while True:
                if self.is_over or stream.reset_code is not None:
                    raise ConnectionError("reset")
                size = min(wanted, stream.window, self.window, 16_384)
                if size > 0 or wanted == 0:
                    stream.window -= size
                    self.window -= size
                    return size
                self.changed.wait(0.05)

    def read(self, size):
        data = b""
        while len(data) < size:
            # Nobody else may be inside the TLS of this socket meanwhile.
            if not getattr(self.sock, "pending", lambda: 0)():
                select.select([self.sock], [], [])
            with self.lock:
                more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("ended")
            data += more
        return data

    def serve(self):
        try:
            if self.read(len(PREFACE)) != PREFACE:
                return
            self.write(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *one)
                                                for one in self.provider.settings.items()))
            while True:
                head = self.read(9)
                size = int.from_bytes(head[:3], "big")
                self.take(head[3], head[4], int.from_bytes(head[5:], "big"), self.read(size))
        except (OSError, ValueError):
            pass
        finally:
            with self.changed:
                self.is_over = True
                self.changed.notify_all()
            with contextlib.suppress(OSError):
                self.sock.close()

    def take(self, kind, flags, number, payload):
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                name, value = struct.unpack(">HI", payload[at:at + 6])
                if name == INITIAL_WINDOW:
                    self.initial_window = value
            self.write(SETTINGS, ACK, 0)
        elif kind == PING and not flags & ACK:
            self.write(PING, ACK, 0, payload)
        elif kind == WINDOW:
            with self.changed:
                size = int.from_bytes(payload, "big")
                if number == 0:
                    self.window += size
                elif number in self.streams:
                    self.streams[number].window += size
                self.changed.notify_all()
        elif kind == HEADERS:
            self.streams[number] = Stream(self, number)
        elif kind == DATA:
            self.streams[number].body += payload
            if payload:
                grant = struct.pack(">I", len(payload))
                self.write(WINDOW, 0, 0, grant)
                if not flags & END_STREAM:
                    self.write(WINDOW, 0, number, grant)
        elif kind == RESET:
            with self.changed:
                self.streams[number].reset_code = int.from_bytes(payload, "big")
                self.changed.notify_all()
        elif kind == GOAWAY:
            self.goaways += 1
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            threading.Thread(target=self.run, args=(self.streams[number],), daemon=True).start()

    def run(self, stream):
        self.provider.streams.append(stream)
        with contextlib.suppress(OSError):
            self.provider.script(stream)


class Http2Provider(Provider):
    """Hands each request to `script(stream)`, in a thread of its own."""

    def __init__(self, script, tls=None, settings=None):
        self.settings = settings or {}
        self.streams = []
        self.sessions = []
        self.protocols = []  # by ALPN
        super().__init__(script, tls)

    def _serve(self, sock):
        if self.tls:
            try:
                sock = self.tls.wrap_socket(sock, server_side=True)
            except OSError:
                return
            self.protocols.append(sock.selected_alpn_protocol())
        session = Connection(self, sock)
        self.sessions.append(session)
        session.serve()

    def close(self):
        super().close()
        for session in self.sessions:
            with contextlib.suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)
