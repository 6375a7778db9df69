# SPDX-License-Identifier: Apache-2.0
"""Goal: a provider key that a workspace brought is the one that its requests are sent with, where
and as long as it may be, and so is one that came with a request, for that request; it is paid by
who brought it, what its provider says of it is held against nobody else, and nothing repeats it.
Method: the real leat with accounts and a ledger, managed over its admin listener, and providers
that write down which key they were shown.

Usage: test_own_keys.py LEAT"""

import json
import pathlib
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import http2_client
from harness import (LEAT, PROVIDER_KEY, SLOW, SSE_HEAD, Case, chat_body, chunk,
                     completion, event, main, reply, request, stream_bytes, until)

OPERATOR = "operator-key-0123456789-0123456789"
MASTER = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
OWN = "sk-own-0123456789abcdef"
SECOND = "sk-second-0123456789abcdef"
IN_FORCE_S = 0.1
MODEL = "priced/one"
# Nano-dollars: $10 and $30 a million tokens, of which harness.completion() has 3 and 2.
LIST = 3 * 10_000 + 2 * 30_000
FEE = LIST // 20
OUTPUT = 10
BODY = chat_body(model=MODEL, max_tokens=OUTPUT)
FEE_AND_REQUESTS = "byok_fee_ppm = 50000\nprovider_keys_in_requests = true"
# A token for each byte, and the cap.
BOUND = len(BODY) * 10_000 + OUTPUT * 30_000
REFUSED = json.dumps({"error": {"message": f"Incorrect API key provided: {OWN}.", "code": OWN,
                                "type": "invalid_request_error"}}).encode()


def shown(call):
    """The key that the provider was asked with."""
    for line in call.head.split("\r\n"):
        if line.lower().startswith("authorization: bearer "):
            return line[len("authorization: bearer "):]
    return None


def well(call):
    call.send(stream_bytes() if call.json().get("stream") else reply(completion()))


