#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: where the operator allowed it for the model, a stream that breaks after its first content
is carried on by another endpoint from the text so far: nothing lost, nothing doubled, never silent;
and wherever it is not allowed or would do harm, the client gets the error event.
Method: the real leat between raw clients and providers of which the first breaks in a known way.

Usage: test_continuation.py LEAT"""

import json
import time

import harness
from harness import SSE_HEAD, chat_request, chunk, event, reply, request, stream_bytes, until

CONTINUED = "acme/long"
PLAIN = "continues_assistant"
ROLE = event({"role": "assistant", "content": ""})
SEAM = b": leat-continued\n\n"
PRICE = {"prompt": "10", "completion": "30"}  # dollars a million
IN_ORDER = {"order": ["c0", "c1"]}  # else prices have a say


def breaking(*events, then="close"):
    """Begins a stream with these events; `then` is done with the connection."""

    def script(call):
        call.send(SSE_HEAD + chunk(ROLE) + b"".join(chunk(e) for e in events))
        if callable(then):
            return then(call)
        return then

    return script


def said(*words):
    return [event({"content": word}) for word in words]


def going_on(*words):
    return lambda call: call.send(stream_bytes(words))


def config(providers, models, price=None):
    """TOML of providers (`name: (Provider, quirk or None)`) and models (`id: (names, lines)`)."""
    priced = ""
    if price:
        priced = ", price = { " + ", ".join(f'{k} = "{v}"' for k, v in price.items()) + " }"
    text = ""
    for name, (provider, quirk) in providers.items():
        text += f'[providers.{name}]\nbase_url = "{provider.url()}"\nallow_private = true\n'
        if quirk:
            text += f'quirks = ["{quirk}"]\n'
    for model_id, (names, lines) in models.items():
        ends = ", ".join(f'{{ provider = "{name}", model = "up"{priced} }}' for name in names)
        text += f'[[models]]\nid = "{model_id}"\nendpoints = [{ends}]\n{lines}\n'
    return text


class Case(harness.Case):
    def serve(self, scripts, quirks=PLAIN, lines="continuation = true", limits=None, price=None):
        """A gateway whose model CONTINUED is served by these, in this order."""
        if isinstance(quirks, str) or quirks is None:
            quirks = [quirks] * len(scripts)
        self.providers = [self.provider(script) for script in scripts]
        named = {f"c{i}": pair for i, pair in enumerate(zip(self.providers, quirks))}
        extra = config(named, {CONTINUED: (list(named), lines)}, price)
        return self.leat(extra=extra, limits=limits)

    def calls(self):
        return [len(provider.calls) for provider in self.providers]

    def ask(self, router, face="/v1", fields="", **body):
        data = {"model": CONTINUED, "stream": True, "max_tokens": 100,
                "messages": [{"role": "user", "content": "hi"}], **body}
        with router.connect() as client:
            client.send(request(target=face + "/chat/completions", fields=fields,
                                body=json.dumps(data).encode()))
            return client.answer()

    def assert_continued(self, answer, text):
        self.assertEqual(answer.status, 200, answer.body)
        self.assertTrue(answer.whole)
        self.assertEqual(answer.text(), text, answer.body)
        self.assertEqual(answer.events()[-1], "[DONE]")
        self.assertEqual(answer.body.count(SEAM), 1)

    def assert_broken(self, answer, text="onetwo"):
        """Told as broken, with what had come, and nothing of a seam."""
        self.assertEqual(answer.status, 200, answer.body)
        self.assertFalse(answer.whole)
        self.assertIn("error", json.loads(answer.events()[-1]))
        self.assertEqual(answer.text(), text)
        self.assertNotIn(b"continued", answer.body)


class CarriedOn(Case):
    def test_every_way_to_break(self):
        def reset(call):
            call.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER: RST
            return "close"

        def end_in_order(call):
            call.send(b"0\r\n\r\n")

        def say(data):
            return lambda call: call.send(data)

        def fall_silent(call):
            call.is_cut()
            return "close"

        error = b'data: {"error":{"message":"overloaded","code":503}}\n\n'
        ways = {"closed": "close", "reset": reset, "ended without its end": end_in_order,
                "half an event": say(chunk(b'data: {"choices":[{"delta":{"content":"thr')),
                "an error event": say(chunk(error)), "garbage": say(chunk(b"data: {]\n\n")),
                "no chunk": say(b"zz\r\n"), "silence": fall_silent}
        for name, then in ways.items():
            for face in ("/v1", "/api/v1"):
                with self.subTest(way=name, face=face):
                    def broken(call, then=then):
                        done = then(call) if callable(then) else then
                        return done or ("close" if name in ("half an event", "no chunk") else None)

                    router = self.serve([breaking(*said("one", "two"), then=broken),
                                         going_on("three", "four")],
                                        limits={"chunk_gap_ms_max": 300})
                    answer = self.ask(router, face)
                    self.assert_continued(answer, "onetwothreefour")
                    self.assertEqual(self.calls(), [1, 1])
                    self.assertEqual(router.metric("leat_streams_continued_total"), 1)
                    self.assertEqual(router.metric("leat_streams_cut_total"), 0)
                    self.assertEqual(router.metric("leat_streams_completed_total"), 1)

    def test_the_endpoint_gets_the_text_so_far(self):
        spelt = {"continues_assistant": {}, "continues_prefix": {"prefix": True},
                 "continues_partial": {"partial": True}, "continues_final_message": {}}
        for quirk, more in spelt.items():
            with self.subTest(quirk=quirk):
                router = self.serve([breaking(*said("a \"b\"\n", "é😀")), going_on("!")], quirk)
                answer = self.ask(router, temperature=0.5)
                self.assert_continued(answer, "a \"b\"\né😀!")
                first, second = (provider.calls[0].json() for provider in self.providers)
                self.assertEqual(first["messages"], [{"role": "user", "content": "hi"}])
                self.assertEqual(first["max_tokens"], 100)
                self.assertEqual(second["messages"],
                                 [{"role": "user", "content": "hi"},
                                  {"role": "assistant", "content": "a \"b\"\né😀", **more}])
                self.assertEqual(second["temperature"], 0.5)
                # A token says no less than a byte: no cap is exceeded.
                given = len("a \"b\"\né😀".encode())
                self.assertEqual(second["max_tokens"], 100 - given)
                flags = [second.get("add_generation_prompt"), second.get("continue_final_message")]
                self.assertEqual(flags, [False, True] if quirk == "continues_final_message"
                                 else [None, None])

    def test_one_answer_to_the_client(self):
        router = self.serve([breaking(*said("one")), going_on("two", "three")])
        for provider in self.providers:
            provider.calls.clear()
        answer = self.ask(router, "/api/v1")
        self.assert_continued(answer, "onetwothree")
        events = [json.loads(data) for data in answer.events()[:-1]]
        self.assertEqual(len({e["id"] for e in events}), 1)
        self.assertTrue(events[0]["id"].startswith("gen-"))
        self.assertIn(f"x-generation-id: {events[0]['id']}", answer.head.lower())
        self.assertEqual([e["provider"] for e in events], ["c0", "c0", "c1", "c1", "c1", "c1"])
        marked = ["continued_from" in e for e in events]
        self.assertEqual(marked, [False, False, True, False, False, True])
        self.assertEqual(events[2]["continued_from"], "c0")
        # The role-only event of the second stream is not passed on.
        empty = [e for e in events[:-1] if not e["choices"][0]["delta"].get("content")
                 and not e["choices"][0].get("finish_reason")]
        self.assertEqual(len(empty), 1)
        seam = answer.body.index(SEAM)
        self.assertLess(answer.body.index(b"one"), seam)
        self.assertGreater(answer.body.index(b"two"), seam)

    def test_usage_is_that_of_both(self):
        counted = event({"content": "one"}, usage={"prompt_tokens": 7, "completion_tokens": 1,
                                                   "total_tokens": 8})
        router = self.serve([breaking(counted), going_on("two", "three")])
        last = json.loads(self.ask(router, "/api/v1").events()[-2])
        self.assertEqual(last["continued_from"], "c0")
        self.assertEqual(last["usage"]["prompt_tokens"], 10)
        self.assertEqual(last["usage"]["completion_tokens"], 3)
        self.assertEqual(last["usage"]["total_tokens"], 13)
        self.assertEqual(router.metric("leat_prompt_tokens_total"), 10)
        self.assertEqual(router.metric("leat_usage_missing_total"), 0)

    def test_what_the_broken_provider_did_not_count_is_estimated(self):
        router = self.serve([breaking(*said("one")), going_on("two", "three")])
        last = json.loads(self.ask(router, "/api/v1").events()[-2])
        usage = last["usage"]
        self.assertGreater(usage["prompt_tokens"], 3)
        self.assertEqual(usage["completion_tokens"], 3)
        self.assertEqual(usage["total_tokens"], usage["prompt_tokens"] + 3)
        self.assertEqual(router.metric("leat_prompt_tokens_total"), usage["prompt_tokens"])
        self.assertEqual(router.metric("leat_usage_missing_total"), 1)

    def test_both_halves_are_paid_for(self):
        counted = [event({"content": "one"}, usage={"prompt_tokens": 7, "completion_tokens": 1,
                                                    "total_tokens": 8})]
        router = self.serve([breaking(*counted), going_on("two", "three")], price=PRICE)
        answer = self.ask(router, "/api/v1", provider=IN_ORDER)
        self.assert_continued(answer, "onetwothree")
        usage = json.loads(answer.events()[-2])["usage"]
        self.assertEqual((usage["prompt_tokens"], usage["completion_tokens"]), (10, 3))
        self.assertAlmostEqual(usage["cost"], (10 * 10 + 3 * 30) / 1e6, 9)
        until(lambda: router.metric("leat_charged_nanodollars_total") == 190_000, "the charge")

    def test_neither_half_is_paid_for_if_it_breaks_again(self):
        router = self.serve([breaking(*said("one")), breaking(*said("two"))], price=PRICE)
        self.assertFalse(self.ask(router).whole)
        until(lambda: router.metric("leat_exchanges_settled_total") == 1, "its end")
        self.assertEqual(router.metric("leat_charged_nanodollars_total"), 0)
        self.assertGreater(router.metric("leat_cost_nanodollars_total"), 0)

    def test_what_nobody_carried_on_is_counted_once(self):
        def refuse(call):
            call.send(reply({"error": {"message": "no"}}, "500 X"))

        counted = event({"content": "one"}, usage={"prompt_tokens": 7, "completion_tokens": 1,
                                                   "total_tokens": 8})
        router = self.serve([breaking(counted), refuse], price=PRICE)
        self.assert_broken(self.ask(router, provider=IN_ORDER), "one")
        self.assertEqual(self.calls(), [1, 1])
        self.assertEqual(router.metric("leat_charged_nanodollars_total"), 0)
        self.assertEqual(router.metric("leat_prompt_tokens_total"), 7)
        self.assertEqual(router.metric("leat_completion_tokens_total"), 1)

    def test_the_router_metadata_names_the_break_and_the_seam(self):
        router = self.serve([breaking(*said("one")), going_on("two")])
        answer = self.ask(router, "/api/v1", "X-OpenRouter-Metadata: enabled\r\n")
        told = json.loads(answer.events()[-2])["openrouter_metadata"]
        self.assertEqual([(a["provider"], a["status"], a.get("reason"), a.get("continues"))
                          for a in told["attempts"]],
                         [("c0", 200, "upstream_closed", None), ("c1", 200, None, True)])
        self.assertIn("first_token_ms", told["attempts"][0])
        self.assertIn("selected=c1", told["summary"])

    def test_those_that_fail_before_their_content_are_passed_over(self):
        def refuse(call):
            call.send(reply({"error": {"message": "no"}}, "500 X"))

        scripts = [breaking(*said("one")), refuse, breaking(), going_on("two")]
        router = self.serve(scripts, limits={"attempts_per_request_max": 4})
        self.assert_continued(self.ask(router), "onetwo")
        self.assertEqual(self.calls(), [1, 1, 1, 1])
        self.assertEqual(router.metric("leat_streams_continued_total"), 1)

    def test_only_those_that_continue_a_text_are_asked(self):
        scripts = [breaking(*said("one")), going_on("wrong"), going_on("two")]
        router = self.serve(scripts, [None, None, PLAIN])
        self.assert_continued(self.ask(router), "onetwo")
        self.assertEqual(self.calls(), [1, 0, 1])

    def test_reasoning_before_the_text_is_no_obstacle(self):
        events = [event({"content": "", "reasoning": "hm"}), *said("one")]
        router = self.serve([breaking(*events), going_on("two")])
        self.assert_continued(self.ask(router), "onetwo")
        self.assertEqual(self.providers[1].calls[0].json()["messages"][-1]["content"], "one")
        self.assertEqual(self.providers[1].calls[0].json()["max_tokens"], 95)

    def test_a_large_prompt_goes_out_twice(self):
        prompt = "p" * 300_000
        router = self.serve([breaking(*said("one")), going_on("two")])
        answer = self.ask(router, messages=[{"role": "user", "content": prompt}])
        self.assert_continued(answer, "onetwo")
        for provider in self.providers:
            self.assertEqual(provider.calls[0].json()["messages"][0]["content"], prompt)

    def test_the_client_leaves_while_it_is_carried_on(self):
        ends = []

        def silent(call):
            ends.append(call.is_cut())
            return "close"

        router = self.serve([breaking(*said("one")), silent], price=PRICE)
        with router.connect() as client:
            client.send(chat_request(model=CONTINUED, stream=True, provider=IN_ORDER))
            client.read_until(b"one")
            until(lambda: self.calls() == [1, 1], "the second endpoint to be asked")
        until(lambda: ends == [True], "the second endpoint to be left")
        until(lambda: router.metric("leat_requests_open") == 0, "the request to be over")
        self.assertEqual(router.metric("leat_client_gone_total"), 1)
        self.assertGreater(router.metric("leat_charged_nanodollars_total"), 0, "for what it had")

    def test_a_connection_serves_on_afterwards(self):
        router = self.serve([breaking(*said("one")), going_on("two")])
        with router.connect() as client:
            for _ in range(3):
                client.send(chat_request(model=CONTINUED, stream=True))
                answer = client.answer()
                self.assert_continued(answer, "onetwo")


class NotCarriedOn(Case):
    """The error event, as if there were no continuation; the second endpoint is not asked."""

    def refuse_to(self, first=None, quirks=PLAIN, lines="continuation = true", limits=None,
                  text="onetwo", **body):
        router = self.serve([first or breaking(*said("one", "two")), going_on("three")], quirks,
                            lines, limits)
        for face in ("/v1", "/api/v1"):
            before = self.calls()[1]
            self.assert_broken(self.ask(router, face, **body), text)
            self.assertEqual(self.calls()[1], before)
        self.assertEqual(router.metric("leat_streams_continued_total"), 0)
        self.assertEqual(router.metric("leat_streams_cut_total"), 2)

    def test_off_by_default(self):
        self.refuse_to(lines="")

    def test_unless_an_endpoint_is_known_to_continue(self):
        self.refuse_to(quirks=None)

    def test_what_was_asked_for_is_no_plain_text(self):
        for body in ({"response_format": {"type": "json_object"}}, {"logprobs": True}, {"n": 2},
                     {"store": True}, {"tool_choice": "required", "tools": [{"type": "function"}]}):
            with self.subTest(body=body):
                self.refuse_to(**body)

    def test_the_clients_own_prefill(self):
        self.refuse_to(messages=[{"role": "user", "content": "hi"},
                                 {"role": "assistant", "content": "Well,"}])

    def test_what_was_said_is_no_plain_text(self):
        call = {"tool_calls": [{"index": 0, "id": "c", "type": "function",
                                "function": {"name": "f", "arguments": ""}}]}
        for more in (call, {"reasoning": "hm"}, {"refusal": "no"}):
            with self.subTest(more=more):
                self.refuse_to(breaking(*said("one", "two"), event(more)))

    def test_the_cap_is_used_up(self):
        self.refuse_to(max_tokens=6)

    def test_more_text_than_may_be_kept(self):
        self.refuse_to(breaking(*said("x" * 1500)), limits={"continuation_text_bytes_max": 1024},
                       text="x" * 1500, max_tokens=9999)

    def test_the_last_attempt(self):
        self.refuse_to(limits={"attempts_per_request_max": 1})

    def test_a_failure_that_no_other_endpoint_mends(self):
        error = b'data: {"error":{"message":"flagged","code":"content_filter"}}\n\n'
        self.refuse_to(breaking(*said("one", "two"), error, then=None))

    def test_an_answer_that_was_finished(self):
        router = self.serve([breaking(*said("one", "two"), event({}, "stop")), going_on("three")])
        self.ask(router)
        self.assertEqual(self.calls(), [1, 0])

    def test_twice(self):
        scripts = [breaking(*said("one")), breaking(*said("two")), going_on("three")]
        router = self.serve(scripts)
        answer = self.ask(router, "/api/v1")
        self.assertFalse(answer.whole)
        self.assertEqual(answer.text(), "onetwo")
        self.assertIn("error", json.loads(answer.events()[-1]))
        self.assertEqual(self.calls(), [1, 1, 0])
        self.assertEqual(answer.body.count(SEAM), 1)

    def test_nobody_is_left_who_could(self):
        def refuse(call):
            call.send(reply({"error": {"message": "no"}}, "500 X"))

        router = self.serve([breaking(*said("one", "two")), refuse])
        for face in ("/v1", "/api/v1"):
            self.assert_broken(self.ask(router, face))
        self.assertEqual(router.metric("leat_streams_cut_total"), 2)
        self.assertEqual(router.metric("leat_requests_open"), 0)

    def test_the_requests_time_is_up(self):
        def slow(call):
            time.sleep(0.4)
            call.is_cut()
            return "close"

        router = self.serve([breaking(*said("one", "two")), slow],
                            lines="continuation = true\nrequest_ms_max = 300")
        self.assert_broken(self.ask(router))


if __name__ == "__main__":
    harness.main()
