#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: what a key may use is what it can use, exactly, with several shards and whatever way its
requests end; who is refused is told why, and when to come back.
Method: the real leat with four shards, many clients at once, and providers that answer, refuse,
hang and count as told.

Usage: test_key_limits.py LEAT"""

import json
import re
import tempfile
import threading
import time

import harness
from harness import KEY, SSE_HEAD, chat_body, chunk, event, reply, request, until

MODEL = "priced/one"
# Nano-dollars a token: $10 and $30 a million.
PROMPT, COMPLETION = 10_000, 30_000
OUTPUT = 10
BODY = chat_body(model=MODEL, max_tokens=OUTPUT)
# A token per byte, and the cap.
BOUND = len(BODY) * PROMPT + OUTPUT * COMPLETION
BOUND_TOKENS = len(BODY) + OUTPUT
OTHER_KEY = "other-key-0123456789"


def dollars(nano):
    return f'"{nano // 10**9}.{nano % 10**9:09}"'


def completion(prompt, output):
    usage = {"prompt_tokens": prompt, "completion_tokens": output,
             "total_tokens": prompt + output}
    return reply({**harness.completion(), "usage": usage})


def at_most(call):
    """Uses all that was reserved."""
    call.send(completion(len(BODY), OUTPUT))


def little(call):
    call.send(completion(3, 2))


def wait_of(answer):
    return int(re.search(r"\r\nretry-after: (\d+)", answer.head).group(1))


def field(answer, name):
    found = re.search(rf"\r\n{name}: ([^\r]*)", answer.head)
    return found.group(1) if found else None


class KeyLimits(harness.Case):
    def serve(self, script, key_limits, extra="", price=True, **options):
        priced = ', price = { prompt = "10", completion = "30" }' if price else ""
        model = (f'[[models]]\nid = "{MODEL}"\n'
                 f'endpoints = [{{ provider = "p0", model = "up"{priced} }}]\n')
        options.setdefault("server", "shards = 4")
        provider = script if isinstance(script, harness.Provider) else self.provider(script)
        return self.leat([provider], key_limits=key_limits, extra=model + extra, **options)

    def ask(self, router, body=BODY, key=KEY, face="/v1"):
        with router.connect() as client:
            client.send(request(target=face + "/chat/completions", body=body, key=key))
            return client.answer()

    def ask_many(self, router, count, key=KEY):
        """Their answers, all asked at once."""
        answers = []
        begin = threading.Barrier(count)

        def one():
            with router.connect() as client:
                begin.wait()
                client.send(request(body=BODY, key=key))
                answers.append(client.answer())

        threads = [threading.Thread(target=one) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), count)
        return answers

    def charged(self, router):
        return router.metric("leat_charged_nanodollars_total")

    def assert_all_back(self, router, count):
        """So many requests, each with all that there is, one after the other."""
        for _ in range(count):
            answer = until(lambda: (a := self.ask(router)).status == 200 and a, "what came back")
            self.assertEqual(answer.status, 200)

    # ---- Exact ----

    def test_a_budget_for_ten_admits_ten_of_two_hundred(self):
        router = self.serve(at_most, f"budget_usd_max = {dollars(10 * BOUND)}")
        answers = self.ask_many(router, 200)
        good = [a for a in answers if a.status == 200]
        bad = [a for a in answers if a.status != 200]
        self.assertEqual(len(good), 10, {a.status for a in bad})
        self.assertEqual({a.status for a in bad}, {402})
        until(lambda: self.charged(router) == 10 * BOUND, "the charge")
        self.assertEqual(router.metric("leat_shortfall_nanodollars_total"), 0)
        self.assertEqual([self.ask(router).status for _ in range(5)], [402] * 5)
        self.assertEqual(self.charged(router), 10 * BOUND, "never more than the budget")

    def test_what_was_not_spent_can_be_spent(self):
        # Each is charged 90,000 of some 1.1 million: the last one that fits leaves less than that.
        spent = 3 * PROMPT + 2 * COMPLETION
        router = self.serve(little, f"budget_usd_max = {dollars(BOUND + 4 * spent)}")
        for _ in range(5):
            self.assertEqual(self.ask(router).status, 200)
        refused = self.ask(router)
        self.assertEqual(refused.status, 402, refused.body)
        self.assertEqual(self.charged(router), 5 * spent)

    def test_three_a_minute_are_three(self):
        router = self.serve(little, "requests_per_minute_max = 3")
        answers = self.ask_many(router, 40)
        self.assertEqual(sum(a.status == 200 for a in answers), 3)
        refused = [a for a in answers if a.status != 200]
        self.assertEqual({a.status for a in refused}, {429})
        for answer in refused:
            self.assertLessEqual(55, wait_of(answer))
            self.assertLessEqual(wait_of(answer), 61)
            self.assertGreater(int(field(answer, "retry-after-ms")), 50_000)

    def test_so_many_at_once(self):
        held = threading.Event()

        def script(call):
            held.wait(10 * harness.SLOW)
            little(call)

        router = self.serve(script, "concurrency_max = 5")
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(self.ask(router)))
                   for _ in range(40)]
        for thread in threads:
            thread.start()
        until(lambda: len(answers) == 35, "those that are too many")
        self.assertEqual({a.status for a in answers}, {429})
        self.assert_error(answers[0], "/v1")
        held.set()
        for thread in threads:
            thread.join()
        self.assertEqual(sum(a.status == 200 for a in answers), 5)
        self.assert_all_back(router, 6)

    def test_tokens_a_minute(self):
        router = self.serve(at_most, f"tokens_per_minute_max = {4 * BOUND_TOKENS}")
        answers = self.ask_many(router, 30)
        self.assertEqual(sum(a.status == 200 for a in answers), 4)
        self.assertEqual({a.status for a in answers}, {200, 429})

    def test_tokens_a_day_that_are_not_used_come_back(self):
        router = self.serve(little, f"tokens_per_day_max = {BOUND_TOKENS + 15}")
        for _ in range(4):
            self.assertEqual(self.ask(router).status, 200)
        self.assertEqual(self.ask(router).status, 429)

    def test_limits_of_two_keys_are_apart(self):
        other = ('[[keys]]\nname = "k2"\nsecret = { env = "LEAT_OTHER_KEY" }\n'
                 "[keys.limits]\nrequests_per_minute_max = 5\n")
        router = self.serve(little, "requests_per_minute_max = 3", extra=other,
                            environment={"LEAT_OTHER_KEY": OTHER_KEY})
        self.assertEqual(sum(a.status == 200 for a in self.ask_many(router, 12)), 3)
        self.assertEqual(sum(a.status == 200 for a in self.ask_many(router, 12, OTHER_KEY)), 5)

    def test_nothing_allowed(self):
        for limits, status in (("requests_per_minute_max = 0", 429), ("concurrency_max = 0", 429),
                               ("tokens_per_day_max = 0", 429), ("budget_usd_max = 0", 402)):
            answer = self.ask(self.serve(little, limits, server=""))
            self.assertEqual(answer.status, status, limits)
            self.assertEqual(field(answer, "x-should-retry"), "false", limits)

    # ---- What clients are told ----

    def test_what_could_be_afforded(self):
        room = BOUND - 4 * COMPLETION
        router = self.serve(at_most, f"budget_usd_max = {dollars(room)}")
        for face in ("/v1", "/api/v1"):
            answer = self.ask(router, face=face)
            self.assertEqual(answer.status, 402)
            self.assertIn("You requested up to 10 tokens, but can only afford 6.",
                          answer.json()["error"]["message"])
            self.assertEqual(field(answer, "x-should-retry"), "false")
            self.assertIsNone(field(answer, "retry-after"))
            self.assert_error(answer, face)
        fewer = chat_body(model=MODEL, max_tokens=6).replace(b": 6", b":  6")
        self.assertEqual(len(fewer), len(BODY))
        self.assertEqual(self.ask(router, fewer).status, 200)
        until(lambda: "reason=limit_budget key=k1" in router.log(), "the line in the log")
        self.assertEqual(router.rejects("payment_required"), 2)

    def test_rates_are_told_on_good_answers_too(self):
        def script(call):
            if call.json().get("stream"):
                call.send(harness.stream_bytes())
            else:
                little(call)

        router = self.serve(script, "requests_per_minute_max = 3\n"
                            f"tokens_per_minute_max = {100 * BOUND_TOKENS}", server="")
        answer = self.ask(router)
        self.assertEqual(field(answer, "x-ratelimit-limit-requests"), "3")
        self.assertEqual(field(answer, "x-ratelimit-remaining-requests"), "2")
        self.assertEqual(field(answer, "x-ratelimit-limit-tokens"), str(100 * BOUND_TOKENS))
        streamed = self.ask(router, chat_body(model=MODEL, max_tokens=5, stream=True))
        self.assertEqual(streamed.status, 200)
        self.assertEqual(field(streamed, "x-ratelimit-remaining-requests"), "1")
        told = self.ask(router, face="/api/v1")
        self.assertEqual(field(told, "x-ratelimit-limit"), "3")
        self.assertEqual(field(told, "x-ratelimit-remaining"), "0")
        reset = int(field(told, "x-ratelimit-reset")) / 1000 - time.time()
        self.assertTrue(0 < reset < 65, reset)
        refused = self.ask(router)
        self.assertEqual(refused.status, 429)
        self.assertEqual(field(refused, "x-ratelimit-remaining-requests"), "0")

    def test_who_has_no_limit_hears_of_none(self):
        router = self.serve(little, "", price=False)
        answer = self.ask(router)
        self.assertEqual(answer.status, 200)
        self.assertNotIn("x-ratelimit", answer.head)

    def test_a_model_without_a_price_is_for_those_without_a_budget(self):
        rated = self.serve(little, "requests_per_minute_max = 100", price=False)
        self.assertEqual(self.ask(rated).status, 200)
        router = self.serve(little, "budget_usd_max = 100", price=False)
        answer = self.ask(router)
        self.assertEqual(answer.status, 400)
        self.assertEqual(answer.json()["error"]["code"], "unpriced")
        self.assertEqual(router.rejects("unpriced"), 1)

    def test_an_answer_without_a_cap_gets_one(self):
        provider_bodies = []

        def script(call):
            provider_bodies.append(call.json())
            little(call)

        router = self.serve(script, "budget_usd_max = 1\noutput_default_max = 77")
        self.ask(router, chat_body(model=MODEL))
        self.ask(router, chat_body(model=MODEL, max_completion_tokens=5))
        self.assertEqual(provider_bodies[0]["max_tokens"], 77)
        self.assertNotIn("max_tokens", provider_bodies[1])

    def test_a_markup_is_charged(self):
        router = self.serve(little, 'budget_usd_max = 100\nmarkup_percent = "12.5"')
        self.assertEqual(self.ask(router).status, 200)
        list_price = 3 * PROMPT + 2 * COMPLETION
        until(lambda: self.charged(router) == list_price * 1125 // 1000, "the charge")

    def test_n_and_images_are_bounded(self):
        # Three answers cost three times the cap; an image is 50,000 tokens whatever it weighs.
        router = self.serve(at_most, f"budget_usd_max = {dollars(2 * BOUND)}")
        self.assertEqual(self.ask(router, chat_body(model=MODEL, max_tokens=OUTPUT, n=9)).status,
                         402)
        part = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
        image = json.dumps({"model": MODEL, "max_tokens": 1, "messages": [
            {"role": "user", "content": [part]}]}).encode()
        self.assertEqual(self.ask(router, image).status, 402)
        self.assertEqual(self.ask(router).status, 200)

    def test_a_stream_that_may_be_carried_on_has_room_for_a_second_prompt(self):
        def stream(call):
            call.send(harness.stream_bytes())

        def asked(limit, lines):
            ends = ", ".join(f'{{ provider = "{name}", model = "up", price = '
                             '{ prompt = "10", completion = "30" } }' for name in ("p0", "p1"))
            router = self.leat([self.provider(stream), self.provider(stream)],
                               key_limits=limit,
                               provider_lines='quirks = ["continues_assistant"]',
                               extra=f'[[models]]\nid = "{MODEL}"\nendpoints = [{ends}]\n{lines}\n')
            return self.ask(router, body)

        def status(budget, lines):
            return asked(f"budget_usd_max = {dollars(budget)}", lines).status

        body = chat_body(model=MODEL, max_tokens=OUTPUT, stream=True)
        once = len(body) * PROMPT + OUTPUT * COMPLETION
        second = (len(body) + OUTPUT) * PROMPT
        self.assertEqual(status(once, ""), 200)
        self.assertEqual(status(once + second - 1, "continuation = true"), 402)
        self.assertEqual(status(once + second, "continuation = true"), 200)
        # What could be afforded is what is left beside the second prompt.
        short = asked(f"budget_usd_max = {dollars(once + second - 1)}", "continuation = true")
        self.assertIn("can only afford 9.", short.json()["error"]["message"])
        # Its tokens are reserved too.
        tokens = 2 * (len(body) + OUTPUT)
        for limit, expected in ((tokens - 1, 429), (tokens, 200)):
            answer = asked(f"tokens_per_day_max = {limit}", "continuation = true")
            self.assertEqual(answer.status, expected)

    def test_a_prompt_that_may_be_kept_for_an_hour_is_bounded_at_its_price(self):
        def bounded(request):
            """Whether the budget bounds it by the price of what is kept."""
            limit = f"budget_usd_max = {dollars(len(request) * PROMPT + OUTPUT * COMPLETION)}"
            priced = ('price = { prompt = "10", completion = "30", input_cache_write_1h = "20" }')
            model = (f'[[models]]\nid = "priced/kept"\n'
                     f'endpoints = [{{ provider = "p0", model = "up", {priced} }}]\n')
            router = self.serve(at_most, limit, extra=model, server="")
            return self.ask(router, request).status == 402

        plain = chat_body(model="priced/kept", max_tokens=OUTPUT)
        parts = [{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]
        kept = chat_body(model="priced/kept", max_tokens=OUTPUT,
                         messages=[{"role": "user", "content": parts}])
        self.assertFalse(bounded(plain))
        self.assertTrue(bounded(kept))
        self.assertTrue(bounded(kept.replace(b"cache_control", b"cache\\u005fcontrol")))

    def test_an_output_default_is_no_part_of_embeddings(self):
        bodies = []

        def script(call):
            bodies.append(call.json())
            call.send(reply({"object": "list", "model": "up",
                             "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
                             "usage": {"prompt_tokens": 1, "total_tokens": 1}}))

        router = self.serve(script, "tokens_per_day_max = 100000\noutput_default_max = 77")
        with router.connect() as client:
            client.send(request(target="/v1/embeddings",
                                body=json.dumps({"model": MODEL, "input": "a"}).encode()))
            self.assertEqual(client.answer().status, 200)
        self.assertNotIn("max_tokens", bodies[0])

    # ---- Whatever way it ends, what was reserved comes back ----

    ALL = f"budget_usd_max = {dollars(BOUND + 20 * 90_000)}\nconcurrency_max = 1"

    def test_client_gone_before_the_answer(self):
        held = threading.Event()

        def script(call):
            if held.is_set():
                return little(call)
            call.is_cut()
            return "close"

        provider = self.provider(script)
        router = self.serve(provider, self.ALL)
        for i in range(3):
            with router.connect() as client:
                client.send(request(body=BODY))
                until(lambda: len(provider.calls) > i, "the call")
            until(lambda: router.metric("leat_requests_open") == 0, "the end")
        held.set()
        self.assert_all_back(router, 6)

    def test_who_leaves_has_asked_all_the_same(self):
        def script(call):
            call.is_cut()
            return "close"

        provider = self.provider(script)
        router = self.serve(provider, "requests_per_minute_max = 3")
        for i in range(3):
            with router.connect() as client:
                client.send(request(body=BODY))
                until(lambda: len(provider.calls) > i, "the call")
            until(lambda: router.metric("leat_requests_open") == 0, "the end")
        self.assertEqual(self.ask(router).status, 429)

    def test_client_gone_within_the_answer(self):
        held = threading.Event()

        def script(call):
            if held.is_set():
                return little(call)
            call.send(SSE_HEAD + chunk(event({"content": "one"})))
            call.is_cut()
            return "close"

        router = self.serve(script, self.ALL)
        for _ in range(3):
            with router.connect() as client:
                client.send(request(body=chat_body(model=MODEL, max_tokens=OUTPUT, stream=True)))
                client.read_until(b"one")
            until(lambda: router.metric("leat_requests_open") == 0, "the end")
        held.set()
        self.assert_all_back(router, 3)

    def test_refused_by_the_provider(self):
        good = threading.Event()

        def script(call):
            if good.is_set():
                return little(call)
            call.send(reply({"error": {"message": "no"}}, "400 Bad Request"))

        router = self.serve(script, self.ALL + "\nrequests_per_minute_max = 6")
        for _ in range(20):
            answer = until(lambda: (a := self.ask(router)).status == 400 and a, "its refusal")
            self.assertEqual(answer.status, 400)
        good.set()
        self.assert_all_back(router, 6)
        self.assertEqual(self.charged(router), 6 * 90_000)

    def test_refused_for_want_of_a_record(self):
        held = threading.Event()

        def script(call):
            held.wait(10 * harness.SLOW)
            little(call)

        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        ledger = (f'[ledger]\nfolder = "{folder.name}"\nsegment_mib = 1\n'
                  "open_requests_max = 1\n")
        provider = self.provider(script)
        router = self.serve(provider, "requests_per_minute_max = 3", extra=ledger, server="")
        first = threading.Thread(target=lambda: self.ask(router))
        first.start()
        until(lambda: provider.calls, "the first call")
        for _ in range(5):
            answer = self.ask(router)
            self.assertEqual(answer.status, 503, answer.body)
        held.set()
        first.join()
        self.assertEqual([self.ask(router).status for _ in range(3)], [200, 200, 429])

    def test_broken_and_hanging_providers(self):
        mode = ["reset"]

        def script(call):
            if mode[0] == "good":
                return little(call)
            if mode[0] == "hang":
                call.is_cut()
            return "close"

        router = self.serve(script, self.ALL,
                            limits={"first_byte_ms_min": 100, "first_byte_ms_max": 100})
        for mode[0] in ("reset", "hang"):
            for _ in range(2):
                answer = until(lambda: (a := self.ask(router)).status >= 500 and a, "its end")
                self.assertGreaterEqual(answer.status, 500)
        mode[0] = "good"
        self.assert_all_back(router, 6)

    def test_a_stream_that_breaks(self):
        good = threading.Event()

        def script(call):
            if good.is_set():
                return little(call)
            call.send(SSE_HEAD + chunk(event({"content": "one"})))
            return "close"

        router = self.serve(script, self.ALL)
        for _ in range(4):
            body = chat_body(model=MODEL, max_tokens=OUTPUT, stream=True)
            until(lambda: self.ask(router, body).status == 200, "a stream")
        good.set()
        self.assert_all_back(router, 6)


if __name__ == "__main__":
    harness.main()
