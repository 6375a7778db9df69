#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: clients that speak HTTP/2 are served as those of HTTP/1.1 are: the same answers, refusals,
limits and ends, many at a time on one connection; a reset stream costs its own request; who floods
is sent away; a drain tells and waits.
Method: the real leat, Python's h2 as the client, by prior knowledge and by ALPN; curl as another.

Usage: test_http2_clients.py LEAT"""

import contextlib
import json
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import threading

import harness
from harness import (SLOW, SSE_HEAD, Pressed, answer_well, chat_body, chat_request, chunk,
                     completion, event, reply, stream_bytes, until)
from http2_client import PREFACE, ErrorCodes, Http2Client

SIMULATED = "leat/simulated"


def begin(call):
    call.send(SSE_HEAD + chunk(event({"content": "first"})))


def finish(call, text):
    call.send(chunk(event({"content": text})) + chunk(event({}, "stop"))
              + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


class Http2Clients(harness.Case):
    tls = None

    def serve(self, providers=(), **options):
        return self.leat(list(providers), **options)

    def client(self, server, **options):
        made = Http2Client(server.port, self.tls, **options)
        self.addCleanup(made.sock.close)
        return made

    def test_answers_are_those_of_http1(self):
        server = self.serve([self.provider(answer_well)])
        client = self.client(server)
        for face in ("/v1", "/api/v1"):
            for stream in (False, True):
                number = client.ask(face + "/chat/completions", chat_body(stream=stream))
                answer = client.answer(number)
                self.assertEqual((answer.status, answer.ended), (200, True), answer.body)
                self.assertTrue(answer.fields["x-request-id"].startswith("req-"))
                self.assertTrue(answer.fields["x-generation-id"].startswith("gen-"))
                if stream:
                    self.assertEqual(answer.fields["content-type"], "text/event-stream")
                    self.assertEqual((answer.text(), answer.events()[-1]), ("onetwo", "[DONE]"))
                else:
                    self.assertEqual(answer.fields["content-length"], str(len(answer.body)))
                    self.assertEqual(answer.json()["choices"][0]["message"]["content"], "hello")
        models = client.answer(client.ask("/v1/models", method="GET"))
        self.assertIn(harness.MODEL, [one["id"] for one in models.json()["data"]])
        self.assertEqual(server.metric("leat_http2_connections_total"), 1)
        self.assertEqual(server.metric("leat_http2_requests_total"), 5)

    def test_a_body_without_a_length(self):
        provider = self.provider(answer_well)
        client = self.client(self.serve([provider]))
        number = client.ask(ends=False)
        body = chat_body(user="x" * 300_000)
        for at in range(0, len(body), 100_000):
            client.body(number, body[at:at + 100_000], ends=False)
        client.body(number, b"")
        self.assertEqual(client.answer(number).status, 200)
        large = chat_body(messages=[{"role": "user", "content": "y" * 3_000_000}])
        self.assertEqual(client.answer(client.ask(body=large)).status, 200)

    def test_fifty_streams_side_by_side(self):
        ready = threading.Barrier(51, timeout=20 * SLOW)
        go = threading.Event()

        def script(call):
            begin(call)
            ready.wait()
            go.wait(20 * SLOW)
            finish(call, call.json()["user"])
        server = self.serve([self.provider(script)])
        client = self.client(server)
        numbers = [client.ask(body=chat_body(stream=True, user=f"u{i}")) for i in range(50)]
        ready.wait()
        client.until(lambda: all(b"first" in client.streams[n].body for n in numbers),
                     "all streams to have begun")
        go.set()
        for i, number in enumerate(numbers):
            self.assertEqual(client.answer(number).text(), f"firstu{i}")
        until(lambda: server.metric("leat_requests_open") == 0, "all to have ended")

    def test_a_reset_ends_its_own_provider(self):
        gone = {"a": threading.Event(), "b": threading.Event()}
        go = threading.Event()

        def script(call):
            begin(call)
            if call.json()["user"] == "a":
                if call.is_cut():
                    gone["a"].set()
                return "close"
            go.wait(20 * SLOW)
            finish(call, " last")
        server = self.serve([self.provider(script)])
        client = self.client(server)
        first = client.ask(body=chat_body(stream=True, user="a"))
        second = client.ask(body=chat_body(stream=True, user="b"))
        for number in (first, second):
            client.until(lambda n=number: client.streams[n].body, "a first event")
        client.cancel(first)
        self.assertTrue(gone["a"].wait(5 * SLOW))
        until(lambda: server.metric("leat_client_gone_total") == 1, "the client's leaving")
        go.set()
        self.assertEqual(client.answer(second).text(), "first last")

    def test_the_end_of_a_connection_ends_all_providers(self):
        gone = threading.Semaphore(0)

        def script(call):
            begin(call)
            if call.is_cut():
                gone.release()
            return "close"
        server = self.serve([self.provider(script)])
        client = self.client(server)
        numbers = [client.ask(body=chat_body(stream=True)) for _ in range(3)]
        client.until(lambda: all(client.streams[n].body for n in numbers), "first events")
        client.sock.close()
        for _ in numbers:
            self.assertTrue(gone.acquire(timeout=5 * SLOW))
        until(lambda: server.metric("leat_http2_connections_open") == 0, "the connection's end")

    def test_a_broken_stream_has_no_clean_end(self):
        def script(call):
            begin(call)
            return "close"
        server = self.serve([self.provider(script)])
        client = self.client(server)
        answer = client.answer(client.ask(body=chat_body(stream=True)))
        self.assertFalse(answer.ended)
        self.assertEqual(answer.reset_code, ErrorCodes.INTERNAL_ERROR)
        self.assertIn(b"error", answer.body)
        self.assertNotIn(b"[DONE]", answer.body)

    def test_refusals(self):
        server = self.serve([self.provider(answer_well)], limits={"body_bytes_max": 100_000})
        client = self.client(server)
        cases = [({"key": "wrong", "body": chat_body()}, 401),
                 ({"path": "/nowhere", "method": "GET"}, 404),
                 ({"method": "GET"}, 405),
                 ({"method": "TRACE"}, 405),
                 ({"body": b"{"}, 400),
                 ({"body": chat_body(), "fields": [("content-encoding", "gzip")]}, 415),
                 ({"body": chat_body(), "fields": [("x", "y" * 9_000)]}, 431),
                 ({"body": chat_body(user="x" * 500_000)}, 413),
                 ({"body": chat_body(user="x" * 500_000), "length": False}, 413)]
        for arguments, status in cases:
            with self.subTest(status=status, **{k: str(v)[:30] for k, v in arguments.items()}):
                answer = client.answer(client.ask(**arguments))
                self.assertEqual(answer.status, status, answer.body)
                self.assertTrue(answer.json()["error"]["message"])
                self.assertIn("x-request-id", answer.fields)
        # They cost the connection nothing.
        self.assertEqual(client.answer(client.ask(body=chat_body())).status, 200)
        self.assertEqual(client.goaways, [])

    def test_heads_that_would_be_others_in_http1(self):
        provider = self.provider(answer_well)
        server = self.serve([provider])
        client = self.client(server)
        for field in (("x", "1\r\nhost: b"), ("x", "1\nx-y: 2"), ("x\r\ny", "1"), ("x: y", "1"),
                      ("transfer-encoding", "chunked"), ("connection", "close"),
                      ("X-Upper", "1"), ("x", "a\0b")):
            with self.subTest(field):
                answer = client.answer(client.ask(body=chat_body(), fields=[field]))
                self.assertEqual(answer.reset_code, ErrorCodes.PROTOCOL_ERROR)
        for length in ("5", "1000000"):
            number = client.ask(ends=False, fields=[("content-length", length)])
            client.body(number, chat_body())
            self.assertEqual(client.answer(number).reset_code, ErrorCodes.PROTOCOL_ERROR)
        self.assertEqual(client.answer(client.ask(body=chat_body())).status, 200)

    def test_a_body_that_never_comes(self):
        server = self.serve([self.provider(answer_well)], limits={"body_idle_ms_max": 300})
        client = self.client(server)
        number = client.ask(ends=False, fields=[("content-length", "1000")])
        answer = client.answer(number)
        self.assertEqual(answer.status, 408)
        self.assertEqual(client.answer(client.ask(body=chat_body())).status, 200)

    def test_an_idle_connection_ends(self):
        server = self.serve(limits={"keep_alive_idle_ms_max": 300, "request_head_ms_max": 300})
        silent = self.client(server)
        silent.until_closed()
        asked = self.client(server)
        asked.answer(asked.ask("/v1/models", method="GET"))
        asked.until_closed()
        self.assertEqual([code for _, code in asked.goaways], [ErrorCodes.NO_ERROR])

    def test_requests_keep_a_connection(self):
        """However fast their answers are."""
        server = self.serve(limits={"request_head_ms_max": 500, "keep_alive_idle_ms_max": 60_000})
        client = self.client(server)
        for _ in range(8):
            answer = client.answer(client.ask("/v1/models", method="GET"))
            self.assertEqual(answer.status, 200)
            client.turn(0.2)
        self.assertEqual((client.closed, client.goaways), (False, []))

    def test_a_client_that_does_not_read_its_connection(self):
        """Its windows are wide open, so that no stream waits for one."""
        large = reply(completion("x" * 900_000))
        server = self.serve([self.provider(lambda call: call.send(large))],
                            limits={"client_stall_ms_max": 500})
        client = self.client(server, window=1 << 30)
        client.h2.increment_flow_control_window(1 << 30)
        client.turn(0.2)
        for _ in range(40):
            client.ask(body=chat_body())
        until(lambda: server.metric("leat_http2_connections_open") == 1, "the connection")
        until(lambda: server.metric("leat_http2_connections_open") == 0, "its end", 20)

    def test_a_client_that_never_opens_its_window(self):
        server = self.serve([self.provider(lambda call: call.send(reply(completion("x" * 9_000))))],
                            limits={"client_stall_ms_max": 300})
        client = self.client(server, window=0)
        client.turn(0.2)
        number = client.ask(body=chat_body())
        answer = client.answer(number)
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.reset_code, ErrorCodes.CANCEL)

    def test_a_window_that_opens_late_has_every_byte(self):
        script = Pressed()
        server = self.serve([self.provider(script)], limits={"client_stall_ms_max": 600_000})
        client = self.client(server, window=0)
        client.turn(0.2)
        number = client.ask(body=chat_body(stream=True))
        client.until(lambda: client.streams[number].status == 200, "the head")
        until(script.has_stopped.is_set, "the provider to be stopped", 60)
        self.assertLess(script.bytes_taken, 768 * 1024)
        # What follows comes by small windows, so that the stream is stopped again and again.
        client.gives_window = True
        client.h2.increment_flow_control_window(1 << 24)
        client.h2.increment_flow_control_window(20_000, number)
        client.flush()
        answer = client.answer(number, 60)
        self.assertEqual((answer.status, answer.reset_code), (200, None))
        self.assertEqual(answer.text(), script.text)
        self.assertEqual(answer.events()[-1], "[DONE]")

    def test_floods_end_the_connection(self):
        server = self.serve([self.provider(answer_well)])
        resetting = self.client(server)
        with contextlib.suppress(ConnectionError):
            for _ in range(400):
                resetting.cancel(resetting.ask(body=chat_body()))
        resetting.until_closed()
        self.assertEqual(resetting.goaways[-1][1], ErrorCodes.ENHANCE_YOUR_CALM)

        pinging = self.client(server)
        pinging.sock.sendall(b"\0\0\x08\x06\0\0\0\0\0" b"12345678" * 500)
        pinging.until_closed()
        self.assertEqual(pinging.goaways[-1][1], ErrorCodes.ENHANCE_YOUR_CALM)
        self.assertEqual(server.metric("leat_http2_floods_total"), 2)
        until(lambda: server.metric("leat_requests_open") == 0, "no request to be left")
        other = self.client(server)
        self.assertEqual(other.answer(other.ask(body=chat_body())).status, 200)

    def test_a_drain_tells_and_waits(self):
        go = threading.Event()

        def script(call):
            begin(call)
            go.wait(20 * SLOW)
            finish(call, " last")
        server = self.serve([self.provider(script)])
        busy, idle = self.client(server), self.client(server)
        idle.answer(idle.ask("/v1/models", method="GET"))
        number = busy.ask(body=chat_body(stream=True))
        busy.until(lambda: busy.streams[number].body, "a first event")
        server.process.send_signal(signal.SIGTERM)
        idle.until_closed()
        self.assertEqual([code for _, code in idle.goaways], [ErrorCodes.NO_ERROR])
        busy.until(lambda: len(busy.goaways) == 2, "both steps of the goodbye")
        self.assertEqual(busy.goaways, [(2 ** 31 - 1, 0), (number, 0)])
        go.set()
        self.assertEqual(busy.answer(number).text(), "first last")
        busy.until_closed()
        self.assertEqual(server.process.wait(5 * SLOW), 0)

    def test_the_end_of_an_answer_waits_for_its_record(self):
        with tempfile.TemporaryDirectory() as folder:
            server = self.serve([self.provider(answer_well)],
                                extra=f'[ledger]\nfolder = "{folder}"\nsegment_mib = 1\n')
            client = self.client(server)
            for stream in (True, False):
                answer = client.answer(client.ask(body=chat_body(stream=stream)))
                self.assertEqual((answer.status, answer.ended), (200, True), answer.body)
            until(lambda: server.metric("leat_ledger_entries_total") == 2, "two records")
            server.close()


class Http2Tls(Http2Clients):
    """The same again, inside TLS, h2 agreed on by ALPN."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        certificate = pathlib.Path(folder.name, "cert.pem")
        key = pathlib.Path(folder.name, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                        certificate], check=True, capture_output=True)
        self.section = f'[server.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
        self.tls = ssl.create_default_context(cafile=certificate)
        self.tls.set_alpn_protocols(["h2", "http/1.1"])

    def serve(self, providers=(), server="", **options):
        return self.leat(list(providers), listen="tls://127.0.0.1:0",
                         server=server + "\n" + self.section, **options)

    def test_alpn(self):
        for lines, offers, expected in (("", ["http/1.1", "h2"], "h2"),
                                        ("", ["http/1.1"], "http/1.1"), ("", [], None),
                                        ("http2 = false", ["h2", "http/1.1"], "http/1.1")):
            server = self.serve(server=lines)
            self.tls.set_alpn_protocols(offers)
            with harness.Client(server.port) as client:
                client.sock = self.tls.wrap_socket(client.sock, server_hostname="localhost")
                self.assertEqual(client.sock.selected_alpn_protocol(), expected)
                if expected != "h2":
                    client.send(harness.request("GET", "/v1/models"))
                    self.assertEqual(client.answer().status, 200)


