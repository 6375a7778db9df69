#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: Leat is a good service: its manager knows when it serves, that it still does and when it
ends; ports that the manager holds outlive a restart, and nobody who connects meanwhile is refused;
provider keys reach it as credentials; and the unit that we ship takes from it all that can be.
Method: this file plays systemd, by the protocols that the unit uses: a datagram socket, listening
sockets at descriptors 3 and up, a folder of credentials. The unit is judged by systemd's own tool,
offline."""

import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

import harness
from harness import Case, Client, Leat, answer_well, chat_request, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT = ROOT / "packaging/leat.service"
EXPOSURE_MAX = 1.5


class Manager:
    """Hears what Leat tells."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(10 * harness.SLOW)

    def hear(self):
        return self.socket.recv(4096).decode().split("\n")

    def close(self):
        self.socket.close()
        self.folder.cleanup()


# The process that becomes Leat: the descriptors named first come to 3, 4, ...
STARTER = """
import os, sys
numbers = [int(word) for word in sys.argv[1].split(",")]
kept = [os.dup(each) for each in numbers]
high = [os.dup2(each, 100 + place) for place, each in enumerate(kept)]
for place, each in enumerate(high):
    os.dup2(each, 3 + place)
    os.close(each)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def passing(*sockets):
    """For Leat: what a manager that holds these sockets does."""
    numbers = [each.fileno() for each in sockets]
    return {"starter": (sys.executable, "-c", STARTER, ",".join(map(str, numbers))),
            "pass_fds": numbers}


def listening(port=0):
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(64)
    return made


class Service(Case):
    def manager(self):
        made = Manager()
        self.addCleanup(made.close)
        return made

    def test_its_manager_is_told_of_start_watchdog_and_end(self):
        manager = self.manager()
        leat = self.leat(environment={"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "4000000"})
        self.assertEqual(manager.hear()[0], "READY=1")
        self.assertEqual(leat.chat(model="leat/simulated").status, 200)  # it was true
        self.assertEqual([manager.hear(), manager.hear()], [["WATCHDOG=1"], ["WATCHDOG=1"]])
        leat.process.terminate()
        heard = until(lambda: (words := manager.hear()) != ["WATCHDOG=1"] and words, "the end")
        self.assertEqual(heard[0], "STOPPING=1")
        self.assertEqual(leat.process.wait(10 * harness.SLOW), 0)

    def test_a_start_that_fails_tells_nothing(self):
        manager = self.manager()
        taken = listening()
        self.addCleanup(taken.close)
        with self.assertRaises(AssertionError):
            self.leat(listen=f"127.0.0.1:{taken.getsockname()[1]}",
                      environment={"NOTIFY_SOCKET": manager.path})
        manager.socket.setblocking(False)
        with self.assertRaises(BlockingIOError):
            manager.hear()

    def test_a_port_that_its_manager_holds_outlives_it(self):
        provider = self.provider(answer_well)
        port, admin = listening(), listening()
        self.addCleanup(port.close)
        self.addCleanup(admin.close)
        number = port.getsockname()[1]
        options = {"listen": f"127.0.0.1:{number}", "server": "shards = 2",
                   "environment": {"LISTEN_FDS": "2", "LISTEN_FDNAMES": "listen:admin"},
                   "admin_listen": f"127.0.0.1:{admin.getsockname()[1]}",
                   **passing(port, admin)}
        first = self.leat([provider], **options)
        self.assertEqual(first.port, number)
        for _ in range(8):  # whichever shard accepts
            self.assertEqual(first.chat().status, 200)
        self.assertEqual(first.get_admin("/healthz")[0], 200)
        first.close()
        with Client(number) as early:  # nobody is there, nobody is refused
            early.send(chat_request())
            second = self.leat([provider], **options)
            self.assertEqual(early.answer().status, 200)
        self.assertEqual(second.chat().status, 200)

    def test_a_port_that_nobody_configured_is_refused_at_start(self):
        port = listening()
        self.addCleanup(port.close)
        with self.assertRaisesRegex(AssertionError, "the configuration has no server.listen there"):
            self.leat(**passing(port),
                      environment={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "listen"})

    def test_a_provider_key_comes_as_a_credential(self):
        provider = self.provider(answer_well)
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "mock").write_text("sk-credential-0123456789\n")
            extra = (f'[providers.sealed]\nbase_url = "{provider.url()}"\nallow_private = true\n'
                     'api_key = { credential = "mock" }\n[[models]]\nid = "acme/sealed"\n'
                     'endpoints = [{ provider = "sealed", model = "m" }]\n')
            leat = self.leat(extra=extra, environment={"CREDENTIALS_DIRECTORY": folder})
            self.assertEqual(leat.chat(model="acme/sealed").status, 200)
        self.assertIn("authorization: bearer sk-credential-0123456789",
                      provider.calls[0].head.lower())


class Unit(Case):
    def test_it_exposes_little(self):
        told = subprocess.run(["systemd-analyze", "security", "--offline=yes", str(UNIT)],
                              capture_output=True, text=True, check=False)
        score = re.search(r"Overall exposure level for leat.service: ([\d.]+)", told.stdout)
        self.assertIsNotNone(score, told.stderr)
        self.assertLessEqual(float(score.group(1)), EXPOSURE_MAX)

    def test_it_waits_longer_than_the_grace_and_does_not_retry_what_cannot_mend(self):
        unit = UNIT.read_text()
        reference = (ROOT / "docs/configuration.md").read_text()
        grace = int(re.search(r"`drain_grace_ms` \| [^|]*\| (\d+)", reference).group(1))
        self.assertGreater(int(re.search(r"TimeoutStopSec=(\d+)", unit).group(1)) * 1000, grace)
        self.assertIn("RestartPreventExitStatus=64 78\n", unit)

    def test_its_system_calls_are_enough_for_rings_and_locked_memory(self):
        allowed = self.allowed_calls()
        for call in ("io_uring_setup", "io_uring_enter", "io_uring_register", "mlock", "madvise",
                     "sched_setaffinity", "signalfd4", "eventfd2", "prctl", "seccomp",
                     "landlock_restrict_self", "accept4", "fdatasync", "fallocate"):
            self.assertIn(call, allowed)
        for call in ("ptrace", "mount", "bpf", "init_module", "setuid", "keyctl", "reboot"):
            self.assertNotIn(call, allowed)
        self.assertIn("LimitMEMLOCK=infinity\n", UNIT.read_text())

    def calls_of(self, name):
        if not name.startswith("@"):
            return {name}
        told = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True,
                              text=True, check=True).stdout
        found = set()
        for word in re.findall(r"^    (@?[a-z][\w-]*)$", told, re.M):
            found |= self.calls_of(word)
        return found

    def allowed_calls(self):
        """What SystemCallFilter= lets through, by systemd's own lists."""
        allowed = self.calls_of("@default")
        for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.M):
            for name in line.lstrip("~").split():
                calls = self.calls_of(name)
                allowed = allowed - calls if line.startswith("~") else allowed | calls
        return allowed


if __name__ == "__main__":
    harness.main()
