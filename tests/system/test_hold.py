#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: events of a running stream wait only where they may: never the first ones, never a tool
call or what follows the finish reason, not for a client, key or model that has none of it, and
never while the core has room; what waited arrives whole and in order.
Method: a provider that sends its next event when the client has read the last one, so that how
often something was held is known exactly: those that must not be held come first, and a stream that
is held last, so that the count is known to be of now.

Usage: test_hold.py LEAT"""

import json
import queue
import signal
import tempfile
import urllib.request

import harness
from harness import KEY, MODEL, SSE_HEAD, chat_body, chunk, event, request, until, usage_event

OPERATOR = "operator-key-0123456789-0123456789"
ALWAYS = '[hold]\nmode = "always"\nms_max = 60\n'
HELD = "leat_held_seconds_count"
WORDS = [event({"content": word}) for word in ("one", "two", "three", "four")]
TOOLS = [event({"tool_calls": [{"index": 0, "id": "t1", "type": "function",
                                "function": {"name": "f", "arguments": text}}]})
         for text in ("{", "1", "2", "}")]
END = [event({}, "stop"), usage_event(), b"data: [DONE]\n\n"]


class Stepwise:
    """A provider's script that sends an event each time that it is told."""

    def __init__(self):
        self.steps = queue.Queue()

    def __call__(self, call):
        call.send(SSE_HEAD + chunk(event({"role": "assistant", "content": ""})))
        steps = self.steps
        while (step := steps.get(timeout=60 * harness.SLOW)) is not None:
            call.send(chunk(step))
        call.send(b"0\r\n\r\n")


class Hold(harness.Case):
    def start(self, extra, **more):
        self.script = Stepwise()
        return self.leat([self.provider(self.script)], extra=extra, **more)

    def stream(self, leat, events, fields="", model=MODEL, key=KEY):
        """One stream, event by event; its body."""
        asked = {"stream": True, "stream_options": {"include_usage": True}, "model": model}
        # Its own: the call before may still be at its end, of which its client did not wait.
        self.script.steps = queue.Queue()
        with leat.connect() as client:
            client.send(request(key=key, body=chat_body(**asked), fields=fields))
            for number, one in enumerate(events):
                self.script.steps.put(one)
                if number >= 1:  # what stands before the first content comes with it
                    client.read_until(one)
            self.script.steps.put(None)
            answer = client.answer()
        self.assertEqual((answer.status, answer.whole), (200, True))
        return answer.body

    def expect_held(self, leat, most):
        """Something was, and no more often than that: what comes while a stream only begins to
        hold may be taken at once."""
        until(lambda: leat.metric(HELD) >= 1, "something held")
        self.assertLessEqual(leat.metric(HELD), most)

    def test_words_wait_and_nothing_is_changed(self):
        leat = self.start(ALWAYS)
        body = self.stream(leat, WORDS + END)
        sent = b"".join([event({"role": "assistant", "content": ""})] + WORDS + END)
        self.assertEqual(body, sent)
        # The third word, the fourth and the finish reason; not the first two, usage or [DONE].
        self.expect_held(leat, 3)

    def test_a_client_asks_for_less(self):
        leat = self.start(ALWAYS)
        for value in ("0", "1", "-5", "soon", ""):
            self.stream(leat, WORDS + END, f"x-leat-max-hold-ms: {value}\r\n")
        self.stream(leat, WORDS + END, "X-Leat-Max-Hold-Ms: 30\r\n")
        self.expect_held(leat, 3)

    def test_tool_calls_do_not_wait(self):
        leat = self.start(ALWAYS)
        self.stream(leat, TOOLS + END)
        self.stream(leat, WORDS + END)
        self.expect_held(leat, 3)

    def test_a_model_has_its_own_time(self):
        free = f'[[models]]\nid = "acme/free"\nhold_ms_max = 0\nendpoints = [{{ provider = "p0", ' \
               f'model = "upstream-model" }}]\n'
        leat = self.start(ALWAYS + free)
        self.stream(leat, WORDS + END, model="acme/free")
        self.stream(leat, WORDS + END)
        self.expect_held(leat, 3)

    def manage(self, leat, method, path, body):
        """The answer of the management API, to the operator."""
        asked = urllib.request.Request(
            leat.admin + "/api/v1" + path, json.dumps(body).encode(), method=method,
            headers={"content-type": "application/json", "authorization": f"Bearer {OPERATOR}"})
        with urllib.request.urlopen(asked, timeout=10 * harness.SLOW) as answer:
            return json.load(answer)

    def test_a_key_made_while_it_runs_has_its_own_time(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        leat = self.start(ALWAYS + f'[accounts]\nstore_file = "{folder.name}/accounts.db"\n',
                          admin='operator_key = { env = "LEAT_TEST_OPERATOR" }\n',
                          environment={"LEAT_TEST_OPERATOR": OPERATOR})
        made = self.manage(leat, "POST", "/keys", {"name": "now", "hold_ms_max": 0})
        self.stream(leat, WORDS + END, key=made["key"])
        self.manage(leat, "PATCH", f"/keys/{made['data']['hash']}", {"hold_ms_max": None})
        self.stream(leat, WORDS + END, key=made["key"])
        self.expect_held(leat, 3)

    def test_reload_changes_it(self):
        leat = self.start(ALWAYS.replace("always", "off"))
        self.stream(leat, WORDS + END)
        leat.rewrite(lambda text: text.replace('mode = "off"', 'mode = "always"'))
        leat.process.send_signal(signal.SIGHUP)
        applied = 'leat_config_reloads_total{result="applied"}'
        until(lambda: leat.metric(applied) == 1, "the reload")
        self.stream(leat, WORDS + END)
        self.expect_held(leat, 3)

    def test_nothing_waits_while_the_core_has_room(self):
        leat = self.start("")
        self.stream(leat, WORDS + END)
        until(lambda: leat.metric("leat_streams_completed_total") == 1, "the stream counted")
        self.assertEqual(leat.metric(HELD), 0)
        self.assertEqual(leat.metric('leat_hold_seconds{shard="0"}'), 0)

    def test_a_client_that_leaves_while_words_are_held_ends_its_provider(self):
        leat = self.start(ALWAYS)
        with leat.connect() as client:
            client.send(request(body=chat_body(stream=True)))
            for one in WORDS[:2]:
                self.script.steps.put(one)
            client.read_until(WORDS[1])
            self.script.steps.put(WORDS[2])
        until(lambda: leat.metric("leat_client_gone_total") == 1, "the client gone")
        until(lambda: leat.metric("leat_requests_open") == 0, "the request over")
        self.script.steps.put(None)


if __name__ == "__main__":
    harness.main()
