#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: the configuration is loaded anew again and again under load and no client notices: no
request is refused, no answer cut, no token wrong, every request has one record, and what former
configurations held is freed.
Method: the real leat with two shards and a ledger; while leat-load keeps streams and requests
going, some connections kept, some new, providers come, go and change places, keys and limits come
and go. LEAT_RELOADS says how often; when it is set the load is 2,000 streams and 500 requests a
second, otherwise a tenth of that.

Usage: test_reload_load.py LEAT LEAT_LOAD LEAT_MOCK"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time

import harness
from harness import until
from loads import LoadCase

LOAD, MOCK = sys.argv[2:4]
del sys.argv[2:4]
FULL = "LEAT_RELOADS" in os.environ
TIMES = int(os.environ.get("LEAT_RELOADS", "12"))
STREAMS, RATE = (2000, 500) if FULL else (200, 50)
# Of one reload.
SECONDS = 1.0


class ReloadLoad(LoadCase):
    programs = (LOAD, MOCK)

    def texts(self, leat, url):
        """What is loaded by turns: each differs from the one before in more than one way."""
        first = leat.config.read_text()
        ends = '[{ provider = "p0", model = "upstream-model" }]'
        self.assertIn(ends, first)
        more = (f'[providers.a0]\nbase_url = "{url}"\nallow_private = true\n'
                '[[keys]]\nname = "k2"\nsecret = { env = "LEAT_TEST_PROVIDER_KEY" }\n')
        second = first.replace(
            ends, '[{ provider = "a0", model = "other" }, { provider = "p0", model = "upstream" }]')
        third = second.replace("[providers.p0]", "[providers.z0]").replace(
            'provider = "p0"', 'provider = "z0"')
        return [second + more, third + more, first.replace("[limits]", "[limits]\n"
                                                           "pipelined_requests_max = 7")]

    def test_under_load_no_client_notices(self):
        url = self.mock("--rate", "4")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        leat = self.leat([url], server="shards = 2", limits={"streams_per_key_max": 100_000},
                         extra=f'[ledger]\nfolder = "{folder.name}"\n')
        texts = self.texts(leat, url)
        seconds = TIMES * SECONDS + 8
        loads = self.mixed_load(leat, STREAMS, RATE, seconds)
        for number in range(TIMES):
            time.sleep(SECONDS)  # the pace of it, no wait for anything
            leat.config.write_text(texts[number % len(texts)])
            leat.process.send_signal(signal.SIGHUP)
            until(lambda number=number: leat.metric("leat_config_generation") == number + 2,
                  f"configuration {number + 2}: {leat.log()[-500:]}", 20)
        for process in loads:
            self.assert_unnoticed(process, seconds, leat.log)
        # Nothing runs any more: nothing of the former ones is left.
        until(lambda: leat.metric("leat_config_former") == 0, "former configurations freed", 10)
        leat.close()
        verified = subprocess.run([harness.LEAT, "ledger", "verify", folder.name],
                                  capture_output=True, text=True)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        dumped = subprocess.run([harness.LEAT, "ledger", "dump", folder.name], check=True,
                                capture_output=True, text=True)
        records = [json.loads(line) for line in dumped.stdout.splitlines()]
        self.assertEqual(len(records), len({each["id"] for each in records}))
        # Whoever left before a provider was asked has a record without one, and pays nothing.
        self.assertFalse([each for each in records if not each["provider"] and each["charge"]])
        self.assertEqual({each["provider"] for each in records} - {""}, {"p0", "a0"})


if __name__ == "__main__":
    harness.main()
