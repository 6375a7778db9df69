#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a running Leat is in its sandbox, every thread of it, and all that it does at work goes on
in there: traffic, names, ledger segments, accounts, metrics, the end. What is in force is said.
Method: the real binary with a ledger, accounts, an admin socket and a health file, each in a folder
of its own; the kernel tells of each thread what holds for it.

Usage: test_sandbox.py LEAT SANITIZERS: with sanitizers the sandbox is off, and that is said."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import harness
from harness import Case, answer_well, until

SANITIZERS = sys.argv.pop(2)
IS_ON = SANITIZERS == "none"


def status_of(path):
    """What /proc says there: {name: value}."""
    return {line.split(":", 1)[0]: line.split(":", 1)[1].strip()
            for line in pathlib.Path(path).read_text().splitlines() if ":" in line}


# What holds for this process and all that it starts: a container may have a filter of its own.
OURS = status_of("/proc/self/status")


class Sandbox(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("ledger", "accounts", "run", "health"):
            (self.folder / name).mkdir()

    def started(self, environment=None, extra=""):
        provider = self.provider(answer_well)
        extra += (f'[ledger]\nfolder = "{self.folder}/ledger"\nsegment_mib = 1\n'
                  f'[accounts]\nstore_file = "{self.folder}/accounts/store.db"\n'
                  f'[routing]\nhealth_file = "{self.folder}/health/health.json"\n'
                  f'[providers.named]\nbase_url = "http://localhost:{provider.port}/v1"\n'
                  'allow_private = true\n[[models]]\nid = "acme/named"\n'
                  'endpoints = [{ provider = "named", model = "m" }]\n')
        admin = f'socket = "{self.folder}/run/admin.sock"\n'
        return self.leat([provider], server="shards = 2", admin=admin, extra=extra,
                         environment=environment)

    def test_what_is_required_and_missing_keeps_it_from_starting(self):
        required = 'hardening = "require"'
        if IS_ON:
            self.assertIn("rings restricted", self.leat(server=required).said("hardening"))
        with self.assertRaisesRegex(AssertionError, "require.*missing.*LEAT_HARDENING|sanitizers"):
            self.leat(server=required, environment={"LEAT_HARDENING": "off"})

    def threads(self, leat):
        """Of each thread: its name, and what /proc says of it."""
        return [status_of(task / "status")
                for task in pathlib.Path(f"/proc/{leat.process.pid}/task").iterdir()]

    def assert_as_we_are(self, thread):
        for name in ("Seccomp", "Seccomp_filters", "NoNewPrivs"):
            self.assertEqual(thread[name], OURS[name], (thread["Name"], name))

    def keys(self, *words):
        done = subprocess.run([harness.LEAT, "keys", *words, "--socket",
                               f"{self.folder}/run/admin.sock"], capture_output=True, text=True,
                              check=False, timeout=30 * harness.SLOW)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_each_thread_is_in_it(self):
        leat = self.started()
        threads = self.threads(leat)
        self.assertGreaterEqual(len(threads), 4)  # control, two shards, ledger, accounts
        for each in threads:
            if not IS_ON:
                self.assert_as_we_are(each)
                continue
            self.assertEqual((each["Seccomp"], each["NoNewPrivs"]), ("2", "1"), each["Name"])
            is_shard = re.fullmatch(r"leat-\d+", each["Name"]) is not None
            more = int(each["Seccomp_filters"]) - int(OURS["Seccomp_filters"])
            self.assertEqual(more, 2 if is_shard else 1, each["Name"])

    def test_what_is_in_force_is_said(self):
        leat = self.started()
        told, _, keys = leat.said("hardening").partition(", rings ")
        self.assertRegex(keys, "^(NOT )?restricted, keys (NOT )?locked in memory$")
        doctor = subprocess.run([harness.LEAT, "doctor"], capture_output=True, text=True,
                                check=False).stdout
        self.assertRegex(doctor, rf"(?m)^hardening +{re.escape(told)}  ")
        if IS_ON:
            self.assertRegex(told, r"^no_new_privs, seccomp, (NO Landlock|Landlock \d+)$")
        else:
            self.assertEqual(told, "off (a build with sanitizers)")

    def test_its_switch_switches_it_off(self):
        leat = self.started({"LEAT_HARDENING": "off"})
        for each in self.threads(leat):
            self.assert_as_we_are(each)
        self.assertRegex(leat.said("hardening"), r"^off \((LEAT_HARDENING=off|a build with)")

    def test_all_of_its_work_goes_on(self):
        leat = self.started()
        key = self.keys("create", "web", "--limit", "5").split()
        self.assertTrue(any(word.startswith("sk-") for word in key), key)
        self.assertIn("web", self.keys("list"))
        for model in (harness.MODEL, "acme/named"):  # an address, a name of /etc/hosts
            self.assertEqual(leat.chat(model=model).status, 200)
            answer = leat.chat(model=model, stream=True)
            self.assertTrue(answer.whole)
            self.assertEqual(answer.text(), "onetwo")
        self.assertEqual(leat.get_admin("/metrics")[0], 200)
        self.write_segments(leat)
        leat.process.terminate()
        self.assertEqual(leat.process.wait(20 * harness.SLOW), 0)
        self.assertNotIn("denied", leat.log())
        self.assertNotIn("not permitted", leat.log())
        self.assertTrue((self.folder / "health/health.json").stat().st_size > 0)
        verified = subprocess.run([harness.LEAT, "ledger", "verify", f"{self.folder}/ledger"],
                                  capture_output=True, text=True, check=False)
        self.assertEqual(verified.returncode, 0, verified.stdout)

    def write_segments(self, leat):
        """Asks until the ledger has had to make a segment: the first ones are small."""
        def files():
            return {path.name for path in (self.folder / "ledger").iterdir()
                    if path.stat().st_size >= 1 << 20}

        def ask():
            for _ in range(60):
                leat.chat(model="leat/simulated", max_tokens=1)

        before = files()
        def grown():
            askers = [threading.Thread(target=ask) for _ in range(4)]
            for each in askers:
                each.start()
            for each in askers:
                each.join()
            return files() - before
        until(grown, "a new segment", 60)

    def test_it_makes_no_core_of_its_memory(self):
        leat = self.started()
        smaps = ""
        try:
            smaps = pathlib.Path(f"/proc/{leat.process.pid}/smaps").read_text()
        except PermissionError:
            self.assertNotEqual(os.geteuid(), 0)  # not dumpable: nobody but root may look
        if smaps and IS_ON:
            flags = re.findall(r"^VmFlags: (.*)$", smaps, re.M)
            locked = [each.split() for each in flags if " lo" in each]
            self.assertTrue(locked)
            for each in locked:
                self.assertIn("dd", each)  # "do not dump"
                self.assertIn("wf", each)  # "wipe on fork"


if __name__ == "__main__":
    harness.main()
