#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: what an attacker sends over HTTP/1.1 or in JSON gets the answer the threat model states:
status, error shape on both faces, connection kept or closed, counter moved, nothing echoed.
Method: the real leat; one table, a row an attack, each sent as raw bytes on both faces. A kept
connection is proved by a good request after the attack, a closed one by its end.

Usage: test_attacks.py LEAT"""

import json
import re

import harness
from harness import KEY, chat_body, chat_request, request

MARK = "s3cret-of-the-attacker"
CLOSE, KEEP = "closed", "kept"


def post(fields="", body=None, **options):
    """A chat request whose target is filled in for each face."""
    data = chat_body() if body is None else body
    return lambda face: request(target=f"{face}/chat/completions", body=data, fields=fields,
                                **options)


def framed(fields, body=b"", version="1.1"):
    """A request that says itself how its body is framed."""
    return lambda face: (f"POST {face}/chat/completions HTTP/{version}\r\nHost: x\r\n"
                         f"Authorization: Bearer {KEY}\r\n{fields}\r\n").encode("latin-1") + body


def chunked(body):
    return framed("Transfer-Encoding: chunked\r\n", body)


def with_target(target, method="POST"):
    return lambda face: request(method, target.replace("FACE", face), chat_body())


def text(data):
    return post(body=data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)


def member(words):
    """A chat body with further members."""
    return text('{"model":"%s","messages":[{"role":"user","content":"x"}],%s}'
                % (harness.MODEL, words))


# name, request, status, reason, connection
FRAMING = [
    ("length and coding", framed("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n"),
     400, "bad_framing", CLOSE),
    ("two lengths", framed("Content-Length: 3\r\nContent-Length: 4\r\n"), 400, "bad_framing",
     CLOSE),
    ("two equal lengths", framed("Content-Length: 3\r\nContent-Length: 3\r\n"),
     400, "bad_framing", CLOSE),
    ("length list", framed("Content-Length: 3, 3\r\n"), 400, "bad_framing", CLOSE),
    ("signed length", framed("Content-Length: +3\r\n"), 400, "bad_framing", CLOSE),
    ("negative length", framed("Content-Length: -3\r\n"), 400, "bad_framing", CLOSE),
    ("hex length", framed("Content-Length: 0x3\r\n"), 400, "bad_framing", CLOSE),
    ("huge length", framed("Content-Length: 99999999999999999999\r\n"), 400, "bad_framing", CLOSE),
    ("chunked twice", framed("Transfer-Encoding: chunked, chunked\r\n"), 400, "bad_framing", CLOSE),
    ("gzip coding", framed("Transfer-Encoding: gzip\r\n"), 501, "unknown_transfer_coding", CLOSE),
    ("coding in 1.0", framed("Transfer-Encoding: chunked\r\n", version="1.0"),
     400, "bad_framing", CLOSE),
    ("chunk size 0x", chunked(b"0x3\r\nabc\r\n0\r\n\r\n"), 400, "bad_framing", CLOSE),
    ("chunk size _", chunked(b"1_0\r\nabc\r\n0\r\n\r\n"), 400, "bad_framing", CLOSE),
    ("chunk size +", chunked(b"+3\r\nabc\r\n0\r\n\r\n"), 400, "bad_framing", CLOSE),
    ("chunk size overflow", chunked(b"fffffffffffffffff\r\nabc"), 400, "bad_framing", CLOSE),
    ("chunk without CRLF", chunked(b"3\r\nabcXX0\r\n\r\n"), 400, "bad_framing", CLOSE),
    ("chunk line ends in LF", chunked(b"3\nabc\r\n0\r\n\r\n"), 400, "bad_framing", CLOSE),
    ("extensions over 1 KiB", chunked(b"3;" + b"e" * 1200 + b"\r\nabc\r\n0\r\n\r\n"),
     400, "bad_framing", CLOSE),
]
HEADS = [
    ("bare LF", framed("A: b\nC: d\r\n"), 400, "bad_head", CLOSE),
    ("bare CR", framed("A: b\rC: d\r\n"), 400, "bad_head", CLOSE),
    ("NUL", framed(f"A: {MARK}\0\r\n"), 400, "bad_head", CLOSE),
    ("control byte", framed("A: \x01\r\n"), 400, "bad_head", CLOSE),
    ("obs-fold", framed(f"A: b\r\n {MARK}\r\n"), 400, "bad_head", CLOSE),
    ("space before colon", framed(f"A : {MARK}\r\n"), 400, "bad_head", CLOSE),
    ("empty name", framed(f": {MARK}\r\n"), 400, "bad_head", CLOSE),
    ("no colon", framed(f"{MARK}\r\n"), 400, "bad_head", CLOSE),
    ("no Host", post(host=None), 400, "bad_host", CLOSE),
    ("two Hosts", post("Host: other\r\n"), 400, "bad_host", CLOSE),
    ("odd Host", post(host=f"a b/{MARK}"), 400, "bad_host", CLOSE),
    ("userinfo in Host", post(host=f"{MARK}@localhost"), 400, "bad_host", CLOSE),
    ("absolute form differs", with_target("http://other.example" + "FACE/chat/completions"),
     400, "bad_host", CLOSE),
    ("HTTP/2.0", framed("", version="2.0"), 505, "http_version_not_supported", CLOSE),
    ("unknown expectation", post("Expect: 200-ok\r\n"), 417, "expectation_failed", CLOSE),
    ("CONNECT", lambda face: b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n",
     405, "method_not_allowed", CLOSE),
    ("TRACE", with_target("FACE/chat/completions", "TRACE"), 405, "method_not_allowed", CLOSE),
    ("compressed body", post("Content-Encoding: gzip\r\n"), 415, "unsupported_content_encoding",
     CLOSE),
]
PATHS = [
    (path, with_target(path), 404, "not_found", KEEP)
    for path in ("FACE/../v1/chat/completions", "FACE/%2e%2e/chat/completions",
                 "FACE/chat%2fcompletions", "FACE//chat/completions", "/" + MARK,
                 "FACE/chat/completions;x", "FACE/chat/completions/", "FACE/Chat/completions",
                 "/metrics", "/healthz", "/readyz")
]
KEYS = [
    ("wrong key", post(key=MARK), 401, "authentication", KEEP),
    ("empty key", post(key=""), 401, "authentication", KEEP),
    ("no key", post(key=None), 401, "authentication", KEEP),
    ("key cut by one", post(key=KEY[:-1]), 401, "authentication", KEEP),
    ("key with a tail", post(key=KEY + "0"), 401, "authentication", KEEP),
]
JSON = [
    ("not JSON", text(MARK), 400, "invalid_json", KEEP),
    ("empty", text(""), 400, "invalid_json", KEEP),
    ("NaN", member('"temperature":NaN'), 400, "invalid_json", KEEP),
    ("Infinity", member('"temperature":Infinity'), 400, "invalid_json", KEEP),
    ("leading zero", member('"max_tokens":01'), 400, "invalid_json", KEEP),
    ("BOM", text("\ufeff" + chat_body().decode()), 400, "invalid_json", KEEP),
    ("bad UTF-8", text(chat_body().replace(b"hi", b"\xff\xfe")), 400, "invalid_json", KEEP),
    ("surrogate as UTF-8", text(chat_body().replace(b"hi", b"\xed\xa0\x80")),
     400, "invalid_json", KEEP),
    ("lone surrogate", text(chat_body().replace(b"hi", b"\\ud800")), 400, "invalid_json", KEEP),
    ("trailing bytes", text(chat_body() + b"{}"), 400, "invalid_json", KEEP),
    ("100,000 arrays", member('"x":' + "[" * 100_000), 400, "json_too_complex", KEEP),
    ("10,001 keys", member('"x":{' + ",".join(f'"k{i}":1' for i in range(10_001)) + "}"),
     400, "json_too_complex", KEEP),
    ("n of 10^9", member('"n":1000000000'), 400, "invalid_request", KEEP),
    ("max_tokens out of range", member('"max_tokens":99999999999999999999'),
     400, "invalid_request", KEEP),
    ("max_tokens negative", member('"max_tokens":-1'), 400, "invalid_request", KEEP),
    ("no model", text('{"messages":[{"content":"%s"}]}' % MARK), 400, "invalid_request", KEEP),
    ("unknown model", text('{"model":"no/such","messages":[{"content":"%s"}]}' % MARK),
     404, "model_not_found", KEEP),
] + [
    (f"{key} twice", member(f'"{key}":{value},"{key}":{value}'), 400, "duplicate_key", KEEP)
    for key, value in (("stream", "true"), ("max_tokens", "1"), ("max_completion_tokens", "1"),
                       ("n", "1"), ("tools", "[]"), ("service_tier", '"auto"'))
] + [
    ("model twice", member('"model":"acme/one"'), 400, "duplicate_key", KEEP),
    ("model twice, escaped", member('"mod\\u0065l":"acme/one"'), 400, "duplicate_key", KEEP),
]


class Attacks(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.upstream = harness.Provider(harness.answer_well)
        cls.router = harness.Leat([cls.upstream],
                                  # The longest attack ends well before its body does; what is
                                  # left of it is within what is read and dropped.
                                  limits={"failed_auth_per_minute_max": 1000,
                                          "drain_bytes_max": 1 << 20})

    @classmethod
    def tearDownClass(cls):
        cls.router.close()
        cls.upstream.close()

    def check(self, rows):
        for name, make, status, reason, connection in rows:
            for face in ("/v1", "/api/v1"):
                with self.subTest(attack=name, face=face):
                    self.check_one(make(face), face, status, reason, connection)

    def check_one(self, attack, face, status, reason, connection):
        before, calls = self.router.rejects(reason), len(self.upstream.calls)
        with self.router.connect() as client:
            client.send(attack)
            answer = client.answer()
            self.assertEqual(answer.status, status, answer.body)
            # A head that cannot be read names no face.
            shape = "/api/v1" if "metadata" in answer.json()["error"] else "/v1"
            if connection == KEEP and attack.find(face.encode() + b"/") > 0:
                self.assertEqual(shape, face)
            self.assert_error(answer, shape, reason)
            if status == 405:
                self.assertRegex(answer.head.lower(), r"\r\nallow: (get|post)")
            if connection == KEEP:
                client.send(chat_request(face))
                self.assertEqual(client.answer().status, 200)
                calls += 1
            else:
                self.assertIn("connection: close", answer.head.lower())
                self.assertTrue(client.is_closed())
        self.assertEqual(self.router.rejects(reason), before + 1)
        self.assertEqual(len(self.upstream.calls), calls, "the attack reached the provider")
        said = answer.head + answer.body.decode()
        self.assertNotIn(MARK, said)
        self.assertNotIn(KEY, said)

    def test_framing(self):
        self.check(FRAMING)

    def test_heads(self):
        self.check(HEADS)

    def test_paths(self):
        self.check(PATHS)

    def test_keys(self):
        self.check(KEYS)

    def test_json(self):
        self.check(JSON)

    def test_an_unknown_model_is_named(self):
        # What is asked for, what the message shows of it: escaped as JSON, cut between characters.
        for model, shown in (("no/such", "no/such"), ('a"b\n', 'a"b\n'), ("é" * 64, "é" * 64),
                             ("x" + "é" * 64, "x" + "é" * 63 + "..."),
                             ("x" * 200, "x" * 128 + "...")):
            for face in ("/v1", "/api/v1"):
                with self.subTest(model=model, face=face):
                    answer = self.router.chat(face, model=model)
                    self.assertEqual(answer.status, 404, answer.body)
                    self.assert_error(answer, face, "model_not_found")
                    self.assertEqual(answer.json()["error"]["message"],
                                     f"The model `{shown}` does not exist here.")
        self.assertNotIn("no/such", self.router.log())

    def test_a_missing_model_is_named(self):
        for fields in ({}, {"model": None}, {"model": ""}):
            with self.router.connect() as client:
                body = json.dumps({"messages": [{"role": "user", "content": "hi"}], **fields})
                client.send(request(body=body.encode()))
                answer = client.answer()
            self.assertEqual(answer.status, 400, answer.body)
            self.assertEqual(answer.json()["error"]["param"], "model")

    def test_each_answer_has_an_id_of_its_own(self):
        ids = []
        with self.router.connect() as client:
            client.send(request("GET", "/v1/models") + b"GET / HTTP/1.1\r\nHost : x\r\n\r\n")
            for _ in range(2):
                ids += re.findall(r"(?i)\r\nx-request-id: (req-\S+)", client.answer().head)
        self.assertEqual(len(set(ids)), 2, ids)

    def test_all_bad_keys_get_one_answer(self):
        bodies = set()
        for _, make, *_ in KEYS:
            with self.router.connect() as client:
                client.send(make("/v1"))
                bodies.add(client.answer().body)
        self.assertEqual(len(bodies), 1)

    def test_upgrade_is_ignored(self):
        for protocol in ("websocket", "h2c"):
            with self.router.connect() as client:
                client.send(request(body=chat_body(), fields="Connection: Upgrade\r\n"
                                    f"Upgrade: {protocol}\r\n"))
                self.assertEqual(client.answer().status, 200)

    def test_extensions_and_trailers_are_dropped(self):
        body = chat_body()
        with self.router.connect() as client:
            client.send(chunked(b"%x;a=%s\r\n%s\r\n0\r\nX-T: %s\r\n\r\n"
                                % (len(body), MARK.encode(), body, MARK.encode()))("/v1"))
            self.assertEqual(client.answer().status, 200)
            client.send(chat_request())
            self.assertEqual(client.answer().status, 200)
        for call in self.upstream.calls[-2:]:
            self.assertNotIn(MARK, call.head + call.body.decode())

    def test_fields_shaped_like_a_base_url_route_nothing(self):
        answer = self.router.chat(base_url="http://127.0.0.1:1/", api_base="http://127.0.0.1:1/")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.upstream.calls[-1].json()["api_base"], "http://127.0.0.1:1/")

    def test_client_fields_do_not_reach_the_provider(self):
        with self.router.connect() as client:
            client.send(request(body=chat_body(), fields=f"Cookie: {MARK}\r\nX-Own: {MARK}\r\n"))
            self.assertEqual(client.answer().status, 200)
        self.assertNotIn(MARK, self.upstream.calls[-1].head)

    def test_log_holds_no_key_and_nothing_of_the_request(self):
        with self.router.connect() as client:
            client.send(request(target="/" + MARK, key=MARK))
            self.assertEqual(client.answer().status, 404)
        harness.until(lambda: "not_found" in self.router.log(), "the log's line")
        log = self.router.log()
        for secret in (MARK, KEY, harness.PROVIDER_KEY):
            self.assertNotIn(secret, log)
        for line in log.splitlines():
            self.assertRegex(line, r"^refused reason=\w+ key=[\w.-]+ ip=127\.0\.0\.1 bytes=\d+ ")


if __name__ == "__main__":
    harness.main()
