#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: over a takeover, and over a stop and start, a conversation goes on at the endpoint that has
its prompt; and a file that is damaged costs no more than the conversations in it.
Method: two endpoints of one model and `sort = "price"`, so that what has no conversation goes to
the cheap one always, and never by luck to the dear one, where `only` had the conversations begin.

Usage: test_stickiness.py LEAT"""

import pathlib
import signal
import socket
import stat
import tempfile

import harness
from harness import answer_well, reply, until

MODEL = "priced/one"
CHEAP, DEAR = 0, 1
PRICES = ['prompt = "1", completion = "2", input_cache_read = "0.1"',
          'prompt = "2", completion = "4", input_cache_read = "0.2"']
SESSIONS = [f"s{i}" for i in range(12)]


def answer_from_cache(call):
    """Its usage says that the prompt was in its cache."""
    body = harness.completion()
    body["usage"]["prompt_tokens_details"] = {"cached_tokens": 1}
    call.send(reply(body))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Stickiness(harness.Case):
    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.providers = [self.provider(answer_well), self.provider(answer_well)]

    def start(self, kept="", takeover=False, routing="", shards=2):
        """`kept`: sections that say where state is kept. Of two shards the other one hears of a
        conversation a moment later."""
        ends = ",\n".join(f'  {{ provider = "p{i}", model = "up", price = {{ {price} }} }}'
                          for i, price in enumerate(PRICES))
        server = f"shards = {shards}\n"
        server += 'takeover_socket = "takeover.sock"\n' if takeover else ""
        ports = [free_port() if takeover else 0 for _ in range(2)]
        leat = harness.Leat(
            self.providers, server=server,
            environment={"LEAT_TEST_KEY_BEFORE": "another-key-0123456789"},
            listen=f"127.0.0.1:{ports[0]}", admin_listen=f"127.0.0.1:{ports[1]}",
            extra=f'\n[[models]]\nid = "{MODEL}"\nendpoints = [\n{ends}\n]\n'
                  f'[routing]\nsort = "price"\n{routing}\n{kept}')
        self.addCleanup(leat.close)
        return leat

    def next(self, leat, number=2):
        successor = leat.again(number)
        self.addCleanup(successor.close)
        return successor

    @staticmethod
    def stop(leat):
        leat.process.send_signal(signal.SIGTERM)
        leat.process.wait(10 * harness.SLOW)

    def asked(self, leat, **body):
        """Which endpoint it went to, by a connection of its own."""
        before = [len(each.calls) for each in self.providers]
        self.assertEqual(leat.chat(model=MODEL, **body).status, 200, leat.log())
        grown = [len(each.calls) - count for each, count in zip(self.providers, before)]
        self.assertEqual(sorted(grown), [0, 1])
        return grown.index(1)

    def begin(self, leat, sessions=tuple(SESSIONS)):
        for session in sessions:
            self.asked(leat, session_id=session, provider={"only": ["p1"]})

    def where(self, leat, sessions=tuple(SESSIONS)):
        return {self.asked(leat, session_id=session) for session in sessions}

    def assert_goes_on(self, leat, sessions=tuple(SESSIONS)):
        self.assertEqual(self.where(leat, sessions), {DEAR})
        self.assertEqual(self.where(leat, ["unheard of", "nor of this"]), {CHEAP})

    # ---- Stop and start ----

    def test_over_a_restart_beside_whatever_is_kept(self):
        kept = {
            "health.conversations": f'health_file = "{self.folder}/health"\n',
            "accounts.db.conversations": f'[accounts]\nstore_file = "{self.folder}/accounts.db"\n',
            "conversations": f'[ledger]\nfolder = "{self.folder}"\n',
        }
        for name, text in kept.items():
            with self.subTest(name):
                leat = self.start(text)
                self.assertEqual(self.where(leat), {CHEAP})
                # The last of them is told of by nothing but the stop itself.
                self.begin(leat)
                self.stop(leat)
                mode = (self.folder / name).stat().st_mode
                self.assertEqual(stat.S_IMODE(mode), 0o600)
                again = self.next(leat)
                self.assert_goes_on(again)
                self.stop(again)
                # And once more, though nothing but `where` was asked.
                third = self.next(again, 3)
                self.assert_goes_on(third)
                self.assertNotIn("conversations", third.log())
                for each in (third, again, leat):
                    each.close()

    def test_over_a_restart_by_what_was_said_first(self):
        for each in self.providers:
            each.script = answer_from_cache
        leat = self.start(f'health_file = "{self.folder}/health"\n')
        messages = [{"role": "user", "content": "canary of what nobody writes down"}]
        self.asked(leat, messages=messages, provider={"only": ["p1"]})
        self.stop(leat)
        self.assertNotIn(b"canary", (self.folder / "health.conversations").read_bytes())
        again = self.next(leat)
        self.assertEqual(self.asked(again, messages=messages), DEAR)
        messages[0]["content"] += "."
        self.assertEqual(self.asked(again, messages=messages), CHEAP)

    def test_another_order_of_models_and_keys_is_no_other_conversation(self):
        leat = self.start(f'health_file = "{self.folder}/health"\n')
        self.begin(leat)
        self.stop(leat)
        more = ('[[keys]]\nname = "before"\nsecret = { env = "LEAT_TEST_KEY_BEFORE" }\n'
                '[[models]]\nid = "another/one"\n'
                'endpoints = [{ provider = "p0", model = "up", '
                'price = { prompt = "1", completion = "1" } }]\n')
        leat.rewrite(lambda text: text.replace("[[keys]]", more + "[[keys]]", 1))
        self.assert_goes_on(self.next(leat))

    def test_without_a_folder_it_is_not_kept(self):
        leat = self.start(shards=1)
        self.begin(leat)
        self.assertEqual(self.where(leat), {DEAR})
        self.stop(leat)
        self.assertEqual(self.where(self.next(leat)), {CHEAP})

    def test_what_is_damaged_costs_a_line(self):
        leat = self.start(f'health_file = "{self.folder}/health"\n')
        self.begin(leat)
        self.stop(leat)
        path = self.folder / "health.conversations"
        good = path.read_bytes()
        damaged = bytearray(good)
        damaged[len(damaged) // 2] ^= 1
        wrong = {"is damaged": bytes(damaged), "holds no conversations": b"foreign" * 100,
                 "is too large": good + bytes(8 << 20)}
        for number, (why, content) in enumerate(wrong.items(), 2):
            with self.subTest(why):
                path.write_bytes(content)
                again = self.next(leat, number)
                self.assertEqual(self.where(again), {CHEAP})
                self.assertEqual([line for line in again.log().splitlines() if str(path) in line],
                                 [f"leat: conversations in {path}: {why}; starting without them"])
                again.close()
        path.write_bytes(good)
        self.assert_goes_on(self.next(leat, 9))

    # ---- Takeover ----

    def test_over_takeovers(self):
        leat = self.start(takeover=True)
        self.begin(leat)
        for number in range(2, 5):
            new = self.next(leat, number)
            self.assert_goes_on(new)
            until(lambda old=leat: old.process.poll() == 0, "the old one ends")
            leat = new

    def test_after_a_takeover_the_new_process_keeps_the_file(self):
        leat = self.start(f'health_file = "{self.folder}/health"\n', takeover=True)
        self.begin(leat, SESSIONS[:6])
        new = self.next(leat)
        self.begin(new, SESSIONS[6:])
        until(lambda: leat.process.poll() == 0, "the old one ends")
        self.stop(new)
        self.assert_goes_on(self.next(new, 3))

    def test_a_process_that_goes_on_knows_them_still(self):
        leat = self.start(takeover=True, shards=1)
        self.begin(leat)
        good = leat.rewrite(lambda text: text + '[accounts]\nstore_file = "none/such.db"\n')
        with self.assertRaises(AssertionError):
            self.next(leat)
        leat.rewrite(good)
        until(lambda: leat.chat(model=MODEL).status == 200, "it serves")
        self.assert_goes_on(leat)
        self.assert_goes_on(self.next(leat, 3))

    def test_none_are_left_where_none_are_held(self):
        leat = self.start(takeover=True, routing="sticky_conversations_max = 0\n")
        self.begin(leat)
        self.assertEqual(self.where(self.next(leat)), {CHEAP})


if __name__ == "__main__":
    harness.main()
