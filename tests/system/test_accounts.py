# SPDX-License-Identifier: Apache-2.0
"""Goal: keys that are made, changed and revoked while Leat runs are in force on every shard within
100 ms and outlive a restart; only who may manage does, and who may not learns nothing. Method: the
real leat with four shards and a store, managed over its admin listener; many connections, so that
every shard is asked."""

import json
import os
import pathlib
import socket
import stat
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from harness import (KEY, LEAT, MODEL, PROVIDER_KEY, SLOW, Case, answer_well, chat_body,
                     completion, main, reply, request, until)

OPERATOR = "operator-key-0123456789-0123456789"
MASTER = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0"
IN_FORCE_S = 0.1
# The kernel spreads connections by a hash: with so many no shard of four is left out.
CONNECTIONS = 64
# At $10 and $30 a million tokens, in nano-dollars: what one request is bounded by (a token for each
# byte and the output that it asks for), and what it costs if its provider uses all of that.
PRICED = "priced/one"
OUTPUT = 10
PRICED_BODY = chat_body(model=PRICED, max_tokens=OUTPUT)
BOUND = len(PRICED_BODY) * 10_000 + OUTPUT * 30_000


def dollars(nano):
    return nano / 10**9


def all_of_it(call):
    """Uses all that was reserved."""
    usage = {"prompt_tokens": len(PRICED_BODY), "completion_tokens": OUTPUT,
             "total_tokens": len(PRICED_BODY) + OUTPUT}
    call.send(reply({**completion(), "usage": usage}))


