#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: who asks by header is told in the answer what the router did for it, attempt by attempt;
who does not ask sees nothing of it, and an answer of OpenAI's API never has it.
Method: the real leat between raw clients and providers of which the first fails in a known way.

Usage: test_metadata.py LEAT"""

import json
import time

import harness
from harness import answer_well, chat_body, reply, request

ASK = {"X-OpenRouter-Metadata": "enabled"}


def limited(call):
    call.send(reply({"error": {"message": "slow down"}}, "429 Too Many Requests",
                    "retry-after: 60\r\n"))


def cutting(_):
    return "close"


def slow_well(call):
    time.sleep(0.05)
    answer_well(call)


class Metadata(harness.Case):
    def ask(self, router, headers=ASK, face="/api/v1", **fields):
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        with router.connect() as client:
            client.send(request(target=face + "/chat/completions", fields=lines,
                                body=chat_body(**fields)))
            answer = client.answer()
        self.assertEqual(answer.status, 200, answer.body)
        return answer

    def told(self, answer, stream):
        """The metadata of an answer, and that it stands only where it belongs."""
        if not stream:
            return answer.json()["openrouter_metadata"]
        events = answer.events()
        self.assertEqual(events[-1], "[DONE]")
        for data in events[:-2]:
            self.assertNotIn("openrouter_metadata", data)
        last = json.loads(events[-2])
        self.assertEqual(last["choices"], [])
        self.assertEqual(last["usage"]["total_tokens"], 5)
        return last["openrouter_metadata"]

    def test_one_attempt(self):
        provider = self.provider(slow_well)
        router = self.leat([provider])
        for stream in (False, True):
            told = self.told(self.ask(router, stream=stream), stream)
            self.assertEqual(told["requested"], harness.MODEL)
            self.assertEqual(told["strategy"], "direct")
            self.assertIsNone(told["region"])
            self.assertIs(told["is_byok"], False)
            self.assertEqual(told["attempt"], 1)
            attempt = told["attempts"][0]
            self.assertEqual((attempt["model"], attempt["status"]), (harness.MODEL, 200))
            self.assertGreaterEqual(attempt["duration_ms"], 50)
            self.assertNotIn("reason", attempt)
            self.assertEqual("first_token_ms" in attempt, stream)
            self.assertEqual(told["generation_time"], attempt["duration_ms"])
            self.assertEqual([e["selected"] for e in told["endpoints"]["available"]], [True])
            self.assertEqual(told["endpoints"]["total"], 1)

    def test_failed_attempts_are_told_in_order_with_their_reasons(self):
        for stream in (False, True):
            # A gateway of its own each: a limited endpoint is not asked again.
            router = self.leat([self.provider(limited), self.provider(cutting),
                                self.provider(answer_well)])
            told = self.told(self.ask(router, stream=stream), stream)
            self.assertEqual([(a["status"], a.get("reason")) for a in told["attempts"]],
                             [(429, "rate_limit"), (0, "upstream_closed"), (200, None)])
            self.assertEqual(told["attempt"], 3)
            self.assertEqual([e["selected"] for e in told["endpoints"]["available"]],
                             [False, False, True])
            starts = [a["started_ms"] for a in told["attempts"]]
            self.assertEqual(starts, sorted(starts))
            providers = [a["provider"] for a in told["attempts"]]
            self.assertEqual(len(set(providers)), 3)
            self.assertIn(f"selected={providers[2]}", told["summary"])

    def test_excluded_endpoints_are_told(self):
        first, second = self.provider(limited), self.provider(answer_well)
        router = self.leat([first, second])
        self.ask(router)
        told = self.told(self.ask(router), False)
        self.assertEqual(len(first.calls), 1)
        self.assertEqual([(e["provider"], e["reason"]) for e in told["excluded"]],
                         [("p0", "rate_limited")])
        self.assertEqual(told["endpoints"]["total"], 2)
        told = self.told(self.ask(router, provider={"ignore": ["p0"]}), False)
        self.assertEqual([e["reason"] for e in told["excluded"]], ["ignored"])

    def test_without_the_providers_usage_it_comes_beside_our_estimate(self):
        events = [harness.event({"content": "hi"}), harness.event({}, "stop"), b"data: [DONE]\n\n"]
        data = harness.SSE_HEAD + b"".join(harness.chunk(e) for e in events) + b"0\r\n\r\n"
        router = self.leat([self.provider(lambda call: call.send(data))])
        events = self.ask(router, stream=True).events()
        last = json.loads(events[-2])
        self.assertEqual(last["openrouter_metadata"]["attempt"], 1)
        self.assertGreater(last["usage"]["total_tokens"], 0)
        self.assertEqual(events[-1], "[DONE]")

    def test_only_who_asks_is_told(self):
        router = self.leat([self.provider(answer_well)])
        for stream in (False, True):
            for headers in (None, {"X-OpenRouter-Metadata": "disabled"},
                            {"X-OpenRouter-Metadata": "1"}):
                self.assertNotIn(b"openrouter_metadata",
                                 self.ask(router, headers, stream=stream).body)
            for headers in ({"x-openrouter-metadata": "ENABLED"},
                            {"X-OpenRouter-Experimental-Metadata": "enabled"}):
                self.assertIn(b"openrouter_metadata",
                              self.ask(router, headers, stream=stream).body)
            answer = self.ask(router, face="/v1", stream=stream)
            self.assertNotIn(b"openrouter_metadata", answer.body)

    def test_refusals_have_none(self):
        router = self.leat([self.provider(limited)])
        with router.connect() as client:
            client.send(request(target="/api/v1/chat/completions", body=chat_body(),
                                fields="X-OpenRouter-Metadata: enabled\r\n"))
            answer = client.answer()
        self.assertEqual(answer.status, 429)
        self.assertNotIn(b"openrouter_metadata", answer.body)


if __name__ == "__main__":
    harness.main()
