#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: the program that was built has the protections that compiler and linker can give: a wrong
pointer finds neither code at a known place, nor a table of functions to overwrite, nor a stack to
run code from; and its library checks what it is asked.
Method: readelf and objdump tell what is in the file. What only release builds have (stack
protector, fortified calls) is looked for when the build is one.

Usage: test_binary.py LEAT BUILDTYPE"""

import re
import subprocess
import sys
import unittest

LEAT, BUILDTYPE = sys.argv[1:3]


def told(*command):
    return subprocess.run([*command, LEAT], check=True, capture_output=True, text=True).stdout


class Binary(unittest.TestCase):
    def test_its_place_in_memory_is_random(self):
        self.assertRegex(told("readelf", "--file-header", "--wide"), r"Type:\s+DYN")
        self.assertRegex(told("readelf", "--dynamic", "--wide"), r"\(FLAGS_1\).*\bPIE\b")

    def test_nothing_to_overwrite_after_start(self):
        self.assertIn("GNU_RELRO", told("readelf", "--program-headers", "--wide"))
        self.assertRegex(told("readelf", "--dynamic", "--wide"),
                         r"\(FLAGS\).*\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b")

    def test_what_is_written_is_never_run(self):
        segments = re.findall(r"^ +(LOAD|GNU_STACK) .* ([R ][W ][E ]) 0x\w+$",
                              told("readelf", "--program-headers", "--wide"), re.M)
        self.assertIn("GNU_STACK", [kind for kind, _ in segments])
        self.assertIn(("LOAD", "R E"), segments)
        for kind, flags in segments:
            self.assertNotEqual(flags[1:], "WE", kind)
        self.assertNotRegex(told("readelf", "--dynamic", "--wide"), r"\(TEXTREL\)")

    def test_indirect_calls_have_their_marks(self):
        # Marks of functions, not of the whole file: Debian's start files have none, so the linker
        # cannot promise them for all of it.
        code = told("objdump", "--disassemble=main", "--no-show-raw-insn")
        first = re.search(r"<main>:\n\s+\w+:\s+(\w+)", code)
        self.assertIsNotNone(first, code[:200])
        self.assertEqual(first.group(1), "endbr64")

    def test_the_library_checks_its_callers(self):
        # -D_GLIBCXX_ASSERTIONS: this is what a failed one calls.
        self.assertIn("__glibcxx_assert_fail", told("readelf", "--dyn-syms", "--wide"))

    def test_a_release_watches_its_stack_and_its_buffers(self):
        symbols = told("readelf", "--dyn-syms", "--wide")
        is_release = BUILDTYPE == "release"
        self.assertEqual(is_release, "__stack_chk_fail" in symbols)
        self.assertEqual(is_release, re.search(r"__\w+_chk@", symbols) is not None)

    def test_libraries_are_found_where_the_system_has_them(self):
        paths = re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]",
                           told("readelf", "--dynamic", "--wide"))
        for path in ":".join(paths).split(":"):
            if path:
                self.assertTrue(path.startswith("/usr/lib/"), path)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=2)
