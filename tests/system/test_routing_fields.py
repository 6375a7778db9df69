#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a routing field that is malformed, unknown or contradicts another is refused with a stated
status that names the field, on both faces; every valid spelling is served.
Method: a table of fields, each sent alone to the real leat over its simulated provider.

Usage: test_routing_fields.py LEAT"""

import harness

FACES = ("/v1", "/api/v1")

# Whatever a request may ask for, some endpoint has it.
CATALOGUE = """
[providers.builtin]
data = { trains = false, publishes = false, retention_days = 0 }
""" + "".join(f"""
[[models]]
id = "{name}"
distillable = true
output = ["text", "image", "audio"]
parameters = ["tools", "tool_choice", "response_format", "reasoning", "max_tokens"]
[[models.endpoints]]
provider = "builtin"
model = "simulated"
quantization = "fp8"
price = {{ prompt = "1", completion = "2" }}
[[models.endpoints]]
provider = "builtin"
model = "simulated"
tier = "flex"
price = {{ prompt = "1", completion = "1" }}
[[models.endpoints]]
provider = "builtin"
model = "simulated"
tier = "priority"
price = {{ prompt = "2", completion = "4" }}
[[models.endpoints]]
provider = "builtin"
model = "simulated"
tag = "builtin/{name.replace("/", "-")}-extended"
variant = "extended"
price = {{ prompt = "2", completion = "4" }}
[[models.endpoints]]
provider = "builtin"
model = "simulated"
tag = "builtin/{name.replace("/", "-")}-free"
variant = "free"
free = true
""" for name in ("sim/one", "sim/two"))

LONG = "x" * 2_000

# Members of `provider`: what is wrong, and the field that is named.
BAD_PROVIDER = [
    ({"nobody": 1}, "provider.nobody"),
    ({"Order": ["builtin"]}, "provider.Order"),
    ({"order": "builtin"}, "provider.order"),
    ({"order": [1]}, "provider.order[0]"),
    ({"order": ["builtin", ""]}, "provider.order[1]"),
    ({"order": ["builtin", None]}, "provider.order[1]"),
    ({"order": [LONG]}, "provider.order[0]"),
    ({"only": {}}, "provider.only"),
    ({"only": ["builtin", 1]}, "provider.only[1]"),
    ({"only": [""]}, "provider.only[0]"),
    ({"ignore": True}, "provider.ignore"),
    ({"ignore": [[]]}, "provider.ignore[0]"),
    ({"only": ["builtin"], "ignore": ["a", "Builtin"]}, "provider.ignore[1]"),
    ({"order": ["builtin"], "ignore": ["builtin"]}, "provider.ignore[0]"),
    ({"allow_fallbacks": "true"}, "provider.allow_fallbacks"),
    ({"require_parameters": 1}, "provider.require_parameters"),
    ({"data_collection": "maybe"}, "provider.data_collection"),
    ({"data_collection": False}, "provider.data_collection"),
    ({"zdr": "yes"}, "provider.zdr"),
    ({"enforce_distillable_text": 0}, "provider.enforce_distillable_text"),
    ({"quantizations": "fp8"}, "provider.quantizations"),
    ({"quantizations": ["fp8", "fp7"]}, "provider.quantizations[1]"),
    ({"quantizations": [8]}, "provider.quantizations[0]"),
    ({"sort": "cheapest"}, "provider.sort"),
    ({"sort": 1}, "provider.sort"),
    ({"sort": ["price"]}, "provider.sort"),
    ({"sort": {"by": "cheapest"}}, "provider.sort.by"),
    ({"sort": {"by": "price", "partition": "all"}}, "provider.sort.partition"),
    ({"sort": {"order": "price"}}, "provider.sort.order"),
    ({"preferred_min_throughput": "50"}, "provider.preferred_min_throughput"),
    ({"preferred_min_throughput": -1}, "provider.preferred_min_throughput"),
    ({"preferred_min_throughput": {"p95": 1}}, "provider.preferred_min_throughput.p95"),
    ({"preferred_min_throughput": {"p50": "1"}}, "provider.preferred_min_throughput"),
    ({"preferred_max_latency": [1]}, "provider.preferred_max_latency"),
    ({"preferred_max_latency": {"p99": -0.1}}, "provider.preferred_max_latency"),
    ({"max_price": 1}, "provider.max_price"),
    ({"max_price": {"tokens": 1}}, "provider.max_price.tokens"),
    ({"max_price": {"prompt": -1}}, "provider.max_price.prompt"),
    ({"max_price": {"completion": "cheap"}}, "provider.max_price.completion"),
    ({"max_price": {"request": True}}, "provider.max_price.request"),
    ({"max_price": {"image": []}}, "provider.max_price.image"),
    ({"max_price": {"audio": ""}}, "provider.max_price.audio"),
]

# Members of the request itself.
BAD = [
    ({"model": 1}, "model"),
    ({"model": ""}, "model"),
    ({"model": ":free"}, "model"),
    ({"model": LONG}, "model"),
    ({"model": None}, "model"),
    ({"model": "sim/one:nitro:floor"}, "model"),
    ({"models": "sim/one"}, "models"),
    ({"models": [1]}, "models[0]"),
    ({"models": ["sim/one", None]}, "models[1]"),
    ({"models": ["sim/two", ""]}, "models[1]"),
    ({"models": [LONG]}, "models[0]"),
    ({"models": ["sim/one:floor:exacto"]}, "models[0]"),
    ({"models": ["sim/two"] * 16}, "models[15]"),
    ({"provider": "builtin"}, "provider"),
    ({"provider": ["builtin"]}, "provider"),
    ({"route": "best"}, "route"),
    ({"route": 1}, "route"),
    ({"route": "sort", "provider": {"sort": {"partition": "model"}}}, "route"),
    ({"preset": 1}, "preset"),
    ({"session_id": 1}, "session_id"),
    ({"session_id": "s" * 257}, "session_id"),
    ({"user": 1}, "user"),
    ({"prompt_cache_key": {}}, "prompt_cache_key"),
    ({"service_tier": "gold"}, "service_tier"),
    ({"service_tier": 1}, "service_tier"),
    ({"tools": {}}, "tools"),
    ({"tools": [{"type": "function"}, "f"]}, "tools[1]"),
    ({"tool_choice": 1}, "tool_choice"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {}}, "response_format.type"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"reasoning": "high"}, "reasoning"),
    ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    ({"reasoning": {"max_tokens": "1"}}, "reasoning.max_tokens"),
    ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens"),
    ({"reasoning": {"enabled": 1}}, "reasoning.enabled"),
    ({"reasoning": {"exclude": "no"}}, "reasoning.exclude"),
    ({"reasoning_effort": "huge"}, "reasoning_effort"),
    ({"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, "reasoning_effort"),
    ({"modalities": "text"}, "modalities"),
    ({"modalities": ["smell"]}, "modalities[0]"),
    ({"plugins": {}}, "plugins"),
    ({"transforms": "middle-out"}, "transforms"),
    ({"messages": "hi"}, "messages"),
    ({"messages": ["hi"]}, "messages[0]"),
    ({"stream": "yes"}, "stream"),
    ({"max_tokens": "9"}, "max_tokens"),
    ({"max_completion_tokens": -1}, "max_completion_tokens"),
] + [({"provider": wrong}, param) for wrong, param in BAD_PROVIDER]

# One key twice: the second spelling is as good as the first, so neither is believed.
TWICE = [
    (b'"provider":{"zdr":true,"zdr":false}', "provider.zdr"),
    (b'"provider":{"sort":{"by":"price","by":"latency"}}', "provider.sort"),
    (b'"provider":{"max_price":{"prompt":1,"prompt":2}}', "provider.max_price.prompt"),
    (b'"provider":{"zdr":true,"\\u007adr":false}', "provider.zdr"),
    (b'"provider":{},"provider":{}', "provider"),
    (b'"models":[],"models":["sim/two"]', "models"),
]

# Refused for what is not here rather than for its form.
NOT_HERE = [
    ({"model": "sim/none"}, 404, "model", "sim/none"),
    ({"models": ["sim/one", "sim/none"]}, 404, "models", "sim/none"),
    ({"model": None, "models": ["sim/none"]}, 404, "models", "sim/none"),
    ({"model": "sim/one:unheard"}, 404, "model", "sim/one:unheard"),
    ({"model": "sim/one:online"}, 400, "model", ":online"),
    ({"model": "sim/one:exacto"}, 400, "model", ":exacto"),
    ({"models": ["sim/two:online"]}, 400, "models", ":online"),
    ({"provider": {"sort": "exacto"}}, 400, "provider.sort", "exacto"),
    ({"provider": {"sort": {"by": "exacto"}}}, 400, "provider.sort", "exacto"),
    ({"model": "@preset/mine"}, 501, "model", "preset"),
    ({"model": "sim/one@preset/mine"}, 501, "model", "preset"),
    ({"models": ["@preset/mine"]}, 501, "models", "preset"),
    ({"preset": "mine"}, 501, "preset", "preset"),
]

GOOD_PROVIDER = [
    {},
    {"order": ["builtin"]}, {"order": []}, {"order": ["Builtin", "unheard of"]},
    {"order": ["builtin/flex"]},
    {"only": ["builtin"]}, {"ignore": ["somebody"]}, {"ignore": []},
    {"allow_fallbacks": False}, {"require_parameters": True},
    {"data_collection": "deny"}, {"data_collection": "allow"}, {"zdr": True},
    {"enforce_distillable_text": True},
    {"quantizations": ["fp8", "bf16"]}, {"quantizations": []},
    {"sort": "price"}, {"sort": "throughput"}, {"sort": "latency"},
    {"sort": {"by": "price"}}, {"sort": {"by": "latency", "partition": "none"}},
    {"sort": {"partition": "model"}}, {"sort": {}},
    {"preferred_min_throughput": 50}, {"preferred_min_throughput": {"p50": 1, "p99": 0.5}},
    {"preferred_max_latency": 0}, {"preferred_max_latency": {"p75": 1e1, "p90": None}},
    {"max_price": {"prompt": 1, "completion": "2"}},
    {"max_price": {"prompt": "1.0", "request": 0, "image": 1, "audio": "3"}}, {"max_price": {}},
] + [{key: None} for key in (
    "order", "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "zdr",
    "enforce_distillable_text", "quantizations", "sort", "preferred_min_throughput",
    "preferred_max_latency", "max_price")]

GOOD = [
    {"model": "sim/one:nitro"}, {"model": "sim/one:floor"}, {"model": "sim/one:free"},
    {"model": "sim/one:extended"}, {"model": "sim/one:thinking"},
    {"model": "sim/one:floor:extended"},
    {"models": []}, {"models": ["sim/two"]}, {"models": ["sim/two"] * 15},
    {"model": None, "models": ["sim/two", "sim/one:nitro"]},
    {"provider": None},
    {"route": "fallback"}, {"route": "sort"}, {"route": None},
    {"route": "sort", "provider": {"sort": {"partition": "none"}}},
    {"session_id": "s" * 256}, {"session_id": None}, {"user": "u"}, {"prompt_cache_key": "p"},
    {"tools": []}, {"tools": [{"type": "function", "function": {"name": "f"}}]},
    {"tool_choice": "auto", "tools": [{"type": "function"}]},
    {"response_format": {"type": "text"}}, {"response_format": {"type": "json_object"}},
    {"reasoning": {}}, {"reasoning": {"enabled": False, "exclude": True}},
    {"reasoning": {"max_tokens": 1000}},
    {"reasoning": {"effort": "low"}, "reasoning_effort": "low"},
    {"modalities": ["text"]}, {"modalities": ["image", "text"]}, {"plugins": []},
    {"transforms": []}, {"preset": None}, {"max_tokens": 5}, {"max_completion_tokens": 5},
] + [{"reasoning_effort": word}
     for word in ("none", "minimal", "low", "medium", "high", "xhigh", "max", None)] \
  + [{"service_tier": tier}
     for tier in ("auto", "default", "flex", "priority", "fast", "scale", None)] \
  + [{"provider": wish} for wish in GOOD_PROVIDER]


class RoutingFields(harness.Case):
    @classmethod
    def setUpClass(cls):
        cls.router = harness.Leat(catalogue=CATALOGUE)
        cls.addClassCleanup(cls.router.close)

    def ask(self, face, data):
        with self.router.connect() as client:
            client.send(harness.request(target=face + "/chat/completions", body=data))
            return client.answer()

    def assert_names(self, answer, face, status, param):
        self.assertEqual(answer.status, status, answer.body)
        self.assert_error(answer, face)
        error = answer.json()["error"]
        named = error["param"] if face == "/v1" else error["metadata"].get("param")
        self.assertEqual(named, param, answer.body)
        self.assertNotIn(LONG, answer.body.decode())
        return error["message"]

    def body(self, fields):
        return harness.chat_body(**{"model": "sim/one", "max_tokens": 1, **fields})

    def test_bad_fields_are_named(self):
        for face in FACES:
            for fields, param in BAD:
                with self.subTest(face=face, fields=str(fields)[:100]):
                    self.assert_names(self.ask(face, self.body(fields)), face, 400, param)

    def test_fields_that_stand_twice_are_named(self):
        for face in FACES:
            for text, param in TWICE:
                with self.subTest(face=face, text=text):
                    data = b'{"model":"sim/one","messages":[],' + text + b"}"
                    self.assert_names(self.ask(face, data), face, 400, param)

    def test_what_is_not_here_is_named(self):
        for face in FACES:
            for fields, status, param, word in NOT_HERE:
                with self.subTest(face=face, fields=fields):
                    answer = self.ask(face, self.body(fields))
                    self.assertIn(word, self.assert_names(answer, face, status, param))

    def test_no_endpoint_left_says_which_rule_took_the_last(self):
        for wish, word in (({"only": ["somebody"]}, "provider.only"),
                           ({"ignore": ["builtin"]}, "provider.ignore"),
                           ({"quantizations": ["int4"]}, "quantization"),
                           ({"max_price": {"prompt": "0.5"}}, "provider.max_price")):
            for face in FACES:
                with self.subTest(face=face, wish=wish):
                    answer = self.ask(face, self.body({"provider": wish}))
                    self.assertEqual(answer.status, 404, answer.body)
                    self.assertIn(word, answer.json()["error"]["message"])

    def test_every_valid_spelling_is_served(self):
        for face in FACES:
            for fields in GOOD:
                with self.subTest(face=face, fields=str(fields)[:100]):
                    answer = self.ask(face, self.body(fields))
                    self.assertEqual(answer.status, 200, answer.body)


if __name__ == "__main__":
    harness.main()
