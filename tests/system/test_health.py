# SPDX-License-Identifier: Apache-2.0
"""Goal: what one shard sees of an endpoint, all of them act on: one that fails is left alone, one
that is back is asked again, and a restart forgets neither. Method: two shards, two providers whose
scripts change while clients go on asking; what counts is who was asked and what clients got."""

import contextlib
import pathlib
import signal
import tempfile
import time

import harness
from harness import Case, answer_well, reply, until

# Every connection of a client goes to either shard as the kernel draws: so many go to both.
REQUESTS = 40


class Switch:
    """A provider's script that can be told to fail."""

    def __init__(self):
        self.fails = False

    def __call__(self, call):
        if self.fails:
            call.send(reply({"error": {"message": "broken"}}, "500 Internal Server Error"))
        else:
            answer_well(call)


class HealthCase(Case):
    def setUp(self):
        self.switch = Switch()
        self.first = self.provider(self.switch)
        self.second = self.provider(answer_well)

    def start(self, extra="", **options):
        return self.leat([self.first, self.second], server="shards = 2", extra=extra, **options)

    def ask(self, leat, count=REQUESTS, pause=0.0, stream=True):
        """No client ever sees the fault: all are served."""
        for _ in range(count):
            answer = leat.chat(stream=stream)
            self.assertEqual(answer.status, 200, answer.body)
            time.sleep(pause)

    def ask_at_once(self, leat, count=12, stream=True):
        """All of them are planned before anything is heard of the first answer."""
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(leat.connect()) for _ in range(count)]
            for client in clients:
                client.send(harness.chat_request(stream=stream))
            for client in clients:
                self.assertEqual(client.answer().status, 200)

    def calls_of_first(self, leat, **options):
        before = len(self.first.calls)
        self.ask(leat, **options)
        return len(self.first.calls) - before


class Health(HealthCase):
    def test_a_failing_provider_is_left_alone_by_both_shards(self):
        for stream in (True, False):
            with self.subTest(stream=stream):
                self.switch.fails = False
                leat = self.start()
                self.assertEqual(self.calls_of_first(leat, count=4, stream=stream), 4)
                self.switch.fails = True
                self.ask_at_once(leat, stream=stream)
                # Half a second for the shards' news and the desk's answer; then probes alone go
                # there: one after a second, and one every two.
                time.sleep(0.6 * harness.SLOW)
                self.assertLessEqual(
                    self.calls_of_first(leat, pause=0.02, stream=stream), 3 + harness.SLOW)

    def test_it_is_asked_again_soon_after_it_has_recovered(self):
        leat = self.start()
        self.switch.fails = True
        self.ask_at_once(leat)
        time.sleep(0.6 * harness.SLOW)
        self.switch.fails = False
        # Slow start: a little of its traffic at first, all of it in the end.
        until(lambda: self.calls_of_first(leat, count=10) >= 5, "traffic at who is back", 20)

    def test_metrics_say_who_is_out(self):
        leat = self.start()
        self.switch.fails = True
        self.ask_at_once(leat)
        sample = 'leat_endpoint_breaker{model="acme/one",endpoint="p%d"}'
        until(lambda: leat.metric(sample % 0) >= 1, "an open breaker in /metrics")
        self.assertEqual(leat.metric(sample % 1), 0)
        self.assertNotIn("builtin", leat.get_admin("/metrics")[1])  # which nobody asked


class HealthFile(HealthCase):
    """What is known is kept in a file."""

    def setUp(self):
        super().setUp()
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name, "health")

    def start(self, extra="", **options):
        return super().start(extra + f'[routing]\nhealth_file = "{self.path}"\n', **options)

    def stop(self, leat):
        leat.process.send_signal(signal.SIGTERM)
        leat.process.wait(10 * harness.SLOW)

    def fail_and_stop(self):
        leat = self.start()
        self.switch.fails = True
        self.ask_at_once(leat)
        time.sleep(0.6 * harness.SLOW)
        self.stop(leat)
        self.assertTrue(self.path.exists(), leat.log())

    def test_a_restart_knows_who_failed(self):
        self.fail_and_stop()
        leat = self.start()
        # Nobody has asked anything yet, and its breaker is closed again: the outage puts it last.
        self.assertIn('endpoint="p0"} 0\n', leat.get_admin("/metrics")[1])
        time.sleep(0.3 * harness.SLOW)
        self.assertEqual(self.calls_of_first(leat, count=12), 0)
        self.assertEqual(leat.log(), "")

    def test_a_damaged_file_is_warned_about_and_costs_no_more(self):
        self.fail_and_stop()
        damaged = bytearray(self.path.read_bytes())
        damaged[len(damaged) // 2] ^= 1
        self.path.write_bytes(damaged)
        self.switch.fails = False
        leat = self.start()
        self.assertEqual(len(leat.log().splitlines()), 1, leat.log())
        self.assertIn(str(self.path), leat.log())
        self.assertEqual(self.calls_of_first(leat, count=4), 4)

    def test_a_path_that_cannot_be_written_never_stops_it(self):
        self.path = self.path / "no" / "such" / "folder"
        leat = self.start()
        self.ask(leat, count=4)
        self.stop(leat)
        self.assertEqual(leat.process.returncode, 0)
        self.assertEqual(len(leat.log().splitlines()), 1, leat.log())
        self.assertIn(str(self.path), leat.log())


if __name__ == "__main__":
    harness.main()