class PriorKnowledge(harness.Case):
    def test_http1_is_served_on_the_same_port(self):
        server = self.leat([self.provider(answer_well)])
        with server.connect() as one, Http2Client(server.port) as two:
            one.send(chat_request())
            self.assertEqual(one.answer().status, 200)
            self.assertEqual(two.answer(two.ask(body=chat_body())).status, 200)

    def test_a_preface_in_pieces(self):
        server = self.leat(server="shards = 1")

        def ask_another_way():
            # One shard takes what comes in turn: what was sent before has been read by then.
            with server.connect() as other:
                other.send(harness.request("GET", "/v1/models"))
                self.assertEqual(other.answer().status, 200)

        for cut in (1, 3, 23):
            with Http2Client(server.port, cut=cut, between=ask_another_way) as client:
                models = client.answer(client.ask("/v1/models", method="GET"))
                self.assertEqual(models.status, 200)
        # What begins like it and is not it.
        with server.connect() as client:
            client.send(b"PRI * HT")
            client.send(b"XX/1.1\r\n\r\n")
            self.assertEqual(client.answer().status, 400)

    def test_a_takeover_ends_what_runs(self):
        go = threading.Event()

        def script(call):
            begin(call)
            go.wait(20 * SLOW)
            finish(call, " last")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        with socket.create_server(("127.0.0.1", 0)) as probe:
            admin = probe.getsockname()[1]
        old = self.leat([self.provider(script)], listen=f"127.0.0.1:{port}",
                        admin_listen=f"127.0.0.1:{admin}",
                        server='takeover_socket = "takeover.sock"')
        with Http2Client(port) as client:
            number = client.ask(body=chat_body(stream=True))
            client.until(lambda: client.streams[number].body, "a first event")
            new = old.again()
            self.addCleanup(new.close)
            client.until(lambda: client.goaways, "the old process's goodbye")
            late = client.ask(body=chat_body())
            with Http2Client(port) as other:
                models = other.answer(other.ask("/v1/models", method="GET"))
                self.assertEqual(models.status, 200)
            go.set()
            self.assertEqual(client.answer(number).text(), "first last")
            client.until_closed()
            self.assertIn(client.streams[late].reset_code, (None, ErrorCodes.REFUSED_STREAM))
            self.assertIsNone(client.streams[late].status)
        self.assertEqual(old.process.wait(5 * SLOW), 0)

    def test_switched_off(self):
        server = self.leat(server="http2 = false")
        with server.connect() as client:
            client.send(PREFACE)
            self.assertIn(client.answer().status, (400, 505))

    def test_curl(self):
        server = self.leat([self.provider(lambda call: call.send(stream_bytes()))])
        made = subprocess.run(
            ["curl", "-sN", "--http2-prior-knowledge", "-w", "%{http_version} %{http_code}",
             f"http://127.0.0.1:{server.port}/v1/chat/completions", "-H",
             f"authorization: Bearer {harness.KEY}", "-H", "content-type: application/json",
             "-d", json.dumps({"model": harness.MODEL, "stream": True,
                               "messages": [{"role": "user", "content": "hi"}]})],
            capture_output=True, text=True, check=True, timeout=20 * SLOW)
        self.assertIn("[DONE]", made.stdout)
        self.assertTrue(made.stdout.endswith("2 200"), made.stdout)


if __name__ == "__main__":
    harness.main()
