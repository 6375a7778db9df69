# SPDX-License-Identifier: Apache-2.0
"""What tests under load have in common: leat-load and leat-mock beside a Leat, until a case ends.
"""

import collections
import json
import re
import subprocess

import harness
from harness import KEY


class LoadCase(harness.Case):
    """`programs`: the paths of leat-load and leat-mock."""
    programs = ()

    def mock(self, *arguments):
        """The URL of a provider that answers as fast as it is told to."""
        process = subprocess.Popen([self.programs[1], "--listen", "127.0.0.1:0", *arguments],
                                   stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process.stdout.readline().strip() + "/v1"

    def load(self, leat, *arguments):
        keys = leat.config.parent / "keys"
        if not keys.exists():  # another load may be reading it
            keys.write_text(KEY + "\n")
        process = subprocess.Popen(
            [self.programs[0], f"http://127.0.0.1:{leat.port}/v1", "--json", "--keys-file", keys,
             "--model", harness.MODEL, "--warm-up", "0", "--drain", "60", *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def mixed_load(self, leat, streams, rate, seconds):
        """Streams of five seconds, and requests on kept connections and on new ones."""
        return [self.load(leat, "--streams", streams, "--ramp", 2, "--tokens", 20,
                          "--duration", seconds)] + [
            self.load(leat, "--connections", 16, "--rate", rate / 2, "--tokens", 2,
                      "--duration", seconds, *more) for more in ((), ("--no-keep-alive",))]

    def assert_unnoticed(self, process, seconds, logs):
        """The load ends and nothing went wrong for it. `logs`: what the Leats said."""
        out, err = process.communicate(timeout=(seconds + 120) * harness.SLOW)
        self.assertEqual(process.returncode, 0, err)
        report = json.loads(out)
        said = collections.Counter(re.findall(r"refused reason=(\S+)", logs()))
        self.assertEqual(report["errors_total"], 0, (report["errors"], said, err))
        self.assertGreater(report["answers"], 0)
