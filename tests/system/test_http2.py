#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: with a provider that speaks HTTP/2 everything holds that holds with HTTP/1.1, on few
connections: streams side by side, a client's leaving costs its own stream, GOAWAY and
REFUSED_STREAM cost no request, a client that does not read stops nobody else.
Method: the real leat between raw clients and a provider written for these tests, by prior
knowledge and by ALPN.

Usage: test_http2.py LEAT"""

import pathlib
import queue
import ssl
import subprocess
import tempfile
import threading

import harness
from harness import chat_body, chat_request, completion, event, stream_events, until
from http2_client import Http2Client
from http2_provider import CANCEL, MAX_CONCURRENT_STREAMS, REFUSED_STREAM, Http2Provider

HTTP2 = 'protocol = "http2"\n'


def answer_well(stream):
    if stream.json().get("stream"):
        stream.events(stream_events())
    else:
        stream.answer(completion())


class Http2(harness.Case):
    def provider2(self, script=answer_well, **options):
        made = Http2Provider(script, **options)
        self.addCleanup(made.close)
        return made

    def in_threads(self, count, work):
        results = [None] * count

        def run(i):
            results[i] = work(i)
        threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return results

    def test_many_requests_share_a_connection(self):
        provider = self.provider2()
        with harness.Leat([provider], provider_lines=HTTP2) as router:
            for stream in (False, True, False):
                answer = router.chat(stream=stream)
                self.assertEqual(answer.status, 200, answer.body)
                self.assertTrue(answer.whole)
                self.assertIn(b"[DONE]" if stream else b"hello", answer.body)
            self.assertEqual(len(provider.sessions), 1)
            answers = self.in_threads(20, lambda i: router.chat(stream=True, user=str(i)))
            self.assertEqual({(a.status, a.text()) for a in answers}, {(200, "onetwo")})
            self.assertEqual(len(provider.streams), 23)
            # Sixteen on one call for help.
            self.assertLessEqual(len(provider.sessions), 3)
            until(lambda: router.metric("leat_pool_http2_connections")
                  == len(provider.sessions), "all connections to be counted")
            until(lambda: router.metric("leat_pool_http2_streams") == 0, "all to have ended")

    def test_a_large_body_goes_as_fast_as_the_windows(self):
        provider = self.provider2()
        text = "x" * 3_000_000
        with harness.Leat([provider], provider_lines=HTTP2) as router:
            messages = [{"role": "user", "content": text}]
            self.assertEqual(router.chat(messages=messages).status, 200)
            self.assertEqual(provider.streams[0].json()["messages"], messages)

    def test_a_client_that_leaves_resets_its_stream_only(self):
        go_on = threading.Event()

        def script(stream):
            stream.head(content_type="text/event-stream")
            stream.data(event({"content": "first"}))
            if stream.json()["user"] == "leaves":
                stream.wait_for_reset()
                return
            go_on.wait(10 * harness.SLOW)
            for one in stream_events(("last",)):
                stream.data(one)
            stream.data(b"", ends=True)
        provider = self.provider2(script)
        with harness.Leat([provider], provider_lines=HTTP2) as router:
            with router.connect() as stays, router.connect() as leaves:
                stays.send(chat_request(stream=True, user="stays"))
                stays.read_until(b"first")
                leaves.send(chat_request(stream=True, user="leaves"))
                leaves.read_until(b"first")
                leaves.reset()
                gone = next(s for s in provider.streams if s.json()["user"] == "leaves")
                self.assertEqual(gone.wait_for_reset(), CANCEL)
                go_on.set()
                answer = stays.answer()
                self.assertEqual((answer.text(), answer.whole), ("firstlast", True))
            self.assertEqual(len(provider.sessions), 1)
            self.assertEqual(router.chat(stream=True, user="again").text(), "firstlast")
            self.assertEqual(len(provider.sessions), 1)

    def test_refused_streams_are_tried_again(self):
        def script(stream):
            if len(provider.streams) == 1:
                return stream.reset(REFUSED_STREAM)
            return answer_well(stream)
        provider = self.provider2(script)
        # Even for who forbids to repeat what may have been done: this was not.
        lines = HTTP2 + "retry_ambiguous = false\n"
        with harness.Leat([provider], provider_lines=lines) as router:
            self.assertEqual(router.chat().status, 200)
            self.assertEqual(len(provider.streams), 2)
            self.assertEqual(router.metric("leat_ambiguous_total"), 0)

    def test_a_reset_stream_is_ambiguous(self):
        def script(stream):
            stream.reset(2)
        provider = self.provider2(script)
        lines = HTTP2 + "retry_ambiguous = false\n"
        with harness.Leat([provider], provider_lines=lines) as router:
            self.assertEqual(router.chat().status, 502)
            self.assertEqual(len(provider.streams), 1)

    def test_goaway_midway_lets_the_stream_end_and_moves_the_rest(self):
        go_on = threading.Event()

        def script(stream):
            if stream.connection.number > 0 or stream.number > 3:
                return answer_well(stream)
            if stream.number == 3:  # not above the last: not executed
                stream.connection.goaway(1)
                return None
            stream.head(content_type="text/event-stream")
            stream.data(event({"content": "first"}))
            go_on.wait(10 * harness.SLOW)
            for one in stream_events(("last",)):
                stream.data(one)
            return stream.data(b"", ends=True)
        provider = self.provider2(script)
        lines = HTTP2 + "retry_ambiguous = false\n"
        with harness.Leat([provider], provider_lines=lines) as router:
            with router.connect() as client:
                client.send(chat_request(stream=True))
                client.read_until(b"first")
                answer = router.chat(stream=True)
                self.assertEqual((answer.status, answer.text()), (200, "onetwo"))
                self.assertEqual(len(provider.sessions), 2)
                go_on.set()
                answer = client.answer()
                self.assertEqual((answer.text(), answer.whole), ("firstlast", True))
            until(lambda: provider.sessions[0].is_over, "the first connection to be closed")
            self.assertEqual(router.chat().status, 200)
            self.assertEqual(len(provider.sessions), 2)

    def test_a_client_that_does_not_read_stops_nobody_else(self):
        event_bytes = event({"content": "x" * 1000})

        def script(stream):
            if stream.json()["user"] != "stalls":
                return answer_well(stream)
            stream.head(content_type="text/event-stream")
            while True:
                stream.data(event_bytes)
        provider = self.provider2(script)
        with harness.Leat([provider], provider_lines=HTTP2) as router:
            with router.connect() as client:
                client.send(chat_request(stream=True, user="stalls"))
                client.read_until(b"xxx")
                stalled = provider.streams[0]
                until(lambda: stalled.window == 0 and stalled.quiet_time() > 0.3,
                      "the stream's window to be used up", 20)
                sent = stalled.sent
                self.assertGreater(stalled.connection.window, 0)
                answer = router.chat(stream=True, user="reads")
                self.assertEqual((answer.status, answer.text()), (200, "onetwo"))
                self.assertEqual(len(provider.sessions), 1)
                self.assertEqual(stalled.window, 0)
                # Who reads again gets the rest.
                until(lambda: client.more() and stalled.sent > sent + 2_000_000, "more", 20)

    def test_words_wait_for_clients_of_http2_and_nothing_is_changed(self):
        """Where neither side may be held, since both connections are shared, the client's waits."""
        words = [event({"content": word}) for word in ("one", "two", "three", "four")]
        sent = words + [event({}, "stop"), b"data: [DONE]\n\n"]
        steps = queue.Queue()

        def script(stream):
            stream.head(content_type="text/event-stream")
            for one in sent:
                steps.get(timeout=60 * harness.SLOW)
                stream.data(one)
            stream.data(b"", ends=True)
        held = "leat_held_seconds_count"
        with harness.Leat([self.provider2(script)], provider_lines=HTTP2,
                          extra='[hold]\nmode = "always"\nms_max = 60\n') as router:
            with Http2Client(router.port) as client:
                number = client.ask(body=chat_body(stream=True))
                stream = client.streams[number]
                for count, one in enumerate(sent, 1):
                    steps.put(None)
                    client.until(lambda: stream.body.endswith(one), "the event")
                    if count == 2:
                        self.assertEqual(router.metric(held), 0)
                client.answer(number)
                self.assertEqual(stream.body, b"".join(sent))
            # The third word and the fourth; the finish reason was read, so that it need not.
            until(lambda: router.metric(held) == 2, "both counted")

    def test_no_more_streams_than_the_provider_takes(self):
        at_once = []
        lock = threading.Lock()

        def script(stream):
            with lock:
                running = [s for s in provider.streams if s.connection is stream.connection
                           and not getattr(s, "is_done", False)]
                at_once.append(len(running))
            answer_well(stream)
            stream.is_done = True
        provider = self.provider2(script, settings={MAX_CONCURRENT_STREAMS: 2})
        with harness.Leat([provider], provider_lines=HTTP2) as router:
            self.assertEqual(router.chat().status, 200)  # its settings are known from here on
            answers = self.in_threads(12, lambda i: router.chat(user=str(i)))
            self.assertEqual({a.status for a in answers}, {200})

    def test_a_connection_that_breaks_costs_its_streams_and_the_next_is_sound(self):
        def script(stream):
            if stream.connection.number == 0:
                stream.connection.write(0, 0, 0, b"DATA on no stream")
                return None
            return answer_well(stream)
        provider = self.provider2(script)
        with harness.Leat([provider], provider_lines=HTTP2) as router:
            self.assertEqual(router.chat().status, 200)
            self.assertEqual(len(provider.sessions), 2)
            until(lambda: provider.sessions[0].goaways == 1, "the provider to be told")

    def test_a_broken_stream_is_not_a_clean_end(self):
        def script(stream):
            stream.head(content_type="text/event-stream")
            stream.data(event({"content": "half"}))
            stream.reset(2)
        with harness.Leat([self.provider2(script)], provider_lines=HTTP2) as router:
            answer = router.chat(stream=True)
            self.assertNotIn(b"[DONE]", answer.body)
            self.assertIn(b"error", answer.body)


