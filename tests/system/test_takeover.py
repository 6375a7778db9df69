#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a new process takes over from one that serves and no client notices: no request is refused,
no answer cut, no token wrong; every request has one record; limits and money have one owner at any
moment; and a new process that fails leaves the old one at work.
Method: the real leat with two shards, a ledger and a key with a budget, taken over again and again
while leat-load keeps streams and requests going, some connections kept, some new; clients of this
file's own for the moments that matter. LEAT_TAKEOVERS says how often; when it is set the load is
2,000 streams and 500 requests a second, otherwise a tenth of that.

Usage: test_takeover.py LEAT LEAT_LOAD LEAT_MOCK"""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import harness
from harness import (SSE_HEAD, Provider, answer_well, chat_body, chunk, completion, event,
                     reply, request, until, usage_event)
from loads import LoadCase

LOAD, MOCK = sys.argv[2:4]
del sys.argv[2:4]
FULL = "LEAT_TAKEOVERS" in os.environ
TIMES = int(os.environ.get("LEAT_TAKEOVERS", "6"))
STREAMS, RATE = (2000, 500) if FULL else (200, 50)
MODEL = "priced/one"
# $1,000,000 a million tokens of the answer: each of ten that are reserved is a dollar.
PRICE = 'free = ["prompt"], price = { completion = "1000000" }'


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Takeover(LoadCase):
    programs = (LOAD, MOCK)

    def start(self, providers, budget="", limits=None, ledger=True):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        model = (f'[[models]]\nid = "{MODEL}"\nendpoints = [{{ provider = "p0", model = "up", '
                 f"{PRICE} }}]\n")
        self.admin_port = free_port()
        kept = f'[ledger]\nfolder = "{self.folder}"\n' if ledger else ""
        return self.leat(
            providers, listen=f"127.0.0.1:{free_port()}",
            admin_listen=f"127.0.0.1:{self.admin_port}",
            server='shards = 2\ntakeover_socket = "takeover.sock"', key_limits=budget,
            limits=limits, extra=f"{model}{kept}")

    def next(self, leat, number=2):
        successor = leat.again(number)
        self.addCleanup(successor.close)
        return successor

    def records(self):
        dumped = subprocess.run([harness.LEAT, "ledger", "dump", self.folder], check=True,
                                capture_output=True, text=True)
        return [json.loads(line) for line in dumped.stdout.splitlines()]

    # ---- Under load ----

    def test_under_load_no_client_notices(self):
        url = self.mock("--rate", "4")
        leat = self.start([url], limits={"streams_per_key_max": 100_000})
        seconds = TIMES * 3
        loads = self.mixed_load(leat, STREAMS, RATE, seconds)
        serving = [leat]
        for number in range(TIMES):
            time.sleep(seconds / (TIMES + 2))  # the pace of it, no wait for anything
            serving.append(self.next(serving[-1], number + 2))
        for process in loads:
            self.assert_unnoticed(process, seconds,
                                  lambda: "".join(each.log() for each in serving))
        for old in serving[:-1]:
            until(lambda old=old: old.process.poll() is not None, "the old one ends", 30)
            self.assertEqual(old.process.returncode, 0, old.log())
        self.assertNotIn("yielded", "".join(each.log() for each in serving))
        serving[-1].close()
        verified = subprocess.run([harness.LEAT, "ledger", "verify", self.folder],
                                  capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        records = self.records()
        self.assertEqual(len(records), len({each["id"] for each in records}))
        self.assertFalse([each for each in records if each.get("ambiguous")])

    # ---- Moment by moment ----

    def test_a_kept_connection_goes_on_at_the_new_process(self):
        leat = self.start([Provider(answer_well)])
        with leat.connect() as client:
            client.send(harness.chat_request())
            self.assertEqual(client.answer().field("connection"), None)
            new = self.next(leat)
            client.send(harness.chat_request())
            answer = client.answer()
            self.assertEqual((answer.status, answer.field("connection")), (200, "close"))
            self.assertTrue(client.is_closed())
        until(lambda: leat.process.poll() == 0, "the old one ends")
        self.assertEqual(new.chat().status, 200)
        new.close()
        self.assertEqual(len(self.records()), 3)

    def test_what_runs_is_finished_and_recorded_by_the_old_process(self):
        go_on = []

        def slow(call):
            call.send(SSE_HEAD + chunk(event({"content": "one"})))
            until(lambda: go_on, "the test goes on", 20)
            call.send(chunk(event({"content": "two"})) + chunk(event({}, "stop"))
                      + chunk(usage_event()) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

        leat = self.start([Provider(slow)])
        with leat.connect() as client:
            client.send(harness.chat_request(stream=True))
            client.read_until(b"one")
            new = self.next(leat)
            self.assertIsNone(leat.process.poll())
            go_on.append(True)
            answer = client.answer()
            self.assertTrue(answer.whole)
            self.assertEqual(answer.text(), "onetwo")
        until(lambda: leat.process.poll() == 0, "the old one ends")
        new.close()
        self.assertEqual([each["finish_reason"] for each in self.records()], ["stop"])

    def test_a_budget_is_one_budget(self):
        go_on, usage = [], {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}

        def answer(call):
            if call.json().get("stream"):
                call.send(SSE_HEAD + chunk(event({"content": "one"})))
                until(lambda: go_on, "the test goes on", 30)
                call.send(chunk(event({}, "stop", usage=usage)) + chunk(b"data: [DONE]\n\n")
                          + b"0\r\n\r\n")
            else:
                call.send(reply(completion() | {"usage": usage | {"completion_tokens": 10}}))

        leat = self.start([Provider(answer)], budget='budget_usd_max = "100"')
        streams = [leat.connect() for _ in range(3)]
        for client in streams:
            self.addCleanup(client.sock.close)
            client.send(request(body=chat_body(model=MODEL, max_tokens=10, stream=True)))
            client.read_until(b"one")
        # Three of ten are reserved at the old one: the new one has seven to give.
        new = self.next(leat)
        statuses = [new.chat(model=MODEL, max_tokens=10).status for _ in range(9)]
        self.assertEqual(statuses, [200] * 7 + [402] * 2)
        # Each comes to two of its ten: what was not used is there again.
        go_on.append(True)
        for client in streams:
            self.assertTrue(client.answer().whole)
        more = []

        def ask():
            more.append(new.chat(model=MODEL, max_tokens=10).status)
            return more.count(200) == 2

        until(ask, "the difference comes back, however late each of the three")
        self.assertEqual(new.chat(model=MODEL, max_tokens=10).status, 402)
        new.close()
        spent = sum(each["charge"] for each in self.records())
        self.assertEqual(spent, (7 + 2) * 10 + 3 * 2)

    # ---- Limits ----

    def streams_of(self, leat, count=1, **body):
        """So many that run, and what lets them end."""
        streams = [leat.connect() for _ in range(count)]
        for client in streams:
            self.addCleanup(client.sock.close)
            client.send(request(body=chat_body(stream=True, **body)))
            client.read_until(b"one")
        return streams

    @staticmethod
    def answering_at(go_on, usage=None):
        """Answers at once what is not streamed, and the rest of a stream when `go_on` has it."""

        def answer(call):
            if not call.json().get("stream"):
                return call.send(reply(completion()))
            call.send(SSE_HEAD + chunk(event({"content": "one"})))
            until(lambda: go_on, "the test goes on", 60)
            last = event({}, "stop", usage=usage) if usage else event({}, "stop")
            call.send(chunk(last) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

        return answer

    def test_a_rate_goes_on_over_takeovers(self):
        for ledger in (True, False):
            with self.subTest(ledger=ledger):
                leat = self.start([Provider(answer_well)], "requests_per_minute_max = 3",
                                  ledger=ledger)
                statuses = [leat.chat().status]
                for number in range(3):
                    leat = self.next(leat, number + 2)
                    statuses.append(leat.chat().status)
                self.assertEqual(statuses, [200, 200, 200, 429])
                refused = leat.chat()
                self.assertEqual(refused.status, 429)
                self.assertGreater(int(refused.field("retry-after")), 20)

    def test_a_large_rate_goes_on_too(self):
        leat = self.start([Provider(answer_well)], "requests_per_minute_max = 128")
        self.assertEqual([leat.chat().status for _ in range(100)], [200] * 100)
        began = time.monotonic()
        new = self.next(leat)
        statuses = [new.chat().status for _ in range(100)]
        came = int((time.monotonic() - began) * 128 / 60) + 1  # at the even rate, meanwhile
        self.assertIn(statuses.count(200), range(28, 28 + came + 6))

    def test_what_the_old_process_serves_counts_at_the_new_one(self):
        go_on = []
        leat = self.start([Provider(self.answering_at(go_on))], "concurrency_max = 2")
        clients = self.streams_of(leat)
        second = self.next(leat)
        clients += self.streams_of(second)
        self.assertEqual(second.chat().status, 429)
        # One runs at each of those before.
        third = self.next(second, 3)
        self.assertEqual([third.chat().status for _ in range(3)], [429] * 3)
        go_on.append(True)
        for client in clients:
            self.assertTrue(client.answer().whole)
            client.sock.close()
        for old in (leat, second):
            until(lambda old=old: old.process.poll() == 0, "the old one ends")
        until(lambda: third.chat().status == 200, "both have ended")
        go_on.clear()
        self.streams_of(third, 2)
        self.assertEqual(third.chat().status, 429)
        go_on.append(True)

    def test_tokens_that_the_old_process_did_not_use_are_there_again(self):
        for limit in ("tokens_per_minute_max", "tokens_per_day_max"):
            with self.subTest(limit=limit):
                self.tokens_of_the_old_process(f"{limit} = 10000")

    def tokens_of_the_old_process(self, limit):
        go_on, usage = [], {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        leat = self.start([Provider(self.answering_at(go_on, usage))], limit)
        stream, = self.streams_of(leat, max_tokens=9000)
        new = self.next(leat)
        self.assertEqual(new.chat(max_tokens=2000).status, 429)
        go_on.append(True)
        self.assertTrue(stream.answer().whole)
        stream.sock.close()
        until(lambda: leat.process.poll() == 0, "the old one ends")
        until(lambda: new.chat(max_tokens=9000).status == 200, "what it did not use is there")

    def test_a_budget_goes_on_without_a_ledger(self):
        go_on, usage = [], {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        leat = self.start([Provider(self.answering_at(go_on, usage))], 'budget_usd_max = "20"',
                          ledger=False)
        stream, = self.streams_of(leat, model=MODEL, max_tokens=10)
        self.assertEqual(leat.chat(model=MODEL, max_tokens=10).status, 200)
        spent = completion()["usage"]["completion_tokens"]
        self.assertLess(spent, 8)
        new = self.next(leat)
        self.assertEqual(new.chat(model=MODEL, max_tokens=10).status, 402)
        go_on.append(True)
        self.assertTrue(stream.answer().whole)
        left = 20 - spent - usage["completion_tokens"]
        self.assertEqual(new.chat(model=MODEL, max_tokens=left + 1).status, 402)
        until(lambda: new.chat(model=MODEL, max_tokens=left).status == 200, "the rest is there")

    def test_a_process_that_goes_on_grants_what_is_left(self):
        leat = self.start([Provider(answer_well)], "requests_per_minute_max = 3")
        self.assertEqual(leat.chat().status, 200)
        good = leat.config.read_text()
        leat.config.write_text(good + '[accounts]\nstore_file = "none/such.db"\n')
        with self.assertRaises(AssertionError):
            self.next(leat)
        leat.config.write_text(good)
        until(lambda: leat.chat().status == 200, "it serves")
        new = self.next(leat, 3)
        self.assertEqual([new.chat().status for _ in range(2)], [200, 429])

    # ---- Who asks the admin listener ----

    def test_admin_clients_are_answered_throughout(self):
        leat = self.start([Provider(answer_well)])
        faults, ends, asked = [], [], [0]

        def ask():
            while not ends:
                try:
                    status = leat.get_admin("/healthz")[0]
                    faults.extend([status] if status != 200 else [])
                except OSError as fault:
                    faults.append(repr(fault))
                asked[0] += 1

        asking = [threading.Thread(target=ask) for _ in range(4)]
        for each in asking:
            each.start()
        for number in range(TIMES):
            before = asked[0]
            leat = self.next(leat, number + 2)
            until(lambda before=before: asked[0] > before + 20, "all go on asking")
        ends.append(True)
        for each in asking:
            each.join()
        self.assertEqual(faults, [])

    def test_who_asked_the_old_process_is_answered_before_it_ends(self):
        leat = self.start([Provider(answer_well)])
        with socket.create_connection(("127.0.0.1", self.admin_port)) as early:
            early.sendall(b"GET /healthz HTTP/1.1\r\n")
            starting = threading.Thread(target=self.next, args=(leat,))
            starting.start()
            # The new one may be long in starting; the old one waits a second for who asked it.
            for line in leat.process.stdout:
                leat.lines.append(line.strip())
                if "has taken over" in line:
                    break
            early.sendall(b"Host: leat\r\n\r\n")
            early.settimeout(10 * harness.SLOW)
            self.assertIn(b" 200 ", early.recv(4096))
            starting.join()
            # One who goes on and asks nothing is not waited for.
            until(lambda: leat.process.poll() == 0, "the old one ends")

    def test_a_new_process_that_fails_leaves_the_old_one_at_work(self):
        leat = self.start([Provider(answer_well)])
        good = leat.config.read_text()
        with leat.connect() as client:
            client.send(harness.chat_request())
            self.assertEqual(client.answer().status, 200)
            # It finds out after the old one has yielded.
            leat.config.write_text(good + '[accounts]\nstore_file = "none/such.db"\n')
            with self.assertRaises(AssertionError):
                self.next(leat)
            leat.config.write_text(good)
            until(lambda: leat.chat().status == 200, "it serves")
            self.assertEqual(leat.get_admin("/healthz")[0], 200)
            client.send(harness.chat_request())
            self.assertEqual(client.answer().status, 200)
        new = self.next(leat, 3)
        self.assertEqual(new.chat().status, 200)
        until(lambda: leat.process.poll() == 0, "the old one ends")

    def test_a_process_that_differs_in_shards_is_refused_before_anything_changes(self):
        leat = self.start([Provider(answer_well)])
        leat.config.write_text(leat.config.read_text().replace("shards = 2", "shards = 1"))
        with self.assertRaisesRegex(AssertionError, "has 2 shards, and this one would have 1"):
            self.next(leat)
        self.assertEqual(leat.chat().status, 200)
        self.assertIsNone(leat.process.poll())

    def test_nobody_else_comes_in_by_the_door_for_passed_clients(self):
        leat = self.start([Provider(answer_well)])
        new = self.next(leat)
        with open("/proc/net/tcp", encoding="ascii") as table:
            ports = {int(fields[1].split(":")[1], 16) for fields in map(str.split, table)
                     if fields[3] == "0A"}
        own = {each for each in ports if self.is_of(new, each)} - {new.port, self.admin_port}
        self.assertTrue(own)
        for port in own:
            with harness.Client(port) as client:
                client.send(b"\0" * 64 + harness.chat_request())
                self.assertTrue(client.is_closed())

    @staticmethod
    def is_of(leat, port):
        """Whether the process listens on the port."""
        with open("/proc/net/tcp", encoding="ascii") as table:
            inodes = {fields[9] for fields in map(str.split, table)
                      if fields[3] == "0A" and int(fields[1].split(":")[1], 16) == port}
        folder = f"/proc/{leat.process.pid}/fd"
        links = []
        for name in os.listdir(folder):
            try:
                links.append(os.readlink(f"{folder}/{name}"))
            except OSError:
                pass
        return any(re.fullmatch(rf"socket:\[({'|'.join(inodes)})\]", link) for link in links)


if __name__ == "__main__":
    harness.main()
