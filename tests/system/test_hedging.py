#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: where it is turned on, a stream that is slow to begin is asked of a second provider; the
first to begin answers, alone and whole, the other is hung up on at once; and it is done nowhere
where it is off, pointless or harmful.
Method: the real leat between raw clients and providers that wait until they are told. The first
one has answered often enough for its usual time to be known.

Usage: test_hedging.py LEAT"""

import re
import threading
import time

import harness
from harness import answer_well, chat_request, chunk, event, reply, request, until

HEDGE_MS = 60
ENOUGH = 20  # streams from which on an endpoint's times are known
# What the last of them takes: until it is over none is hedged, and it is no part of the 95th
# percentile, which is what a hedge waits for.
SLOWEST_S = 0.1 * harness.SLOW
ASK = "X-OpenRouter-Metadata: enabled\r\n"


class Told:
    """A provider that answers well until `script` says otherwise."""

    def __init__(self):
        self.script = answer_well
        self.go = threading.Event()

    def __call__(self, call):
        return self.script(call)

    def waits_then(self, then):
        """It does nothing until told to go on."""
        def script(call):
            self.go.wait(10 * harness.SLOW)
            return then(call)
        self.go.clear()
        self.script = script


def hangs(call):
    call.was_cut = False
    call.was_cut = call.is_cut(20)
    return "close"


def fails(call):
    call.send(reply({"error": {"message": "no"}}, "500 Internal Server Error"))


def words(*said):
    return lambda call: call.send(harness.stream_bytes(said))


class Hedging(harness.Case):
    def start(self, scripts=2, hedge="true", **options):
        self.told = [Told() for _ in range(scripts)]
        self.providers = [self.provider(told) for told in self.told]
        extra = f"[routing]\nhedge = {hedge}\nhedge_ms_min = {HEDGE_MS}\n"
        leat = self.serving = self.leat(self.providers, extra=extra, **options)
        self.make_known(leat, harness.MODEL)
        self.assertEqual(leat.metric("leat_hedges_total"), 0)
        return leat

    def make_known(self, leat, model):
        """The shard has heard back how long the first one takes, from all of its streams: the last
        one is told last, and is the slowest by far."""
        def late(call):
            threading.Event().wait(SLOWEST_S)
            return answer_well(call)

        def knows_the_last():
            with leat.connect() as client:
                client.send(request("GET", f"/api/v1/models/{model}/endpoints"))
                endpoints = client.answer().json()["data"]["endpoints"]
            times = endpoints[0]["latency_last_30m"]
            return times and times["p99"] >= 500 * SLOWEST_S

        for number in range(ENOUGH):
            self.told[0].script = late if number == ENOUGH - 1 else answer_well
            self.assertEqual(leat.chat(stream=True, model=model).status, 200)
        self.told[0].script = answer_well
        until(knows_the_last, "the first provider's times")

    def calls(self):
        return [len(provider.calls) for provider in self.providers]

    def last_call(self, index, seen):
        """The call that comes to a provider next."""
        provider = self.providers[index]
        try:
            until(lambda: len(provider.calls) > seen, f"a call at provider {index}")
        except AssertionError as error:
            told = [line for line in self.serving.get_admin("/metrics")[1].splitlines()
                    if re.match("leat_(hedges|retr|reject|shed|attempts|upstream)", line)]
            raise AssertionError(f"{error}: {self.calls()}, {self.serving.log()}, {told}") from None
        return provider.calls[-1]

    def assert_whole(self, answer, *said):
        self.assertEqual(answer.status, 200, answer.body)
        self.assertTrue(answer.whole)
        self.assertEqual(answer.events()[-1], "[DONE]")
        self.assertEqual(answer.text(), "".join(said))

    def attempts(self, answer):
        told = harness.json.loads(answer.events()[-2])["openrouter_metadata"]
        selected = [e["provider"] for e in told["endpoints"]["available"] if e["selected"]]
        self.assertEqual(selected, [told["attempts"][-1]["provider"]])
        return [(a["provider"], a["status"], a.get("reason")) for a in told["attempts"]]

    def test_another_one_answers_for_who_is_slow(self):
        leat = self.start()
        self.told[0].script = hangs
        self.told[1].script = words("quick")
        began = time.monotonic()
        with leat.connect() as client:
            client.send(request(target="/api/v1/chat/completions", fields=ASK,
                                body=harness.chat_body(stream=True)))
            answer = client.answer()
        self.assert_whole(answer, "quick")
        took = time.monotonic() - began
        self.assertGreaterEqual(took, HEDGE_MS / 1000)
        self.assertLess(took, 2 * harness.SLOW)
        self.assertEqual(self.calls(), [ENOUGH + 1, 1])
        self.assertEqual(self.attempts(answer), [("p0", 0, "hedge_lost"), ("p1", 200, None)])
        self.assertEqual(leat.metric("leat_hedges_total"), 1)
        self.assertEqual(leat.metric("leat_hedges_won_total"), 1)
        self.assertEqual(leat.metric("leat_retries_total"), 0)
        self.assertEqual(leat.metric("leat_upstream_failures_total"), 0)

    def test_who_was_asked_first_may_still_begin_first(self):
        leat = self.start()
        self.told[0].waits_then(words("late", "but", "first"))
        self.told[1].script = hangs
        with leat.connect() as client:
            client.send(request(target="/api/v1/chat/completions", fields=ASK,
                                body=harness.chat_body(stream=True)))
            loser = self.last_call(1, 0)
            self.told[0].go.set()
            answer = client.answer()
        self.assert_whole(answer, "late", "but", "first")
        self.assertEqual(self.attempts(answer), [("p1", 0, "hedge_lost"), ("p0", 200, None)])
        until(lambda: loser.was_cut, "the loser's end", 1)
        self.assertEqual(leat.metric("leat_hedges_total"), 1)
        self.assertEqual(leat.metric("leat_hedges_won_total"), 0)

    def test_the_loser_is_cut_at_the_first_content_not_at_the_end(self):
        leat = self.start()
        cut = threading.Event()

        def begins(call):
            call.send(harness.SSE_HEAD + chunk(event({"role": "assistant", "content": ""})))
            if call.is_cut(10):
                cut.set()
            return "close"

        def goes_on(call):
            events = harness.stream_events(["one", "two"])
            call.send(harness.SSE_HEAD + b"".join(chunk(e) for e in events[:2]))
            self.assertTrue(cut.wait(5 * harness.SLOW))
            call.send(b"".join(chunk(e) for e in events[2:]) + b"0\r\n\r\n")

        # A head and a role are no content.
        self.told[0].script = begins
        self.told[1].script = goes_on
        self.assert_whole(leat.chat(stream=True), "one", "two")
        self.assertTrue(cut.is_set())

    def test_a_loser_is_never_asked_again_on_its_connection(self):
        leat = self.start()
        self.told[0].waits_then(words("stale"))
        connections = self.providers[0].connections
        self.assert_whole(leat.chat(stream=True), "one", "two")
        self.told[0].go.set()
        self.told[0].script = words("fresh")
        self.assert_whole(leat.chat(stream=True), "fresh")
        self.assertEqual(self.providers[0].connections, connections + 1)

    def test_if_one_fails_the_other_goes_on(self):
        for first_fails in (True, False):
            leat = self.start(3)
            failing, waiting = (0, 1) if first_fails else (1, 0)
            self.told[failing].waits_then(fails)
            self.told[waiting].waits_then(words("still", "there"))
            with leat.connect() as client:
                client.send(chat_request(stream=True))
                self.last_call(1, 0)
                self.told[failing].go.set()
                until(lambda: leat.metric("leat_upstream_failures_total") == 1, "a failure")
                self.told[waiting].go.set()
                self.assert_whole(client.answer(), "still", "there")
            self.assertEqual(self.calls(), [ENOUGH + 1, 1, 0])
            self.assertEqual(leat.metric("leat_hedges_won_total"), int(first_fails))

    def test_if_both_fail_the_next_one_is_asked(self):
        for failing in (0, 1):
            leat = self.start(3)
            self.told[0].waits_then(fails)
            self.told[1].waits_then(fails)
            self.told[2].script = words("third")
            with leat.connect() as client:
                client.send(chat_request(stream=True))
                self.last_call(1, 0)
                self.told[failing].go.set()
                until(lambda: leat.metric("leat_upstream_failures_total") == 1, "a failure")
                self.told[1 - failing].go.set()
                self.assert_whole(client.answer(), "third")
            self.assertEqual(self.calls(), [ENOUGH + 1, 1, 1])
            self.assertEqual(leat.metric("leat_hedges_total"), 1)
            self.assertEqual(leat.metric("leat_retries_total"), 1)

    def test_if_all_fail_the_client_is_told_once(self):
        leat = self.start()
        self.told[0].waits_then(fails)
        self.told[1].script = fails
        with leat.connect() as client:
            client.send(chat_request(stream=True))
            self.last_call(1, 0)
            self.told[0].go.set()
            answer = client.answer()
            self.assertGreaterEqual(answer.status, 500)
            self.assert_error(answer, "/v1")
            self.told[0].script = answer_well
            client.send(chat_request(stream=False))
            self.assertEqual(client.answer().json()["choices"][0]["message"]["content"], "hello")

    def test_a_client_that_leaves_takes_both_with_it(self):
        leat = self.start()
        self.told[0].script = self.told[1].script = hangs
        with leat.connect() as client:
            client.send(chat_request(stream=True))
            hedge = self.last_call(1, 0)
            first = self.providers[0].calls[-1]
        until(lambda: first.was_cut and hedge.was_cut, "both ends", 1)
        until(lambda: leat.metric("leat_requests_open") == 0, "no open request")

    def test_once_a_request(self):
        leat = self.start(3)
        self.told[0].script = hangs
        self.told[1].waits_then(words("second"))
        with leat.connect() as client:
            client.send(chat_request(stream=True))
            self.last_call(1, 0)
            time.sleep(3 * HEDGE_MS / 1000)
            self.told[1].go.set()
            self.assert_whole(client.answer(), "second")
        self.assertEqual(self.calls(), [ENOUGH + 1, 1, 0])

    def assert_not_hedged(self, leat, seconds=4 * HEDGE_MS / 1000, **fields):
        seen = self.calls()
        self.told[0].waits_then(answer_well)
        with leat.connect() as client:
            client.send(chat_request(**fields))
            self.last_call(0, seen[0])
            time.sleep(seconds)
            self.told[0].go.set()
            self.assertEqual(client.answer().status, 200)
        self.assertEqual(self.calls(), [seen[0] + 1, *seen[1:]])
        self.assertEqual(leat.metric("leat_hedges_total"), 0)

    def test_not_where_it_is_off(self):
        self.assert_not_hedged(self.start(hedge="false"), stream=True)

    def test_a_model_may_have_it_otherwise(self):
        ends = ", ".join(f'{{ provider = "p{i}", model = "upstream-model" }}' for i in range(2))
        for own in ("false", "true"):
            common = "true" if own == "false" else "false"
            self.told = [Told(), Told()]
            self.providers = [self.provider(told) for told in self.told]
            leat = self.leat(self.providers, extra=(
                f"[routing]\nhedge = {common}\nhedge_ms_min = {HEDGE_MS}\n"
                f'[[models]]\nid = "acme/own"\nendpoints = [{ends}]\nhedge = {own}\n'))
            self.make_known(leat, "acme/own")
            if own == "false":
                self.assert_not_hedged(leat, stream=True, model="acme/own")
                continue
            self.told[0].script = hangs
            self.assert_whole(leat.chat(stream=True, model="acme/own"), "one", "two")
            self.assertEqual(leat.metric("leat_hedges_total"), 1)

    def test_not_what_must_not_be_asked_twice(self):
        self.assert_not_hedged(self.start(), stream=True, store=True)
        leat = self.start(provider_lines="retry_ambiguous = false")
        self.assert_not_hedged(leat, stream=True)

    def test_not_beyond_the_attempts_of_a_request(self):
        leat = self.start(limits={"attempts_per_request_max": 1})
        self.assert_not_hedged(leat, stream=True)

    def test_not_answers_that_are_no_stream(self):
        self.assert_not_hedged(self.start(), stream=False)

    def test_not_of_another_model(self):
        leat = self.start()
        self.assert_not_hedged(leat, stream=True, provider={"only": ["p0"]},
                               models=["leat/simulated"])


if __name__ == "__main__":
    harness.main()