class OwnKeys(Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def serve(self, *scripts, shards=1, accounts="byok_fee_ppm = 50000", **options):
        """p0, p1, ... serve MODEL in this order, since each costs ten times the one before."""
        self.providers = [self.provider(script) for script in scripts]
        ends = ", ".join(
            f'{{ provider = "p{i}", model = "m", price = {{ prompt = "{10 * 11**i}", '
            f'completion = "{30 * 11**i}" }} }}' for i in range(len(scripts)))
        store = pathlib.Path(self.folder.name, "accounts.db")
        ledger = pathlib.Path(self.folder.name, "ledger")
        ledger.mkdir(exist_ok=True)
        extra = (f'[accounts]\nstore_file = "{store}"\n'
                 f'master_key = {{ env = "LEAT_TEST_MASTER" }}\n{accounts}\n'
                 f'[ledger]\nfolder = "{ledger}"\nsegment_mib = 1\n'
                 f'[[models]]\nid = "{MODEL}"\nendpoints = [{ends}]\n')
        environment = {"LEAT_TEST_OPERATOR": OPERATOR, "LEAT_TEST_MASTER": MASTER,
                       **options.pop("environment", {})}
        self.router = self.leat(self.providers, server=f"shards = {shards}", extra=extra,
                                admin='operator_key = { env = "LEAT_TEST_OPERATOR" }\n',
                                environment=environment, **options)
        return self.router

    def manage(self, method, path, body=None):
        headers = {"content-type": "application/json", "authorization": f"Bearer {OPERATOR}"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(self.router.admin + "/api/v1" + path, data, headers,
                                       method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10 * SLOW) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def make_key(self, **members):
        status, made = self.manage("POST", "/keys", {"name": "made", **members})
        self.assertEqual(status, 201, made)
        return made["key"], made["data"]["hash"]

    def bring(self, provider="p0", key=OWN, **members):
        """Its path."""
        status, made = self.manage("POST", "/byok", {"provider": provider, "key": key, **members})
        self.assertEqual(status, 201, made)
        return "/byok/" + made["data"]["id"]

    def ask(self, key, body=BODY, client=None, with_keys=None):
        """`with_keys`: what X-Provider-API-Keys says, as a text or as what JSON makes of it."""
        if client is None:
            with self.router.connect() as client:
                return self.ask(key, body, client, with_keys)
        fields = ""
        if with_keys is not None:
            text = with_keys if isinstance(with_keys, str) else json.dumps(with_keys)
            fields = f"X-Provider-API-Keys: {text}\r\n"
        client.send(request(target="/api/v1/chat/completions", key=key, body=body, fields=fields))
        return client.answer()

    def asked_with(self):
        """The keys that providers were shown since the last time, as (provider, key)."""
        calls = [(f"p{i}", shown(call)) for i, provider in enumerate(self.providers)
                 for call in provider.calls]
        for provider in self.providers:
            provider.calls.clear()
        return calls

    def records(self):
        dumped = subprocess.run([LEAT, "ledger", "dump", self.folder.name + "/ledger"],
                                capture_output=True, text=True)
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        records = [json.loads(line) for line in dumped.stdout.splitlines()]
        for record in records:
            for amount in ("cost", "charge", "byok_fee"):
                record[amount] = round(record[amount] * 1e9)
        return records

    # ---- Which key, and in which order ----

    def test_the_own_key_is_sent_and_only_its_fee_is_charged(self):
        self.serve(well)
        key, digest = self.make_key()
        shared = self.ask(key).json()["usage"]
        self.assertFalse(shared["is_byok"])
        self.assertAlmostEqual(shared["cost"], LIST / 1e9, places=12)
        self.bring()
        self.assertEqual(self.asked_with(), [("p0", PROVIDER_KEY)])
        answer = self.ask(key)
        self.assertEqual(self.asked_with(), [("p0", OWN)])
        usage = answer.json()["usage"]
        self.assertTrue(usage["is_byok"])
        self.assertAlmostEqual(usage["cost"], FEE / 1e9, places=12)
        self.assertAlmostEqual(usage["cost_details"]["upstream_inference_cost"], LIST / 1e9,
                               places=12)
        streamed = self.ask(key, chat_body(model=MODEL, stream=True))
        last = [json.loads(each) for each in streamed.events() if '"usage"' in each][-1]["usage"]
        self.assertTrue(last["is_byok"])
        self.assertAlmostEqual(last["cost"], FEE / 1e9, places=12)
        shared, own, stream = self.records()
        self.assertEqual((shared["is_byok"], shared["cost"], shared["charge"], shared["byok_fee"]),
                         (False, LIST, LIST, 0))
        for record in (own, stream):
            self.assertEqual((record["is_byok"], record["cost"], record["charge"],
                              record["byok_fee"]), (True, LIST, FEE, FEE))
            self.assertEqual([each["is_byok"] for each in record["attempts"]], [True])

        def told():
            data = self.manage("GET", f"/keys/{digest}")[1]["data"]
            return (round(data["usage"] * 1e9), round(data["byok_usage"] * 1e9))
        until(lambda: told() == (LIST + 2 * FEE, 2 * LIST), "the key's own sums")

    def test_own_keys_come_first_then_shared_then_fallbacks(self):
        def refuse(call):
            call.send(reply(b'{"error":{"message":"overloaded"}}', "503 Busy"))
        self.serve(refuse, refuse)
        key, _ = self.make_key()
        self.bring("p1", OWN, sort_order=2)
        self.bring("p1", SECOND, sort_order=1)
        self.bring("p0", "sk-last-0123456789", is_fallback=True)
        body = chat_body(model=MODEL, provider={"order": ["p0", "p1"]})
        self.assertGreaterEqual(self.ask(key, body).status, 500)
        record = until(self.records, "its record")[0]
        self.assertEqual([(each["provider"], each["is_byok"]) for each in record["attempts"]][:3],
                         [("p1", True), ("p1", True), ("p0", False)])
        self.assertEqual(self.asked_with()[-2:], [("p1", SECOND), ("p1", OWN)])

    def test_a_fallback_key_is_for_when_shared_capacity_fails(self):
        def only_own(call):
            if shown(call) == OWN:
                return well(call)
            call.send(reply(b'{"error":{"message":"no"}}', "429 Slow", "retry-after: 60\r\n"))
        self.serve(only_own)
        key, _ = self.make_key()
        self.bring(is_fallback=True)
        self.assertTrue(self.ask(key).json()["usage"]["is_byok"])
        self.assertEqual(self.asked_with(), [("p0", PROVIDER_KEY), ("p0", OWN)])
        attempts = [(each["is_byok"], each["outcome"]) for each in self.records()[0]["attempts"]]
        self.assertEqual(attempts, [(False, "refused"), (True, "succeeded")])
        # The operator's key is at its limit, which is nothing to the own one.
        self.assertTrue(self.ask(key).json()["usage"]["is_byok"])
        self.assertEqual(self.asked_with(), [("p0", OWN)])

    def test_a_required_key_keeps_shared_capacity_out(self):
        def only_shared(call):
            if shown(call) == PROVIDER_KEY:
                return well(call)
            call.send(reply(b'{"error":{"message":"busy"}}', "503 Busy"))
        self.serve(only_shared)
        key, _ = self.make_key()
        path = self.bring(is_required=True)
        self.assertGreaterEqual(self.ask(key).status, 500)
        self.assertNotIn(("p0", PROVIDER_KEY), self.asked_with())
        self.assertEqual(self.manage("PATCH", path, {"is_required": False})[0], 200)
        self.assertEqual(self.ask(key).status, 200)
        self.assertEqual(self.asked_with()[-1], ("p0", PROVIDER_KEY))

    def test_filters_say_whose_and_which_requests_it_is_for(self):
        self.serve(well)
        mine, my_hash = self.make_key(creator_user_id="anna")
        other, _ = self.make_key(creator_user_id="otto")

        def sent(key):
            self.assertEqual(self.ask(key).status, 200)
            return self.asked_with()[0][1]
        path = self.bring(allowed_api_key_hashes=[my_hash])
        self.assertEqual((sent(mine), sent(other)), (OWN, PROVIDER_KEY))
        self.manage("PATCH", path, {"allowed_api_key_hashes": None, "allowed_user_ids": ["otto"]})
        self.assertEqual((sent(mine), sent(other)), (PROVIDER_KEY, OWN))
        later, _ = self.make_key(creator_user_id="otto")
        self.assertEqual(sent(later), OWN)
        self.manage("PATCH", path, {"allowed_user_ids": None, "allowed_models": ["other/*"]})
        self.assertEqual(sent(mine), PROVIDER_KEY)
        self.manage("PATCH", path, {"allowed_models": ["priced/*"]})
        self.assertEqual(sent(mine), OWN)
        _, workspace = self.manage("POST", "/workspaces", {"name": "elsewhere", "slug": "else"})
        foreign, _ = self.make_key(workspace_id=workspace["data"]["id"])
        self.assertEqual(sent(foreign), PROVIDER_KEY)

    # ---- While Leat runs ----

    def test_changes_are_in_force_on_every_shard_within_100_ms(self):
        self.serve(well, shards=4)
        key, _ = self.make_key()
        clients = [self.router.connect() for _ in range(64)]
        for each in clients:
            self.addCleanup(each.sock.close)
        with_key = until(lambda: self.ask(key).status == 200, "the key")
        self.assertTrue(with_key)
        path = self.bring()

        def in_force(wanted):
            """How long after now another key was last sent, in seconds."""
            begin = last_other = time.monotonic()
            for client in clients:
                while True:
                    self.asked_with()
                    self.assertEqual(self.ask(key, client=client).status, 200)
                    if self.asked_with() == [("p0", wanted)]:
                        break
                    last_other = time.monotonic()
                    self.assertLess(last_other - begin, 5 * SLOW)
            return last_other - begin
        self.assertLessEqual(in_force(OWN), IN_FORCE_S * SLOW)
        self.manage("PATCH", path, {"key": SECOND})
        self.assertLessEqual(in_force(SECOND), IN_FORCE_S * SLOW)
        self.manage("PATCH", path, {"disabled": True})
        self.assertLessEqual(in_force(PROVIDER_KEY), IN_FORCE_S * SLOW)
        self.manage("PATCH", path, {"disabled": False})
        self.assertLessEqual(in_force(SECOND), IN_FORCE_S * SLOW)
        self.assertEqual(self.manage("DELETE", path)[0], 200)
        self.assertLessEqual(in_force(PROVIDER_KEY), IN_FORCE_S * SLOW)

    def test_it_outlives_a_restart_and_needs_its_master_key(self):
        self.serve(well)
        key, _ = self.make_key()
        self.bring(is_required=True)
        self.router.close()
        self.serve(well)
        self.assertEqual(self.ask(key).status, 200)
        self.assertEqual(self.asked_with(), [("p0", OWN)])
        self.router.close()
        self.serve(well, environment={"LEAT_TEST_MASTER": MASTER[2:] + MASTER[:2]})
        self.assertEqual(self.ask(key).status, 404, "required and not to be opened: nobody")
        self.assertEqual(self.asked_with(), [])
        self.assertIn("does not open", self.router.log())

    # ---- What its provider says of it ----

    def test_a_refused_key_is_its_owners_matter(self):
        def picky(call):
            if shown(call) == PROVIDER_KEY or shown(call) == SECOND:
                return well(call)
            call.send(reply(REFUSED, "401 Unauthorized"))
        self.serve(picky)
        key, _ = self.make_key()
        path = self.bring()
        answer = self.ask(key)
        self.assertGreaterEqual(answer.status, 400, "what is wrong with it must be heard")
        self.assertNotIn(OWN, answer.head + answer.body.decode())
        self.assertIn("the key that the workspace brought", answer.json()["error"]["message"])
        self.assertEqual(self.asked_with(), [("p0", OWN)], "nobody else was asked")
        self.assertEqual(self.records()[0]["charge"], 0)
        # For a while it is passed over, and the endpoint and the operator's key are well.
        for _ in range(5):
            self.assertEqual(self.ask(key).status, 200)
        self.assertEqual({each[1] for each in self.asked_with()}, {PROVIDER_KEY})
        # What replaces it is not held to what was said of it.
        self.manage("PATCH", path, {"key": SECOND})
        self.assertEqual(self.ask(key).status, 200)
        self.assertEqual(self.asked_with(), [("p0", SECOND)])

    def test_a_refused_key_that_is_required_is_asked_again(self):
        def mended(call):
            if len(self.providers[0].calls) > 1:
                return well(call)
            call.send(reply(REFUSED, "401 Unauthorized"))
        self.serve(mended)
        key, _ = self.make_key()
        self.bring(is_required=True)
        self.assertGreaterEqual(self.ask(key).status, 400)
        self.assertEqual(self.ask(key).status, 200)

    def test_its_limit_is_not_the_endpoints(self):
        def limited(call):
            if shown(call) != OWN:
                return well(call)
            call.send(reply(b'{"error":{"message":"slow"}}', "429 Slow", "retry-after: 60\r\n"))
        self.serve(limited)
        key, _ = self.make_key()
        self.bring()
        for _ in range(3):
            self.assertFalse(self.ask(key).json()["usage"]["is_byok"])
        self.assertEqual([each[1] for each in self.asked_with()],
                         [OWN, PROVIDER_KEY, PROVIDER_KEY, PROVIDER_KEY])

    def test_its_refusals_are_not_held_against_the_endpoint(self):
        def picky(call):
            if shown(call) == PROVIDER_KEY:
                return well(call)
            call.send(reply(REFUSED, "401 Unauthorized"))
        self.serve(picky, well)
        key, _ = self.make_key()
        _, workspace = self.manage("POST", "/workspaces", {"name": "elsewhere", "slug": "else"})
        other, _ = self.make_key(workspace_id=workspace["data"]["id"])
        self.bring(is_required=True)
        only_p0 = chat_body(model=MODEL, provider={"only": ["p0"]})
        by_price = chat_body(model=MODEL, provider={"sort": "price"})
        # Longer than a breaker needs to open and to be heard of; half of all is refused.
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            self.assertEqual(self.ask(key, only_p0).status, 502)
            self.assertEqual(self.ask(other, by_price).json()["provider"], "p0")

    # ---- Budgets ----

    def test_a_budget_counts_what_it_cost_only_where_told(self):
        self.serve(well)
        self.bring()
        limit = (BOUND + LIST) / 1e9
        free, _ = self.make_key(limit=limit)
        counted, _ = self.make_key(limit=limit, include_byok_in_limit=True)
        for _ in range(8):
            self.assertEqual(self.ask(free).status, 200)
        # 21/20 of the list's are reserved, which fits once: what was spent leaves less than that.
        statuses = [self.ask(counted).status for _ in range(8)]
        self.assertEqual(statuses, [200] + [402] * 7)

    def test_what_may_go_to_shared_capacity_is_reserved_for_it(self):
        self.serve(well)
        path = self.bring()
        key, _ = self.make_key(limit=BOUND / 2 / 1e9)
        refused = self.ask(key)
        self.assertEqual(refused.status, 402, "the own key may fail")
        self.manage("PATCH", path, {"is_required": True})
        until(lambda: self.ask(key).status == 200, "room for the fee, which is all that it can be")

    # ---- Keys that come with a request ----

    def test_a_key_that_came_with_a_request_is_used_for_it_alone(self):
        self.serve(well, well, accounts=FEE_AND_REQUESTS)
        key, _ = self.make_key()
        answer = self.ask(key, with_keys={"P1": OWN})
        self.assertEqual(self.asked_with(), [("p1", OWN)], "before what is cheaper")
        usage = answer.json()["usage"]
        self.assertTrue(usage["is_byok"])
        self.assertAlmostEqual(usage["cost"], 11 * FEE / 1e9, places=12)
        self.assertAlmostEqual(usage["cost_details"]["upstream_inference_cost"], 11 * LIST / 1e9,
                               places=12)
        self.assertFalse(self.ask(key).json()["usage"]["is_byok"])
        self.assertEqual(self.asked_with(), [("p0", PROVIDER_KEY)])
        # With PHP's escapes, over the connection of the request before, streamed.
        with self.router.connect() as client:
            self.ask(key, client=client)
            streamed = self.ask(key, chat_body(model=MODEL, stream=True), client,
                                json.dumps({"p0": "sk/own+key=="}).replace("/", "\\/"))
            self.ask(key, client=client)
        last = [json.loads(each) for each in streamed.events() if '"usage"' in each][-1]["usage"]
        self.assertTrue(last["is_byok"])
        self.assertEqual(self.asked_with(), [("p0", PROVIDER_KEY), ("p0", "sk/own+key=="),
                                             ("p0", PROVIDER_KEY)])
        self.assertEqual([record["is_byok"] for record in self.records()],
                         [True, False, False, True, False])

    def test_each_request_of_an_http2_connection_brings_its_own(self):
        self.serve(well, accounts=FEE_AND_REQUESTS)
        key, _ = self.make_key()
        with http2_client.Http2Client(self.router.port) as client:
            for sent in (OWN, None, SECOND):
                fields = [("x-provider-api-keys", json.dumps({"p0": sent}))] if sent else []
                stream = client.ask("/api/v1/chat/completions", BODY, fields=fields, key=key)
                usage = client.answer(stream).json()["usage"]
                self.assertEqual(usage["is_byok"], sent is not None)
                self.assertEqual(self.asked_with(), [("p0", sent or PROVIDER_KEY)])

    def test_it_comes_before_the_workspaces_keys_and_shared_capacity(self):
        def refuse(call):
            call.send(reply(b'{"error":{"message":"overloaded"}}', "503 Busy"))
        self.serve(refuse, accounts=FEE_AND_REQUESTS)
        key, _ = self.make_key()
        self.bring("p0", SECOND)
        self.assertGreaterEqual(self.ask(key, with_keys={"p0": OWN}).status, 500)
        self.assertEqual([each[1] for each in self.asked_with()], [OWN, SECOND, PROVIDER_KEY])

    def test_what_a_provider_says_of_it_is_held_against_nobody(self):
        def picky(call):
            if shown(call) == OWN:
                return call.send(reply(REFUSED, "401 Unauthorized"))
            return well(call)
        self.serve(picky, accounts=FEE_AND_REQUESTS)
        key, _ = self.make_key()
        for _ in range(3):  # whoever sends the same key again is told again
            answer = self.ask(key, with_keys={"p0": OWN})
            self.assertIn("the key that came with the request", answer.json()["error"]["message"])
            self.assertNotIn(OWN, answer.head + answer.body.decode())
            self.assertEqual(self.ask(key, with_keys={"p0": SECOND}).status, 200)
            self.assertEqual(self.ask(key).status, 200)
        self.assertEqual([each[1] for each in self.asked_with()], [OWN, SECOND, PROVIDER_KEY] * 3)
        self.assertNotIn(OWN, self.router.log() + json.dumps(self.records()))

    def test_keys_that_cannot_be_used_are_refused(self):
        self.serve(well, accounts=FEE_AND_REQUESTS)
        key, _ = self.make_key()
        for keys in ("", "sk-0123456789", "[]", "{}", '{"p0":"sk-0123456789"', {"p0": None},
                     {"p0": {"apiKey": OWN}}, {"p0": OWN, "elsewhere": OWN}, {"p0": "short"},
                     '{"p0":"sk-0123456789","p0":"sk-0123456789"}', {"p0": "k" * 4096}):
            answer = self.ask(key, with_keys=keys)
            self.assertEqual(answer.status, 400, keys)
            self.assert_error(answer, "/api/v1", "invalid_request")
            self.assertIn("X-Provider-API-Keys", answer.json()["error"]["message"])
            self.assertNotIn(OWN, answer.body.decode())
        self.assertEqual(self.asked_with(), [])

    def test_without_leave_they_are_refused_and_not_passed_over(self):
        self.serve(well)
        key, _ = self.make_key()
        answer = self.ask(key, with_keys={"p0": OWN})
        self.assertEqual(answer.status, 403)
        self.assert_error(answer, "/api/v1", "permission_denied")
        self.assertEqual(self.asked_with(), [], "the operator would have paid")

    # ---- Secrets ----

    def test_nothing_repeats_it(self):
        def break_midway(call):
            call.send(SSE_HEAD + chunk(event({"content": "one"}))
                      + chunk(b"data: " + REFUSED + b"\n\n") + b"0\r\n\r\n")

        # Of a bad request the provider's own words are told.
        def refuse(call):
            return break_midway(call) if call.json().get("stream") else call.send(
                reply(REFUSED, "400 Bad"))
        self.serve(refuse)
        key, _ = self.make_key()
        path = self.bring(is_required=True)
        seen = ""
        for body in (BODY, chat_body(model=MODEL, stream=True)):
            answer = self.ask(key, body)
            seen += answer.head + answer.body.decode()
            self.assertIn("Incorrect API key", seen, "the rest of what it says is told")
        seen += json.dumps(self.manage("GET", path)[1]) + json.dumps(self.manage("GET", "/byok")[1])
        seen += self.router.get_admin("/metrics")[1] + json.dumps(self.records())
        seen += self.router.log()
        self.assertNotIn(OWN, seen)
        for file in pathlib.Path(self.folder.name).rglob("*"):
            if file.is_file():
                self.assertNotIn(OWN.encode(), file.read_bytes(), file.name)

    def test_keys_that_are_objects_are_refused(self):
        self.serve(well)
        for secret in ('[{"api_key":"0123456789"}]', '{"accessKeyId":"0123456789"}'):
            status, told = self.manage("POST", "/byok", {"provider": "p0", "key": secret})
            self.assertEqual(status, 400)
            self.assertIn("plain key", told["error"]["message"])


if __name__ == "__main__":
    main()
