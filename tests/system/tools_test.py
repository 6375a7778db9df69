#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: the load tools can be believed. leat-load finds no fault in leat-mock's answers, whatever
the transport and the shape; and it does find each fault that the mock is told to make, so that
"0 errors" in a measurement means something.
Method: the real programs against each other over loopback, ports from the kernel, faults switched
on one at a time; a server of this file's own for the faults that the mock cannot make.

Usage: tools_test.py LEAT_MOCK LEAT_LOAD RELAY..."""

import http.server
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

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
            cert, key = pathlib.Path(folder, "cert.pem"), pathlib.Path(folder, "key.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost",
                            "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                            cert], check=True, capture_output=True)
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
