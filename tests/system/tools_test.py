#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: the load tools can be believed. leat-load finds no fault in leat-mock's answers, whatever
the transport and the shape; and it does find each fault that the mock is told to make, so that
"0 errors" in a measurement means something.
Method: the real programs against each other over loopback, ports from the kernel, faults switched
on one at a time; a server of this file's own for the faults that the mock cannot make, and a
client of HTTP/2, which leat-load does not speak: what it gets must say what HTTP/1.1 says.

Usage: tools_test.py LEAT_MOCK LEAT_LOAD RELAY..."""

import http.server
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import http2_provider as http2
from harness import until

MOCK, LOAD, RELAYS = sys.argv[1], sys.argv[2], sys.argv[3:]


class Mock:
    """A leat-mock on ports of the kernel's choice."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([MOCK, *arguments], stdout=subprocess.PIPE, text=True)
        self.urls = []
        expected = sum(argument in ("--listen", "--tls-listen") for argument in arguments)
        for _ in range(expected):
            self.urls.append(self.process.stdout.readline().strip())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def port(self):
        return int(self.urls[0].rsplit(":", 1)[1])

    def stats(self):
        return json.load(urllib.request.urlopen(self.urls[0] + "/stats", timeout=5))


def certificate(folder):
    """Of localhost, its own authority: its file, its key's."""
    cert, key = pathlib.Path(folder, "cert.pem"), pathlib.Path(folder, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost", "-keyout", key, "-out", cert], check=True,
                   capture_output=True)
    return cert, key


USUAL = {"--warm-up": "0.1", "--duration": "0.4", "--drain": "5", "--connections": "8",
         "--prompt-bytes": "300", "--tokens": "20", "--rate": "200"}


def load(url, *arguments):
    """Runs leat-load for half a second; its report."""
    usual = [word for pair in USUAL.items() if pair[0] not in arguments for word in pair]
    done = subprocess.run([LOAD, url + "/v1", "--json", *usual, *arguments], capture_output=True,
                          text=True, timeout=60, check=False)
    if done.returncode not in (0, 1):
        raise AssertionError(f"leat-load: {done.returncode} {done.stderr}")
    report = json.loads(done.stdout)
    if (done.returncode == 0) != (report["errors_total"] == 0):  # a sanitizer ends it so, too
        raise AssertionError(f"leat-load: {done.returncode} {done.stderr[-2000:]}")
    return report


class Agreement(unittest.TestCase):
    """Tools that are told no fault find none."""

    def check(self, report):
        self.assertEqual(report["errors_total"], 0, report["errors"])
        self.assertEqual(report["unfinished"], 0)
        self.assertGreater(report["answers"], 0)  # how many: that depends on the machine

    def test_whole_answers(self):
        with Mock("--listen", "127.0.0.1:0") as mock:
            report = load(mock.urls[0])
            self.check(report)
            self.assertEqual(mock.stats()["answered"], report["checked"])
            self.assertEqual(report["connects"], 8)

    def test_streams_with_usage(self):
        with Mock("--listen", "127.0.0.1:0") as mock:
            report = load(mock.urls[0], "--stream", "--include-usage")
            self.check(report)
            self.assertEqual(mock.stats()["tokens"], 20 * report["checked"])

    def test_several_events_a_write_and_pace(self):
        with Mock("--listen", "127.0.0.1:0", "--events-per-write", "8", "--rate", "400",
                  "--first-token-ms", "20") as mock:
            report = load(mock.urls[0], "--stream", "--rate", "50")
            self.assertEqual(report["errors_total"], 0)
            latency = report["latency_us"]
            self.assertGreaterEqual(latency["first_token"]["p50"], 19_000)
            # 20 tokens in groups of 8: two intervals of 8/400 s after the first group.
            self.assertGreaterEqual(latency["total"]["p50"], 59_000)

    def test_tls_large_prompts_and_no_keep_alive(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate(folder)
            with Mock("--tls-listen", "127.0.0.1:0", "--cert", str(cert), "--key",
                      str(key)) as mock:
                url = mock.urls[0].replace("127.0.0.1", "localhost")
                report = load(url, "--ca", str(cert), "--stream", "--prompt-bytes", "300000",
                              "--rate", "60")
                self.assertEqual(report["errors_total"], 0, report["errors"])
                report = load(url, "--ca", str(cert), "--no-keep-alive", "--rate", "100")
                self.assertEqual(report["errors_total"], 0, report["errors"])
                self.assertEqual(report["connects"], report["checked"])
                # The certificate is for localhost, not for the address.
                report = load(mock.urls[0], "--ca", str(cert), "--rate", "20")
                self.assertGreater(report["errors"]["tls"], 0)
                self.assertEqual(report["checked"], 0)

    def test_keys_and_sources(self):
        with Mock("--listen", "127.0.0.1:0") as mock:
            report = load(mock.urls[0], "--key", "a", "--key", "b", "--sources", "5")
            self.check(report)
            self.assertEqual((report["keys"], report["sources"]), (2, 5))

    def test_relays_pass_everything(self):
        with Mock("--listen", "127.0.0.1:0") as mock:
            for relay in RELAYS:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 0))
                    port = probe.getsockname()[1]
                process = subprocess.Popen([relay, str(port), str(mock.port())])
                try:
                    wait_for(port)
                    url = f"http://127.0.0.1:{port}"
                    self.check(load(url, "--stream"))
                    self.check(load(url, "--prompt-bytes", "200000", "--tokens", "3000"))
                finally:
                    process.kill()
                    process.wait()


