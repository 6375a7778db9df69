#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: reasoning is asked for, given and handed back in one spelling to clients, whatever each
provider calls it; who does not want to see it sees none; an endpoint gets nothing in messages or
tools that it would refuse.
Method: the real leat, clients that append an answer to their messages as SDKs do, and providers
that note what they got.

Usage: test_reasoning.py LEAT"""

import json

import harness
from harness import SSE_HEAD, chunk, event, reply, stream_bytes

CALL = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {}, "strict": True},
          "cache_control": {"type": "ephemeral"}}]
THOUGHT = "so \"it\" is\né😀"


def turn_with(field):
    """A whole answer that calls a tool and tells its reasoning in `field`."""
    body = harness.completion()
    body["choices"][0] = {"index": 0, "finish_reason": "tool_calls",
                          "message": {"role": "assistant", "content": None, field: THOUGHT,
                                      "tool_calls": [CALL]}}
    return reply(body)


class Reasoning(harness.Case):
    def serve(self, lines, script):
        made = self.provider(script)
        return self.leat([made], provider_lines=lines), made

    def loop(self, lines, face="/api/v1", field="reasoning_content", filler=""):
        """Two turns of a tool loop; what the client got and what the provider got back."""
        def script(call):
            is_second = any(m["role"] == "tool" for m in call.json()["messages"])
            call.send(reply(harness.completion()) if is_second else turn_with(field))

        router, provider = self.serve(lines, script)
        messages = [{"role": "user", "content": "hi" + filler}]
        first = router.chat(face, messages=messages, tools=TOOLS)
        self.assertEqual(first.status, 200, first.body)
        message = first.json()["choices"][0]["message"]
        messages += [message, {"role": "tool", "tool_call_id": "call_1", "content": "seen"}]
        second = router.chat(face, messages=messages, tools=TOOLS)
        self.assertEqual(second.status, 200, second.body)
        return message, provider.calls[1].json()

    def test_a_tool_loop_hands_reasoning_back_as_it_was_given(self):
        # Longer than what is sent in one piece, too.
        for filler in ("", "x" * 300_000):
            with self.subTest(filler=len(filler)):
                got, back = self.loop('reasoning_out = "reasoning_content"', filler=filler)
                self.assertEqual(got["reasoning"], THOUGHT)
                self.assertNotIn("reasoning_content", got)
                user, assistant, tool = back["messages"]
                self.assertEqual(user["content"], "hi" + filler)
                self.assertEqual(assistant, {"role": "assistant", "content": None,
                                             "tool_calls": [{**CALL, "index": 0}],
                                             "reasoning_content": THOUGHT})
                self.assertEqual(tool["content"], "seen")
                self.assertEqual(back["tools"], TOOLS)

    def test_providers_that_call_it_otherwise_or_take_none(self):
        _, back = self.loop('reasoning_out = "reasoning"', field="reasoning")
        self.assertEqual(back["messages"][1]["reasoning"], THOUGHT)
        _, back = self.loop('reasoning_out = "none"', field="reasoning")
        self.assertEqual({"role", "content", "tool_calls"}, set(back["messages"][1]))
        got, back = self.loop("", face="/v1")
        self.assertEqual(got, back["messages"][1], "as sent where nothing is known")

    def test_a_strict_provider_gets_no_more_than_openais_members(self):
        lines = 'quirks = ["strict_messages", "no_strict_tools", "no_developer_role"]'
        router, provider = self.serve(lines, lambda call: call.send(reply(harness.completion())))
        messages = [{"role": "developer", "content": [
                        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]},
                    {"role": "assistant", "content": "b", "annotations": [], "images": []},
                    {"role": "user", "content": "c"}]
        self.assertEqual(router.chat("/api/v1", messages=messages, tools=TOOLS).status, 200)
        sent = provider.calls[0].json()
        self.assertEqual(sent["messages"],
                         [{"role": "system", "content": [{"type": "text", "text": "a"}]},
                          {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}])
        self.assertEqual(sent["tools"], [{"type": "function",
                                          "function": {"name": "look", "parameters": {}}}])

    def test_the_wish_is_spelt_as_the_provider_does(self):
        answer = lambda call: call.send(reply(harness.completion()))
        cases = [
            ("reasoning_effort", {"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}),
            ("reasoning_effort", {"reasoning": {"max_tokens": 600}, "max_tokens": 1000},
             {"reasoning_effort": "medium"}),
            ("reasoning_effort", {"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}),
            ("reasoning", {"reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
            ("none", {"reasoning": {"effort": "high"}}, {}),
            ("as_sent", {"reasoning": {"effort": "high"}}, {"reasoning": {"effort": "high"}}),
        ]
        for word, asked, expected in cases:
            with self.subTest(word=word, asked=asked):
                router, provider = self.serve(f'reasoning_in = "{word}"', answer)
                self.assertEqual(router.chat("/api/v1", **asked).status, 200)
                sent = provider.calls[0].json()
                self.assertEqual({k: v for k, v in sent.items() if k.startswith("reasoning")},
                                 expected)

    def test_who_takes_none_is_not_asked_under_its_other_name(self):
        answer = lambda call: call.send(reply(harness.completion()))
        cases = [("reasoning_effort", '"reasoning_effort"', {"reasoning": {"effort": "low"}}),
                 ("reasoning", '"reasoning"', {"reasoning_effort": "low"}),
                 ("reasoning_effort", '"reasoning", "reasoning_effort"',
                  {"reasoning": {"enabled": False}})]
        for word, rejects, asked in cases:
            with self.subTest(rejects=rejects):
                lines = f'reasoning_in = "{word}"\nrejects = [{rejects}]'
                router, provider = self.serve(lines, answer)
                self.assertEqual(router.chat("/api/v1", **asked).status, 200)
                sent = provider.calls[0].json()
                self.assertFalse([key for key in sent if key.startswith("reasoning")], sent)

    def test_who_does_not_want_to_see_it_sees_none(self):
        def script(call):
            thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]},
                        {"type": "text", "text": "said"}]
            if not call.json().get("stream"):
                body = harness.completion()
                body["choices"][0]["message"].update(reasoning=THOUGHT, reasoning_content=THOUGHT,
                                                     reasoning_details=[{"text": THOUGHT}])
                return call.send(reply(body))
            deltas = [{"reasoning": THOUGHT}, {"reasoning_content": THOUGHT},
                      {"reasoning_details": [{"text": THOUGHT}]}, {"content": thinking}]
            call.send(SSE_HEAD + b"".join(chunk(event(delta)) for delta in deltas)
                      + stream_bytes(["seen"])[len(SSE_HEAD):])
            return None

        router, _ = self.serve("", script)
        for wish in ({"reasoning": {"exclude": True}}, {"include_reasoning": False}):
            for streamed in (False, True):
                with self.subTest(wish=wish, streamed=streamed):
                    answer = router.chat("/api/v1", stream=streamed, **wish)
                    self.assertEqual(answer.status, 200)
                    for told in ("so \\\"it", "reasoning\"", "reasoning_content", "details\":[{"):
                        self.assertNotIn(told, answer.body.decode())
                    self.assertIn("hello" if not streamed else "seen", answer.body.decode())
        shown = router.chat("/api/v1", stream=True)
        self.assertIn("so \\\"it", shown.body.decode(), "and who says nothing sees it")

    def test_server_tools_are_refused_and_not_sent_on(self):
        router, provider = self.serve("", lambda call: call.send(reply(harness.completion())))
        for kind in ("openrouter:web_search", "openrouter\\u003adatetime"):
            body = harness.chat_body(tools=["TOOL"]).replace(
                b'"TOOL"', b'{"type":"%s"}' % kind.encode())
            with router.connect() as client:
                client.send(harness.request(target="/api/v1/chat/completions", body=body))
                answer = client.answer()
            self.assertEqual(answer.status, 400, answer.body)
            self.assert_error(answer, "/api/v1", "invalid_request")
            self.assertEqual(answer.json()["error"]["metadata"]["param"], "tools")
        self.assertEqual(provider.calls, [])
        runs, other = self.serve('quirks = ["runs_server_tools"]',
                                 lambda call: call.send(reply(harness.completion())))
        tool = {"type": "openrouter:web_search"}
        self.assertEqual(runs.chat("/api/v1", tools=[tool]).status, 200)
        self.assertEqual(other.calls[0].json()["tools"], [tool])


if __name__ == "__main__":
    harness.main()
