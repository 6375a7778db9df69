# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: the real leat under a temporary configuration, clients that write
raw bytes, providers that do what a function tells them. Standard library only. Every wait polls a
condition and has an end; LEAT_TEST_SLOW (a factor) stretches them for sanitizer builds. Whatever is
started here is ended here."""

import contextlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.request

LEAT = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else ""
SLOW = float(os.environ.get("LEAT_TEST_SLOW", "1"))
# What is waited for is usually there in milliseconds: how much longer than a test allows it may
# take on a machine that is busy with something else. Costs nothing where all is well.
PATIENCE = 4
# `metadata.error_type` on OpenRouter's face: these and no others (its API's types).
ERROR_TYPES = frozenset("""
    context_length_exceeded max_tokens_exceeded token_limit_exceeded string_too_long authentication
    permission_denied payment_required rate_limit_exceeded provider_overloaded provider_unavailable
    invalid_request invalid_prompt not_found precondition_failed payload_too_large unprocessable
    content_policy_violation refusal invalid_image image_too_large image_too_small
    unsupported_image_format image_not_found image_download_failed server timeout
    unmapped""".split())
KEY = "client-key-0123456789"
PROVIDER_KEY = "provider-key-9876543210"
MODEL = "acme/one"
# The tests' own programs share the cores, and a build for sanitizers is late by itself: requests
# are refused for that only where a test asks for it.
NEVER_LATE = {f"late_{name}_ms": 60_000
              for name in ("shrink_timeouts", "no_keep_alive", "refuse", "stop_accept")}


def until(condition, what, seconds=5.0):
    """The condition's first true value, asked every few milliseconds."""
    deadline = time.monotonic() + seconds * SLOW * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for: {what}")
        time.sleep(0.002)


# ---- Providers -----------------------------------------------------------------------------------


class Call:
    """One request as a provider received it, with the socket to answer on."""

    def __init__(self, sock, head, body):
        self.sock = sock
        self.head = head.decode("latin-1")
        self.body = body

    def json(self):
        return json.loads(self.body)

    def send(self, data):
        self.sock.sendall(data)

    def is_cut(self, seconds=5.0):
        """Waits for the end of the connection; false if it did not come."""
        self.sock.settimeout(seconds * SLOW)
        try:
            return self.sock.recv(1) == b""
        except socket.timeout:
            return False
        except OSError:
            return True


def read_message(sock, buffer):
    """Head and body of one message with Content-Length, or None at the end."""
    while b"\r\n\r\n" not in buffer:
        data = sock.recv(65536)
        if not data:
            return None
        buffer += data
    head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    need = int(length.group(1)) if length else 0
    body = bytearray(rest)
    while len(body) < need:
        data = sock.recv(1 << 20)
        if not data:
            return None
        body += data
    buffer[:] = body[need:]
    return head, bytes(body[:need])


class Provider:
    """Listens on loopback and hands each request to `script(call)`, which answers by call.send().
    A script that returns "close" ends the connection; else it is kept for the next request."""

    def __init__(self, script, tls=None):
        self.script = script
        self.tls = tls
        self.calls = []
        self.connections = 0
        self.open = []
        self.handshakes_failed = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/v1"

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self.open.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        buffer = bytearray()
        try:
            if self.tls:
                try:
                    sock = self.tls.wrap_socket(sock, server_side=True)
                except OSError:
                    self.handshakes_failed += 1
                    return
                self.open.append(sock)
            while True:
                message = read_message(sock, buffer)
                if message is None:
                    return
                call = Call(sock, *message)
                self.calls.append(call)
                if self.script(call) == "close":
                    return
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                sock.close()

    def close(self):
        self.listener.close()
        for sock in self.open:
            with contextlib.suppress(OSError):
                sock.close()


def reply(body, status="200 OK", fields=""):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{fields}"
            f"content-length: {len(data)}\r\n\r\n").encode() + data


def completion(text="hello"):
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "upstream-model",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                         "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}


SSE_HEAD = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta=None, finish=None, **extra):
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-model",
            "choices": [{"index": 0, "delta": delta or {}, "finish_reason": finish}], **extra}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


