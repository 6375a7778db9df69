#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a rule that tidy.py or check_headers.py stops seeing is noticed.
Method: a small clean tree; each test plants one fault and expects just that one, at its line.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import textwrap
import unittest

import tidy

SPDX = '// SPDX-License-Identifier: Apache-2.0\n'
TOOLS = pathlib.Path(__file__).resolve().parent


class TreeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copy(TOOLS.parent / '.clang-format', self.root)
        for layer in ('base', 'io', 'proto', 'net', 'control'):
            self.write(f'src/{layer}/README.md', '# a layer\n')
            self.write(f'src/{layer}/a.h', SPDX + '#pragma once\n\nint a();\n')
            self.write(f'src/{layer}/a.cc',
                       SPDX + f'#include "{layer}/a.h"\n\nint a() {{\n  return 1;\n}}\n')
            self.write(f'src/{layer}/meson.build', "files('a.cc', 'b.cc')\n")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def format(self, path):
        if shutil.which('clang-format-14'):
            subprocess.run(['clang-format-14', '-i', self.root / path], check=True)

    def plant(self, path, body, is_formatted=True):
        """Writes a C++ file with `body` from its second line on."""
        self.write(path, SPDX + textwrap.dedent(body))
        if is_formatted:
            self.format(path)

    def assert_clean(self):
        self.assertEqual(tidy.Tidy(self.root).run(), [])

    def assert_fault(self, path, line, part):
        faults = tidy.Tidy(self.root).run()
        self.assertEqual(len(faults), 1, faults)
        self.assertEqual(faults[0][:2], (path, line))
        self.assertIn(part, faults[0][2])


class Layers(TreeTest):
    def test_clean_tree_has_no_fault(self):
        self.assert_clean()

    def test_upward_include(self):
        self.plant('src/io/b.cc', '#include "net/a.h"\n')
        self.assert_fault('src/io/b.cc', 2, 'io must not include net/a.h')

    def test_proto_never_sees_io(self):
        self.plant('src/proto/b.h', '#pragma once\n#include "io/a.h"\n')
        self.assert_fault('src/proto/b.h', 3, 'proto must not include io/a.h')

    def test_what_an_allowed_layer_may_include_comes_with_it(self):
        self.plant('src/control/b.cc', '#include "base/a.h"\n#include "io/a.h"\n')
        self.assert_clean()

    def test_unknown_layer(self):
        self.write('src/misc/README.md', '# misc\n')
        self.plant('src/misc/b.h', '#pragma once\n')
        self.assert_fault('src/misc/b.h', 1, 'no layer')

    def test_layer_without_readme(self):
        (self.root / 'src/io/README.md').unlink()
        self.assert_fault('src/io/README.md', 1, 'has a README')

    def test_long_readme(self):
        self.write('src/io/README.md', 'line\n' * 61)
        self.assert_fault('src/io/README.md', 61, 'README of 61 lines')

    def test_source_that_nobody_builds(self):
        self.plant('src/io/c.cc', 'int c();\n')
        self.assert_fault('src/io/c.cc', 1, 'no meson.build names')


class Lengths(TreeTest):
    def test_long_file(self):
        self.plant('src/io/b.cc', 'int b();\n' * 800)
        self.assert_fault('src/io/b.cc', 801, 'file of 801 lines')

    def test_file_at_the_limit(self):
        self.plant('src/io/b.cc', 'int b();\n' * 799)
        self.assert_clean()

    def test_long_function(self):
        self.plant('src/io/b.cc', 'namespace n {\nstruct S {\n  int f() {\n'
                   + '    f();\n' * 69 + '  }\n};\n}  // namespace n\n', is_formatted=False)
        faults = [fault for fault in tidy.Tidy(self.root).run() if 'function' in fault[2]]
        self.assertEqual(faults, [('src/io/b.cc', 4, 'function of 71 lines (at most 70)')])

    def test_function_at_the_limit_and_long_data_and_class(self):
        self.plant('src/io/b.cc', 'int f() {\n' + '  f();\n' * 68 + '}\nstruct S {\n'
                   + '  int g(struct T* t);\n' * 80 + '};\n')
        self.assert_clean()

    def test_braces_in_literals_and_comments_do_not_count(self):
        self.plant('src/io/b.cc', 'const char* f() { return "{"; }  // {\nconst char c = \'{\';\n'
                   + 'int g();\n' * 80)
        self.assert_clean()

    def test_long_python_function(self):
        self.write('tools/b.py', 'def f():\n' + '    f()\n' * 70)
        self.assert_fault('tools/b.py', 1, 'function of 71 lines')

    def test_raw_string_cannot_be_broken(self):
        self.plant('src/io/b.cc', 'const char* b = R"(' + 'a' * 98 + ')";\n')
        self.assert_clean()

    def test_long_line(self):
        self.plant('src/io/b.cc', '// ' + 'a' * 98 + '\n')
        self.assert_fault('src/io/b.cc', 2, 'line of 101 columns')