def wait_for(port):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            pass
    raise AssertionError("the relay does not listen")


class Faults(unittest.TestCase):
    """Each fault that is made is found, counted once, under its own name."""

    def expect(self, kind, counter, mock_arguments, *arguments):
        with Mock("--listen", "127.0.0.1:0", *mock_arguments) as mock:
            report = load(mock.urls[0], *arguments)
            made = mock.stats()[counter]
            self.assertGreater(made, 0)
            self.assertEqual(report["errors"][kind], made, report["errors"])
            self.assertEqual(report["errors_total"], made, report["errors"])
            self.assertGreater(report["checked"], 0)

    def test_a_wrong_word_in_a_stream(self):
        self.expect("wrong_word", "corrupted", ("--corrupt-rate", "0.3"), "--stream")

    def test_a_wrong_word_in_a_whole_answer(self):
        self.expect("wrong_word", "corrupted", ("--corrupt-rate", "0.3"))

    def test_a_cut_stream(self):
        self.expect("closed_early", "cuts", ("--cut-rate", "0.3"), "--stream")

    def test_an_error_in_a_200(self):
        self.expect("error_event", "errors_sent", ("--stream-error-rate", "0.3"), "--stream")

    def test_a_refusal(self):
        with Mock("--listen", "127.0.0.1:0", "--error-rate", "0.3", "--error-status", "429",
                  "503") as mock:
            report = load(mock.urls[0], "--stream")
            self.assertEqual(report["errors"]["status"], mock.stats()["errors_sent"])
            self.assertEqual(set(report["statuses"]), {"429", "503"})

    def test_usage_by_the_rule(self):
        with Mock("--listen", "127.0.0.1:0") as mock:
            report = load(mock.urls[0], "--stream", "--usage-rule", "always")
            self.assertGreater(report["errors"]["wrong_usage"], 0)
            self.assertEqual(report["checked"], 0)

    def test_nobody_listens(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            report = load(f"http://127.0.0.1:{probe.getsockname()[1]}")
        self.assertGreater(report["errors"]["connect"], 0)
        self.assertEqual(report["errors_total"], report["errors"]["connect"])

    def test_too_slow(self):
        with Mock("--listen", "127.0.0.1:0", "--first-token-ms", "60000") as mock:
            report = load(mock.urls[0], "--timeout", "0.2", "--stream")
            self.assertGreater(report["errors"]["timeout"], 0)
            self.assertEqual(report["checked"], 0)

    def test_a_stall_is_charged_to_every_request_that_was_due(self):
        # One connection, each answer takes 100 ms, a request due every 20 ms: the wait in the queue
        # counts, so latencies grow far beyond 100 ms.
        with Mock("--listen", "127.0.0.1:0", "--first-token-ms", "100") as mock:
            report = load(mock.urls[0], "--connections", "1", "--rate", "50")
            self.assertGreaterEqual(report["latency_us"]["total"]["p50"], 700_000)

    def test_aborts_reach_the_mock_and_are_no_errors(self):
        with Mock("--listen", "127.0.0.1:0", "--rate", "200", "--first-token-ms", "10") as mock:
            report = load(mock.urls[0], "--stream", "--abort-rate", "0.5", "--connections", "64")
            self.assertEqual(report["errors_total"], 0, report["errors"])
            aborted = report["aborted"]
            self.assertTrue(all(count > 0 for count in aborted.values()), aborted)
            self.assertGreaterEqual(mock.stats()["clients_gone"],
                                    aborted["head"] + aborted["first_token"])


def question(text, **more):
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more})


def said(data):
    """The words of a stream of events, which must end as it should."""
    events = data.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""], events[-2:]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    return "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)


