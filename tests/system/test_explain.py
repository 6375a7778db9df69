#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: an operator learns what would become of a request, from the command and from the admin
listener, and what they say is what the gateway then does.
Method: the real leat under a catalogue with prices; the same body explained and sent; raw bytes
for what a client may do wrong on the admin listener.

Usage: test_explain.py LEAT"""

import json
import pathlib
import re
import subprocess
import tempfile

import harness
from harness import KEY, answer_well, until

CATALOGUE = """
[providers.p0]
data = { trains = false, publishes = false, retention_days = 0 }
[[models]]
id = "acme/priced"
parameters = ["max_tokens"]
[[models.endpoints]]
provider = "p0"
model = "upstream-model"
price = { prompt = "1", completion = "2" }
[[models.endpoints]]
provider = "p1"
model = "upstream-model"
price = { prompt = "100", completion = "200" }
"""
CONFIG = """
[[keys]]
name = "first"
secret = { env = "LEAT_TEST_KEY" }
[[keys]]
name = "second"
secret = { env = "LEAT_TEST_OTHER_KEY" }
[providers.p0]
base_url = "http://127.0.0.1:1/v1"
allow_private = true
[providers.p1]
base_url = "http://127.0.0.1:1/v1"
allow_private = true
"""


def body(**fields):
    return harness.chat_body(**{"model": "acme/priced", **fields})


class Command(harness.Case):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name)
        (self.path / "catalogue.toml").write_text(CATALOGUE)
        (self.path / "leat.toml").write_text('catalogue = ["catalogue.toml"]\n' + CONFIG)

    def explain(self, *arguments, request=None, config="leat.toml"):
        if request is not None:
            (self.path / "request.json").write_bytes(request)
            arguments += (str(self.path / "request.json"),)
        return subprocess.run(
            [harness.LEAT, "explain", "--config", str(self.path / config), *arguments],
            env={"LEAT_TEST_KEY": KEY, "LEAT_TEST_OTHER_KEY": KEY + "2"}, input=body(),
            capture_output=True, timeout=30 * harness.SLOW, check=False)

    def test_tells_people_and_programs_the_same(self):
        text = self.explain(request=body())
        self.assertEqual((text.returncode, text.stderr), (0, b""))
        lines = [line.strip() for line in text.stdout.decode().splitlines()]
        self.assertEqual(lines[0], "key: first")
        self.assertIn("1. acme/priced  p0 (p0), a million tokens: $1 prompt, $2 completion", lines)
        self.assertIn("2. acme/priced  p1 (p1), a million tokens: $100 prompt, $200 completion",
                      lines)
        report = json.loads(self.explain("--json", request=body()).stdout)
        self.assertEqual(set(report), {"outcome", "key", "candidates", "excluded", "error"})
        self.assertEqual((report["outcome"], report["key"], report["error"]),
                         ("planned", "first", None))
        self.assertEqual([c["endpoint"] for c in report["candidates"]], ["p0", "p1"])
        self.assertEqual(report["candidates"][0]["price_per_million"],
                         {"prompt": "1", "completion": "2"})

    def test_tells_who_is_shut_out(self):
        request = body(provider={"zdr": True}, top_k=3)
        text = self.explain(request=request).stdout.decode()
        self.assertIn("retains: it may keep prompts", text)
        report = json.loads(self.explain("--json", request=request).stdout)
        self.assertEqual([(e["endpoint"], e["reason"]) for e in report["excluded"]],
                         [("p1", "retains")])
        self.assertEqual(report["candidates"][0]["dropped_parameters"], ["top_k"])

    def test_a_refused_request_is_status_1(self):
        for wrong, code, param in ((b"{", 400, None), (body(provider={"x": 1}), 400, "provider.x"),
                                   (body(model="no/such"), 404, "model"),
                                   (body(provider={"max_price": {"prompt": 0.5}}), 404, None)):
            with self.subTest(wrong):
                answer = self.explain("--json", request=wrong)
                self.assertEqual(answer.returncode, 1, answer.stderr)
                report = json.loads(answer.stdout)
                self.assertEqual((report["outcome"], report["candidates"]), ("refused", []))
                self.assertEqual((report["error"]["code"], report["error"]["param"]),
                                 (code, param))
                text = self.explain(request=wrong)
                self.assertEqual(text.returncode, 1)
                self.assertIn(report["error"]["message"], text.stdout.decode())

    def test_standard_input_and_keys(self):
        answer = self.explain("--key", "second", "-")
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertIn(b"key: second\n", answer.stdout)
        answer = self.explain("--key", "third", "-")
        self.assertEqual(answer.returncode, 64)
        self.assertIn(b'no key named "third"', answer.stderr)

    def test_what_cannot_be_read(self):
        self.assertEqual(self.explain(str(self.path / "none.json")).returncode, 66)
        self.assertEqual(self.explain(str(self.path)).returncode, 66)
        self.assertEqual(self.explain("-", config="none.toml").returncode, 78)
        (self.path / "bad.toml").write_text("[nonsense]\n")
        bad = self.explain("-", config="bad.toml")
        self.assertEqual((bad.returncode, bad.stdout), (78, b""))
        self.assertIn(b"nonsense", bad.stderr)


class Admin(harness.Case):
    def setUp(self):
        self.providers = [self.provider(answer_well), self.provider(answer_well)]
        self.router = self.leat(self.providers, catalogue=CATALOGUE,
                                extra='[[keys]]\nname = "other"\n'
                                'secret = { env = "LEAT_TEST_OTHER_KEY" }\n',
                                environment={"LEAT_TEST_OTHER_KEY": KEY + "2"})
        self.port = int(re.search(r":(\d+)$", self.router.admin).group(1))

    def ask(self, data, method="POST", target="/api/v1/explain", **options):
        with harness.Client(self.port) as client:
            client.send(harness.request(method, target, data, key=None, **options))
            return client.answer()

    def assert_refused(self, answer, status, error_type):
        self.assertEqual(answer.status, status, answer.body)
        error = answer.json()["error"]
        self.assertEqual((error["code"], self.reason_of(error)), (status, error_type))
        return error

    def test_the_gateway_does_what_was_explained(self):
        for fields, tag in (({}, "p0"), ({"provider": {"order": ["p1"]}}, "p1"),
                            ({"provider": {"ignore": ["p0"]}}, "p1")):
            with self.subTest(fields):
                report = self.ask(body(**fields)).json()
                self.assertEqual(report["candidates"][0]["endpoint"], tag)
                self.assertEqual(report["key"], "k1")
                before = [len(p.calls) for p in self.providers]
                answer = self.router.chat(**{"model": "acme/priced", **fields})
                self.assertEqual(answer.status, 200, answer.body)
                calls = [len(p.calls) - n for p, n in zip(self.providers, before)]
                self.assertEqual(calls, [1, 0] if tag == "p0" else [0, 1])

    def test_live_health_is_explained(self):
        limited = harness.reply({"error": {"message": "slow down"}}, "429 X",
                                "retry-after: 600\r\n")
        self.providers[0].script = lambda call: call.send(limited)
        self.assertEqual(self.router.chat(model="acme/priced").status, 200)

        def excluded():
            return [(e["endpoint"], e["reason"]) for e in self.ask(body()).json()["excluded"]]
        until(lambda: excluded() == [("p0", "rate_limited")], "the limit to be told")

    def test_explaining_calls_nobody(self):
        self.assertEqual(self.ask(body()).json()["outcome"], "planned")
        self.assertEqual([p.connections for p in self.providers], [0, 0])

    def test_what_would_be_refused_has_its_error_in_the_report(self):
        for wrong, code, param in ((b"{", 400, None), (b"", 400, None),
                                   (body(provider={"x": 1}), 400, "provider.x"),
                                   (body(models=["no/such"]), 404, "models")):
            with self.subTest(wrong):
                answer = self.ask(wrong)
                self.assertEqual(answer.status, 200, answer.body)
                told = answer.json()["error"]
                self.assertEqual((answer.json()["outcome"], told["code"], told["param"]),
                                 ("refused", code, param))
                with self.router.connect() as client:
                    client.send(harness.request(target="/api/v1/chat/completions", body=wrong))
                    said = client.answer()
                self.assertEqual(said.status, code)
                self.assertEqual(said.json()["error"]["message"], told["message"])
                self.assertEqual(said.json()["error"]["metadata"].get("param"), param)

    def test_the_query_names_the_key(self):
        report = self.ask(body(), target="/api/v1/explain?key=o%74her").json()
        self.assertEqual(report["key"], "other")
        self.assert_refused(self.ask(body(), target="/api/v1/explain?key=nobody"), 400,
                            "invalid_request")
        self.assert_refused(self.ask(body(), target="/api/v1/explain?who=k1"), 400,
                            "invalid_request")

    def test_wrong_http_has_the_error_shape(self):
        answer = self.ask(b"", method="GET")
        self.assert_refused(answer, 405, "method_not_allowed")
        self.assertIn("allow: post", answer.head.lower())
        answer = self.ask(b"", method="POST", target="/metrics")
        self.assert_refused(answer, 405, "method_not_allowed")
        self.assertIn("allow: get", answer.head.lower())
        self.assert_refused(self.ask(b"{}", target="/api/v1/other"), 404, "not_found")
        with harness.Client(self.port) as client:
            client.send(b"POST /api/v1/explain\r\n\r\n")
            self.assert_refused(client.answer(), 400, "invalid_request")

    def test_too_large_is_413_and_just_fits_is_not(self):
        fits = body(metadata={"m": ""})
        fits = body(metadata={"m": "m" * (256 * 1024 - len(fits))})
        self.assertEqual(len(fits), 256 * 1024)
        self.assertEqual(self.ask(fits).json()["outcome"], "planned")
        self.assert_refused(self.ask(fits + b" "), 413, "payload_too_large")
        # Told before the body is sent at all.
        with harness.Client(self.port) as client:
            client.send(b"POST /api/v1/explain HTTP/1.1\r\nHost: a\r\n"
                        b"Content-Length: 99999999999\r\n\r\n")
            self.assert_refused(client.answer(), 413, "payload_too_large")
        with harness.Client(self.port) as client:
            client.send(b"POST /api/v1/explain HTTP/1.1\r\nHost: a\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n")
            client.send(harness.chunk(fits + b" "))
            self.assert_refused(client.answer(), 413, "payload_too_large")
        self.assertEqual(self.router.get_admin("/healthz")[0], 200)

    def test_bodies_in_pieces_in_chunks_and_one_after_the_other(self):
        data = body()
        with harness.Client(self.port) as client:
            client.send(b"POST /api/v1/explain HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(data))
            client.read_until(b"100 Continue\r\n\r\n")
            for byte in data:
                client.send(bytes([byte]))
            self.assertEqual(client.answer().json()["outcome"], "planned")
            chunked = (b"POST /api/v1/explain HTTP/1.1\r\nHost: a\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n"
                       + harness.chunk(data[:10]) + harness.chunk(data[10:]) + b"0\r\n\r\n")
            plain = harness.request("GET", "/healthz", key=None)
            client.send(chunked + plain + chunked)
            self.assertEqual(client.answer().json()["outcome"], "planned")
            self.assertEqual(client.answer().body, b"ok\n")
            self.assertEqual(client.answer().json()["outcome"], "planned")
            client.send(b"POST /api/v1/explain HTTP/1.1\r\nHost: a\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")
            self.assert_refused(client.answer(), 400, "invalid_request")
            self.assertTrue(client.is_closed())

    def test_a_client_that_leaves_in_the_middle_does_no_harm(self):
        for _ in range(80):  # more than may be open at once
            client = harness.Client(self.port)
            client.send(b"POST /api/v1/explain HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            client.reset()
        until(lambda: self.router.get_admin("/healthz")[0] == 200, "the admin listener to answer")


if __name__ == "__main__":
    harness.main()