class Words(TreeTest):
    def test_exception_below_control(self):
        self.plant('src/io/b.cc', 'void b() {\n  throw 1;\n}\n')
        self.assert_fault('src/io/b.cc', 3, 'throw: no exceptions')

    def test_exception_in_control_comment_or_string(self):
        self.plant('src/control/b.cc', 'void b() {\n  throw 1;\n}\n')
        self.plant('src/io/b.cc', '// never throws; throw nothing\nconst char* b = "catch";\n')
        self.assert_clean()

    def test_thread_local(self):
        self.plant('tests/b.cc', 'thread_local int b;\n')
        self.assert_fault('tests/b.cc', 2, 'thread_local')

    def test_lock(self):
        self.plant('src/control/b.cc', 'std::mutex b;\n')
        self.assert_fault('src/control/b.cc', 2, 'std::mutex')

    def test_sleep_in_a_test(self):
        self.plant('tests/b.cc', 'void b() {\n  usleep(1);\n}\n')
        self.assert_fault('tests/b.cc', 3, 'usleep')

    def test_clock_in_net(self):
        self.plant('src/net/b.cc', 'auto b = std::chrono::steady_clock::now();\n')
        faults = tidy.Tidy(self.root).run()
        self.assertEqual({fault[:2] for fault in faults}, {('src/net/b.cc', 2)})

    def test_thread_in_net(self):
        self.plant('src/net/b.cc', 'std::thread b;\n')
        self.assert_fault('src/net/b.cc', 2, 'std::thread')

    def test_system_call_in_net(self):
        self.plant('src/net/b.cc', 'int b = ::send(1, nullptr, 0, 0);\n')
        self.assert_fault('src/net/b.cc', 2, 'no system call')

    def test_method_of_the_same_name_in_net(self):
        self.plant('src/net/b.cc', 'int Io::send(int n) { return io->send(n); }\n', False)
        self.format('src/net/b.cc')
        self.assert_clean()

    def test_system_header_in_net(self):
        self.plant('src/net/b.cc', '#include <sys/socket.h>\n')
        self.assert_fault('src/net/b.cc', 2, 'only Io')

    def test_clock_header_in_net(self):
        self.plant('src/net/b.cc', '#include <chrono>\n')
        self.assert_fault('src/net/b.cc', 2, 'only Io')

    def test_exception_holds_for_its_file_alone(self):
        self.write('src/net/meson.build', "files('a.cc', 'b.cc', 'ares_resolver.cc')\n")
        self.plant('src/net/ares_resolver.cc', '#include <poll.h>\n')
        self.assert_clean()
        self.plant('src/net/b.cc', '#include <poll.h>\n')
        self.assert_fault('src/net/b.cc', 2, 'only Io')

    def test_fetched_subproject_is_not_ours(self):
        self.write('subprojects/liburing/src/a.h', 'no licence line of ours\n')
        self.assert_clean()

    def test_ring_above_io(self):
        self.plant('src/control/b.cc', '#include <liburing.h>\n')
        self.assert_fault('src/control/b.cc', 2, 'only io knows the ring')

    def test_unfinished_work(self):
        self.write('README.md', 'one\n' + 'TO' + 'DO: two\n')
        self.assert_fault('README.md', 2, 'finish it')

    def test_path_of_a_workplace(self):
        self.write('docs/a.md', 'see /wo' + 'rk/shared\n')
        self.assert_fault('docs/a.md', 1, 'path of a workplace')

    def test_leftover_at_the_top(self):
        self.write('key.pem', 'a key\n')
        self.assert_fault('key.pem', 1, 'top of the tree')

    def test_host_of_a_registry(self):
        self.write('tests/clients/package-lock.json', '{"resolved": "https://registry.np'
                   + 'mjs.org/a"}\n')
        self.assert_fault('tests/clients/package-lock.json', 1, 'host of a package registry')

    def test_no_licence_line(self):
        self.write('src/io/b.h', '#pragma once\n')
        self.assert_fault('src/io/b.h', 1, 'SPDX')

    @unittest.skipUnless(shutil.which('clang-format-14'), 'tools/setup test installs clang-format')
    def test_format(self):
        self.plant('src/io/b.cc', 'int  b();\n', is_formatted=False)
        self.assert_fault('src/io/b.cc', 2, 'clang-format 14')


class Headers(TreeTest):
    def check(self):
        commands = [{'directory': str(self.root), 'file': 'src/io/a.cc', 'output': 'a.o',
                     'command': f'c++ -I{self.root}/src -MD -MF a.d -o a.o -c src/io/a.cc'}]
        self.write('compile_commands.json', json.dumps(commands))
        return subprocess.run(
            [sys.executable, TOOLS / 'check_headers.py', self.root, '--root', self.root],
            capture_output=True, text=True, check=False)

    def test_clean_headers(self):
        run = self.check()
        self.assertEqual((run.returncode, run.stdout),
                         (0, '5 headers, 0 compiled here, 0 with faults\n'))

    def test_header_that_leans_on_others(self):
        self.plant('src/io/b.h', '#pragma once\nstd::string b();\n')
        run = self.check()
        self.assertEqual(run.returncode, 1)
        self.assertIn('src/io/b.h does not compile alone', run.stdout)
        self.assertIn('1 compiled here, 1 with faults', run.stdout)

    def test_header_that_its_source_includes_later(self):
        self.plant('src/io/b.h', '#pragma once\nstd::string b();\n')
        self.plant('src/io/b.cc', '#include <string>\n#include "io/b.h"\n', is_formatted=False)
        run = self.check()
        self.assertEqual(run.returncode, 1)
        self.assertIn('src/io/b.h does not compile alone', run.stdout)


if __name__ == '__main__':
    unittest.main()
