#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a client is told what its request used and cost, to the nano-dollar and wherever the
provider put its counts; what ended early is settled by what passed; nobody pays for nothing.
Method: the real leat with prices, and providers that count in every way.

Usage: test_metering.py LEAT"""

import json

import harness
from harness import SSE_HEAD, chunk, event, reply, until

# 3 tokens at $10 a million and 2 at $30: 30,000 and 60,000 nano-dollars.
PRICE = 'prompt = "10", completion = "30"'
COST = {"cost": 0.00009, "is_byok": False,
        "cost_details": {"upstream_inference_cost": None, "upstream_inference_prompt_cost": 0.00003,
                         "upstream_inference_completions_cost": 0.00006}}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
MODEL = "priced/one"


def model(name, price=""):
    priced = f", price = {{ {price} }}" if price else ""
    return (f'[[models]]\nid = "{name}"\n'
            f'endpoints = [{{ provider = "p0", model = "up"{priced} }}]\n')


def usage_event(usage):
    return b"data: " + json.dumps({"id": "c1", "choices": [], "usage": usage}).encode() + b"\n\n"


def stream(*events, done=True):
    data = b"".join(chunk(e) for e in events)
    return SSE_HEAD + data + (chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n" if done else b"")


def whole(usage=USAGE, **extra):
    return reply({**harness.completion(), "usage": usage, **extra})


class Metering(harness.Case):
    def serve(self, script, price=PRICE, lines="", limits=None):
        return self.leat([self.provider(script)], extra=model(MODEL, price) + lines,
                         limits=limits)

    def usages(self, answer):
        """What the events of a stream say of usage."""
        events = [json.loads(data) for data in answer.events() if data != "[DONE]"]
        return [e["usage"] for e in events if "usage" in e]

    def ask(self, router, face="/api/v1", **fields):
        answer = router.chat(face, model=MODEL, **fields)
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    # ---- What the client is told ----

    def test_whole_answers(self):
        router = self.serve(lambda call: call.send(whole()))
        self.assertEqual(self.ask(router).json()["usage"], {**USAGE, **COST})
        self.assertEqual(self.ask(router, "/v1").json()["usage"], USAGE)
        asked = self.ask(router, "/v1", usage={"include": True}).json()
        self.assertEqual(asked["usage"], {**USAGE, **COST})
        self.assertEqual(asked["id"], "c1", "else the provider's bytes")
        until(lambda: router.metric("leat_charged_nanodollars_total") == 270_000, "the charge")

    def test_endpoints_have_metrics_of_their_own(self):
        router = self.serve(lambda call: call.send(whole()))
        self.ask(router)
        self.ask(router, "/v1")
        labels = f'model="{MODEL}",endpoint="p0"'
        until(lambda: router.metric(
            f'leat_endpoint_attempts_total{{{labels},outcome="succeeded"}}') == 2, "two attempts")
        for name, value in (("prompt_tokens_total", 2 * USAGE["prompt_tokens"]),
                            ("completion_tokens_total", 2 * USAGE["completion_tokens"]),
                            ("charged_nanodollars_total", 180_000),
                            ("answer_seconds_count", 2)):
            self.assertEqual(router.metric(f"leat_endpoint_{name}{{{labels}}}"), value, name)
        answered = f'leat_request_answer_seconds_count{{model="{MODEL}"}}'
        self.assertEqual(router.metric(answered), 2, "as their clients saw them")

    def test_streams(self):
        router = self.serve(lambda call: call.send(stream(
            event({"content": "hi"}), event({}, "stop"), usage_event(USAGE))))
        self.assertEqual(self.usages(self.ask(router, stream=True)), [{**USAGE, **COST}])
        self.assertEqual(self.usages(self.ask(router, "/v1", stream=True)), [])
        options = {"include_usage": True}
        self.assertEqual(self.usages(self.ask(router, "/v1", stream=True, stream_options=options)),
                         [USAGE], "no extras unless asked for")
        asked = self.ask(router, "/v1", stream=True, usage={"include": True})
        self.assertEqual(self.usages(asked), [{**USAGE, **COST}])
        until(lambda: router.metric("leat_charged_nanodollars_total") == 360_000, "the charge")

    def test_usage_wherever_it_stands(self):
        early = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        hi = event({"content": "hi"})
        streams = {
            "on the finish chunk": [hi, event({}, "stop", usage=USAGE)],
            "cumulative": [event({"content": "hi"}, usage=early), event({}, "stop", usage=USAGE)],
            "null before": [event({"content": "hi"}, usage=None), event({}, "stop", usage=USAGE)],
            "x_groq": [hi, event({}, "stop", x_groq={"usage": USAGE})],
            "timings": [hi, event({}, "stop", timings={"prompt_n": 3, "predicted_n": 2})],
            "after a usage of nothing": [hi, event({}, "stop", usage=USAGE), usage_event(
                {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})],
            "native names": [hi, event({}, "stop", usage={"input_tokens": 3, "output_tokens": 2})],
        }
        told = {}
        router = self.serve(lambda call: call.send(stream(*streams[call.json()["user"]])))
        for name in streams:
            told[name] = self.usages(self.ask(router, stream=True, user=name))
        self.assertEqual(told, {name: [{**USAGE, **COST}] for name in streams})
        for name in ("cumulative", "x_groq", "timings"):
            asked = self.ask(router, "/v1", stream=True, user=name, usage={"include": True})
            self.assertEqual(self.usages(asked)[-1]["cost"], COST["cost"], name)

    def test_other_kinds(self):
        def script(call):
            body = {"model": "up", "usage": USAGE}
            if "input" in call.json():
                body["data"] = [{"object": "embedding", "index": 0, "embedding": [0.5]}]
                body["usage"] = {"prompt_tokens": 3, "total_tokens": 3}
            else:
                body["choices"] = [{"text": "hi", "index": 0, "finish_reason": "stop"}]
            call.send(reply(body))

        router = self.serve(script)

        def ask(target, **fields):
            with router.connect() as client:
                body = json.dumps({"model": MODEL, **fields}).encode()
                client.send(harness.request(target=target, body=body))
                return client.answer().json()["usage"]

        self.assertEqual(ask("/api/v1/completions", prompt="hi"), {**USAGE, **COST})
        vectors = ask("/api/v1/embeddings", input="hi")
        self.assertEqual((vectors["cost"], vectors["prompt_tokens"]), (0.00003, 3))
        for encoding in ("float", "base64"):
            asked = ask("/v1/embeddings", input="hi", encoding_format=encoding,
                        usage={"include": True})
            self.assertEqual(asked["cost"], 0.00003)
        self.assertNotIn("cost", ask("/v1/embeddings", input="hi"))

    def test_classes_have_their_prices(self):
        price = PRICE + ', input_cache_read = "1", internal_reasoning = "100"'
        counts = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 17,
                  "prompt_tokens_details": {"cached_tokens": 4},
                  "completion_tokens_details": {"reasoning_tokens": 5}}
        router = self.serve(lambda call: call.send(whole(counts)), price)
        usage = self.ask(router).json()["usage"]
        self.assertEqual(usage["completion_tokens"], 7, "reasoning stood beside")
        self.assertEqual(usage["cost"], (6 * 10 + 4 * 1 + 2 * 30 + 5 * 100) / 1e6)

    def test_no_price_no_cost(self):
        router = self.serve(lambda call: call.send(whole()), price="")
        self.assertEqual(self.ask(router).json()["usage"], USAGE)
        self.assertEqual(self.ask(router, "/v1", usage={"include": True}).json()["usage"], USAGE)

    def test_a_providers_cost_is_not_ours(self):
        router = self.serve(lambda call: call.send(whole({**USAGE, "cost": 9, "is_byok": True})))
        self.assertEqual(self.ask(router).json()["usage"]["cost"], COST["cost"])
        asked = self.ask(router, "/v1", usage={"include": True}).json()["usage"]
        self.assertEqual((asked["cost"], asked["is_byok"]), (COST["cost"], False))
        until(lambda: router.metric("leat_provider_cost_nanodollars_total") == 18 * 10**9, "theirs")
        self.assertEqual(router.metric("leat_cost_nanodollars_total"), 180_000)

    def test_answers_too_long_to_be_collected(self):
        words = "w" * (3 << 20)
        router = self.serve(lambda call: call.send(reply({**harness.completion(words)})))
        self.assertEqual(len(self.ask(router, "/v1").body) > 3 << 20, True)
        until(lambda: router.metric("leat_charged_nanodollars_total") == 90_000, "the charge")
        self.assertEqual(router.metric("leat_usage_missing_total"), 0)

    # ---- What was not said, or cannot be ----

    def test_missing_usage_is_estimated(self):
        words = [event({"content": "four"})] * 8
        router = self.serve(lambda call: call.send(stream(*words, event({}, "stop"))))
        usage, = self.usages(self.ask(router, stream=True))
        self.assertEqual(usage["completion_tokens"], 8)
        self.assertGreater(usage["prompt_tokens"], 5)
        self.assertGreater(usage["cost"], 8 * 30 / 1e6)
        until(lambda: router.metric("leat_usage_missing_total") == 1, "the estimate")

    def test_absurd_usage_is_clamped(self):
        absurd = {"prompt_tokens": 10**8, "completion_tokens": 10**8, "total_tokens": 2 * 10**8}
        router = self.serve(lambda call: call.send(whole(absurd)))
        usage = self.ask(router, max_tokens=7).json()["usage"]
        self.assertEqual(usage["completion_tokens"], 7)
        self.assertLess(usage["prompt_tokens"], 1500)
        until(lambda: router.metric("leat_usage_clamped_total") == 1, "the flag")

    def test_a_cut_stream_is_paid_as_far_as_it_came(self):
        def script(call):
            call.send(stream(*[event({"content": "four"})] * 5, done=False))
            call.is_cut()
            return "close"

        router = self.serve(script)
        client = router.connect()
        client.send(harness.chat_request("/api/v1", model=MODEL, stream=True))
        client.read_until(b'"four"')
        client.reset()
        until(lambda: router.metric("leat_completion_tokens_total") == 5, "what came")
        self.assertGreaterEqual(router.metric("leat_charged_nanodollars_total"), 150_000)
        self.assertEqual(router.metric("leat_usage_missing_total"), 1)

    def test_a_broken_answer_is_not_paid(self):
        def script(call):
            call.send(stream(event({"content": "four"}), done=False))
            return "close"

        router = self.serve(script)
        self.assertFalse(router.chat("/api/v1", model=MODEL, stream=True).whole)
        until(lambda: router.metric("leat_answers_insured_total") == 1, "insurance")
        self.assertEqual(router.metric("leat_charged_nanodollars_total"), 0)
        self.assertGreater(router.metric("leat_cost_nanodollars_total"), 0)

    def test_the_tier_that_is_priced_is_the_tier_that_is_asked_for(self):
        """Else the provider bills another one than the client is charged for."""
        tiers = (f'[[models]]\nid = "{MODEL}"\nendpoints = [\n'
                 f'{{ provider = "p0", model = "up", price = {{ {PRICE} }} }},\n'
                 '{ provider = "p0", model = "up", tier = "flex", '
                 'price = { prompt = "1", completion = "3" } }]\n')
        provider = self.provider(lambda call: call.send(whole()))
        router = self.leat([provider], extra=tiers)
        flex = 0.000009
        for asked, sent, cost in (({}, None, COST["cost"]),
                                  ({"service_tier": "flex"}, "flex", flex),
                                  ({"service_tier": "priority"}, None, COST["cost"]),
                                  ({"provider": {"only": ["p0/2"]}}, "flex", flex)):
            with self.subTest(asked):
                usage = self.ask(router, **asked).json()["usage"]
                self.assertEqual(provider.calls[-1].json().get("service_tier"), sent)
                self.assertEqual(usage["cost"], cost)

    def test_what_our_own_limit_ended_is_paid_as_far_as_it_came(self):
        """The provider did nothing wrong, and asks for it."""
        def without_end(call):
            call.send(stream(*[event({"content": "four"})] * 5, done=False))
            while not call.is_cut(0.05):
                call.send(chunk(event({"content": "four"})))
            return "close"

        def too_long(call):
            call.send(stream(*[event({"content": "x" * 5_000})] * 20, done=False))
            call.is_cut()
            return "close"

        for name, script, lines, limits in (
                ("time", without_end, "request_ms_max = 500\n", None),
                ("size", too_long, "", {"stream_bytes_max": 65_536})):
            with self.subTest(name):
                router = self.serve(script, lines=lines, limits=limits)
                self.assertFalse(router.chat("/api/v1", model=MODEL, stream=True).whole)
                until(lambda: router.metric("leat_exchanges_settled_total") == 1, "its end")
                self.assertEqual(router.metric("leat_answers_insured_total"), 0)
                self.assertGreaterEqual(router.metric("leat_charged_nanodollars_total"), 150_000)

    def test_what_nobody_was_served_is_neither_used_nor_paid(self):
        """Of a provider that says 200 and then sends no answer, whatever it counts."""
        counted = {"prompt_tokens": 1000, "completion_tokens": 40, "total_tokens": 1040}
        silent = stream(event({"role": "assistant"}, usage=counted), done=False)
        error = chunk(b'data: {"error":{"message":"overloaded","code":503}}\n\n')
        for name, script, asked in (
                ("an error in a stream", lambda call: call.send(silent + error), True),
                ("a stream without content", lambda call: call.send(
                    silent + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"), True),
                ("no answer", lambda call: call.send(reply({"usage": counted})), False)):
            with self.subTest(name):
                router = self.serve(script)
                answer = router.chat("/api/v1", model=MODEL, stream=asked)
                self.assertGreaterEqual(answer.status, 500, answer.body)
                until(lambda: router.metric("leat_exchanges_settled_total") == 1, "its end")
                for what in ("prompt_tokens", "completion_tokens", "charged_nanodollars"):
                    self.assertEqual(router.metric(f"leat_{what}_total"), 0, what)

    def test_who_failed_is_not_paid(self):
        router = self.serve(lambda call: call.send(reply({}, "500 Internal Server Error")))
        self.assertGreaterEqual(router.chat("/api/v1", model=MODEL).status, 500)
        self.assertEqual(router.metric("leat_charged_nanodollars_total"), 0)
        self.assertEqual(router.metric("leat_prompt_tokens_total"), 0)
        self.assertEqual(router.metric("leat_exchanges_settled_total"), 1, "recorded all the same")


if __name__ == "__main__":
    harness.main()
