# SPDX-License-Identifier: Apache-2.0
"""A group of processes with a share of a core and a bound of memory, by whichever control groups
this machine has (version 1 or 2), made by root. Removed again at the end."""

import os
import pathlib

ROOT = pathlib.Path("/sys/fs/cgroup")


class Cgroup:
    """`core_share`: of one core, in which nobody else on it comes first. `period_us`: how often the
    quota is given: the pauses of who has used it up are shorter than that. What could not be had is
    in `missing`."""

    def __init__(self, name, core_share, memory_bytes, period_us=5_000):
        self.name = f"{name}-{os.getpid()}"
        self.folders = []
        self.missing = []
        self.memory_bytes = memory_bytes
        quota = max(int(core_share * period_us), 1_000)
        if (ROOT / "cgroup.controllers").exists():
            unified = self._make(ROOT)
            self._set("cpu quota", unified, "cpu.max", f"{quota} {period_us}")
            self._set("cpu weight", unified, "cpu.weight", 10_000)
            self._set("memory limit", unified, "memory.max", memory_bytes)
            return
        cpu = self._make(ROOT / "cpu")
        self._set("cpu quota", cpu, "cpu.cfs_period_us", period_us)
        self._set("cpu quota", cpu, "cpu.cfs_quota_us", quota)
        self._set("cpu weight", cpu, "cpu.shares", 100_000)
        self._set("memory limit", self._make(ROOT / "memory"), "memory.limit_in_bytes",
                  memory_bytes)

    def _make(self, parent):
        folder = parent / self.name
        try:
            folder.mkdir()
        except OSError:
            return None
        self.folders.append(folder)
        return folder

    def _set(self, what, folder, file, value):
        try:
            if folder is None:
                raise OSError
            (folder / file).write_text(str(value))
        except OSError:
            self.missing.append(what)

    def add(self, pid):
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(pid))

    def memory_peak(self):
        """Bytes, or None."""
        for folder in self.folders:
            for file in ("memory.max_usage_in_bytes", "memory.peak"):
                if (folder / file).exists():
                    return int((folder / file).read_text())
        return None

    def oom_kills(self):
        for folder in self.folders:
            for file in ("memory.oom_control", "memory.events"):
                path = folder / file
                for line in path.read_text().splitlines() if path.exists() else ():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0

    def throttled(self):
        """Periods in which the quota was used up, and all."""
        for folder in self.folders:
            path = folder / "cpu.stat"
            if path.exists():
                stat = dict(line.split() for line in path.read_text().splitlines())
                return int(stat.get("nr_throttled", 0)), int(stat.get("nr_periods", 0))
        return 0, 0

    def remove(self):
        """After its processes have ended."""
        for folder in self.folders:
            try:
                folder.rmdir()
            except OSError:
                pass
