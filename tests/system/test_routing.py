# SPDX-License-Identifier: Apache-2.0
"""Goal: requests go where prices, keys, limits and conversations say. Method: real leat, scripted
providers with prices."""

import collections
import unittest

import harness
from harness import answer_well, reply


def answer_from_cache(call):
    """Its usage says that the prompt was in its cache."""
    body = harness.completion()
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": 1}
    call.send(reply(body))


def model(model_id, ends):
    lines = ",\n".join(f'  {{ provider = "{name}", model = "up", price = {{ {price} }} }}'
                       for name, price in ends)
    return f'\n[[models]]\nid = "{model_id}"\nendpoints = [\n{lines}\n]\n'


class Routing(harness.Case):
    def serve(self, script, price, count=2, **options):
        self.providers = [self.provider(script) for _ in range(count)]
        ends = [(f"p{i}", price) for i in range(count)]
        router = harness.Leat(self.providers, extra=model("priced/one", ends), **options)
        self.addCleanup(router.close)
        return router

    def calls(self):
        return [len(provider.calls) for provider in self.providers]

    def test_equal_prices_share(self):
        router = self.serve(answer_well, 'prompt = "1", completion = "2"')
        for _ in range(60):
            self.assertEqual(router.chat(model="priced/one").status, 200)
        # Of 60 fair draws fewer than 12 for one side come once in a million runs.
        self.assertGreaterEqual(min(self.calls()), 12)

    def test_a_session_stays_at_its_endpoint(self):
        price = 'prompt = "1", completion = "2", input_cache_read = "0.1"'
        router = self.serve(answer_well, price)
        for session in range(6):
            before = self.calls()
            for _ in range(8):
                answer = router.chat(model="priced/one", session_id=f"s{session}")
                self.assertEqual(answer.status, 200)
            grown = [after - b for after, b in zip(self.calls(), before)]
            self.assertEqual(sorted(grown), [0, 8])

    def test_without_a_session_a_cache_hit_begins_one(self):
        price = 'prompt = "1", completion = "2", input_cache_read = "0.1"'
        router = self.serve(answer_from_cache, price)
        for who in range(6):
            before = self.calls()
            for _ in range(8):
                messages = [{"role": "user", "content": f"hi {who}"}]
                self.assertEqual(router.chat(model="priced/one", messages=messages).status, 200)
            grown = [after - b for after, b in zip(self.calls(), before)]
            self.assertEqual(sorted(grown), [0, 8])

    def test_without_a_cheaper_cache_nothing_stays(self):
        router = self.serve(answer_well, 'prompt = "1", completion = "2"')
        for _ in range(40):
            router.chat(model="priced/one", session_id="s")
        self.assertGreaterEqual(min(self.calls()), 5)

    def test_a_limited_endpoint_is_not_asked_before_it_says(self):
        router = self.serve(answer_well, 'prompt = "1", completion = "2"')
        limited = reply({"error": {"message": "slow down"}}, "429 X", "retry-after: 30\r\n")
        self.providers[0].script = lambda call: call.send(limited)
        for _ in range(30):
            self.assertEqual(router.chat(model="priced/one").status, 200)
        self.assertEqual(self.calls()[0], 1)
        self.providers[1].script = lambda call: call.send(limited)
        answer = router.chat("/api/v1", model="priced/one")
        self.assertEqual(answer.status, 429)
        answer = router.chat("/api/v1", model="priced/one")
        self.assertEqual(answer.status, 429)
        self.assertRegex(answer.head.lower(), r"\r\nretry-after: (29|30)\b")
        self.assertEqual(self.calls(), [1, 31])
        # The other model of the same providers has limits of its own.
        self.providers[0].script = answer_well
        self.assertEqual(router.chat().status, 200)

    def test_the_next_model_is_asked_when_the_first_fails(self):
        router = self.serve(lambda call: call.send(
            reply({"error": {"message": "x"}}, "500 X")),
                            'prompt = "1", completion = "2"', count=1)
        answer = router.chat("/api/v1", model="priced/one", models=["leat/simulated"])
        self.assertEqual((answer.status, answer.json()["model"]), (200, "leat/simulated"))

    def test_a_patterns_model_whose_slash_is_escaped(self):
        # As PHP writes JSON. The unescaped name must live as long as the attempts.
        provider = self.provider(answer_well)
        extra = '\n[[models]]\nid = "any/*"\nendpoints = [{ provider = "p0", model = "*" }]\n'
        with harness.Leat([provider], extra=extra) as router:
            for field in ('"model":"any\\/deep\\/one"', '"models":["any\\/deep\\/one"]'):
                body = ("{" + field + ',"messages":[{"role":"user","content":"hi"}]}').encode()
                with router.connect() as client:
                    client.send(harness.request(target="/v1/chat/completions", body=body))
                    self.assertEqual(client.answer().status, 200)
        self.assertEqual([call.json()["model"] for call in provider.calls], ["deep/one"] * 2)

    def test_only_and_ignore(self):
        router = self.serve(answer_well, 'prompt = "1", completion = "2"')
        for _ in range(10):
            router.chat(model="priced/one", provider={"only": ["p1"]})
            router.chat(model="priced/one", provider={"ignore": ["p0"]})
        self.assertEqual(self.calls(), [0, 20])
        answer = router.chat("/api/v1", model="priced/one", provider={"only": ["nobody"]})
        self.assertEqual(answer.status, 404)
        reasons = collections.Counter(each["reason"] for each in
                                      answer.json()["error"]["metadata"]["excluded"])
        self.assertEqual(reasons, {"not_in_only": 2})


if __name__ == "__main__":
    harness.main()