class Accounts(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.store = pathlib.Path(folder.name, "accounts.db")
        self.seen = []  # secrets that nothing may repeat

    def start(self, shards=1, providers=(), admin="", ledger="", **options):
        extra = (f'[accounts]\nstore_file = "{self.store}"\n'
                 'master_key = { env = "LEAT_TEST_MASTER" }\n' + ledger)
        environment = {"LEAT_TEST_OPERATOR": OPERATOR, "LEAT_TEST_MASTER": MASTER}
        return self.leat(providers, server=f"shards = {shards}",
                         admin='operator_key = { env = "LEAT_TEST_OPERATOR" }\n' + admin,
                         extra=extra, environment=environment, **options)

    def manage(self, leat, method, path, body=None, key=OPERATOR, fields=None):
        """Status and text of an answer of the management API."""
        headers = {"content-type": "application/json", **(fields or {})}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        asked = urllib.request.Request(leat.admin + "/api/v1" + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10 * SLOW) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def make_key(self, leat, by=OPERATOR, **members):
        status, text = self.manage(leat, "POST", "/keys", {"name": "made", **members}, by)
        self.assertEqual(status, 201, text)
        made = json.loads(text)
        self.seen.append(made["key"])
        return made["key"], made["data"]["hash"]

    def connections(self, leat):
        made = [leat.connect() for _ in range(CONNECTIONS)]
        for each in made:
            self.addCleanup(each.sock.close)
        return made

    def ask(self, client, key, target="/api/v1/models"):
        client.send(request("GET", target, key=key, length=False))
        return client.answer()

    def in_force(self, clients, key, status):
        """Asks on every connection until it gets that status; how long after now the last other
        one was heard, in seconds."""
        begin = time.monotonic()
        last_other = begin
        for client in clients:
            while self.ask(client, key).status != status:
                last_other = time.monotonic()
                self.assertLess(last_other - begin, 5 * SLOW, f"no {status} in time")
        return last_other - begin

    def test_changes_are_in_force_on_every_shard_within_100_ms(self):
        leat = self.start(shards=4)
        clients = self.connections(leat)
        for client in clients:
            self.assertEqual(self.ask(client, "sk-leat-nobody").status, 401)
        key, digest = self.make_key(leat)
        self.assertLessEqual(self.in_force(clients, key, 200), IN_FORCE_S * SLOW)
        self.assertEqual(self.ask(clients[0], KEY).status, 200)
        for body, status in (({"disabled": True}, 401), ({"disabled": False}, 200)):
            self.assertEqual(self.manage(leat, "PATCH", f"/keys/{digest}", body)[0], 200)
            self.assertLessEqual(self.in_force(clients, key, status), IN_FORCE_S * SLOW)
        self.assertEqual(self.manage(leat, "DELETE", f"/keys/{digest}")[0], 200)
        self.assertLessEqual(self.in_force(clients, key, 401), IN_FORCE_S * SLOW)
        self.assertEqual(self.ask(clients[0], KEY).status, 200)

    def test_many_changes_at_once_all_arrive(self):
        leat = self.start(shards=4)
        clients = self.connections(leat)
        keys = [self.make_key(leat) for _ in range(150)]
        for key, _ in keys[::10]:
            self.in_force(clients[::8], key, 200)
        for _, digest in keys:
            self.assertEqual(self.manage(leat, "DELETE", f"/keys/{digest}")[0], 200)
        for key, _ in keys[::10]:
            self.in_force(clients[::8], key, 401)

    def test_a_key_ends_when_it_expires(self):
        leat = self.start(shards=2)
        clients = self.connections(leat)[:16]
        expires = int(time.time()) + 3
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires))
        key, _ = self.make_key(leat, expires_at=moment)
        last_good = 0
        first_bad = None
        while first_bad is None:
            for client in clients:
                asked = time.time()
                status = self.ask(client, key).status
                if status == 200:
                    last_good = asked
                elif first_bad is None:
                    first_bad = time.time()
            self.assertLess(time.time(), expires + 5 * SLOW)
        self.assertGreaterEqual(first_bad, expires)
        self.assertLessEqual(last_good, expires + IN_FORCE_S * SLOW)

    def test_keys_outlive_a_restart_and_revoked_ones_do_not_come_back(self):
        first = self.start(shards=2)
        kept, _ = self.make_key(first)
        revoked, digest = self.make_key(first)
        disabled, other = self.make_key(first)
        self.manage(first, "DELETE", f"/keys/{digest}")
        self.manage(first, "PATCH", f"/keys/{other}", {"disabled": True})
        first.process.kill()
        first.process.wait()
        second = self.start(shards=2)
        for client in self.connections(second)[:16]:
            self.assertEqual(self.ask(client, kept).status, 200)
            self.assertEqual(self.ask(client, revoked).status, 401)
            self.assertEqual(self.ask(client, disabled).status, 401)
            self.assertEqual(self.ask(client, KEY).status, 200)
        self.assertEqual(os.stat(self.store).st_mode & 0o077, 0)

    def bad_keys(self, leat):
        """One of each kind that is to be refused in one way."""
        _, gone = self.make_key(leat)
        deleted = self.seen[-1]
        self.manage(leat, "DELETE", f"/keys/{gone}")
        disabled, digest = self.make_key(leat)
        self.manage(leat, "PATCH", f"/keys/{digest}", {"disabled": True})
        management, _ = self.make_key(leat, scope="management")
        return {"unknown": "sk-leat-v1-" + "0" * 72, "none": "", "deleted": deleted,
                "disabled": disabled, "of another scope": management, "odd": "~{}"}

    def test_whatever_is_wrong_with_a_key_has_one_answer(self):
        leat = self.start()
        expected = {}
        for what, key in self.bad_keys(leat).items():
            for face in ("/v1", "/api/v1"):
                with leat.connect() as client:
                    answer = self.ask(client, key, face + "/models")
                    self.assertEqual(answer.status, 401, what)
                    head = [line for line in answer.head.split("\r\n")
                            if not line.lower().startswith(("date:", "x-request-id:"))]
                    expected.setdefault(face, (head, answer.body))
                    self.assertEqual((head, answer.body), expected[face], what)

    def test_only_who_may_manage_does(self):
        leat = self.start(limits={"failed_auth_per_minute_max": 1000})
        key, digest = self.make_key(leat)
        expected = None
        bad = dict(self.bad_keys(leat), **{"of another scope": key, "none at all": None,
                                           "nearly": OPERATOR + "x", "less": OPERATOR[:-1]})
        for what, shown in bad.items():
            for method, path in (("GET", "/keys"), ("POST", "/keys"), ("DELETE", f"/keys/{digest}"),
                                 ("GET", "/key"), ("GET", "/credits"), ("POST", "/credits"),
                                 ("GET", "/workspaces"), ("GET", "/byok")):
                body = {"name": "x", "amount": 1} if method == "POST" else None
                answer = self.manage(leat, method, path, body, shown)
                expected = expected or answer
                self.assertEqual(answer, expected, (what, method, path))
        self.assertEqual(expected[0], 401)
        self.assertEqual(json.loads(expected[1])["error"]["metadata"]["error_type"],
                         "authentication")
        with leat.connect() as client:
            self.assertEqual(self.ask(client, key).status, 200)
        # What asks for no key still does not.
        self.assertEqual(leat.get_admin("/healthz")[0], 200)
        self.assertEqual(leat.get_admin("/metrics")[0], 200)
        self.assertEqual(self.manage(leat, "GET", "/nothing")[0], 404)

    def test_who_fails_too_often_is_not_listened_to(self):
        leat = self.start(limits={"failed_auth_per_minute_max": 5,
                                  "failed_auth_block_ms": 600000})
        for _ in range(6):
            self.assertEqual(self.manage(leat, "GET", "/keys", key="wrong")[0], 401)
        for key in ("wrong", OPERATOR):
            self.assertEqual(self.manage(leat, "GET", "/keys", key=key)[0], 429)
        # Metrics are still read, and requests still served.
        self.assertEqual(leat.get_admin("/metrics")[0], 200)
        self.assertEqual(leat.chat(model="leat/simulated").status, 200)

    def test_a_management_key_has_its_organisation_and_makes_no_other(self):
        leat = self.start()
        boss, _ = self.make_key(leat, scope="management")
        key, digest = self.make_key(leat, by=boss, limit=5, limit_reset="monthly")
        status, text = self.manage(leat, "GET", f"/keys/{digest}", key=boss)
        self.assertEqual((status, json.loads(text)["data"]["limit"]), (200, 5))
        self.assertEqual(self.manage(leat, "POST", "/keys", {"name": "b", "scope": "management"},
                                     boss)[0], 403)
        self.assertEqual(self.manage(leat, "POST", "/credits", {"amount": 5}, boss)[0], 403)
        self.assertEqual(self.manage(leat, "POST", "/credits", {"amount": 5})[0], 201)
        status, text = self.manage(leat, "GET", "/credits", key=boss)
        self.assertEqual((status, json.loads(text)["data"]["total_credits"]), (200, 5))
        status, text = self.manage(leat, "GET", "/key", key=boss)
        self.assertTrue(json.loads(text)["data"]["is_management_key"])
        self.assertEqual(self.manage(leat, "GET", "/keys",
                                     fields={"x-leat-organisation": "none"})[0], 404)
        # Who has one organisation has it whatever it asks for.
        self.assertEqual(self.manage(leat, "GET", "/keys", key=boss,
                                     fields={"x-leat-organisation": "none"})[0], 200)

    def test_bodies_are_bounded_and_requests_come_one_after_the_other(self):
        leat = self.start()
        big = b'{"name":"' + b"x" * 300_000 + b'"}'
        self.assertEqual(self.manage(leat, "POST", "/keys", big)[0], 413)
        self.assertEqual(self.manage(leat, "POST", "/keys", b"{")[0], 400)
        host, port = leat.admin.removeprefix("http://").rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=10 * SLOW) as sock:
            body = json.dumps({"name": "one"}).encode()
            sock.sendall(b"".join(request("POST", "/api/v1/keys", body, key=OPERATOR)
                                  for _ in range(20)))
            got = b""
            while got.count(b"HTTP/1.1 201") < 20 or not got.endswith(b"}"):
                data = sock.recv(65536)
                self.assertTrue(data, got[-300:])
                got += data
        # Gone before the answer: what was asked is done, and nothing breaks.
        for _ in range(20):
            sock = socket.create_connection((host, int(port)), timeout=10 * SLOW)
            sock.sendall(request("POST", "/api/v1/keys", body, key=OPERATOR))
            sock.close()
        self.assertEqual(self.manage(leat, "GET", "/keys")[0], 200)

    def test_the_data_port_answers_a_key_about_itself_and_manages_nothing(self):
        leat = self.start(shards=2)
        key, digest = self.make_key(leat, limit=7, name="mine")
        boss, _ = self.make_key(leat, scope="management")
        self.manage(leat, "POST", "/credits", {"amount": 12.5})
        for client in self.connections(leat)[:8]:
            data = self.ask(client, key, "/api/v1/key").json()["data"]
            self.assertEqual((data["limit"], data["is_management_key"]), (7, False))
            self.assertEqual(data["label"][:14], key[:14])
            self.assertEqual(self.ask(client, KEY, "/api/v1/key").json()["data"]["label"], "k1")
            credits = self.ask(client, key, "/api/v1/credits").json()["data"]
            self.assertEqual(credits, {"total_credits": 12.5, "total_usage": 0})
            self.assertEqual(self.ask(client, boss, "/api/v1/key").status, 401)
            self.assertEqual(self.ask(client, "wrong", "/api/v1/key").status, 401)
        with leat.connect() as client:
            for shown in (key, boss, OPERATOR):
                for method, path in (("GET", "/keys"), ("GET", f"/keys/{digest}"),
                                     ("GET", "/workspaces"), ("GET", "/byok"),
                                     ("POST", "/keys"), ("DELETE", f"/keys/{digest}")):
                    client.send(request(method, "/api/v1" + path, key=shown))
                    self.assertEqual(client.answer().status, 404, path)
            # There is no ledger: what is looked for is not there, whoever asks well.
            self.assertEqual(self.ask(client, key, "/api/v1/generation?id=gen-1").status, 404)
            self.assertEqual(self.ask(client, "wrong", "/api/v1/generation?id=gen-1").status, 401)
            client.send(request("POST", "/api/v1/credits", key=key))
            answer = client.answer()
            self.assertEqual(answer.status, 405)
            # Pipelined, and with a client that is gone before the answer.
            client.send(request("GET", "/api/v1/key", key=key, length=False) * 5)
            for _ in range(5):
                self.assertEqual(client.answer().status, 200)
        for _ in range(20):
            with leat.connect() as client:
                client.send(request("GET", "/api/v1/key", key=key, length=False))
        self.assertEqual(self.ask(self.connections(leat)[0], key).status, 200)

    def command(self, *words, status=0):
        """What a `leat` command prints; of one that fails, with that status, its complaint."""
        done = subprocess.run([LEAT, *words], capture_output=True, text=True, timeout=30 * SLOW)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_commands_ask_who_runs_and_use_the_file_when_nobody_does(self):
        socket_path = self.store.parent / "admin.sock"
        admin = f'socket = "{socket_path}"\n'
        leat = self.start(shards=2, admin=admin)
        mode = os.lstat(socket_path).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)
        config = str(pathlib.Path(leat.directory.name, "leat.toml"))
        made = json.loads(self.command("keys", "create", "ci", "--json", "--config", config))
        clients = self.connections(leat)[:16]
        self.assertLessEqual(self.in_force(clients, made["key"], 200), IN_FORCE_S * SLOW)
        self.command("keys", "disable", made["data"]["hash"], "--socket", str(socket_path))
        self.assertLessEqual(self.in_force(clients, made["key"], 401), IN_FORCE_S * SLOW)
        self.command("credits", "grant", "3.5", "--config", config)
        self.command("workspaces", "create", "Team A", "--slug", "team-a", "--config", config)
        self.command("workspaces", "budget", "team-a", "daily", "5", "--config", config)
        self.assertIn("team-a", self.command("workspaces", "list", "--config", config))
        self.assertIn("$5", self.command("workspaces", "budgets", "team-a", "--config", config))
        self.assertIn("no such organisation", self.command(
            "keys", "list", "--organisation", "none", "--config", config, status=1))
        self.assertIn("no such key",
                      self.command("keys", "show", "../credits", "--config", config, status=1))
        # The file is Leat's while it runs, and the command says which of the two it means.
        self.assertIn(str(self.store),
                      self.command("keys", "list", "--store", str(self.store), status=66))
        leat.process.terminate()
        leat.process.wait(10 * SLOW)
        self.assertFalse(socket_path.exists())
        self.assertIn(made["data"]["hash"],
                      self.command("keys", "list", "--all", "--config", config))
        self.assertIn("3.5", self.command("credits", "show", "--config", config))
        self.assertIn("no Leat listens",
                      self.command("keys", "list", "--socket", str(socket_path), status=66))
        self.command("keys", "list", status=64)

    def test_a_socket_is_replaced_only_where_its_leat_is_gone(self):
        socket_path = self.store.parent / "admin.sock"
        admin = f'socket = "{socket_path}"\n'
        first = self.start(admin=admin)
        self.store = self.store.with_name("other.db")
        with self.assertRaisesRegex(AssertionError, "another process listens"):
            self.start(admin=admin)
        first.process.kill()
        first.process.wait()
        self.assertTrue(socket_path.exists())
        second = self.start(admin=admin)
        self.assertEqual(self.command("keys", "list", "--socket", str(socket_path)), "no keys\n")
        second.process.terminate()
        second.process.wait(10 * SLOW)
        socket_path.write_text("kept")
        with self.assertRaisesRegex(AssertionError, "no socket"):
            self.start(admin=admin)
        self.assertEqual(socket_path.read_text(), "kept")

    def test_without_a_store_there_is_nothing_to_manage(self):
        leat = self.leat(admin='operator_key = { env = "LEAT_TEST_OPERATOR" }\n',
                         environment={"LEAT_TEST_OPERATOR": OPERATOR})
        self.assertEqual(self.manage(leat, "GET", "/keys")[0], 404)
        with leat.connect() as client:
            self.assertEqual(self.ask(client, KEY, "/api/v1/key").json()["data"]["label"], "k1")

    def test_markup_and_allowed_models_of_a_key_hold(self):
        catalogue = ("[providers.p0]\ndisplay_name = \"P\"\n"
                     f'[[models]]\nid = "acme/two"\nendpoints = [{{ provider = "p0", model = "m",'
                     ' price = { prompt = "1000", completion = "1000" } }]\n')
        leat = self.start(providers=[self.provider(answer_well)], catalogue=catalogue)
        plain, _ = self.make_key(leat)
        dear, _ = self.make_key(leat, markup_ppm=500_000)
        narrow, _ = self.make_key(leat, allowed_models=["acme/one"])

        def chat(key, model):
            with leat.connect() as client:
                client.send(request(target="/api/v1/chat/completions", key=key,
                                    body=chat_body(model=model)))
                return client.answer()

        cost = chat(plain, "acme/two").json()["usage"]["cost"]
        self.assertGreater(cost, 0)
        self.assertAlmostEqual(chat(dear, "acme/two").json()["usage"]["cost"], cost * 1.5, places=9)
        self.assertEqual(chat(narrow, MODEL).status, 200)
        self.assertIn(chat(narrow, "acme/two").status, (403, 404))

    def test_an_output_default_of_a_key_goes_upstream(self):
        bodies = []

        def script(call):
            bodies.append(call.json())
            answer_well(call)

        leat = self.start(providers=[self.provider(script)])
        key, digest = self.make_key(leat, output_default_max=77)
        capped = chat_body(max_tokens=5)
        for body in (chat_body(), capped):
            self.assertEqual(self.chat(leat, key, body=body).status, 200)
        self.manage(leat, "PATCH", f"/keys/{digest}", {"output_default_max": None})
        self.chat(leat, key, body=chat_body())
        self.assertEqual([body.get("max_tokens") for body in bodies], [77, 5, None])

    # ---- Money of whole groups ----

    def start_priced(self, shards=4, ledger=""):
        catalogue = ('[providers.p0]\ndisplay_name = "P"\n'
                     f'[[models]]\nid = "{PRICED}"\nendpoints = [{{ provider = "p0", model = "m",'
                     ' price = { prompt = "10", completion = "30" } }]\n')
        return self.start(shards=shards, providers=[self.provider(all_of_it)],
                          catalogue=catalogue, ledger=ledger)

    def chat(self, leat, key, face="/api/v1", body=PRICED_BODY):
        with leat.connect() as client:
            client.send(request(target=face + "/chat/completions", key=key, body=body))
            return client.answer()

    def serve_until_refused(self, leat, keys, good):
        """Asks with each key in turn; so many are to be served before the first refusal, which
        comes back."""
        for number in range(good):
            answer = self.chat(leat, keys[number % len(keys)])
            self.assertEqual(answer.status, 200, (number, answer.body))
        return self.chat(leat, keys[0])

    def make_workspace(self, leat, slug):
        status, text = self.manage(leat, "POST", "/workspaces", {"name": slug, "slug": slug})
        self.assertEqual(status, 201, text)
        return f"/workspaces/{json.loads(text)['data']['id']}"

    def test_a_workspaces_budget_bounds_all_its_keys(self):
        leat = self.start_priced()
        path = self.make_workspace(leat, "team")
        status, text = self.manage(leat, "PUT", path + "/budgets/monthly",
                                   {"limit_usd": dollars(4 * BOUND)})
        self.assertEqual(status, 200, text)
        keys = [self.make_key(leat, workspace_id="team")[0] for _ in range(2)]
        stranger, _ = self.make_key(leat)
        clients = self.connections(leat)
        for key in (*keys, stranger):
            self.in_force(clients, key, 200)
        refused = self.serve_until_refused(leat, keys, 4)
        amount = f"{dollars(4 * BOUND):.9f}".rstrip("0")
        message = f"Workspace monthly budget of ${amount} exceeded. Contact your org admin."
        for face in ("/api/v1", "/v1"):
            answer = refused if face == "/api/v1" else self.chat(leat, keys[1], face)
            self.assertEqual(answer.status, 403)
            self.assert_error(answer, face)
            self.assertEqual(answer.json()["error"]["message"], message)
            self.assertEqual(answer.field("x-should-retry"), "false")
            self.assertIsNone(answer.field("retry-after"))
        self.assertEqual(self.reason_of(refused.json()["error"]), "budget_exceeded")
        self.assertEqual(leat.metric("leat_charged_nanodollars_total"), 4 * BOUND)
        self.assertEqual(self.chat(leat, stranger).status, 200, "another workspace's")
        # One more fits as soon as the budget has room for it.
        self.manage(leat, "PUT", path + "/budgets/monthly", {"limit_usd": dollars(5 * BOUND)})
        until(lambda: self.chat(leat, keys[1]).status == 200, "the larger budget")
        self.assertEqual(self.chat(leat, keys[0]).status, 403)

    def test_a_limit_that_is_set_later_counts_what_was_used_before(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        leat = self.start_priced(ledger=f'[ledger]\nfolder = "{folder.name}"\nsegment_mib = 1\n')
        self.make_workspace(leat, "team")
        kinds = ("key", "workspace", "credit")
        keys = {kind: self.make_key(leat, **({"workspace_id": "team"} if kind == "workspace"
                                             else {})) for kind in kinds}
        clients = self.connections(leat)
        for number, kind in enumerate(kinds):
            key, digest = keys[kind]
            self.in_force(clients, key, 200)
            for _ in range(3):
                self.assertEqual(self.chat(leat, key).status, 200)
            # So that nothing is served between the old and the new.
            self.manage(leat, "PATCH", f"/keys/{digest}", {"disabled": True})
            self.in_force(clients, key, 401)
            limit = dollars(4 * BOUND)
            if kind == "key":
                self.manage(leat, "PATCH", f"/keys/{digest}", {"limit": limit})
            elif kind == "workspace":
                self.manage(leat, "PUT", "/workspaces/team/budgets/monthly", {"limit_usd": limit})
            else:  # of the organisation, with what the others used
                used = 4 * BOUND * number + 3 * BOUND
                self.manage(leat, "POST", "/credits", {"amount": dollars(used + BOUND)})
                self.manage(leat, "PATCH", "/credits", {"prepaid": True})
            self.manage(leat, "PATCH", f"/keys/{digest}", {"disabled": False})
            self.in_force(clients, key, 200)
            refused = self.serve_until_refused(leat, [key], 1)
            self.assertIn(refused.status, (402, 403), kind)

    def test_who_pays_before_gets_what_was_paid_for(self):
        leat = self.start_priced()
        # Four whole requests, and of a fifth all but three tokens of its output.
        self.manage(leat, "POST", "/credits", {"amount": dollars(5 * BOUND - 3 * 30_000)})
        status, text = self.manage(leat, "PATCH", "/credits", {"prepaid": True})
        self.assertEqual(status, 200, text)
        keys = [self.make_key(leat)[0] for _ in range(2)]
        clients = self.connections(leat)
        for key in keys:
            self.in_force(clients, key, 200)
        refused = self.serve_until_refused(leat, keys, 4)
        for face in ("/api/v1", "/v1"):
            answer = refused if face == "/api/v1" else self.chat(leat, keys[1], face)
            self.assertEqual(answer.status, 402)
            self.assert_error(answer, face)
            self.assertEqual(answer.json()["error"]["message"],
                             "This request requires more credits, or fewer max_tokens. You "
                             "requested up to 10 tokens, but can only afford 7.")
            self.assertEqual(answer.field("x-should-retry"), "false")
            self.assertIsNone(answer.field("retry-after"))
        self.assertEqual(refused.json()["error"]["metadata"]["error_type"], "payment_required")
        self.assertEqual(leat.metric("leat_charged_nanodollars_total"), 4 * BOUND)
        # What is granted while it runs can be used, and who need not pay before is not bounded.
        self.manage(leat, "POST", "/credits", {"amount": dollars(3 * 30_000)})
        until(lambda: self.chat(leat, keys[1]).status == 200, "the new credit")
        self.assertEqual(self.chat(leat, keys[0]).status, 402)
        self.manage(leat, "PATCH", "/credits", {"prepaid": False})
        until(lambda: self.chat(leat, keys[0]).status == 200, "no bound")

    def test_no_secret_is_in_logs_metrics_or_answers(self):
        leat = self.start(providers=[self.provider(answer_well)])
        key, digest = self.make_key(leat)
        texts = [self.manage(leat, method, path, body)[1]
                 for method, path, body in (("GET", "/keys", None), ("GET", f"/keys/{key}", None),
                                            ("GET", f"/keys/{digest}", None),
                                            ("POST", "/keys", {"name": 1, OPERATOR: 1}))]
        status, text = self.manage(leat, "POST", "/byok", {
            "provider": "p0", "key": "sk-brought-0123456789abcdef", "name": "b"})
        self.assertLess(status, 300, text)
        self.assertEqual(leat.chat().status, 200)
        for shown in (key + "x", OPERATOR + "x"):
            with leat.connect() as client:
                texts.append(self.ask(client, shown).body.decode())
            texts.append(self.manage(leat, "GET", "/keys", key=shown)[1])
        texts += [text, leat.get_admin("/metrics")[1]]
        until(lambda: leat.log().count("reason=authentication") >= 2, "two lines of refusals")
        texts.append(leat.log())
        stored = b"".join(path.read_bytes() for path in self.store.parent.iterdir())
        for secret in [*self.seen, OPERATOR, MASTER, PROVIDER_KEY, "sk-brought-0123456789abcdef"]:
            for text in texts:
                self.assertNotIn(secret, text)
            self.assertNotIn(secret.encode(), stored)


if __name__ == "__main__":
    main()