class OverTls(Http2):
    """The same again, inside TLS, h2 agreed on by ALPN."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.certificate = pathlib.Path(folder.name, "cert.pem")
        key = pathlib.Path(folder.name, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out",
                        cls.certificate], check=True, capture_output=True)
        cls.key = key

    def setUp(self):
        global HTTP2
        plain = HTTP2
        HTTP2 = plain + f'ca_file = "{self.certificate}"\n'

        def put_back():
            global HTTP2
            HTTP2 = plain
        self.addCleanup(put_back)

    def context(self, *protocols):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        made.set_alpn_protocols(list(protocols))
        return made

    def provider2(self, script=answer_well, **options):
        return super().provider2(script, tls=self.context("h2"), **options)

    def test_auto_takes_what_the_provider_speaks(self):
        lines = f'protocol = "auto"\nca_file = "{self.certificate}"\n'
        provider = self.provider2()
        with harness.Leat([provider], provider_lines=lines) as router:
            self.assertEqual(router.chat().status, 200)
            self.assertEqual(provider.protocols, ["h2"])
        old = self.provider(harness.answer_well, self.context("http/1.1"))
        with harness.Leat([old], provider_lines=lines) as router:
            self.assertEqual(router.chat().status, 200)
            answers = self.in_threads(5, lambda i: router.chat(stream=True, user=str(i)))
            self.assertEqual({(a.status, a.text()) for a in answers}, {(200, "onetwo")})

    def test_without_h2_there_is_no_connection(self):
        old = self.provider(harness.answer_well, self.context("http/1.1"))
        with harness.Leat([old], provider_lines=HTTP2) as router:
            answer = router.chat()
            self.assertEqual(answer.status, 502)
            self.assert_error(answer, "/v1")
        self.assertEqual(len(old.calls), 0)


class Configuration(harness.Case):
    def test_what_is_no_protocol_is_told(self):
        with self.assertRaisesRegex(AssertionError, "write .http1., .http2. or .auto."):
            harness.Leat(["http://127.0.0.1:1/v1"], provider_lines='protocol = "http3"\n')

    def test_a_body_of_a_key_is_never_shown(self):
        # The log and all output are looked through by close().
        provider = Http2Provider(answer_well)
        self.addCleanup(provider.close)
        with harness.Leat([provider], provider_lines=HTTP2) as router:
            with router.connect() as client:
                client.send(harness.request(body=chat_body(user="x")))
                self.assertEqual(client.answer().status, 200)


if __name__ == "__main__":
    harness.main()
