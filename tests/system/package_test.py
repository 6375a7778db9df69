#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: who installs the package gets all that is needed to run Leat, and can make it again, byte
for byte, from the same sources.
Method: a package of the program under test (nothing is compiled again), unpacked without root and
looked into: the program starts with the configuration that comes with it; manual pages,
completions and bill of materials name what is really there; a second package, made in another
folder under another umask, is the same.

Usage: package_test.py LEAT"""

import gzip
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

LEAT = pathlib.Path(sys.argv[1]).resolve()
ROOT = pathlib.Path(__file__).resolve().parents[2]
EPOCH = 1700000000


def ran(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True,
                          check=False, **options)


def made_in(folder, umask):
    done = ran(sys.executable, ROOT / "packaging/deb.py", LEAT, folder, "--epoch", EPOCH,
               cwd=folder, umask=umask)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return pathlib.Path(done.stdout.strip())


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.package = made_in(cls.folder.name, 0o022)
        cls.tree = pathlib.Path(cls.folder.name, "tree")
        unpacked = ran("dpkg-deb", "-R", cls.package, cls.tree)
        assert unpacked.returncode == 0, unpacked.stderr

    def text(self, name):
        data = (self.tree / name).read_bytes()
        return (gzip.decompress(data) if name.endswith(".gz") else data).decode()

    def test_a_second_one_has_the_same_bytes(self):
        with tempfile.TemporaryDirectory() as other:
            again = made_in(other, 0o077)
            self.assertEqual(hashlib.sha256(self.package.read_bytes()).hexdigest(),
                             hashlib.sha256(again.read_bytes()).hexdigest())

    def test_all_is_roots_and_nobody_else_may_write(self):
        listed = ran("dpkg-deb", "-c", self.package).stdout.splitlines()
        self.assertGreater(len(listed), 30)
        for line in listed:
            self.assertRegex(line, r"^[d-]rw[x-]r-[x-]r-[x-] root/root ")
            self.assertIn(" 2023-11-14 ", line)  # EPOCH

    def test_the_program_has_no_path_of_its_builder(self):
        program = self.tree / "usr/bin/leat"
        self.assertNotIn(str(ROOT).encode(), program.read_bytes())
        self.assertEqual(ran(program, "--version").stdout, ran(LEAT, "--version").stdout)

    def test_it_depends_on_the_libraries_that_it_asks_for(self):
        depends = re.search(r"^Depends: (.*)$", self.text("DEBIAN/control"), re.M).group(1)
        names = {one.split(" ")[0] for one in depends.split(", ")}
        needed = re.findall(r"\(NEEDED\).*\[(.*?)\.so", ran("readelf", "-dW", LEAT).stdout)
        self.assertLessEqual({"libc6", "libstdc++6"}, names)
        for library, package in (("liburing", "liburing2"), ("libsqlite3", "libsqlite3-0"),
                                 ("libssl", "android-libboringssl")):
            self.assertEqual(library in needed, package in names, library)
        for one in depends.split(", "):
            self.assertRegex(one, r"^[a-z0-9.+-]+ \(>= [^ )]+\)$")

    def test_the_configuration_is_good_and_its_defaults_are_the_programs(self):
        text = self.text("etc/leat/leat.toml")
        # With the folders of this test, and with every default written out.
        text = text.replace("/var/lib/leat", self.folder.name).replace("/run/leat",
                                                                       self.folder.name)
        own, mark, models = text.partition("\n# Answers from the prompt")
        shown, count = re.subn(r"(?m)^#(\w+ = )", r"\1", own)
        self.assertGreater(count, 60)
        for variant in (own, shown):
            path = pathlib.Path(self.folder.name, "leat.toml")
            path.write_text(variant + mark + models)
            checked = ran(LEAT, "check", "--config", path)
            self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertEqual(self.text("DEBIAN/conffiles"), "/etc/leat/leat.toml\n")

    def test_manual_pages_are_whole_and_sound(self):
        for page, words in (("man1/leat.1.gz", (".SS leat keys create", "\\-\\-requests\\-per",
                                                "SIGTERM", "78")),
                            ("man5/leat.toml.5.gz", (".SH [limits]", "streams_per_key_max",
                                                     "drain_grace_ms"))):
            source = self.text(f"usr/share/man/{page}")
            for word in words:
                self.assertTrue(word in source, word)
            complaints = ran("groff", "-man", "-Tutf8", "-ww", "-z", input=source).stderr
            self.assertEqual(complaints, "", page)

    def test_completion_offers_what_there_is(self):
        script = self.tree / "usr/share/bash-completion/completions/leat"

        def offered(*words):
            quoted = " ".join(f"'{word}'" for word in words)
            done = ran("bash", "-c", f"source {script}; COMP_WORDS=({quoted}); "
                       f"COMP_CWORD={len(words) - 1}; _leat; echo \"${{COMPREPLY[*]}}\"")
            self.assertEqual(done.stderr, "")
            return set(done.stdout.split())

        self.assertLessEqual({"serve", "check", "keys", "ledger", "--version"}, offered("leat", ""))
        self.assertEqual({"create", "credits"} & offered("leat", "keys", "cre"), {"create"})
        self.assertIn("--requests-per-minute", offered("leat", "keys", "create", "--req"))
        self.assertEqual(offered("leat", "ledger", "export", "--format", ""), {"jsonl", "csv"})
        for name in ("zsh/vendor-completions/_leat", "fish/vendor_completions.d/leat.fish"):
            self.assertIn("requests-per-minute", self.text(f"usr/share/{name}"))

    def test_the_bill_of_materials_has_each_library_and_this_program(self):
        bill = json.loads(self.text("usr/share/doc/leat/sbom.spdx.json"))
        self.assertEqual(bill["spdxVersion"], "SPDX-2.3")
        packages = {one["name"]: one for one in bill["packages"]}
        program = (self.tree / "usr/bin/leat").read_bytes()
        self.assertEqual(packages["leat"]["checksums"][0]["checksumValue"],
                         hashlib.sha256(program).hexdigest())
        asked = (ROOT / "subprojects/dependencies/meson.build").read_text()
        wanted = set(re.findall(r"\bdependency\('([^']+)'", asked)) | {"mimalloc", "boringssl"}
        wanted -= {"threads", "gtest_main", "gmock", "benchmark"}  # no part of the program
        self.assertEqual(set(packages) - {"leat"}, wanted)
        ids = {one["SPDXID"] for one in bill["packages"]} | {"SPDXRef-DOCUMENT"}
        self.assertEqual(len(ids), len(packages) + 1)
        related = {one["relatedSpdxElement"] for one in bill["relationships"]}
        self.assertEqual(related, ids - {"SPDXRef-DOCUMENT"})
        for one in packages.values():
            self.assertTrue(one["versionInfo"] and one["licenseDeclared"])

    def test_dpkgs_scripts_are_sound_and_sums_are_right(self):
        for name in ("postinst", "prerm", "postrm"):
            path = self.tree / "DEBIAN" / name
            self.assertEqual(ran("sh", "-n", path).stderr, "")
            self.assertTrue(os.access(path, os.X_OK))
        for line in self.text("DEBIAN/md5sums").splitlines():
            digest, name = line.split("  ")
            self.assertEqual(hashlib.md5((self.tree / name).read_bytes()).hexdigest(), digest)

    def test_units_user_and_folders_are_where_systemd_looks(self):
        for name in ("systemd/system/leat.service", "systemd/system/leat.socket",
                     "systemd/system/leat-admin.socket", "sysusers.d/leat.conf",
                     "tmpfiles.d/leat.conf"):
            self.assertTrue((self.tree / "usr/lib" / name).is_file(), name)
        unit = self.text("usr/lib/systemd/system/leat.service")
        self.assertIn("\nExecStart=/usr/bin/leat serve --config /etc/leat/leat.toml\n", unit)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]], verbosity=2)
