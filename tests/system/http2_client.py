# SPDX-License-Identifier: Apache-2.0
"""A client that speaks HTTP/2, by the library h2 (Debian's python3-h2), many requests on one
connection; what h2 would not send is sent as raw bytes."""

import contextlib
import json
import select
import socket
import sys
import time

# A python3 from elsewhere does not look where Debian puts its libraries.
sys.path.append("/usr/lib/python3/dist-packages")

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import harness
from h2.errors import ErrorCodes
from harness import KEY, SLOW

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Stream:
    """One request, and what has come of its answer."""

    def __init__(self):
        self.status = None
        self.fields = {}
        self.body = b""
        self.ended = False
        self.reset_code = None

    @property
    def over(self):
        return self.ended or self.reset_code is not None

    def json(self):
        return json.loads(self.body)

    def events(self):
        return [part[6:].decode() for part in self.body.split(b"\n\n")
                if part.startswith(b"data: ")]

    def text(self):
        made = ""
        for event in self.events():
            if event != "[DONE]":
                for choice in json.loads(event).get("choices", []):
                    made += choice.get("delta", {}).get("content") or ""
        return made


class Http2Client:
    def __init__(self, port, context=None, window=None, cut=None, between=None):
        sock = socket.create_connection(("127.0.0.1", port), timeout=10 * SLOW)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(sock, server_hostname="localhost") if context else sock
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8",
                                           validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        # For h2 GOAWAY is the end of all; RFC 9113 6.8 has the open streams go on.
        states, inputs = h2.connection.ConnectionState, h2.connection.ConnectionInputs
        machine = self.h2.state_machine
        machine._transitions = {**machine._transitions, (states.CLIENT_OPEN, inputs.RECV_GOAWAY):
                                (None, states.CLIENT_OPEN)}
        self.h2.initiate_connection()
        if window is not None:
            self.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.gives_window = window is None
        self.streams = {}
        self.goaways = []  # (last stream, code)
        self.closed = False
        self.continued = set()
        data = self.h2.data_to_send()
        if cut is not None:  # the preface in two pieces; between() sees to it that one was read
            self.sock.sendall(data[:cut])
            between()
            data = data[cut:]
        self.sock.sendall(data)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.sock.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.sock.sendall(data)

    def ask(self, path="/v1/chat/completions", body=b"", method="POST", fields=(), key=KEY,
            ends=True, length=True):
        """Begins a request; what is left of its body goes by body()."""
        number = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "localhost"),
                (":path", path)]
        if key is not None:
            head.append(("authorization", f"Bearer {key}"))
        if body and length:
            head.append(("content-length", str(len(body))))
        head += list(fields)
        self.streams[number] = Stream()
        self.h2.send_headers(number, head, end_stream=ends and not body)
        self.flush()
        if body:
            self.body(number, body, ends)
        return number

    def body(self, number, data, ends=True):
        while data and not self.streams[number].over:
            room = min(self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if room == 0:
                self.turn()
                continue
            self.h2.send_data(number, data[:room])
            data = data[room:]
            self.flush()
        if ends and not self.streams[number].over:
            self.h2.end_stream(number)
            self.flush()

    def cancel(self, number):
        self.h2.reset_stream(number, ErrorCodes.CANCEL)
        self.flush()

    def turn(self, seconds=None):
        """Takes what has come; waits for it."""
        if seconds is not None and not getattr(self.sock, "pending", lambda: 0)():
            if not select.select([self.sock], [], [], seconds)[0]:
                return
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            self.closed = True
            return
        for event in self.h2.receive_data(data):
            self.take(event)
        with contextlib.suppress(ConnectionError):
            self.flush()

    def take(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived):
            stream.fields = dict(event.headers)
            stream.status = int(stream.fields[":status"])
        elif isinstance(event, h2.events.InformationalResponseReceived):
            self.continued.add(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            if self.gives_window and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset):
            if stream is not None:
                stream.reset_code = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.last_stream_id, event.error_code))

    def until(self, condition, what, seconds=5.0):
        deadline = time.monotonic() + seconds * SLOW * harness.PATIENCE
        while not condition():
            if self.closed or time.monotonic() > deadline:
                raise AssertionError(f"waited in vain for: {what}; goaways {self.goaways}")
            self.turn(0.05)

    def until_closed(self, seconds=5.0):
        deadline = time.monotonic() + seconds * SLOW * harness.PATIENCE
        while not self.closed:
            if time.monotonic() > deadline:
                raise AssertionError("the connection stays open")
            try:
                self.turn(0.05)
            except h2.exceptions.ProtocolError:
                pass

    def answer(self, number, seconds=5.0):
        stream = self.streams[number]
        self.until(lambda: stream.over, f"the answer of stream {number}", seconds)
        return stream
