#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: each request that a provider was asked for has one record, on disk before the client has
the end of its answer, whatever becomes of the request, the process or the disk.
Method: the real leat with a ledger, providers that count what they ran, clients that keep the ids
of whole answers; kills, a disk that takes nothing more, and `leat ledger` on the folder afterwards.
LEAT_KILLS sets how often the process is killed.

Usage: test_ledger.py LEAT"""

import contextlib
import json
import os
import pathlib
import random
import resource
import subprocess
import tempfile
import threading

import harness
from harness import SSE_HEAD, chunk, event, reply, stream_bytes, until

KILLS = int(os.environ.get("LEAT_KILLS", "12"))
LOAD = 8  # clients at once


class Ledger(harness.Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def serve(self, script, ledger="", **options):
        section = f'[ledger]\nfolder = "{self.folder.name}"\nsegment_mib = 1\n{ledger}\n'
        providers = [script] if isinstance(script, harness.Provider) else [self.provider(script)]
        return self.leat(providers, extra=section, **options)

    def command(self, *arguments):
        return subprocess.run([harness.LEAT, "ledger", *arguments], capture_output=True, text=True)

    def records(self):
        dumped = self.command("dump", self.folder.name)
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        return [json.loads(line) for line in dumped.stdout.splitlines()]

    def only_record(self):
        records = self.records()
        self.assertEqual(len(records), 1, records)
        return records[0]

    def files(self, suffix):
        return sorted(path.name for path in pathlib.Path(self.folder.name).glob("*" + suffix))

    def test_a_record_is_there_before_the_end(self):
        leat = self.serve(harness.answer_well)
        for number, fields in enumerate(({}, {"stream": True}) * 4):
            answer = leat.chat("/api/v1", **fields)
            self.assertTrue(answer.whole)
            records = self.records()
            self.assertEqual(len(records), number + 1)
            self.assertIn(answer.field("x-generation-id"), [each["id"] for each in records])
        record = records[-1]
        self.assertEqual((record["key_id"], record["status"], record["completion_tokens"],
                          record["attempts_made"]), ("k1", 200, 2, 1))

    def test_every_end_has_its_record(self):
        def script(call):
            way = call.json().get("user")
            if way == "cut":
                call.send(SSE_HEAD + chunk(event({"content": "one"})))
                return "close"
            if way == "hangs":
                call.is_cut()
                return "close"
            if way == "hangs-midway":
                call.send(SSE_HEAD + chunk(event({"content": "one"})))
                call.is_cut()
                return "close"
            if way == "refused":
                return call.send(reply({"error": {"message": "no"}}, "400 Bad Request"))
            return call.send(stream_bytes())

        leat = self.serve(script)
        for way in ("cut", "refused"):
            leat.chat("/api/v1", stream=True, user=way)
        for way in ("hangs", "hangs-midway"):
            with leat.connect() as client:
                client.send(harness.chat_request("/api/v1", stream=True, user=way))
                if way == "hangs":
                    until(lambda: leat.metric("leat_attempts_total") >= 3, "the attempt")
                else:
                    client.read_until(b"one")
        until(lambda: len(self.records()) == 4, "all records")
        found = {each["user_id"]: each for each in self.records()}
        self.assertEqual({way: (each["cancelled"], each["status"]) for way, each in found.items()},
                         {"cut": (False, 200), "refused": (False, 400), "hangs": (True, 0),
                          "hangs-midway": (True, 200)})
        outcomes = {way: [a["outcome"] for a in each["attempts"]] for way, each in found.items()}
        self.assertEqual(outcomes, {"cut": ["failed_midway"], "refused": ["refused"],
                                    "hangs": ["client_gone"], "hangs-midway": ["client_gone"]})
        leat.close()
        self.assertEqual(self.files(".open"), [], "nothing is open after an end in order")
        verified = self.command("verify", self.folder.name)
        self.assertEqual(verified.returncode, 0, verified.stdout)
        self.assertIn("ended in order", verified.stdout)

    def test_an_end_in_order_leaves_the_next_start_nothing_to_read(self):
        leat = self.serve(harness.answer_well)
        projection = pathlib.Path(self.folder.name, "projection")
        until(projection.exists, "the first one")
        before = projection.read_bytes()
        leat.chat("/api/v1")
        leat.close()
        self.assertEqual(len(self.records()), 1)
        self.assertNotEqual(projection.read_bytes(), before, "it has the record")

    def test_what_is_settled_leaves_nothing_behind(self):
        """Generations are kept as long as they have something open, and no number comes again."""
        def hang(call):
            call.is_cut(60)
            return "close"

        self.serve(harness.answer_well).close()
        first = self.files(".generation")
        self.assertEqual(len(first), 1)
        cut_off = self.serve(hang)
        second = self.files(".generation")
        self.assertEqual(len(second), 1)
        self.assertGreater(second, first)
        with cut_off.connect() as client:
            client.send(harness.chat_request("/api/v1"))
            until(lambda: cut_off.metric("leat_attempts_total") == 1, "the attempt")
            cut_off.process.kill()
            cut_off.process.wait()
        self.assertEqual(self.files(".generation"), second)
        again = self.serve(harness.answer_well)
        until(lambda: len(self.files(".generation")) == 1, "the request cut off is settled")
        self.assertGreater(self.files(".generation"), second)
        self.assertEqual(len(self.files(".open")), 1, "its own")
        self.only_record()
        again.close()

    def test_what_asks_no_provider_has_none(self):
        leat = self.serve(harness.answer_well)
        self.assertEqual(leat.chat(model="unknown/model").status, 404)
        self.assertEqual(leat.chat(messages=5).status, 400)
        leat.close()
        self.assertEqual(self.records(), [])

    def test_grouped_is_soon_behind(self):
        leat = self.serve(harness.answer_well, 'mode = "grouped"')
        for number in range(20):
            self.assertEqual(leat.chat().status, 200)
        until(lambda: len(self.records()) == 20, "the last group")

    def test_segments_follow_each_other(self):
        leat = self.serve(harness.answer_well)
        body = harness.chat_request("/v1")

        def ask(count):
            with leat.connect() as client:
                for _ in range(count):
                    client.send(body)
                    self.assertEqual(client.answer().status, 200)

        threads = [threading.Thread(target=ask, args=(800,)) for _ in range(LOAD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        leat.close()
        self.assertGreaterEqual(len(self.files(".segment")), 2)
        records = self.records()
        self.assertEqual(len({each["id"] for each in records}), 800 * LOAD)
        self.assertEqual(len(records), 800 * LOAD)

    # ---- What is read out of it ----

    def ask_account(self, leat, target, key=harness.KEY):
        with leat.connect() as client:
            client.send(harness.request("GET", target, key=key))
            return client.answer()

    def test_a_generation_can_be_asked_for(self):
        leat = self.serve(harness.answer_well)
        asked = leat.chat("/api/v1", user="u1").field("x-generation-id")
        answer = self.ask_account(leat, f"/api/v1/generation?id={asked}")
        self.assertEqual(answer.status, 200, answer.body)
        told = answer.json()["data"]
        self.assertEqual((told["id"], told["tokens_prompt"], told["tokens_completion"],
                          told["finish_reason"], told["streamed"]), (asked, 3, 2, "stop", False))
        other = self.ask_account(leat, "/api/v1/generation?id=gen-1lg3q3a-0000000000000000000a")
        self.assertEqual(other.status, 404)
        self.assertEqual(self.ask_account(leat, "/api/v1/generation").status, 400)
        self.assertEqual(self.ask_account(leat, "/api/v1/activity").status, 404, "not here")

    def test_what_was_spent_outlives_the_process(self):
        """A budget of ten requests gives ten, however often the process ends or is killed."""
        model = ('[[models]]\nid = "priced/one"\nendpoints = [{ provider = "p0", model = "up", '
                 'free = ["prompt", "completion"], '
                 'price = { prompt = "0", completion = "0", request = "0.01" } }]\n')
        limits = 'budget_usd_max = "0.1"\nbudget_period = "monthly"\n'
        provider = self.provider(harness.answer_well)
        served = []
        for kill in (False, True, True, False):
            leat = self.serve(provider, model, key_limits=limits, server="shards = 2")
            for _ in range(3):
                served.append(leat.chat("/api/v1", model="priced/one").status)
            spent = self.ask_account(leat, "/api/v1/key").json()["data"]["usage"]
            self.assertAlmostEqual(spent, 0.01 * served.count(200))
            if kill:
                leat.process.kill()
                leat.process.wait()
            leat.close()
        self.assertEqual(served, [200] * 10 + [402] * 2)
        self.assertEqual(len(provider.calls), 10)

    def test_a_power_cut_gives_nobody_a_fresh_budget(self):
        """The open tables gone, what had been granted counts as spent until that is looked into."""
        model = ('[[models]]\nid = "priced/one"\nendpoints = [{ provider = "p0", model = "up", '
                 'free = ["prompt", "completion"], '
                 'price = { prompt = "0", completion = "0", request = "0.01" } }]\n')
        limits = 'budget_usd_max = "0.03"\nbudget_period = "monthly"\n'
        provider = self.provider(lambda call: call.is_cut(60))
        leat = self.serve(provider, model, key_limits=limits)
        with leat.connect() as one, leat.connect() as two:
            for client in (one, two):
                client.send(harness.chat_request("/api/v1", model="priced/one"))
            until(lambda: len(provider.calls) == 2, "two requests under way")
            leat.process.kill()
            leat.process.wait()
        # What another start of the machine would find.
        folder = pathlib.Path(self.folder.name)
        for name in self.files(".open"):
            table = folder / name
            table.write_bytes(bytes(table.stat().st_size))
        (folder / self.files(".generation")[0]).write_text("another boot")
        provider.script = harness.answer_well
        for _ in range(2):
            leat = self.serve(provider, model, key_limits=limits)
            answers = [leat.chat("/api/v1", model="priced/one").status for _ in range(2)]
            self.assertIn(answers, ([200, 402], [402, 402]))
            leat.close()
        self.assertLessEqual(len(provider.calls), 3, "the two may have been executed")
        (folder / "lost").unlink()
        leat = self.serve(provider, model, key_limits=limits)
        self.assertEqual(leat.chat("/api/v1", model="priced/one").status, 200)

    # ---- The process dies ----

    def test_killed_at_any_time(self):
        """What a client was told is there once, and whatever a provider ran is known."""
        rng = random.Random(4)
        provider = self.provider(harness.answer_well)
        told = set()

        def ask(port, stream):
            with contextlib.suppress(OSError, ValueError, AssertionError):
                with harness.Client(port) as client:
                    while True:
                        client.send(harness.chat_request("/api/v1", stream=stream))
                        answer = client.answer()
                        if answer.status == 200 and answer.whole:
                            told.add(answer.field("x-generation-id"))

        for _ in range(KILLS):
            leat = self.serve(provider, server="shards = 2")
            threads = [threading.Thread(target=ask, args=(leat.port, number % 2 == 0))
                       for number in range(LOAD)]
            for thread in threads:
                thread.start()
            with contextlib.suppress(subprocess.TimeoutExpired):
                leat.process.wait(rng.uniform(0.005, 0.15))
            leat.process.kill()
            leat.process.wait()
            for thread in threads:
                thread.join()
        last = self.serve(provider, server="shards = 2")
        until(lambda: len(self.files(".open")) == 2, "what was open is recorded")
        last.close()
        records = self.records()
        ids = [each["id"] for each in records]
        self.assertEqual(len(ids), len(set(ids)), "no record twice")
        self.assertEqual(told - set(ids), set(), "none lost")
        self.assertGreater(len(told), 5 * KILLS)
        cut_off = sum(each["recovered"] for each in records)
        self.assertTrue(all(each["ambiguous"] for each in records if each["recovered"]))
        asked = len(provider.calls)
        self.assertGreaterEqual(len(records), asked)
        self.assertLessEqual(len(records) - cut_off, asked)
        self.assertEqual(self.command("verify", self.folder.name).returncode, 0)

    def usage_of_key(self, leat):
        """In dollars, by the records that were read."""
        with leat.connect() as client:
            client.send(harness.request("GET", "/api/v1/key", length=False))
            return client.answer().json()["data"]["usage"]

    def test_what_was_cut_off_is_ambiguous(self):
        def hang(call):
            call.is_cut(60)
            return "close"

        leat = self.serve(hang)
        with leat.connect() as client:
            client.send(harness.chat_request("/api/v1"))
            until(lambda: leat.metric("leat_attempts_total") == 1, "the attempt")
            leat.process.kill()
            leat.process.wait()
        again = self.serve(harness.answer_well)
        until(lambda: len(self.records()) == 1, "its record")
        record = self.only_record()
        self.assertTrue(record["ambiguous"] and record["recovered"])
        self.assertEqual((record["key_id"], record["model_asked"], record["charge"]),
                         ("k1", harness.MODEL, 0))
        self.assertIn("are recorded as ambiguous", again.log())
        again.close()
        self.serve(harness.answer_well).close()
        self.only_record()

    def test_what_was_cut_off_is_charged_if_the_operator_says_so(self):
        """With a budget for three: what was under way counts as one of them, or as none; once."""
        model = ('[[models]]\nid = "priced/one"\nendpoints = [{ provider = "p0", model = "up", '
                 'free = ["prompt", "completion"], '
                 'price = { prompt = "0", completion = "0", request = "0.01" } }]\n')
        for charges, good in (("true", 2), ("false", 3)):
            self.folder = tempfile.TemporaryDirectory()
            self.addCleanup(self.folder.cleanup)
            provider = self.provider(lambda call: call.is_cut(60))
            ledger = f"charge_ambiguous = {charges}\n" + model
            limits = 'budget_usd_max = "0.03"\n'
            leat = self.serve(provider, ledger, key_limits=limits)
            with leat.connect() as client:
                client.send(harness.chat_request("/api/v1", model="priced/one"))
                until(lambda: provider.calls, "the request under way")
                leat.process.kill()
                leat.process.wait()
            provider.script = harness.answer_well
            for served in (good, 0):  # the second start reads of it what the first has recorded
                leat = self.serve(provider, ledger, key_limits=limits)
                spent = 0.03 - served * 0.01  # as the ledger has it, its last record read as well
                until(lambda: abs(self.usage_of_key(leat) - spent) < 1e-9, "what was spent")
                answers = [leat.chat("/api/v1", model="priced/one").status for _ in range(4)]
                self.assertEqual(answers, [200] * served + [402] * (4 - served), charges)
                leat.close()
            cut_off = [each for each in self.records() if each["recovered"]]
            self.assertEqual([each["charge"] for each in cut_off],
                             [0.01 if charges == "true" else 0])

    # ---- The disk ----

    def limit_files(self, leat, size):
        _, hard = resource.prlimit(leat.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(leat.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def test_a_disk_that_takes_nothing(self):
        """Nothing new begins, what ends without a record says so, and all comes back by itself."""
        go_on = threading.Event()

        def script(call):
            if call.json().get("user") != "waits":
                return harness.answer_well(call)
            call.send(SSE_HEAD + chunk(event({"content": "one"})))
            go_on.wait(10)
            return call.send(b"".join(chunk(each) for each in harness.stream_events()[1:])
                             + b"0\r\n\r\n")

        leat = self.serve(script)
        self.assertEqual(leat.chat("/api/v1").status, 200)
        with leat.connect() as running:
            running.send(harness.chat_request("/api/v1", stream=True, user="waits"))
            running.read_until(b"one")
            self.limit_files(leat, 4096)
            answer = leat.chat("/api/v1")
            self.assert_error(answer, "/api/v1", "ledger_unavailable")
            self.assertEqual(answer.status, 503)
            again = leat.chat("/v1")
            self.assertEqual(again.status, 503)
            go_on.set()
            cut = running.answer()
            self.assertFalse(cut.whole)
            self.assertNotIn(b"[DONE]", cut.body)
            self.assertIn(b"ledger_unavailable", cut.body)
        self.limit_files(leat, resource.RLIM_INFINITY)
        until(lambda: leat.chat("/api/v1").status == 200, "a segment again")
        leat.close()
        users = [each["user_id"] for each in self.records()]
        self.assertEqual(users.count("waits"), 1, "kept in memory until it could be written")
        self.assertEqual(self.files(".open"), [])

    def test_without_a_disk_a_budget_is_not_asked(self):
        """Who has one hears what is wrong, rather than that a limit did not answer."""
        model = ('[[models]]\nid = "priced/one"\nendpoints = [{ provider = "p0", model = "up", '
                 'free = ["prompt", "completion"], '
                 'price = { prompt = "0", completion = "0", request = "0.01" } }]\n')
        other = '[[keys]]\nname = "k2"\nsecret = { env = "LEAT_TEST_KEY_2" }\n'
        leat = self.serve(harness.answer_well, model + other, server="shards = 1",
                          key_limits='budget_usd_max = "1"\n',
                          environment={"LEAT_TEST_KEY_2": "unlimited-key-0123456789"})
        self.limit_files(leat, 4096)
        with leat.connect() as client:
            client.send(harness.request(body=harness.chat_body(), key="unlimited-key-0123456789"))
            self.assertEqual(client.answer().status, 503)
        for _ in range(4):
            answer = leat.chat("/api/v1", model="priced/one")
            self.assertEqual(answer.status, 503)
            self.assert_error(answer, "/api/v1", "ledger_unavailable")

    def answered(self, leat):
        """Answers by class of their status."""
        classes = ("2xx", "4xx", "5xx")
        return [leat.metric(f'leat_responses_total{{class="{each}"}}') for each in classes]

    def test_an_answer_whose_record_has_no_room_counts_once(self):
        """As the refusal that its client gets, not as the answer that was held back."""
        go_on = threading.Event()

        def script(call):
            go_on.wait(10)
            return harness.answer_well(call)

        provider = self.provider(script)
        leat = self.serve(provider)
        with leat.connect() as waiting:
            waiting.send(harness.chat_request("/api/v1"))
            until(lambda: provider.calls, "the call")
            self.limit_files(leat, 4096)
            go_on.set()
            answer = waiting.answer()
            self.assertEqual(answer.status, 503)
            self.assert_error(answer, "/api/v1", "ledger_unavailable")
            self.assertEqual(self.answered(leat), [0, 0, 1])
            self.limit_files(leat, resource.RLIM_INFINITY)
            until(lambda: leat.chat("/api/v1").status == 200, "a segment again")
            # The connection goes on, and what it holds back counts when it is passed on.
            before = self.answered(leat)
            waiting.send(harness.chat_request("/api/v1"))
            self.assertEqual(waiting.answer().status, 200)
            self.assertEqual(self.answered(leat), [before[0] + 1, *before[1:]])

    def test_a_folder_is_one_processs(self):
        self.serve(harness.answer_well)
        with self.assertRaisesRegex(AssertionError, "another process"):
            self.serve(harness.answer_well)

    def test_a_folder_that_is_not_there(self):
        self.folder.cleanup()
        with self.assertRaisesRegex(AssertionError, "ledger.folder"):
            self.serve(harness.answer_well)
        os.mkdir(self.folder.name)


if __name__ == "__main__":
    harness.main()
