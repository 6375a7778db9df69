#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: with delayed_acks = "auto" the events of a provider that does not wait for acknowledgements
are acknowledged two at a time; one that does wait (Nagle's algorithm) is found out by a few of its
streams, and no later one has a late event for it; "on" asks nobody.
Method: the real leat between leat-load and leat-mock, with and without --nagle, at 100 events a
second of each stream: what waits for a delayed acknowledgement is 40 ms late then. What Leat found
it says in its metrics.

Usage: test_delayed_acks.py LEAT LEAT_LOAD LEAT_MOCK"""

import json
import sys

import harness
from harness import MODEL, until
from loads import LoadCase

LOAD, MOCK = sys.argv[2:4]
del sys.argv[2:4]
DELAYED = f'leat_endpoint_acks_delayed_total{{model="{MODEL}",endpoint="p0"}}'
RESTS = "leat_ack_delay_rests_total"
STREAMS = 20


class DelayedAcks(LoadCase):
    programs = (LOAD, MOCK)

    def start(self, mode, *arguments):
        url = self.mock("--rate", "100", *arguments)
        return self.leat([url], provider_lines=f'delayed_acks = "{mode}"')

    def gap_p99_ms(self, leat):
        """Of one load; all its streams end well."""
        process = self.load(leat, "--streams", STREAMS, "--tokens", 100, "--duration", 3)
        out, err = process.communicate(timeout=60 * harness.SLOW)
        self.assertEqual(process.returncode, 0, err)
        report = json.loads(out)
        self.assertEqual(report["errors_total"], 0, report["errors"])
        return report["latency_us"]["gap"]["p99"] / 1000

    def test_a_provider_that_does_not_wait_is_believed(self):
        leat = self.start("auto")
        self.gap_p99_ms(leat)
        until(lambda: leat.metric(DELAYED) >= STREAMS, "streams that delay")
        self.assertEqual(leat.metric(RESTS), 0)

    def test_one_that_waits_is_found_out_once(self):
        leat = self.start("auto", "--nagle")
        self.gap_p99_ms(leat)
        until(lambda: leat.metric(RESTS) == 1, "the provider found out")
        after = self.gap_p99_ms(leat)
        self.assertEqual((leat.metric(RESTS), leat.metric(DELAYED)), (1, 0))
        # Where nobody is asked, each stream has late events again and again.
        stalled = self.gap_p99_ms(self.start("on", "--nagle"))
        self.assertGreater(stalled, 35)
        self.assertLess(after, stalled)

    def test_off_nothing_is_tried(self):
        leat = self.start("off", "--nagle")
        self.gap_p99_ms(leat)
        until(lambda: leat.metric("leat_streams_completed_total") >= STREAMS, "streams")
        self.assertEqual((leat.metric(RESTS), leat.metric(DELAYED)), (0, 0))


if __name__ == "__main__":
    harness.main()