class Pressed:
    """A provider's script: a stream of many small events, some 4 MB, as fast as they are taken; it
    notes when none is."""

    def __init__(self, count=15_000):
        self.words = [f"{i:06d} " + "x" * 100 for i in range(count)]
        self.text = "".join(self.words)
        self.event_bytes = len(chunk(event({"content": self.words[0]})))
        self.bytes_taken = 0
        self.has_stopped = threading.Event()  # nothing was taken for a second

    def __call__(self, call):
        call.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        call.send(SSE_HEAD)
        for word in self.words:
            if not self.has_stopped.is_set() and not select.select([], [call.sock], [], 1)[1]:
                self.has_stopped.set()
            call.send(chunk(event({"content": word})))
            self.bytes_taken += self.event_bytes
        call.send(chunk(event({}, "stop")) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def usage_event():
    data = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-model",
            "choices": [],
            "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def stream_events(words=("one", "two")):
    return ([event({"role": "assistant", "content": ""})]
            + [event({"content": word}) for word in words]
            + [event({}, "stop"), usage_event(), b"data: [DONE]\n\n"])


def stream_bytes(words=("one", "two")):
    return SSE_HEAD + b"".join(chunk(e) for e in stream_events(words)) + b"0\r\n\r\n"


def answer_well(call):
    """What a sound provider does."""
    if call.json().get("stream"):
        call.send(stream_bytes())
    else:
        call.send(reply(completion()))


# ---- Leat ----------------------------------------------------------------------------------------


class Leat:
    """A running leat. `providers`: one or more Provider, tried in this order for MODEL.
    `starter`: a command that starts leat in its place, with `pass_fds` open.
    `catalogue`: the text of a catalogue file; `key_limits`: lines of the key's [keys.limits]."""

    def __init__(self, providers=(), limits=None, server="", provider_lines="", extra="",
                 preexec=None, environment=None, listen="127.0.0.1:0", catalogue="",
                 key_limits="", admin="", admin_listen="127.0.0.1:0", starter=(), pass_fds=()):
        self.directory = tempfile.TemporaryDirectory()
        self.is_owner = True
        names = [f"p{i}" for i in range(len(providers))]
        text = 'catalogue = ["catalogue.toml"]\n' if catalogue else ""
        text += f'[server]\nlisten = ["{listen}"]\n{server}\n'
        text += f'[admin]\nlisten = "{admin_listen}"\n{admin}'
        text += '[[keys]]\nname = "k1"\nsecret = { env = "LEAT_TEST_KEY" }\n'
        text += f"[keys.limits]\n{key_limits}\n" if key_limits else ""
        for name, provider in zip(names, providers):
            url = provider if isinstance(provider, str) else provider.url()
            text += (f'[providers.{name}]\nbase_url = "{url}"\nallow_private = true\n'
                     f'api_key = {{ env = "LEAT_TEST_PROVIDER_KEY" }}\n{provider_lines}\n')
        text += '[providers.builtin]\nformat = "simulated"\n'
        text += "[providers.builtin.simulated]\ntokens_per_second = 0\nfirst_token_ms = 0\n"
        text += '[[models]]\nid = "leat/simulated"\n'
        text += 'endpoints = [{ provider = "builtin", model = "simulated" }]\n'
        if names:
            ends = ", ".join(f'{{ provider = "{n}", model = "upstream-model" }}' for n in names)
            text += f'[[models]]\nid = "{MODEL}"\nendpoints = [{ends}]\n'
        text += "[limits]\nretry_budget_percent_max = 100\nretry_floor_per_second = 1000\n"
        for name, value in {**NEVER_LATE, **(limits or {})}.items():
            text += f"{name} = {str(value).lower() if isinstance(value, bool) else value}\n"
        text += extra
        path = pathlib.Path(self.directory.name, "leat.toml")
        path.write_text(text)
        pathlib.Path(self.directory.name, "catalogue.toml").write_text(catalogue)
        self.config = path
        self.environment = {**os.environ, "LEAT_TEST_KEY": KEY,
                            "LEAT_TEST_PROVIDER_KEY": PROVIDER_KEY, **(environment or {})}
        self._start("log", starter, preexec, pass_fds)

    may_end_with = 0  # for a test that ends it by another signal: minus that

    def _start(self, log, starter=(), preexec=None, pass_fds=()):
        self.log_path = pathlib.Path(self.directory.name, log)
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen([*starter, LEAT, "serve", "--config", str(self.config)],
                                        stdout=subprocess.PIPE, stderr=self.log_file, text=True,
                                        env=self.environment, preexec_fn=preexec,
                                        pass_fds=pass_fds)
        # What nothing may repeat, in any test: close() looks.
        self.secrets = [value for name, value in self.environment.items()
                        if name.startswith("LEAT_TEST_") and len(value) >= 16]
        self.port = self.admin = None
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if match := re.match(r"leat: serving on https?://.*:(\d+)$", line.strip()):
                self.port = int(match.group(1))
            if match := re.match(r"leat: admin on (http://.*)$", line.strip()):
                self.admin = match.group(1)
            if line.strip().endswith("ready"):
                break
        if self.port is None:
            self.process.wait()
            self.process.stdout.close()
            self.log_file.close()
            raise AssertionError("leat did not start: " + self.log())

    def rewrite(self, change):
        """The configuration becomes what `change` makes of its text, or a text; as editors do it,
        so that nobody reads half of it. What it was."""
        before = self.config.read_text()
        text = change if isinstance(change, str) else change(before)
        aside = self.config.with_suffix(".new")
        aside.write_text(text)
        aside.replace(self.config)
        return before

    def again(self, number=2):
        """Another process with the same configuration, in the same folder."""
        other = object.__new__(Leat)
        other.directory, other.config = self.directory, self.config
        other.environment = self.environment
        other.is_owner = False
        other._start(f"log-{number}")
        return other

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        if self.process.stdout.closed:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(2 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        said = self.process.stdout.read() + "\n".join(self.lines)
        self.process.stdout.close()
        self.log_file.close()
        said += self.log()
        if self.is_owner:
            self.directory.cleanup()
        if any(secret in said for secret in self.secrets):
            raise AssertionError("a secret stands in the log or in what leat said")
        if self.process.returncode not in (0, -signal.SIGKILL, self.may_end_with):
            raise AssertionError(f"leat ended with {self.process.returncode}: {said}")

    def said(self, what):
        """The rest of the line that began so at start."""
        begin = f"leat: {what}: "
        return next(line[len(begin):] for line in self.lines if line.startswith(begin))

    def log(self):
        return self.log_path.read_text(errors="replace")

    def get_admin(self, path):
        try:
            with urllib.request.urlopen(self.admin + path, timeout=5 * SLOW * PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def post_admin(self, path, key=None):
        """Status and JSON of an answer to an empty body."""
        fields = {"authorization": f"Bearer {key}"} if key else {}
        asked = urllib.request.Request(self.admin + path, b"", fields, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=60 * SLOW) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def metric(self, name):
        """A sample's value, `name` with its labels as written."""
        for line in self.get_admin("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return int(float(line.rsplit(" ", 1)[1]))
        return 0

    def rejects(self, reason):
        return self.metric(f'leat_reject_total{{reason="{reason}"}}')

    def connect(self):
        return Client(self.port)

    def chat(self, face="/v1", **fields):
        """One request on a connection of its own."""
        with self.connect() as client:
            client.send(chat_request(face, **fields))
            return client.answer()


# ---- Clients -------------------------------------------------------------------------------------


class Answer:
    def __init__(self, status, head, body, whole):
        self.status, self.head, self.body, self.whole = status, head, body, whole

    def json(self):
        return json.loads(self.body)

    def field(self, name):
        """A header field's value, or None."""
        found = re.search(rf"(?im)^{name}: *(.*?)\r?$", self.head)
        return found.group(1) if found else None

    def events(self):
        return [line[6:] for line in self.body.decode().split("\n") if line.startswith("data: ")]

    def text(self):
        out = ""
        for data in self.events():
            if data != "[DONE]":
                for choice in json.loads(data).get("choices") or []:
                    out += choice.get("delta", {}).get("content") or ""
        return out


class Client:
    """A connection to leat that writes what it is told; receive_bytes: what its kernel takes for it
    before it reads, 0: as much as usual."""

    def __init__(self, port, receive_bytes=0):
        self.sock = socket.socket()
        if receive_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.settimeout(10 * SLOW)
        self.sock.connect(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        try:
            data = self.sock.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return bool(data)

    def read_until(self, mark):
        while mark not in self.buffer:
            if not self.more():
                raise AssertionError(f"closed before {mark!r}: {bytes(self.buffer)[-300:]!r}")

    def _take(self, count):
        while len(self.buffer) < count:
            if not self.more():
                return None
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                if not self.more():
                    return body, False
            line, _, rest = bytes(self.buffer).partition(b"\r\n")
            del self.buffer[:len(line) + 2]
            size = int(line, 16)
            data = self._take(size + 2)
            if data is None:
                return body + bytes(self.buffer), False
            if size == 0:
                return body, True
            body += data[:-2]

    def answer(self):
        """The next answer, 100 Continue left out."""
        self.read_until(b"\r\n\r\n")
        head, _, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        del self.buffer[:len(head) + 4]
        head = head.decode("latin-1")
        status = int(head.split(" ")[1])
        if status == 100:
            return self.answer()
        if re.search(r"(?i)\r\ntransfer-encoding: chunked", head):
            body, whole = self._chunks()
            return Answer(status, head, body, whole)
        length = re.search(r"(?i)\r\ncontent-length: (\d+)", head)
        body = self._take(int(length.group(1))) if length else b""
        return Answer(status, head, body or b"", body is not None)

    def is_closed(self, seconds=5.0):
        """Whether the peer ends the connection within that time, having sent nothing more."""
        self.sock.settimeout(seconds * SLOW)
        try:
            return self.sock.recv(1) == b""
        except socket.timeout:
            return False
        except ConnectionResetError:
            return True
        finally:
            with contextlib.suppress(OSError):
                self.sock.settimeout(10 * SLOW)

    def reset(self):
        """Ends the connection with RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def request(method="POST", target="/v1/chat/completions", body=b"", fields="", key=KEY,
            host="localhost", length=True):
    head = f"{method} {target} HTTP/1.1\r\n"
    if host is not None:
        head += f"Host: {host}\r\n"
    if key is not None:
        head += f"Authorization: Bearer {key}\r\n"
    if length and (body or method == "POST"):
        head += f"Content-Length: {len(body)}\r\n"
    return (head + fields + "\r\n").encode("latin-1") + body


def chat_body(**fields):
    return json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "hi"}],
                       **fields}).encode()


def chat_request(face="/v1", **fields):
    return request(target=face + "/chat/completions", body=chat_body(**fields))


# ---- Running -------------------------------------------------------------------------------------


class Case(unittest.TestCase):
    def provider(self, script, tls=None):
        made = Provider(script, tls)
        self.addCleanup(made.close)
        return made

    def leat(self, *arguments, **options):
        made = Leat(*arguments, **options)
        self.addCleanup(made.close)
        return made

    @staticmethod
    def reason_of(error):
        """Why, in Leat's words: the API's own type where that says as much."""
        return error["metadata"].get("reason", error["metadata"]["error_type"])

    def assert_error(self, answer, face, reason=None):
        """The API's error shape on that face."""
        error = answer.json()["error"]
        self.assertIsInstance(error["message"], str)
        self.assertTrue(error["message"])
        if face == "/api/v1":
            self.assertEqual(error["code"], answer.status)
            self.assertIn(error["metadata"]["error_type"], ERROR_TYPES)
            if reason:
                self.assertEqual(self.reason_of(error), reason)
        else:
            self.assertEqual({"message", "type", "param", "code"}, set(error))
        self.assertIn("x-request-id: ", answer.head.lower())


def main():
    program = unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[2:]], verbosity=2,
                            exit=False)
    sys.stdout.flush()
    sys.exit(0 if program.result.wasSuccessful() else 1)
