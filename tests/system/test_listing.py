#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a program that asks what there is gets the catalogue's facts on every listing route, in the
shape of its face, and a plain refusal for what it got wrong.
Method: the real leat with a catalogue file; raw requests, names spelled as the SDKs spell them.

Usage: test_listing.py LEAT"""

import time

import harness
from harness import MODEL, answer_well, chat_request, reply, request, until

CATALOGUE = """
[providers.p0]
display_name = "Provider Zero"
privacy_policy_url = "https://zero.example/privacy"
headquarters = "DE"
data = { trains = false, publishes = false, retention_days = 0 }
[[models]]
id = "acme/rich"
name = "Acme: Rich"
family = "rich"
created_unix_s = 1750000000
context_tokens = 128000
parameters = ["temperature", "tools"]
[[models.endpoints]]
provider = "p0"
model = "rich-upstream"
price = { prompt = "0.15", completion = "0.60" }
overrides = [{ prompt_tokens_over = 1000, price = { prompt = "0.30" } }]
[[models.endpoints]]
provider = "builtin"
model = "rich"
price = { prompt = "1", completion = "2" }
[[models.endpoints]]
provider = "p0"
model = "rich-free"
variant = "free"
free = true
[[models]]
id = "acme/vectors"
output = ["embeddings"]
created_unix_s = 1760000000
endpoints = [{ provider = "builtin", model = "v", price = { prompt = "0.01" } }]
[[models]]
id = "acme/secret"
hidden = true
endpoints = [{ provider = "builtin", model = "s", free = true }]
"""

PATTERN = """
[[models]]
id = "any/*"
endpoints = [{ provider = "builtin", model = "*" }]
"""

# By the configuration: MODEL and leat/simulated; by the catalogue the rest.
TEXT_MODELS = ["leat/simulated", MODEL, "acme/rich", "acme/rich:free", "~acme/rich-latest"]


class Listing(harness.Case):
    def serve(self, script=answer_well):
        return self.leat([self.provider(script)], catalogue=CATALOGUE, extra=PATTERN)

    def ask(self, router, path, method="GET", key=harness.KEY):
        with router.connect() as client:
            client.send(request(method, path, key=key))
            return client.answer()

    def get(self, router, path):
        answer = self.ask(router, path)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertIn("content-type: application/json", answer.head.lower())
        return answer.json()

    def ids(self, router, query=""):
        return [one["id"] for one in self.get(router, f"/api/v1/models{query}")["data"]]

    def test_openai_face(self):
        before = int(time.time())
        router = self.serve()
        models = self.get(router, "/v1/models")
        self.assertEqual(set(models), {"object", "data"})
        self.assertEqual(models["object"], "list")
        by_id = {one["id"]: one for one in models["data"]}
        self.assertEqual(set(by_id), {*TEXT_MODELS, "acme/vectors"})
        for one in models["data"]:
            self.assertEqual(set(one), {"id", "object", "created", "owned_by"})
        rich = {"id": "acme/rich", "object": "model", "created": 1750000000, "owned_by": "acme"}
        self.assertEqual(by_id["acme/rich"], rich)
        # Who does not say when it was made counts from leat's start.
        self.assertGreaterEqual(by_id[MODEL]["created"], before)
        self.assertLessEqual(by_id[MODEL]["created"], time.time())
        for path in ("/v1/models/acme/rich", "/v1/models/acme%2Frich",
                     "/api/v1/models/acme%2Frich"):
            self.assertEqual(self.get(router, path), rich)

    def test_openrouter_models(self):
        router = self.serve()
        self.assertEqual(sorted(self.ids(router)), sorted(TEXT_MODELS))
        whole = self.get(router, "/api/v1/models")
        self.assertEqual(whole["total_count"], len(TEXT_MODELS))
        self.assertEqual(whole["links"], {"next": None})
        by_id = {one["id"]: one for one in whole["data"]}
        pricing = by_id["acme/rich"]["pricing"]
        self.assertEqual((pricing["prompt"], pricing["completion"]), ("0.00000015", "0.0000006"))
        self.assertEqual(pricing["overrides"],
                         [{"prompt": "0.0000003", "min_prompt_tokens": 1000}])
        # Without a price nothing is known to cost anything; the keys are there all the same.
        for name in (MODEL, "acme/rich:free"):
            pricing = by_id[name]["pricing"]
            self.assertEqual((pricing["prompt"], pricing["completion"]), ("0", "0"))
        self.assertEqual(by_id["~acme/rich-latest"]["alias_target"]["slug"], "acme/rich")
        one = self.get(router, "/api/v1/model/acme/rich%3Afree")["data"]
        self.assertEqual(one, by_id["acme/rich:free"])
        self.assertEqual(self.get(router, "/api/v1/model/~acme/rich-latest")["data"]["id"],
                         "acme/rich")

    def test_queries(self):
        router = self.serve()
        self.assertEqual(self.ids(router, "?output_modalities=embeddings"), ["acme/vectors"])
        self.assertEqual(self.ids(router, "?supported_parameters=tools&q=rich&sort=newest&limit=1"),
                         ["acme/rich"])
        self.assertEqual(self.ids(router, "?zdr=true"),
                         [MODEL, "acme/rich", "acme/rich:free", "~acme/rich-latest"])
        self.assertEqual(self.get(router, "/api/v1/models/count?q=rich"), {"data": {"count": 3}})
        # Pages, as a program follows them.
        seen, path = [], "/api/v1/models?limit=2&q=acme"
        while path:
            page = self.get(router, path)
            seen += [one["id"] for one in page["data"]]
            path = page["links"]["next"]
        self.assertEqual(seen, self.ids(router, "?q=acme"))
        # What is not known is not asked about.
        self.assertEqual(self.ids(router, "?use_case=any"), self.ids(router))

    def test_bad_queries(self):
        router = self.serve()
        bad = {"limit": "0", "offset": "-1", "context": "1k", "supported_parameters": "tolls",
               "input_modalities": "smell", "output_modalities": "taste", "min_price": "free",
               "max_price": "-1", "min_output_price": "x", "max_output_price": "x",
               "distillable": "maybe", "zdr": "yes"}
        for route in ("/api/v1/models", "/api/v1/models/count"):
            for param, value in bad.items():
                answer = self.ask(router, f"{route}?q=a&{param}={value}")
                self.assertEqual(answer.status, 400, param)
                self.assert_error(answer, "/api/v1", "invalid_request")
                self.assertEqual(answer.json()["error"]["metadata"]["param"], param)

    def test_endpoints_and_providers(self):
        router = self.serve()
        for name in ("acme/rich", "acme%2Frich"):
            rich = self.get(router, f"/api/v1/models/{name}/endpoints")["data"]
            self.assertEqual(rich["id"], "acme/rich")
            self.assertEqual([one["tag"] for one in rich["endpoints"]], ["p0", "builtin"])
            self.assertEqual(rich["endpoints"][0]["provider_name"], "Provider Zero")
            self.assertEqual(rich["endpoints"][0]["status"], 0)
            self.assertIsNone(rich["endpoints"][0]["uptime_last_30m"])
        free = self.get(router, "/api/v1/models/acme/rich%3Afree/endpoints")["data"]
        self.assertEqual([one["model_id"] for one in free["endpoints"]], ["acme/rich:free"])
        zdr = self.get(router, "/api/v1/endpoints/zdr")["data"]
        self.assertEqual({one["model_id"] for one in zdr}, {"acme/rich", "acme/rich:free", MODEL})
        providers = {one["slug"]: one for one in self.get(router, "/api/v1/providers")["data"]}
        self.assertEqual(set(providers), {"p0", "builtin"})
        self.assertEqual(providers["p0"]["headquarters"], "DE")
        self.assertIsNone(providers["builtin"]["privacy_policy_url"])

    def test_an_endpoint_that_is_at_its_limit_says_so(self):
        full = reply({"error": {"message": "slow down"}}, "429 Full", "retry-after: 60\r\n")
        router = self.serve(lambda call: call.send(full))

        def status():
            data = self.get(router, f"/api/v1/models/{MODEL}/endpoints")["data"]
            return data["endpoints"][0]["status"]
        self.assertEqual(status(), 0)
        with router.connect() as client:
            client.send(chat_request())
            self.assertEqual(client.answer().status, 429)
        until(lambda: status() == -3, "the status of an exhausted endpoint")

    def test_unknown_models(self):
        router = self.serve()
        for name in ("acme/none", "acme/secret", "any/thing", "any/*", "acme/rich:none", "acme",
                     "..%2F..%2Fkeys", "../keys", "acme%252Frich", "acme/rich%00"):
            for path in (f"/api/v1/model/{name}", f"/api/v1/models/{name}/endpoints",
                         f"/api/v1/models/{name}"):
                answer = self.ask(router, path)
                self.assertEqual(answer.status, 404, path)
                self.assert_error(answer, "/api/v1", "model_not_found")
                self.assertNotIn(name.encode(), answer.body)
            answer = self.ask(router, f"/v1/models/{name}")
            self.assertEqual(answer.status, 404)
            self.assert_error(answer, "/v1")
            self.assertEqual(answer.json()["error"]["code"], "model_not_found")

    def test_key_and_method(self):
        router = self.serve()
        for path in ("/v1/models", "/v1/models/acme/rich", "/api/v1/models", "/api/v1/models/count",
                     "/api/v1/model/acme/rich", "/api/v1/models/acme/rich/endpoints",
                     "/api/v1/endpoints/zdr", "/api/v1/providers"):
            face = "/api/v1" if path.startswith("/api") else "/v1"
            answer = self.ask(router, path, key="no-such-key")
            self.assertEqual(answer.status, 401, path)
            self.assert_error(answer, face)
            answer = self.ask(router, path, method="DELETE")
            self.assertEqual(answer.status, 405, path)
            self.assertIn("allow: get\r\n", answer.head.lower() + "\r\n")

    def test_the_answer_to_head_has_no_body(self):
        router = self.serve()
        with router.connect() as client:
            client.send(request("HEAD", "/v1/models") + request("GET", "/v1/models"))
            client.read_until(b"\r\n\r\n")
            head, _, rest = bytes(client.buffer).partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 405 "), head)
            client.buffer[:] = rest
            self.assertEqual(client.answer().status, 200)


if __name__ == "__main__":
    harness.main()