class Http2Client:
    """One connection. What came of each stream is read by `turn()`, a frame at a time."""

    def __init__(self, port, tls=None):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.sock.sendall(http2.PREFACE)
        self.write(http2.SETTINGS, 0, 0)
        self.settings = {}
        self.frames = {}  # of DATA, by stream
        self.times = {}   # when each came
        self.over = {}    # by stream: None at its end, the code of its reset

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.sock.close()

    def write(self, kind, flags, number, payload=b""):
        head = struct.pack(">I", len(payload))[1:] + bytes([kind, flags])
        self.sock.sendall(head + struct.pack(">I", number) + payload)

    def ask(self, number, body, path="/v1/chat/completions"):
        fields = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
                  (b":authority", b"mock"), (b"content-type", b"application/json"))
        block = b"".join(b"\0" + http2.text(name) + http2.text(value) for name, value in fields)
        self.frames[number], self.times[number] = [], []
        self.write(http2.HEADERS, http2.END_HEADERS, number, block)
        data = body.encode()
        for at in range(0, len(data), 16_384):
            is_last = at + 16_384 >= len(data)
            self.write(http2.DATA, http2.END_STREAM if is_last else 0, number,
                       data[at:at + 16_384])

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.sock.recv(size - len(data))
            if not more:
                raise ConnectionError("the mock hung up")
            data += more
        return data

    def turn(self):
        head = self.read(9)
        kind, flags, number = head[3], head[4], int.from_bytes(head[5:], "big")
        payload = self.read(int.from_bytes(head[:3], "big"))
        if kind == http2.SETTINGS and not flags & http2.ACK:
            self.settings = dict(struct.unpack(">HI", payload[at:at + 6])
                                 for at in range(0, len(payload), 6))
            self.write(http2.SETTINGS, http2.ACK, 0)
        elif kind == http2.DATA:
            self.frames[number].append(payload)
            self.times[number].append(time.monotonic())
            if payload:
                self.write(http2.WINDOW, 0, 0, struct.pack(">I", len(payload)))
            if payload and not flags & http2.END_STREAM:
                self.write(http2.WINDOW, 0, number, struct.pack(">I", len(payload)))
        elif kind == http2.RESET:
            self.over[number] = int.from_bytes(payload, "big")
        elif kind == http2.GOAWAY:
            raise ConnectionError(f"goaway {payload!r}")
        if kind in (http2.DATA, http2.HEADERS) and flags & http2.END_STREAM:
            self.over[number] = None

    def finish(self, *numbers):
        while not all(number in self.over for number in numbers):
            self.turn()

    def body(self, number):
        return b"".join(self.frames[number])


