#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: with shards on cores of their own a connection is served where its packets come in, also
after another process took over; huge pages and busy polling are in force where the machine has
them, and what is not is told at start.
Method: the real leat with two shards on loopback, where the core that takes a packet is the core of
whoever sends it: this test puts itself on one core after the other. What leat says of its pages is
compared with the kernel's account of them.

Usage: test_placement.py LEAT"""

import os
import pathlib
import re
import socket
import subprocess
import unittest

import harness
from harness import LEAT, answer_well
from test_unit import passing

CORES = sorted(os.sched_getaffinity(0))[:2]
PIN = f"shards = 2\npin = [{', '.join(str(core) for core in reversed(CORES))}]\n"
EACH = 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def counts(leat):
    name = 'leat_shard_connections_accepted_total{{shard="{}"}}'
    return [leat.metric(name.format(shard)) for shard in range(2)]


class Placement(harness.Case):
    def come_from(self, leat, core, connections=EACH):
        """How many connections each shard got of those that a client on `core` made."""
        before = counts(leat)
        every = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {core})
        try:
            for _ in range(connections):
                self.assertEqual(leat.chat(stream=True).status, 200)
        finally:
            os.sched_setaffinity(0, every)
        return [now - then for now, then in zip(counts(leat), before)]

    def assert_steered(self, leat):
        # Shard 0 is on the last core: places in the group, not numbers of cores, are what counts.
        self.assertEqual(self.come_from(leat, CORES[1]), [EACH, 0])
        self.assertEqual(self.come_from(leat, CORES[0]), [0, EACH])

    def assert_spread(self, leat):
        got = self.come_from(leat, CORES[0], 40)
        self.assertEqual(sum(got), 40)
        self.assertNotIn(0, got)


@unittest.skipIf(len(CORES) < 2, "one core only: nothing to steer between")
class Steering(Placement):
    def test_by_core(self):
        with harness.Leat([self.provider(answer_well)],
                          server=PIN + 'steering = "core"') as leat:
            self.assertIn("connections by core", leat.said("placement"))
            self.assertNotIn("NOT", leat.said("placement"))
            self.assert_steered(leat)

    def test_by_hash(self):
        for told in ('steering = "hash"', 'steering = "auto"'):
            with self.subTest(told), \
                    harness.Leat([self.provider(answer_well)], server=PIN + told) as leat:
                said = leat.said("placement")
                if "connections by core" in said:  # a card whose queues are where the shards are
                    self.assertIn("auto", told)
                    self.assert_steered(leat)
                else:
                    self.assertIn("connections by hash", said)
                    self.assert_spread(leat)

    def test_over_takeovers(self):
        old = self.leat([self.provider(answer_well)], listen=f"127.0.0.1:{free_port()}",
                        admin_listen=f"127.0.0.1:{free_port()}",
                        server=PIN + 'steering = "core"\ntakeover_socket = "takeover.sock"')
        self.assert_steered(old)
        new = old.again()
        self.addCleanup(new.close)
        self.assert_steered(new)
        # The cores change places: so do the listeners that they stand for.
        last = f"pin = [{CORES[0]}, {CORES[1]}]"
        new.rewrite(lambda text: re.sub(r"pin = \[.*\]", last, text))
        turned = new.again(3)
        self.addCleanup(turned.close)
        self.assertEqual(self.come_from(turned, CORES[0]), [EACH, 0])
        # The program is the group's, and stays there unless it is taken away.
        turned.rewrite(lambda text: text.replace('"core"', '"hash"'))
        spread = turned.again(4)
        self.addCleanup(spread.close)
        self.assert_spread(spread)


    def of_a_manager(self, count):
        """With so many sockets at one port that were open before."""
        ports = []
        for _ in range(count):
            made = socket.socket()
            self.addCleanup(made.close)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.bind(("127.0.0.1", ports[0].getsockname()[1] if ports else 0))
            made.listen(64)
            ports.append(made)
        return self.leat([self.provider(answer_well)], server=PIN + 'steering = "core"',
                         listen=f"127.0.0.1:{ports[0].getsockname()[1]}",
                         environment={"LISTEN_FDS": str(count),
                                      "LISTEN_FDNAMES": ":".join(["listen"] * count)},
                         **passing(*ports))

    def test_sockets_of_a_manager(self):
        self.assert_steered(self.of_a_manager(2))

    def test_one_socket_for_all_shards_has_no_core(self):
        leat = self.of_a_manager(1)
        self.assertIn("connections by hash (there are fewer sockets than shards at 127.0.0.1:",
                      leat.said("placement"))
        self.assertEqual(sum(self.come_from(leat, CORES[0], 8)), 8)


class Memory(Placement):
    def pages(self, wish):
        """MiB of huge pages: as leat says, and as the kernel does, if we may know."""
        with harness.Leat([self.provider(answer_well)],
                          server=f'shards = 2\nhuge_pages = "{wish}"') as leat:
            self.assertEqual(leat.chat(stream=True).status, 200)
            said = re.search(r"huge pages ([0-9.]+) MiB", leat.said("placement"))
            self.assertIsNotNone(said, leat.said("placement"))
            try:
                text = pathlib.Path(f"/proc/{leat.process.pid}/smaps_rollup").read_text()
            except PermissionError:  # it is not dumpable
                return float(said.group(1))
            kib = sum(int(n) for n in re.findall(r"(?:AnonHuge|Private_Huge)\w+: *(\d+) kB", text))
            # What came since the start is more.
            self.assertGreaterEqual(kib / 1024 + 0.1, float(said.group(1)))
            return float(said.group(1))

    def test_huge_pages(self):
        setting = pathlib.Path("/sys/kernel/mm/transparent_hugepage/enabled")
        gives = setting.exists() and "[never]" not in setting.read_text()
        doctor = subprocess.run([LEAT, "doctor"], capture_output=True, text=True, check=True)
        has_rings = re.search(r"incremental buffers +offered +used", doctor.stdout)
        off, auto, on = self.pages("off"), self.pages("auto"), self.pages("on")
        print(f"\n  huge pages: off {off}, auto {auto}, on {on} MiB", end=" ")
        self.assertLessEqual(off, auto)
        if gives and has_rings:
            self.assertGreaterEqual(auto - off, 2)  # of 8: memory may be in pieces
        self.assertGreaterEqual(on, auto)

    def test_busy_polling_is_in_force_or_told(self):
        doctor = subprocess.run([LEAT, "doctor"], capture_output=True, text=True, check=True)
        offered = re.search(r"(?m)^NAPI busy polling +offered", doctor.stdout)
        with harness.Leat([self.provider(answer_well)], server="napi_busy_poll_us = 20") as leat:
            told = "20 us" if offered else "NOT in force"
            self.assertIn(f"NAPI busy polling {told}", leat.said("placement"))
            self.assertEqual(leat.chat(stream=True).status, 200)


class Doctor(Placement):
    def test_it_speaks_of_a_configuration(self):
        with harness.Leat([self.provider(answer_well)], server="shards = 1\npin = [0]") as leat:
            done = subprocess.run([LEAT, "doctor", "--config", str(leat.config)],
                                  capture_output=True, text=True, env=leat.environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^shards +1 shard, on core 0")
        self.assertRegex(done.stdout, r"(?m)^steering +by hash +there is one shard")
        for name in ("isolated cores", "CPU governor", "irqbalance", "huge pages"):
            self.assertRegex(done.stdout, rf"(?m)^{name} ")

    def test_a_fault_in_it_is_told(self):
        with harness.Leat([self.provider(answer_well)]) as leat:
            leat.rewrite("[server]\nnonsense = 1\n")
            done = subprocess.run([LEAT, "doctor", "--config", str(leat.config)],
                                  capture_output=True, text=True, env=leat.environment)
        self.assertEqual(done.returncode, 78)
        self.assertIn("nonsense", done.stderr)


if __name__ == "__main__":
    harness.main()
