#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a changed configuration is in force on every shard once it is read anew, whole or not at
all; what runs goes on as it began; what cannot change live is named; a bad one, whatever is wrong
with it, changes nothing and is told with file and line.
Method: the real leat with two shards; SIGHUP, `leat reload` and the management API; streams that a
provider of this file holds at their first word while the configuration changes under them; 200
mutants of a good file, each of which `leat check` calls bad.

Usage: test_reload.py LEAT"""

import hashlib
import json
import os
import pathlib
import random
import re
import signal
import ssl
import subprocess
import tempfile
import threading

import harness
from harness import (KEY, MODEL, SSE_HEAD, answer_well, chat_body, chat_request, chunk, completion,
                     reply, request, stream_events, until)

OPERATOR = "operator-key-0123456789-0123456789"
SECOND_KEY = "second-key-0123456789"
WAYS = ("signal", "command", "management")
MUTANTS = 200
# The kernel spreads connections by a hash: with so many neither of two shards is left out.
CONNECTIONS = 16
EXIT_CONFIG = 78
SIMULATED = "leat/simulated"


def digest(key):
    return hashlib.sha256(key.encode()).hexdigest()


def key_table(name, key, more=""):
    return f'[[keys]]\nname = "{name}"\nsha256 = "{digest(key)}"\n{more}'


def model_table(model, provider):
    return f'[[models]]\nid = "{model}"\nendpoints = [{{ provider = "{provider}", model = "m" }}]\n'


def says(text):
    return lambda call: call.send(reply(completion(text)))


class Held:
    """A provider's script: a stream stops after its first word until it is let go; what is no
    stream is answered at once."""

    def __init__(self, words=("one", "two", "three")):
        self.words = words
        self.go_on = threading.Event()

    def __call__(self, call):
        if not call.json().get("stream"):
            return call.send(reply(completion("held")))
        first, *rest = [chunk(each) for each in stream_events(self.words)[1:]]
        call.send(SSE_HEAD + first)
        if not self.go_on.wait(200 * harness.SLOW):  # 200 mutants take a minute with sanitizers
            return "close"
        return call.send(b"".join(rest) + b"0\r\n\r\n")


class Reload(harness.Case):
    def start(self, providers=(), admin="", **options):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.socket = pathlib.Path(folder.name, "admin.sock")
        admin = (f'operator_key = {{ env = "LEAT_TEST_OPERATOR" }}\nsocket = "{self.socket}"\n'
                 + admin)
        server = "shards = 2\n" + options.pop("server", "")
        leat = self.leat(providers, admin=admin, server=server,
                         environment={"LEAT_TEST_OPERATOR": OPERATOR}, **options)
        self.assertEqual(self.generation(leat), 1)
        return leat

    # ---- Reloading ----

    def generation(self, leat):
        return leat.metric("leat_config_generation")

    def reloads(self, leat, result):
        return leat.metric(f'leat_config_reloads_total{{result="{result}"}}')

    def command(self, leat, *words):
        return subprocess.run([harness.LEAT, *words], capture_output=True, text=True, check=False,
                              timeout=60 * harness.SLOW, env=leat.environment)

    def post(self, leat, query=""):
        return leat.post_admin("/api/v1/reload" + query, OPERATOR)

    def reload(self, leat, way="management"):
        """Reads the configuration anew, which has to be good and to change something."""
        generation, applied = self.generation(leat), self.reloads(leat, "applied")
        if way == "signal":
            leat.process.send_signal(signal.SIGHUP)
            until(lambda: self.reloads(leat, "applied") > applied, "the reload: " + leat.log(), 10)
        elif way == "command":
            done = self.command(leat, "reload", "--socket", str(self.socket))
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn(f"generation {generation + 1}\n", done.stdout)
        else:
            status, answer = self.post(leat)
            self.assertEqual(status, 200, answer)
            self.assertTrue(answer["data"]["applied"], answer)
            self.assertEqual(answer["data"]["generation"], generation + 1)
        self.assertEqual(self.generation(leat), generation + 1)
        self.assertEqual(self.reloads(leat, "applied"), applied + 1)

    def refused(self, leat):
        """The error of a reload that has to be refused and to change nothing."""
        generation = self.generation(leat)
        refused = self.reloads(leat, "refused")
        status, answer = self.post(leat)
        self.assertEqual(status, 422, answer)
        self.assertEqual(answer["error"]["code"], 422)
        self.assertTrue(answer["error"]["message"])
        self.assertEqual(self.generation(leat), generation)
        self.assertEqual(self.reloads(leat, "refused"), refused + 1)
        return answer["error"]["metadata"]

    # ---- Asking ----

    def everywhere(self, leat, ask):
        """What `ask` has of as many connections as it takes to meet each shard, each once."""
        found = []
        for _ in range(CONNECTIONS):
            with leat.connect() as client:
                found.append(ask(client))
        return set(found)

    def status(self, leat, key=KEY, model=SIMULATED):
        def ask(client):
            client.send(request(body=chat_body(model=model), key=key))
            return client.answer().status
        return self.everywhere(leat, ask)

    def said(self, leat, model=MODEL):
        def ask(client):
            client.send(request(body=chat_body(model=model)))
            return client.answer().json()["choices"][0]["message"]["content"]
        return self.everywhere(leat, ask)

    def stream(self, leat, model=MODEL, key=KEY, client=None):
        """A client whose stream has had its first word."""
        if client is None:
            client = leat.connect()
            self.addCleanup(client.sock.close)
        client.send(request(body=chat_body(model=model, stream=True), key=key))
        client.read_until(b"one")
        return client

    def ends_well(self, client, held):
        held.go_on.set()
        answer = client.answer()
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.whole)
        self.assertEqual(answer.text(), "".join(held.words))
        self.assertEqual(answer.events()[-1], "[DONE]")

    # ---- What changes ----

    def test_what_changed_is_served_and_what_runs_goes_on(self):
        for way in WAYS:
            with self.subTest(way):
                held = Held()
                old, new = self.provider(held), self.provider(says("new"))
                leat = self.start([old])
                client = self.stream(leat)
                self.assertEqual(self.status(leat, key=SECOND_KEY), {401})
                self.assertEqual(self.status(leat, model="acme/two"), {404})
                leat.rewrite(lambda text, old=old, new=new: text
                             .replace(old.url(), new.url())
                             .replace("[limits]\n", "[limits]\nbody_bytes_max = 2048\n")
                             + key_table("k2", SECOND_KEY) + model_table("acme/two", "p0"))
                self.assertEqual(self.said(leat), {"held"}, "nothing is read before it is asked")
                self.reload(leat, way)
                self.assertEqual(self.said(leat), {"new"})
                self.assertEqual(self.status(leat, key=SECOND_KEY, model="acme/two"), {200})
                with leat.connect() as listing:
                    listing.send(request("GET", "/v1/models"))
                    models = [each["id"] for each in listing.answer().json()["data"]]
                    self.assertIn("acme/two", models)
                self.assertEqual(leat.chat(user="u" * 4096).status, 413)
                self.ends_well(client, held)
                client.send(chat_request())
                self.assertEqual(client.answer().status, 200, "its connection is kept")
                leat.close()

    def test_a_removed_provider_ends_what_it_began(self):
        held = Held()
        leat = self.start([self.provider(answer_well), self.provider(held)],
                          extra=model_table("gone/one", "p1"))
        client = self.stream(leat, "gone/one")

        def without_p1(text):
            text = re.sub(r"\[providers\.p1\]\n(?:[^\[\n].*\n|\n)*", "", text)
            text = text.replace(', { provider = "p1", model = "upstream-model" }', "")
            return text.replace(model_table("gone/one", "p1"), "")

        before = leat.rewrite(without_p1)
        self.reload(leat)
        self.assertEqual(self.status(leat, model="gone/one"), {404})
        for face in ("/v1", "/api/v1"):
            self.assert_error(leat.chat(face, model="gone/one"), face)
        self.assertEqual(self.status(leat, model=MODEL), {200})
        self.ends_well(client, held)
        client.send(request(body=chat_body(model="gone/one")))
        self.assertEqual(client.answer().status, 404)
        leat.rewrite(before)
        self.reload(leat)
        self.assertEqual(self.said(leat, "gone/one"), {"held"})

    def test_many_reloads_under_a_stream(self):
        held = Held(tuple(["one"] + [f" word{i}" for i in range(200)]))
        leat = self.start([self.provider(held)])
        client = self.stream(leat)
        for number in range(20):
            leat.rewrite(lambda text, number=number: re.sub(
                r"(?m)^json_keys_max = .*\n|^(?=retry_floor_per_second)",
                f"json_keys_max = {9000 + number}\n", text, count=1))
            self.reload(leat, WAYS[number % 3])
        self.ends_well(client, held)

    # ---- Certificates ----

    def certify(self, folder, name):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                        folder / f"{name}-key.pem", "-out", folder / f"{name}.pem"], check=True,
                       capture_output=True)
        return ssl.PEM_cert_to_DER_cert((folder / f"{name}.pem").read_text())

    def tls(self, leat):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = leat.connect()
        self.addCleanup(client.sock.close)
        client.sock = context.wrap_socket(client.sock, server_hostname="localhost")
        self.addCleanup(client.sock.close)
        return client

    def test_a_certificate_is_replaced(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        folder = pathlib.Path(folder.name)
        first, second = (self.certify(folder, name) for name in ("first", "second"))

        def place(certificate, key):
            (folder / "cert.pem").write_bytes((folder / f"{certificate}.pem").read_bytes())
            (folder / "key.pem").write_bytes((folder / f"{key}-key.pem").read_bytes())

        place("first", "first")
        held = Held()
        leat = self.start([self.provider(held)], listen="tls://127.0.0.1:0",
                          server=f'[server.tls]\ncertificate = "{folder}/cert.pem"\n'
                                 f'key = "{folder}/key.pem"\n')

        def shown():
            return {self.tls(leat).sock.getpeercert(binary_form=True) for _ in range(CONNECTIONS)}

        self.assertEqual(shown(), {first})
        kept = self.tls(leat)
        streaming = self.stream(leat, client=self.tls(leat))
        kept.send(chat_request())
        self.assertEqual(kept.answer().status, 200)
        place("second", "first")
        self.assertTrue(self.refused(leat)["faults"], "the two do not belong together")
        self.assertEqual(shown(), {first})
        place("second", "second")
        self.reload(leat)
        self.assertEqual(shown(), {second})
        kept.send(chat_request())
        self.assertEqual(kept.answer().status, 200)
        self.ends_well(streaming, held)

    # ---- Keys ----

    def test_keys_come_and_go(self):
        held = Held()
        leat = self.start([self.provider(held)])
        leat.rewrite(lambda text: text + key_table("k2", SECOND_KEY))
        self.assertEqual(self.status(leat, key=SECOND_KEY), {401})
        self.reload(leat)
        self.assertEqual(self.status(leat, key=SECOND_KEY), {200})
        client = self.stream(leat, key=SECOND_KEY)
        leat.rewrite(lambda text: text.replace(key_table("k2", SECOND_KEY), ""))
        self.reload(leat)
        self.assertEqual(self.status(leat, key=SECOND_KEY), {401})
        self.assertEqual(self.status(leat), {200})
        self.ends_well(client, held)
        client.send(request(body=chat_body(), key=SECOND_KEY))
        self.assertEqual(client.answer().status, 401, "on a kept connection too")

    def test_what_a_key_used_is_not_forgotten(self):
        leat = self.start([self.provider(answer_well)],
                          key_limits="requests_per_minute_max = 3\n")
        self.assertEqual([leat.chat().status for _ in range(2)], [200, 200])
        # Another key, in front of it.
        leat.rewrite(lambda text: text.replace("[[keys]]", key_table("k2", SECOND_KEY)
                                               + "[[keys]]", 1))
        self.reload(leat)
        self.assertEqual([leat.chat().status for _ in range(2)], [200, 429])
        self.assertEqual(self.status(leat, key=SECOND_KEY), {200})
        leat.rewrite(lambda text: text.replace("requests_per_minute_max = 3",
                                               "requests_per_minute_max = 4"))
        self.reload(leat)
        self.assertEqual([leat.chat().status for _ in range(2)], [200, 429])

    def test_what_a_key_spent_is_not_forgotten(self):
        # $1 a token of the answer: ten are reserved, two are used.
        model = ('[[models]]\nid = "priced/one"\nendpoints = [{ provider = "p0", model = "m", '
                 'free = ["prompt"], price = { completion = "1000000" } }]\n')
        leat = self.start([self.provider(answer_well)], key_limits='budget_usd_max = "20"\n',
                          extra=model)
        good = []

        def ask():
            good.append(leat.chat(model="priced/one", max_tokens=10).status == 200)
            return good[-1]

        for number in range(6):
            # What was not used comes back a moment later.
            until(ask, f"request {number} is paid for")
            if number % 2 == 0:
                leat.rewrite(lambda text, number=number: text + key_table(
                    f"more{number}", f"more-key-{number}-0123456789"))
                self.reload(leat)
        for _ in range(20):
            ask()
        self.assertEqual(sum(good), 6, "12 of 20 dollars are spent, and 10 are not there")

    def test_a_refused_key_of_a_provider_goes_on_resting(self):
        refused = []

        def answer(call):
            if "refused-secret" not in call.head:
                return call.send(reply(completion()))
            refused.append(call)
            return call.send(reply({"error": {"message": "no"}}, status="401 Unauthorized"))

        leat = self.start([self.provider(answer)])
        secret = leat.config.parent / "second.key"
        secret.write_text("refused-secret-0123456789\n")
        leat.rewrite(lambda text: text.replace(
            'api_key = { env = "LEAT_TEST_PROVIDER_KEY" }',
            f'api_keys = [{{ file = "{secret}" }}, {{ env = "LEAT_TEST_PROVIDER_KEY" }}]'))
        self.reload(leat)

        def all_know():
            self.assertEqual(leat.chat().status, 200)
            return len(refused) == 2

        until(all_know, "each of two shards has met the key", 20)
        for number in range(2):
            leat.rewrite(lambda text, number=number: text + key_table(
                f"more{number}", f"more-key-{number}-0123456789"))
            self.reload(leat)
            self.assertEqual(self.everywhere(leat, self.chat_status), {200})
        self.assertEqual(len(refused), 2)

    @staticmethod
    def chat_status(client):
        client.send(harness.chat_request())
        return client.answer().status

    def test_a_key_is_rotated(self):
        leat = self.start([self.provider(answer_well)])
        secret = leat.config.parent / "client.key"
        secret.write_text("first-secret-0123456789\n")
        leat.rewrite(lambda text: text + '[[keys]]\nname = "k2"\nsecret = { file = "client.key" }\n'
                     "[keys.limits]\nrequests_per_minute_max = 2\n")
        self.reload(leat)

        def ask(key):
            with leat.connect() as client:
                client.send(request(body=chat_body(), key=key))
                return client.answer().status

        self.assertEqual(ask("first-secret-0123456789"), 200)
        secret.write_text("other-secret-0123456789\n")
        self.reload(leat)
        self.assertEqual(self.status(leat, key="first-secret-0123456789"), {401})
        self.assertEqual(ask("other-secret-0123456789"), 200)
        self.assertEqual(ask("other-secret-0123456789"), 429, "its limits are those of its name")

    # ---- What is refused ----

    def test_what_is_fixed_is_named_and_nothing_changes(self):
        leat = self.start([self.provider(says("same"))])
        good = leat.config.read_text()
        for setting, change in (
                ("server.shards", lambda text: text.replace("shards = 2", "shards = 3")),
                ("server.drain_grace_ms",
                 lambda text: text.replace("shards = 2", "shards = 2\ndrain_grace_ms = 5")),
                ("admin.socket", lambda text: text.replace("admin.sock", "other.sock")),
                ("log.access", lambda text: text + '[log]\naccess = "json"\n'),
                ("limits.memory_bytes_max",
                 lambda text: text.replace("[limits]\n",
                                           "[limits]\nmemory_bytes_max = 99999999999\n"))):
            with self.subTest(setting):
                leat.rewrite(change(good) + key_table("k2", SECOND_KEY))
                told = self.refused(leat)
                self.assertEqual(told["fixed"], [setting])
                self.assertFalse(told.get("faults"))
                self.assertEqual(self.status(leat, key=SECOND_KEY), {401}, "not even in part")
        done = self.command(leat, "reload", "--socket", str(self.socket))
        self.assertEqual((done.returncode, done.stdout), (EXIT_CONFIG, ""))
        self.assertIn("limits.memory_bytes_max: cannot change while Leat runs", done.stderr)
        refused = self.reloads(leat, "refused")
        leat.process.send_signal(signal.SIGHUP)
        until(lambda: self.reloads(leat, "refused") > refused, "SIGHUP is refused too")
        until(lambda: "limits.memory_bytes_max" in leat.log(), "the log says why")
        self.assertEqual(self.said(leat), {"same"})
        leat.rewrite(good + key_table("k2", SECOND_KEY))
        self.reload(leat)
        self.assertEqual(self.status(leat, key=SECOND_KEY), {200})

    def test_no_mutant_changes_anything(self):
        held = Held()
        leat = self.start([self.provider(held), self.provider(answer_well)],
                          limits={"chunk_gap_ms_max": 600_000},
                          key_limits="requests_per_minute_max = 1000000\n"
                                     "tokens_per_day_max = 1000000000\n",
                          extra='[aliases]\nfast = "leat/simulated"\n[routing]\nsort = "price"\n'
                                "hedge_ms_min = 100\n")
        client = self.stream(leat)
        good = leat.config.read_text()
        answer = leat.chat(model=SIMULATED).json()["choices"]
        mutants = Mutants(good, seed=5)
        tried = 0
        while tried < MUTANTS:
            what, mutant = mutants.next()
            faults = self.faults_of(leat, mutant)
            if not faults:
                continue
            tried += 1
            with self.subTest(what):
                leat.rewrite(mutant)
                told = self.refused(leat)
                self.assertEqual(told["faults"], faults)
                self.assertEqual(leat.chat(model=SIMULATED).json()["choices"], answer)
        self.assertEqual(self.generation(leat), 1)
        self.assertEqual(self.reloads(leat, "refused"), MUTANTS)
        self.assertEqual(self.reloads(leat, "applied"), 0)
        self.ends_well(client, held)
        leat.rewrite(good + key_table("k2", SECOND_KEY))
        self.reload(leat)

    def faults_of(self, leat, text):
        """What `leat check` has against the text, told of the configuration's own file; at least
        one is told with its line."""
        mutant = leat.config.with_name("mutant.toml")
        mutant.write_text(text)
        done = self.command(leat, "check", "--config", str(mutant))
        if done.returncode == 0:
            return []
        self.assertEqual(done.returncode, EXIT_CONFIG, done.stderr)
        faults = done.stderr.replace(str(mutant), str(leat.config)).splitlines()[:-1]
        self.assertTrue([each for each in faults
                         if re.match(re.escape(str(leat.config)) + r":[1-9]\d*: ", each)], faults)
        return faults

    def test_a_file_that_is_not_there_leaves_the_last_good_one(self):
        leat = self.start([self.provider(says("same"))])
        good = leat.config.read_text()

        def is_refused():
            told = self.refused(leat)
            self.assertTrue(told["faults"])
            self.assertTrue(told["faults"][0].startswith(str(leat.config)), told)
            self.assertEqual(self.said(leat), {"same"})

        leat.config.unlink()
        is_refused()
        leat.config.mkdir()  # nobody can read that as a file, not even root
        is_refused()
        leat.config.rmdir()
        for text in ("", "\n\n", "\0" * 4096, "# nothing\n"):
            leat.config.write_text(text)
            is_refused()
        leat.config.write_text(good + key_table("k2", SECOND_KEY))
        self.reload(leat)
        self.assertEqual(self.status(leat, key=SECOND_KEY), {200})

    def test_the_second_of_two_at_once_is_told_so(self):
        leat = self.start()
        text = leat.config.read_text() + key_table("k2", SECOND_KEY)
        ask = request(target="/api/v1/reload", key=OPERATOR)
        port = int(leat.admin.rsplit(":", 1)[1])
        with harness.Client(port) as first, harness.Client(port) as second:
            for client in (first, second):
                client.send(request("GET", "/healthz", key=None))
                self.assertEqual(client.answer().status, 200)
            # A pipe in the file's place: who reads it waits for us. What is asked meanwhile comes
            # to Leat with its next turn, and a reload takes several: after the text the shards and
            # the keys.
            pipe = leat.config.with_suffix(".pipe")
            os.mkfifo(pipe)
            pipe.replace(leat.config)
            first.send(ask)
            with open(leat.config, "w", encoding="utf-8") as writer:  # once it is being read
                second.send(ask)
                writer.write(text)
            answers = [client.answer() for client in (second, first)]
        self.assertEqual([each.status for each in answers], [409, 200])
        self.assertEqual(answers[0].json()["error"]["message"], "Another reload is under way.")
        self.assertTrue(answers[1].json()["data"]["applied"])
        self.assertEqual((self.generation(leat), self.reloads(leat, "refused")), (2, 1))
        self.assertEqual(self.status(leat, key=SECOND_KEY), {200})
        leat.config.unlink()
        leat.config.write_text(text.replace(key_table("k2", SECOND_KEY), ""))
        self.reload(leat)

    def test_who_may(self):
        leat = self.start()
        for key in (None, KEY, "x" * 34):
            status, _ = leat.post_admin("/api/v1/reload", key)
            self.assertIn(status, (401, 403))
        with leat.connect() as client:
            client.send(request(target="/api/v1/reload", key=OPERATOR))
            self.assertIn(client.answer().status, (401, 404, 405), "clients have no such thing")
        self.assertEqual(self.generation(leat), 1)
        done = self.command(leat, "reload", "--url", leat.admin)
        self.assertNotEqual(done.returncode, 0)
        leat.environment["LEAT_OPERATOR_KEY"] = OPERATOR
        done = self.command(leat, "reload", "--url", leat.admin)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("no setting changes", done.stdout)

    # ---- What would change ----

    def test_diff_tells_and_changes_nothing(self):
        leat = self.start([self.provider(says("same"))])
        old = leat.config.with_name("old.toml")
        old.write_text(leat.config.read_text())
        where = ("diff", "--socket", str(self.socket))
        self.assertEqual(self.command(leat, *where).stdout, "nothing changes\n")
        leat.rewrite(lambda text: text.replace("[limits]\n", "[limits]\nbody_bytes_max = 2048\n")
                     + key_table("k2", SECOND_KEY) + model_table("acme/two", "p0"))
        told = ('+ keys.k2\n+ models."acme/two"\n'
                "~ limits.body_bytes_max: 33554432 -> 2048\n")
        for words in (where, ("diff", "--config", str(leat.config), "--against", str(old))):
            done = self.command(leat, *words)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, told, ""))
        status, answer = self.post(leat, "?dry_run=true")
        self.assertEqual(status, 200)
        self.assertFalse(answer["data"]["applied"])
        self.assertEqual(answer["data"]["generation"], 1)
        self.assertEqual([each["what"] for each in answer["data"]["changes"]],
                         ["keys.k2", 'models."acme/two"', "limits.body_bytes_max"])
        self.assertTrue(all(each["live"] for each in answer["data"]["changes"]))
        self.assertEqual(self.generation(leat), 1)
        self.assertEqual(self.status(leat, key=SECOND_KEY), {401})
        # By --config: where it listens stands in the file.
        done = self.command(leat, "diff", "--config", str(leat.config))
        self.assertEqual((done.returncode, done.stdout), (0, told))
        leat.rewrite(leat.config.read_text().replace("[limits]\n", "[limits]\noops = 1\n"))
        done = self.command(leat, *where)
        self.assertEqual((done.returncode, done.stdout), (EXIT_CONFIG, ""))
        self.assertRegex(done.stderr, r"leat\.toml:\d+: limits\.oops: ")
        self.assertNotIn(OPERATOR, json.dumps(answer) + done.stderr)


class Mutants:
    """One change at a time to a good file, each of a kind that people and broken tools make."""

    def __init__(self, text, seed):
        self.lines = text.splitlines()
        self.random = random.Random(seed)
        self.kinds = [self.delete, self.repeat, self.garble, self.retype, self.invent, self.exceed,
                      self.break_off, self.misspell]
        self.count = 0

    def next(self):
        kind = self.kinds[self.count % len(self.kinds)]
        self.count += 1
        lines = list(self.lines)
        at = self.random.randrange(len(lines))
        what = f"{self.count}: {kind.__name__} line {at + 1}: {lines[at]!r}"
        return what, "\n".join(kind(lines, at)) + "\n"

    def setting(self, at):
        """The next line with a setting of its own, from `at` on."""
        lines = self.lines
        found = [i for i in range(len(lines)) if re.match(r"\w+ = ", lines[i])]
        return next((i for i in found if i >= at), found[0])

    def delete(self, lines, at):
        return lines[:at] + lines[at + 1:]

    def repeat(self, lines, at):
        return lines[:at] + [lines[at]] + lines[at:]

    def garble(self, lines, at):
        line = lines[at] or " "
        where = self.random.randrange(len(line))
        lines[at] = line[:where] + self.random.choice('"[]{}=\\\x01\'#x0,') + line[where + 1:]
        return lines

    def retype(self, lines, at):
        at = self.setting(at)
        key = lines[at].split(" = ")[0]
        value = self.random.choice(["true", "7", '"text"', "[]", "{ a = 1 }", "1.5", "-1",
                                    "1979-05-27T07:32:00Z", "nan", '[["a"]]'])
        lines[at] = f"{key} = {value}"
        return lines

    def invent(self, lines, at):
        return lines[:at] + [f"oops{self.random.randrange(100)} = 1"] + lines[at:]

    def exceed(self, lines, at):
        numbered = [i for i, line in enumerate(lines) if re.search(r"= \d+$", line)]
        at = self.random.choice(numbered)
        value = self.random.choice(["-1", "18446744073709551616", "9223372036854775807",
                                    "1e400", "0x", "99999999999999999999999"])
        lines[at] = re.sub(r"\d+$", value, lines[at])
        return lines

    def break_off(self, lines, at):
        line = lines[at]
        return lines[:at] + [line[:self.random.randrange(len(line) + 1)]]

    def misspell(self, lines, at):
        at = self.setting(at)
        where = self.random.randrange(lines[at].index(" = "))
        lines[at] = lines[at][:where] + self.random.choice("qzxj") + lines[at][where + 1:]
        return lines


if __name__ == "__main__":
    harness.main()