class Http2(unittest.TestCase):
    """The mock says by HTTP/2 what it says by HTTP/1.1, at the same pace, to each stream."""

    def test_many_streams_get_the_words_that_one_connection_each_gets(self):
        with Mock("--listen", "127.0.0.1:0", "--h2-streams", "40") as mock:
            def by_http1(body):
                request = urllib.request.Request(mock.urls[0] + "/v1/chat/completions",
                                                 body.encode())
                with urllib.request.urlopen(request, timeout=20) as answer:
                    return answer.read()

            with Http2Client(mock.port()) as client:
                # Long enough for several windows of 64 KB, and for turns that others have between.
                bodies = {2 * i + 1: question(f"number {i}", stream=True, max_tokens=700)
                          for i in range(40)}
                for number, body in bodies.items():
                    client.ask(number, body)
                client.finish(*bodies)
                for number, body in bodies.items():
                    self.assertIsNone(client.over[number])
                    self.assertEqual(said(client.body(number)), said(by_http1(body)))
                self.assertEqual(client.settings[http2.MAX_CONCURRENT_STREAMS], 40)
                whole = question("a prompt " * 9000, max_tokens=9)
                client.ask(101, whole)
                client.finish(101)
                mine, theirs = (json.loads(text) for text in (client.body(101), by_http1(whole)))
                self.assertEqual(mine["choices"], theirs["choices"])
                client.ask(103, "{}")
                client.ask(105, "{}", "/v1/nothing")
                client.finish(103, 105)
                self.assertIn("error", json.loads(client.body(103)))
                self.assertIn("unknown_url", client.body(105).decode())
            stats = mock.stats()
            self.assertEqual((stats["http2_connections"], stats["answered"], stats["answering"],
                              stats["clients_gone"]), (1, 82, 0, 0))

    def test_pace_and_a_frame_for_each_group(self):
        with Mock("--listen", "127.0.0.1:0", "--events-per-write", "8", "--rate", "400",
                  "--first-token-ms", "20") as mock, Http2Client(mock.port()) as client:
            begin = time.monotonic()
            for number in (1, 3):
                client.ask(number, question("slowly", stream=True, max_tokens=20))
            client.finish(1, 3)
            for number in (1, 3):
                # The role, the words, and what ends it with [DONE].
                self.assertEqual([frame.count(b"data: ") for frame in client.frames[number]],
                                 [1, 8, 8, 4, 2])
                self.assertGreaterEqual(client.times[number][0] - begin, 0.019)
                self.assertGreaterEqual(client.times[number][-1] - begin, 0.059)

    def test_a_stream_that_is_reset_and_a_client_that_hangs_up(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "gone")
            with Mock("--listen", "127.0.0.1:0", "--rate", "50", "--gone-log", str(log)) as mock:
                with Http2Client(mock.port()) as client:
                    for number, name in ((1, "left"), (3, "kept"), (5, "lost")):
                        client.ask(number, question(name, stream=True,
                                                    max_tokens=10 if number == 3 else 100_000))
                    while not (client.frames[1] and client.frames[5]):
                        client.turn()
                    client.write(http2.RESET, 0, 1, struct.pack(">I", http2.CANCEL))
                    client.finish(3)
                    self.assertEqual(len(said(client.body(3))), 70)
                    until(lambda: mock.stats()["clients_gone"] == 1, "the mock heard of it")
                    self.assertEqual(mock.stats()["answering"], 1)
                until(lambda: mock.stats()["clients_gone"] == 2, "the mock heard of that")
                self.assertEqual(mock.stats()["answering"], 0)
                lines = [line.split() for line in log.read_text().splitlines()]
                self.assertEqual(len({seed for seed, _ in lines}), 2)

    def test_faults_are_the_streams_own(self):
        with Mock("--listen", "127.0.0.1:0", "--cut-rate", "0.5", "--stream-error-rate",
                  "1") as mock, Http2Client(mock.port()) as client:
            numbers = range(1, 81, 2)
            for number in numbers:
                client.ask(number, question(f"{number}", stream=True))
            client.finish(*numbers)
            cut = [number for number in numbers if client.over[number] is not None]
            self.assertEqual(len(cut), mock.stats()["cuts"])
            self.assertTrue(0 < len(cut) < 40, cut)
            for number in set(numbers) - set(cut):
                self.assertIn(b'data: {"error"', client.body(number))
            self.assertEqual(mock.stats()["clients_gone"], 0)

    def test_alpn_takes_what_the_client_names_first(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = certificate(folder)
            with Mock("--tls-listen", "127.0.0.1:0", "--cert", str(cert), "--key",
                      str(key)) as mock:
                for names, expected in ((["h2", "http/1.1"], "h2"), (["h2"], "h2"),
                                        (["http/1.1", "h2"], "http/1.1"), (["other"], None)):
                    tls = ssl.create_default_context(cafile=cert)
                    tls.set_alpn_protocols(names)
                    if expected != "h2":
                        with socket.create_connection(("127.0.0.1", mock.port())) as sock:
                            with tls.wrap_socket(sock, server_hostname="localhost") as link:
                                self.assertEqual(link.selected_alpn_protocol(), expected)
                        continue
                    with Http2Client(mock.port(), tls) as client:
                        self.assertEqual(client.sock.selected_alpn_protocol(), expected)
                        client.ask(1, question("secretly", stream=True, max_tokens=300))
                        client.finish(1)
                        self.assertEqual(len(said(client.body(1))), 2100)


def sse(*events):
    return "".join(f"data: {event}\n\n" for event in events).encode()


class BadServer(http.server.BaseHTTPRequestHandler):
    """Answers 200 with the bytes that the test chose."""

    protocol_version = "HTTP/1.1"
    answer = b""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, *arguments):
        pass


class Protocol(unittest.TestCase):
    """Streams that end wrongly, from a server that knows nothing of the words."""

    def errors(self, answer):
        handler = type("Handler", (BadServer,), {"answer": answer})
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            report = load(f"http://127.0.0.1:{server.server_port}", "--stream", "--rate", "30")
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
        self.assertEqual(report["checked"], 0)
        return {kind for kind, count in report["errors"].items() if count}

    def test_missing_words(self):
        finish = '{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}'
        self.assertEqual(self.errors(sse(finish, "[DONE]")), {"wrong_count"})

    def test_content_of_somebody_else(self):
        chunk = '{"choices":[{"index":0,"delta":{"content":" bababa"},"finish_reason":null}]}'
        self.assertEqual(self.errors(sse(chunk, "[DONE]")), {"wrong_word"})

    def test_not_a_chunk(self):
        self.assertEqual(self.errors(sse("{}", "[DONE]")), {"broken_event"})

    def test_wrong_finish(self):
        finish = '{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'
        self.assertEqual(self.errors(sse(finish, "[DONE]")), {"wrong_finish"})


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=2)
