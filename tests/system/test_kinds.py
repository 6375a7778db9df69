#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: text completions and embeddings are served as chats are: by the plan, with the next
endpoint before the first content, in the face's own shape, and what is wrong is refused by name.
Vectors come in the encoding that was asked for, whatever the provider sent.
Method: the real leat between raw clients and providers that follow a script, and its simulated
provider.

Usage: test_kinds.py LEAT"""

import base64
import json
import struct

import harness
from harness import MODEL, SSE_HEAD, chunk, reply, request, until

FACES = ("/v1", "/api/v1")
VECTORS = [[0.5, -1.25, 3.0], [0.0, 1.0, -0.125]]
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def packed(vector):
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def unpacked(text):
    data = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def text_answer(text="hello"):
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "upstream-model",
            "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": "stop"}],
            "usage": USAGE}


def text_event(text="", finish=None, **extra):
    data = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "upstream-model",
            "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": finish}],
            **extra}
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def text_stream():
    events = [text_event("one "), text_event("two"), text_event("", "stop"),
              harness.usage_event(), b"data: [DONE]\n\n"]
    return SSE_HEAD + b"".join(chunk(e) for e in events) + b"0\r\n\r\n"


def embeddings_answer(vectors):
    return {"object": "list", "model": "upstream-model",
            "data": [{"object": "embedding", "index": i, "embedding": v}
                     for i, v in enumerate(vectors)],
            "usage": {"prompt_tokens": 7, "total_tokens": 7}}


def answer_text(call):
    call.send(text_stream() if call.json().get("stream") else reply(text_answer()))


def failing(call):
    call.send(reply({"error": {"message": "broken"}}, "500 Internal Server Error"))


class Kinds(harness.Case):
    def ask(self, router, path, headers="", **fields):
        body = json.dumps({"model": MODEL, **fields}).encode()
        with router.connect() as client:
            client.send(request(target=path, body=body, fields=headers))
            return client.answer()

    def words(self, answer):
        """What a stream of text said, and its last event before [DONE]."""
        events = answer.events()
        self.assertEqual(events[-1], "[DONE]")
        parsed = [json.loads(data) for data in events[:-1]]
        text = "".join(c["text"] for event in parsed for c in event["choices"])
        return text, parsed

    # ---- Text completions ----

    def test_text(self):
        provider = self.provider(answer_text)
        router = self.leat([provider])
        for face in FACES:
            answer = self.ask(router, face + "/completions", prompt="Say", max_tokens=9)
            self.assertEqual(answer.status, 200, answer.body)
            body = answer.json()
            self.assertEqual(body["object"], "text_completion")
            self.assertEqual(body["choices"][0]["text"], "hello")
            self.assertNotIn("message", body["choices"][0])
            self.assertEqual(body["usage"]["total_tokens"], 5)
            self.assertIn("x-generation-id: gen-", answer.head.lower())
            call = provider.calls[-1]
            self.assertTrue(call.head.startswith("POST /v1/completions HTTP/1.1"), call.head)
            self.assertEqual(call.json(), {"model": "upstream-model", "prompt": "Say",
                                           "max_tokens": 9})
        self.assertEqual(body["model"], MODEL)
        self.assertEqual(body["provider"], "p0")
        self.assertTrue(body["id"].startswith("gen-"))

    def test_text_streamed(self):
        provider = self.provider(answer_text)
        router = self.leat([provider])
        for face in FACES:
            text, events = self.words(self.ask(router, face + "/completions", prompt=["Say"],
                                               stream=True))
            self.assertEqual(text, "one two")
            self.assertEqual({e["object"] for e in events if e["choices"]}, {"text_completion"})
            self.assertTrue(provider.calls[-1].json()["stream_options"]["include_usage"])
            # Who did not ask OpenAI's API for usage gets no chunk of it.
            self.assertEqual("usage" in events[-1], face == "/api/v1")
        self.assertEqual({e["model"] for e in events}, {MODEL})
        _, events = self.words(self.ask(router, "/v1/completions", prompt="Say", stream=True,
                                        stream_options={"include_usage": True}))
        self.assertEqual(events[-1]["usage"]["completion_tokens"], 2)
        until(lambda: router.metric("leat_completion_tokens_total") == 6, "tokens are counted")

    def test_text_moves_on_before_the_first_word(self):
        empty = SSE_HEAD + chunk(text_event()) + chunk(text_event()) + b"0\r\n\r\n"
        second = self.provider(answer_text)
        for first in (failing, lambda call: "close", lambda call: call.send(empty),
                      lambda call: call.send(reply({"object": "text_completion", "choices": []}))):
            router = self.leat([self.provider(first), second])
            for stream in (False, True):
                answer = self.ask(router, "/v1/completions", prompt="Say", stream=stream)
                self.assertEqual(answer.status, 200, answer.body)
                self.assertIn(b"two" if stream else b"hello", answer.body)

    def test_text_that_breaks_off_has_no_clean_end(self):
        def breaking(call):
            call.send(SSE_HEAD + chunk(text_event("one ")))
            return "close"
        second = self.provider(answer_text)
        router = self.leat([self.provider(breaking), second])
        for face in FACES:
            answer = self.ask(router, face + "/completions", prompt="Say", stream=True)
            self.assertIn(b"one ", answer.body)
            self.assertIn("error", json.loads(answer.events()[-1]))
            self.assertNotIn("[DONE]", answer.events())
        self.assertEqual(second.calls, [])

    def test_metadata(self):
        router = self.leat([self.provider(failing), self.provider(answer_text)])
        asks = "X-OpenRouter-Metadata: enabled\r\n"
        body = self.ask(router, "/api/v1/completions", asks, prompt="Say").json()
        self.assertEqual([a["status"] for a in body["openrouter_metadata"]["attempts"]],
                         [500, 200])
        _, events = self.words(self.ask(router, "/api/v1/completions", asks, prompt="Say",
                                        stream=True))
        self.assertIn("openrouter_metadata", events[-1])
        router = self.leat([self.provider(failing), self.provider(
            lambda call: call.send(reply(embeddings_answer(VECTORS[:1]))))])
        body = self.ask(router, "/api/v1/embeddings", asks, input="a").json()
        self.assertEqual([a["status"] for a in body["openrouter_metadata"]["attempts"]],
                         [500, 200])

    # ---- Embeddings ----

    def test_embeddings_come_as_asked_whatever_was_sent(self):
        for sent in (VECTORS, [packed(v) for v in VECTORS], [VECTORS[0], packed(VECTORS[1])]):
            provider = self.provider(lambda call, sent=sent: call.send(
                reply(embeddings_answer(sent))))
            router = self.leat([provider])
            for face in FACES:
                for encoding in (None, "float", "base64"):
                    fields = {"encoding_format": encoding} if encoding else {}
                    answer = self.ask(router, face + "/embeddings", input=["a", "b"], **fields)
                    self.assertEqual(answer.status, 200, answer.body)
                    body = answer.json()
                    vectors = [entry["embedding"] for entry in body["data"]]
                    if encoding == "base64":
                        vectors = [unpacked(v) for v in vectors]
                    self.assertEqual(vectors, VECTORS)
                    self.assertEqual([entry["index"] for entry in body["data"]], [0, 1])
                    self.assertEqual(body["usage"]["prompt_tokens"], 7)
                    call = provider.calls[-1]
                    self.assertTrue(call.head.startswith("POST /v1/embeddings HTTP/1.1"))
                    self.assertEqual(call.json(), {"model": "upstream-model",
                                                   "input": ["a", "b"], **fields})
            self.assertEqual(body["model"], MODEL)
            self.assertEqual(body["provider"], "p0")
            self.assertEqual(router.metric("leat_prompt_tokens_total"), 6 * 7)

    def test_embeddings_move_on_from_what_is_no_answer(self):
        good = self.provider(lambda call: call.send(reply(embeddings_answer(VECTORS))))
        too_few = embeddings_answer(VECTORS[:1])
        for first in (failing, lambda call: "close",
                      lambda call: call.send(reply(too_few)),
                      lambda call: call.send(reply(embeddings_answer([]))),
                      lambda call: call.send(reply(embeddings_answer([[], []]))),
                      lambda call: call.send(reply(b"<html>")),
                      lambda call: call.send(reply({"error": {"message": "no", "code": 500}}))):
            router = self.leat([self.provider(first), good])
            answer = self.ask(router, "/v1/embeddings", input=["a", "b"])
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual([e["embedding"] for e in answer.json()["data"]], VECTORS)

    def test_embeddings_too_large_to_pass_unseen_are_still_encoded(self):
        large = [[0.5] * 3000 for _ in range(100)]
        router = self.leat([self.provider(lambda call: call.send(
            reply(embeddings_answer(large))))], limits={"collected_answer_bytes_max": 65536})
        answer = self.ask(router, "/v1/embeddings", input=["a"] * 100, encoding_format="base64")
        self.assertEqual(answer.status, 200, answer.body[:300])
        self.assertEqual(unpacked(answer.json()["data"][99]["embedding"]), large[99])

    # ---- Both ----

    def test_what_is_wrong_is_refused_by_name(self):
        provider = self.provider(answer_text)
        router = self.leat([provider])
        cases = [
            ("/completions", {"prompt": 7}, "prompt"),
            ("/completions", {"prompt": ["a", 7]}, "prompt[1]"),
            ("/completions", {"prompt": "a", "stream": "yes"}, "stream"),
            ("/completions", {"prompt": "a", "max_tokens": 0}, "max_tokens"),
            ("/embeddings", {}, "input"),
            ("/embeddings", {"input": ""}, "input"),
            ("/embeddings", {"input": ["a", ""]}, "input[1]"),
            ("/embeddings", {"input": "a", "encoding_format": "hex"}, "encoding_format"),
            ("/embeddings", {"input": "a", "dimensions": 0}, "dimensions"),
            ("/embeddings", {"input": "a", "stream": True}, "stream"),
            ("/embeddings", {"input": "a", "model": 5}, "model"),
        ]
        for path, fields, param in cases:
            answer = self.ask(router, "/v1" + path, **fields)
            self.assertEqual(answer.status, 400, (path, fields, answer.body))
            self.assert_error(answer, "/v1")
            self.assertEqual(answer.json()["error"]["param"], param, fields)
            answer = self.ask(router, "/api/v1" + path, **fields)
            self.assertEqual(answer.status, 400)
            self.assert_error(answer, "/api/v1", "invalid_request")
        self.assertEqual(provider.calls, [])

    def test_admission_is_that_of_chats(self):
        provider = self.provider(answer_text)
        router = self.leat([provider], limits={"body_bytes_max": 65536})
        for path in ("/completions", "/embeddings"):
            for face in FACES:
                with router.connect() as client:
                    client.send(request(target=face + path, body=b"{}", key="wrong"))
                    self.assertEqual(client.answer().status, 401)
                with router.connect() as client:
                    client.send(request("GET", face + path))
                    answer = client.answer()
                    self.assertEqual(answer.status, 405)
                    self.assertIn("allow: POST", answer.head)
                with router.connect() as client:
                    client.send(request(target=face + path, fields="Content-Length: 70000\r\n",
                                        length=False))
                    self.assertEqual(client.answer().status, 413)
                answer = self.ask(router, face + path, model="acme/none", prompt="a", input="a")
                self.assertEqual(answer.status, 404)
                self.assert_error(answer, face)
        self.assertEqual(provider.calls, [])

    def test_provider_refusals_reach_the_client(self):
        def refusing(call):
            call.send(reply({"error": {"message": "this model makes no vectors"}},
                            "400 Bad Request"))
        router = self.leat([self.provider(refusing), self.provider(refusing)])
        for path in ("/completions", "/embeddings"):
            answer = self.ask(router, "/v1" + path, prompt="a", input="a")
            self.assertEqual(answer.status, 400, answer.body)
            self.assertIn("no vectors", answer.json()["error"]["message"])

    def test_simulated_provider_serves_both(self):
        router = self.leat()
        for face in FACES:
            model = "leat/simulated"
            body = self.ask(router, face + "/completions", model=model, prompt="a",
                            max_tokens=4).json()
            self.assertEqual(body["choices"][0]["finish_reason"], "length")
            self.assertEqual(len(body["choices"][0]["text"].split()), 4)
            text, events = self.words(self.ask(router, face + "/completions", model=model,
                                               prompt="a", max_tokens=4, stream=True,
                                               stream_options={"include_usage": True}))
            self.assertEqual(len(text.split()), 4)
            self.assertEqual(events[-1]["usage"]["completion_tokens"], 4)
            seen = {}
            for encoding in ("float", "base64"):
                body = self.ask(router, face + "/embeddings", model=model, input=["a", "b"],
                                dimensions=5, encoding_format=encoding).json()
                seen[encoding] = [entry["embedding"] for entry in body["data"]]
            self.assertEqual([len(v) for v in seen["float"]], [5, 5])
            self.assertNotEqual(seen["float"][0], seen["float"][1])
            for told, packed_vector in zip(seen["float"], seen["base64"]):
                self.assertEqual(unpacked(packed_vector),
                                 list(struct.unpack("<5f", struct.pack("<5f", *told))))
            self.assertGreater(body["usage"]["prompt_tokens"], 0)


if __name__ == "__main__":
    harness.main()
