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

import collections
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import harness
from harness import KEY, until

LOAD, MOCK = sys.argv[2:4]
del sys.argv[2:4]
FULL = "LEAT_RELOADS" in os.environ
TIMES = int(os.environ.get("LEAT_RELOADS", "12"))
STREAMS, RATE = (2000, 500) if FULL else (200, 50)
# Of one reload.
SECONDS = 1.0


class ReloadLoad(harness.Case):
    def load(self, leat, *arguments):
        with open(leat.config.parent / "keys", "w", encoding="ascii") as keys:
            keys.write(KEY + "\n")
        process = subprocess.Popen(
            [LOAD, f"http://127.0.0.1:{leat.port}/v1", "--json", "--keys-file",
             leat.config.parent / "keys", "--model", harness.MODEL, "--warm-up", "0",
             "--drain", "60", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

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
        mock = subprocess.Popen([MOCK, "--listen", "127.0.0.1:0", "--rate", "4"],
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(mock.communicate)
        self.addCleanup(mock.kill)
        url = mock.stdout.readline().strip() + "/v1"
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        leat = self.leat([url], server="shards = 2", limits={"streams_per_key_max": 100_000},
                         extra=f'[ledger]\nfolder = "{folder.name}"\n')
        texts = self.texts(leat, url)
        seconds = TIMES * SECONDS + 8
        loads = [self.load(leat, "--streams", STREAMS, "--ramp", 2, "--tokens", 20, "--duration",
                           seconds)]
        loads += [self.load(leat, "--connections", 16, "--rate", RATE / 2, "--tokens", 2,
                            "--duration", seconds, *more)
                  for more in ((), ("--no-keep-alive",))]
        for number in range(TIMES):
            time.sleep(SECONDS)  # the pace of it, no wait for anything
            leat.config.write_text(texts[number % len(texts)])
            leat.process.send_signal(signal.SIGHUP)
            until(lambda number=number: leat.metric("leat_config_generation") == number + 2,
                  f"configuration {number + 2}: {leat.log()[-500:]}", 20)
        for process in loads:
            out, err = process.communicate(timeout=(seconds + 120) * harness.SLOW)
            report = json.loads(out)
            said = collections.Counter(re.findall(r"refused reason=(\S+)", leat.log()))
            self.assertEqual(report["errors_total"], 0, (report["errors"], said, err))
            self.assertGreater(report["answers"], 0)
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
        providers = {each["provider"] for each in records}
        self.assertEqual(providers, {"p0", "a0"})


if __name__ == "__main__":
    harness.main()
