#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever a provider does wrong, the client gets the answer of the retry rule and the fault
table: the next endpoint before the first content, an error event and no [DONE] after it, 502 or
504 when nobody is left; and neither side sees the other's secrets.
Method: the real leat between raw clients and providers that follow a script.

Usage: test_upstream.py LEAT"""

import json
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import harness
from harness import SSE_HEAD, answer_well, chunk, completion, event, reply, stream_bytes, until

FACES = ("/v1", "/api/v1")


def always(data, then="close"):
    """A provider that sends these bytes to whoever asks."""
    def script(call):
        call.send(data)
        return then
    return script


def silent(call):
    call.is_cut(30)
    return "close"


def refusing_url():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


class Failover(harness.Case):
    """Faults before the first content: the next endpoint answers, or the client is told."""

    def assert_moves_on(self, first, limits=None):
        second = self.provider(answer_well)
        with harness.Leat([first, second], limits=limits) as router:
            for stream in (False, True):
                answer = router.chat(stream=stream)
                self.assertEqual(answer.status, 200, answer.body)
                self.assertIn(b"[DONE]" if stream else b"hello", answer.body)
            self.assertEqual(len(second.calls), 2)

    def assert_told(self, first, status, reason, limits=None):
        with harness.Leat([first], limits=limits) as router:
            for face in FACES:
                for stream in (False, True):
                    before = router.rejects(reason)
                    answer = router.chat(face, stream=stream)
                    self.assertEqual(answer.status, status, answer.body)
                    self.assert_error(answer, face, reason)
                    self.assertEqual(router.rejects(reason), before + 1)
                    self.assertNotIn(harness.PROVIDER_KEY, answer.head + answer.body.decode())
            self.assertNotIn(harness.PROVIDER_KEY, router.log())

    def test_f1_refused(self):
        self.assert_moves_on(refusing_url())
        self.assert_told(refusing_url(), 502, "provider_unavailable")

    def test_f2_full_backlog(self):
        with socket.socket() as hole:
            hole.bind(("127.0.0.1", 0))
            hole.listen(0)
            port = hole.getsockname()[1]
            waiting = []
            for _ in range(4):
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex(("127.0.0.1", port))
                waiting.append(sock)
                self.addCleanup(sock.close)
            self.assert_moves_on(f"http://127.0.0.1:{port}/v1", {"connect_ms_max": 200})

    def test_a_tls_handshake_has_its_own_time(self):
        # The backlog accepts, and nobody ever says a word.
        with socket.create_server(("127.0.0.1", 0)) as mute:
            url = f"https://127.0.0.1:{mute.getsockname()[1]}/v1"
            for connect_ms, handshake_ms in ((60_000, 300), (300, 1_000)):
                with self.subTest(connect_ms=connect_ms):
                    limits = {"connect_ms_max": connect_ms,
                              "upstream_tls_handshake_ms_max": handshake_ms}
                    with harness.Leat([url, self.provider(answer_well)], limits=limits) as router:
                        start = time.monotonic()
                        self.assertEqual(router.chat().status, 200)
                        taken = time.monotonic() - start
                    self.assertGreaterEqual(taken, handshake_ms / 1000)
                    self.assertLess(taken, handshake_ms / 1000 + 5 * harness.SLOW)

    def test_f3_never_answers(self):
        limits = {"first_byte_ms_max": 150}
        self.assert_moves_on(self.provider(silent), limits)
        provider = self.provider(silent)
        self.assert_told(provider, 504, "upstream_timeout", limits)

    def test_f3_upstream_is_cut_at_the_limit(self):
        ends = []
        def script(call):
            ends.append(call.is_cut())
            return "close"
        with harness.Leat([self.provider(script)], limits={"first_byte_ms_max": 150}) as router:
            self.assertEqual(router.chat().status, 504)
            until(lambda: ends == [True], "the provider to see its end")

    def test_f7_error_in_a_200_before_content(self):
        error = b'data: {"error":{"message":"broken inside","code":500}}\n\n'
        role = event({"role": "assistant", "content": ""})
        data = SSE_HEAD + chunk(role) + chunk(error) + b"0\r\n\r\n"
        second = self.provider(answer_well)
        with harness.Leat([self.provider(always(data)), second]) as router:
            answer = router.chat(stream=True)
            self.assertEqual((answer.status, answer.text()), (200, "onetwo"))
            self.assertNotIn(b"broken inside", answer.body)

    def test_f9_statuses_that_move_on(self):
        for status in (401, 402, 403, 404, 408, 409, 429, 500, 502, 503, 529):
            with self.subTest(status=status):
                body = {"error": {"message": "no", "type": "x", "code": None}}
                first = self.provider(always(reply(body, f"{status} X"), None))
                second = self.provider(answer_well)
                with harness.Leat([first, second]) as router:
                    self.assertEqual(router.chat().status, 200)

    def test_f9_retry_after_reaches_the_client(self):
        data = reply({"error": {"message": "slow down"}}, "429 X", "retry-after: 17\r\n")
        with harness.Leat([self.provider(always(data, None))]) as router:
            answer = router.chat()
            self.assertEqual(answer.status, 429)
            self.assertIn("retry-after: 17", answer.head.lower())

    def test_f9_an_earlier_providers_wait_is_not_told(self):
        data = reply({"error": {"message": "slow down"}}, "429 X", "retry-after: 17\r\n")
        with harness.Leat([self.provider(always(data, None)), refusing_url()]) as router:
            answer = router.chat()
            self.assertEqual(answer.status, 503)
            self.assertIn("x-should-retry: false", answer.head.lower())
            self.assertNotIn("retry-after", answer.head.lower())

    def test_head_over_the_limit(self):
        limits = {"upstream_head_bytes_max": 2048}
        long = reply(completion(), fields=f"x-long: {'x' * 2100}\r\n")
        self.assert_told(self.provider(always(long)), 502, "upstream_protocol", limits)
        short = reply(completion(), fields=f"x-long: {'x' * 1500}\r\n")
        with harness.Leat([self.provider(always(short))], limits=limits) as router:
            self.assertEqual(router.chat().status, 200)

    def test_line_of_a_stream_over_the_limit(self):
        limits = {"sse_line_bytes_max": 2048}
        endless = SSE_HEAD + chunk(b"data: {" + b" " * 5000)
        with harness.Leat([self.provider(always(endless, None))], limits=limits) as router:
            answer = router.chat("/api/v1", stream=True)
            self.assertEqual(answer.status, 502, answer.body)
            self.assert_error(answer, "/api/v1", "upstream_protocol")
        # After the first content: an error event, no clean end, and the provider is cut.
        cuts = []
        def late(call):
            call.send(SSE_HEAD + chunk(event({"content": "one"})) + chunk(b"data: " + b" " * 5000))
            cuts.append(call.is_cut())
            return "close"
        with harness.Leat([self.provider(late)], limits=limits) as router:
            answer = router.chat("/api/v1", stream=True)
            self.assertEqual((answer.status, answer.events()[-1] != "[DONE]"), (200, True))
            error = json.loads(answer.events()[-1])["error"]
            self.assertEqual(error["metadata"]["error_type"], "provider_unavailable")
            self.assertEqual(error["metadata"]["reason"], "upstream_protocol")
            self.assertEqual(router.metric("leat_streams_cut_total"), 1)
            until(lambda: cuts == [True], "the provider to be cut")

    def test_answer_over_the_limit(self):
        limits = {"upstream_body_bytes_max": 100_000}
        large = completion("x" * 110_000)
        self.assert_moves_on_to_a_small_answer(reply(large), limits)
        coded = (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                 b"transfer-encoding: chunked\r\n\r\n" + chunk(json.dumps(large).encode())
                 + b"0\r\n\r\n")
        self.assert_moves_on_to_a_small_answer(coded, limits)
        # Passed on as it came, until it was too large: the client must not take it for whole.
        with harness.Leat([self.provider(always(coded[:-5] + chunk(b" " * 50_000)))],
                          limits={**limits, "collected_answer_bytes_max": 1024}) as router:
            answer = router.chat()
            self.assertFalse(answer.status == 200 and answer.whole)
        with harness.Leat([self.provider(always(reply(completion("x" * 90_000))))],
                          limits=limits) as router:
            self.assertEqual(router.chat().status, 200)

    def assert_moves_on_to_a_small_answer(self, data, limits):
        with harness.Leat([self.provider(always(data)), self.provider(answer_well)],
                          limits=limits) as router:
            self.assertIn(b"hello", router.chat().body)
        with harness.Leat([self.provider(always(data))], limits=limits) as router:
            answer = router.chat("/api/v1")
            self.assertEqual(answer.status, 502, answer.body)
            self.assert_error(answer, "/api/v1", "upstream_protocol")
            self.assertEqual(router.rejects("upstream_protocol"), 1)

    def test_an_endless_answer_is_cut(self):
        # Passed on piece by piece: no piece says that it is too much in all.
        cuts = []
        def script(call):
            call.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                      b"transfer-encoding: chunked\r\n\r\n" + chunk(b"{" + b" " * 2000))
            try:
                for _ in range(10_000):
                    call.send(chunk(b" " * 10_000))
            except OSError:
                cuts.append(True)
            return "close"
        limits = {"upstream_body_bytes_max": 100_000, "collected_answer_bytes_max": 1024}
        with harness.Leat([self.provider(script)], limits=limits) as router:
            answer = router.chat()
            self.assertEqual((answer.status, answer.whole), (200, False))
            self.assertLessEqual(len(answer.body), 100_000)
            until(lambda: cuts == [True], "the provider to be cut")

    def test_the_clients_own_fault_is_not_tried_elsewhere(self):
        data = reply({"error": {"message": "temperature too hot"}}, "400 Bad Request")
        second = self.provider(answer_well)
        with harness.Leat([self.provider(always(data, None)), second]) as router:
            answer = router.chat()
            self.assertEqual(answer.status, 400)
            self.assertIn("temperature too hot", answer.json()["error"]["message"])
            self.assertEqual(second.calls, [])

    def test_attempts_are_bounded(self):
        down = [self.provider(always(reply({}, "500 X"), None)) for _ in range(5)]
        with harness.Leat(down, limits={"attempts_per_request_max": 3}) as router:
            self.assertEqual(router.chat().status // 100, 5)
        self.assertEqual([len(each.calls) for each in down], [1, 1, 1, 0, 0])


class Malformed(harness.Case):
    """F6: what is no HTTP is 502 upstream_protocol, and its connection is not used again."""

    ROWS = {
        "no status": b"hello\r\n\r\n",
        "HTTP/0.9": b"<html>hi</html>\r\n",
        "NUL in a field": b"HTTP/1.1 200 OK\r\nA: b\0c\r\ncontent-length: 0\r\n\r\n",
        "bare LF": b"HTTP/1.1 200 OK\r\nA: b\nC: d\r\ncontent-length: 0\r\n\r\n",
        "bare CR": b"HTTP/1.1 200 OK\r\nA: b\rC: d\r\ncontent-length: 0\r\n\r\n",
        "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}",
        "length and coding": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n"
                             b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "bad chunk size": SSE_HEAD + b"0x3\r\nabc\r\n0\r\n\r\n",
        "chunk without end": SSE_HEAD + b"3\r\nabcXX",
        "redirect": b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\n"
                    b"content-length: 0\r\n\r\n",
        "1xx flood": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50,
        "101": b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
        "huge head": b"HTTP/1.1 200 OK\r\n" + b"A: " + b"b" * 70_000 + b"\r\n\r\n",
        # No line ends, and neither does the connection: told by the size alone.
        "huge status line": b"HTTP/1.1 200 " + b"b" * 70_000,
        "huge open line": b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000,
        "compressed": reply(b"x", fields="content-encoding: gzip\r\n"),
        "no JSON": reply(b"not json"),
    }

    def test_rows(self):
        data = {}
        provider = self.provider(lambda call: call.send(data["now"]))
        router = self.leat([provider], limits={"attempts_per_request_max": 1})
        for name, bytes_sent in self.ROWS.items():
            for face in FACES:
                with self.subTest(reply=name, face=face):
                    data["now"] = bytes_sent
                    answer = router.chat(face, stream="chunk" in name or "coding" in name)
                    self.assertEqual(answer.status, 502, answer.body)
                    self.assert_error(answer, face, "upstream_protocol")
                    data["now"] = reply(completion())
                    self.assertEqual(router.chat(face).status, 200)
                    # What is no JSON may still have been sound HTTP.
                    if name != "no JSON":
                        self.assertIsNot(provider.calls[-1].sock, provider.calls[-2].sock)

    def test_fields_of_the_reply_are_an_allow_list(self):
        secret = "Set-Cookie: a=b\r\nLocation: /x\r\nAlt-Svc: h3\r\nX-Inner: y\r\n"
        with harness.Leat([self.provider(always(reply(completion(), fields=secret)))]) as router:
            head = router.chat().head.lower()
        for name in ("set-cookie", "location", "alt-svc", "x-inner"):
            self.assertNotIn(name, head)


class Streams(harness.Case):
    """Faults after the first content: never passed off as a whole answer."""

    def assert_broken(self, answer):
        self.assertEqual(answer.status, 200)
        events = answer.events()
        self.assertNotIn("[DONE]", events)
        self.assertIn("error", json.loads(events[-1]), events)
        for data in events:
            json.loads(data)

    def test_media_types_have_no_case(self):
        data = harness.stream_bytes().replace(b"text/event-stream", b"Text/Event-Stream; charset=x")
        with harness.Leat([self.provider(always(data, None))]) as router:
            self.assertEqual(router.chat(stream=True).text(), "onetwo")

    def test_f4_hangs_after_content(self):
        def script(call):
            call.send(SSE_HEAD + chunk(event({"content": "one"})))
            call.is_cut(30)
            return "close"
        provider = self.provider(script)
        with harness.Leat([provider], limits={"chunk_gap_ms_max": 150}) as router:
            for face in FACES:
                answer = router.chat(face, stream=True)
                self.assert_broken(answer)
                self.assertEqual(answer.text(), "one")
        self.assertEqual(len(provider.calls), 2)

    def test_f7_error_after_content(self):
        data = SSE_HEAD + chunk(event({"content": "one"})) + chunk(
            b'data: {"error":{"message":"broken inside","code":500}}\n\n')
        second = self.provider(answer_well)
        with harness.Leat([self.provider(always(data)), second]) as router:
            self.assert_broken(router.chat(stream=True))
        self.assertEqual(second.calls, [])

    def test_f5_cut_at_every_byte(self):
        whole = stream_bytes(("éa", "b"))
        cut = {}
        def script(call):
            call.send(whole[:cut["at"]])
            return "close"
        provider = self.provider(script)
        router = self.leat([provider], limits={"attempts_per_request_max": 1})
        # Whoever has had [DONE] has had the whole answer, whatever becomes of the last chunk.
        done = whole.index(b"data: [DONE]\n\n") + len(b"data: [DONE]\n\n")
        text, finish = "éab", whole.index(b'"stop"')
        for at in range(len(whole) + 1):
            cut["at"] = at
            answer = router.chat(stream=True)
            with self.subTest(cut_at=at):
                if answer.status == 502:
                    self.assertLess(at, finish)
                    self.assert_error(answer, "/v1")
                    continue
                events = answer.events()
                self.assertTrue(text.startswith(answer.text()))
                if "[DONE]" in events:
                    self.assertGreaterEqual(at, finish)
                    self.assertEqual(answer.text(), text)
                else:
                    self.assert_broken(answer)
                if at >= done:
                    self.assertEqual(events[-1], "[DONE]")


class Pool(harness.Case):
    def test_connection_is_reused(self):
        provider = self.provider(answer_well)
        with harness.Leat([provider]) as router:
            for _ in range(5):
                self.assertEqual(router.chat().status, 200)
        self.assertEqual(provider.connections, 1)

    def test_a_slow_reader_leaves_its_connection_readable(self):
        # Its answer ends while the provider is not read: whoever is next must get theirs. Which
        # piece is the last before the pause is the kernel's choice, hence several rounds.
        big = reply(completion("x" * 4_500_000))
        is_full = threading.Event()
        def script(call):
            if call.json().get("user") != "big":
                return call.send(reply(completion()))
            call.send(big[:-2])
            is_full.wait(10 * harness.SLOW)
            call.send(big[-2:])
        provider = self.provider(script)
        limits = {"collected_answer_bytes_max": 1024, "first_byte_ms_max": 2000}
        with harness.Leat([provider], limits=limits) as router:
            for _ in range(5):
                self.read_late(router, is_full)
                self.assertEqual(router.chat().status, 200)
            self.assertEqual(provider.connections, 1)

    def read_late(self, router, is_full):
        """A client that reads its big answer only when Leat cannot write any more of it."""
        is_full.clear()
        before = router.metric("leat_io_short_sends_total")
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.settimeout(10 * harness.SLOW)
            slow.connect(("127.0.0.1", router.port))
            slow.sendall(harness.chat_request(user="big"))
            until(lambda: router.metric("leat_io_short_sends_total") > before, "a full client")
            is_full.set()
            taken = bytearray()
            while not taken.endswith(b"\r\n0\r\n\r\n"):
                data = slow.recv(1 << 20)
                self.assertTrue(data)
                taken += data

    def test_stray_bytes_on_an_idle_connection(self):
        provider = self.provider(answer_well)
        with harness.Leat([provider]) as router:
            self.assertEqual(router.chat().status, 200)
            provider.calls[0].send(reply(completion("someone else's answer")))
            until(lambda: router.metric("leat_upstream_stray_bytes_total") == 1, "the counter")
            answer = router.chat()
            self.assertIn(b"hello", answer.body)
            self.assertEqual(provider.connections, 2)

    def test_bytes_after_the_end_of_a_reply(self):
        stray = reply(completion("someone else's answer"))
        provider = self.provider(lambda call: call.send(reply(completion()) + stray))
        with harness.Leat([provider]) as router:
            for _ in range(3):
                self.assertIn(b"hello", router.chat().body)
        self.assertEqual(len({call.sock for call in provider.calls}), 3)

    def test_f8_closed_just_before_reuse(self):
        def script(call):
            answer_well(call)
            return "close"
        provider = self.provider(script)
        with harness.Leat([provider]) as router:
            for _ in range(50):
                self.assertEqual(router.chat().status, 200)
        self.assertLessEqual(len(provider.calls), 50)

    def test_f8_reset_under_the_request(self):
        def script(call):
            if len(provider.calls) == 2:
                return "close"
            answer_well(call)
            return None
        provider = self.provider(script)
        with harness.Leat([provider]) as router:
            self.assertEqual([router.chat().status for _ in range(2)], [200, 200])
        self.assertEqual(len(provider.calls), 3)


class Passing(harness.Case):
    """What goes up, and what comes down."""

    def test_request_as_the_provider_sees_it(self):
        provider = self.provider(answer_well)
        with harness.Leat([provider]) as router:
            router.chat(stream=True, top_k=7, provider={"order": ["x"]},
                        models=[harness.MODEL],
                        route="fallback", transforms=[], own_field={"a": [1.50, "\u00e9"]})
        call = provider.calls[0]
        body = call.json()
        self.assertEqual(body["model"], "upstream-model")
        self.assertEqual(body["stream_options"], {"include_usage": True})
        self.assertEqual((body["top_k"], body["own_field"]), (7, {"a": [1.5, "\u00e9"]}))
        self.assertIn(b'"own_field": {"a": [1.5, "\\u00e9"]}', call.body)
        for name in ("provider", "models", "route", "transforms"):
            self.assertNotIn(name, body)
        self.assertTrue(call.head.startswith("POST /v1/chat/completions HTTP/1.1"))
        self.assertIn(f"authorization: bearer {harness.PROVIDER_KEY}", call.head.lower())
        self.assertNotIn(harness.KEY, call.head)

    def test_usage_goes_to_who_asked(self):
        with harness.Leat([self.provider(answer_well)]) as router:
            plain = router.chat("/v1", stream=True)
            asked = router.chat("/v1", stream=True, stream_options={"include_usage": True})
            other = router.chat("/api/v1", stream=True)
        has = [any(json.loads(d).get("usage") for d in a.events() if d != "[DONE]")
               for a in (plain, asked, other)]
        self.assertEqual(has, [False, True, True])
        for answer in (plain, asked, other):
            self.assertEqual((answer.events()[-1], answer.text()), ("[DONE]", "onetwo"))


class Certificates(harness.Case):
    """F12: a provider that cannot prove its name gets not one byte of the request."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.at = pathlib.Path(directory.name)
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                     "/CN=test root", "-keyout", "ca.key", "-out", "ca.pem")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.at, check=True, capture_output=True)

    def server(self, names, days="30"):
        self.openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout",
                     "leaf.key", "-out", "leaf.csr")
        (self.at / "ext").write_text(f"subjectAltName={names}\n" if names else "")
        self.openssl("x509", "-req", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-CAcreateserial", "-days", days, "-extfile", "ext", "-out", "leaf.pem")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.at / "leaf.pem", self.at / "leaf.key")
        return context

    def ask(self, context, trusted=True):
        provider = self.provider(answer_well, context)
        lines = f'ca_file = "{self.at}/ca.pem"' if trusted else ""
        with harness.Leat([provider], provider_lines=lines) as router:
            return provider, router.chat()

    def test_good(self):
        provider, answer = self.ask(self.server("IP:127.0.0.1"))
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(len(provider.calls), 1)

    def test_bad(self):
        rows = {"unknown root": (self.server("IP:127.0.0.1"), False),
                "wrong address": (self.server("IP:127.0.0.2"), True),
                "name for an address": (self.server("DNS:localhost"), True),
                "common name only": (self.server(""), True),
                "expired": (self.server("IP:127.0.0.1", "-1"), True)}
        for name, (context, trusted) in rows.items():
            with self.subTest(certificate=name):
                provider, answer = self.ask(context, trusted)
                self.assertEqual(answer.status, 502, answer.body)
                self.assertEqual(provider.calls, [])


if __name__ == "__main__":
    harness.main()
