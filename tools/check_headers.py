#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_headers.py BUILD: each header of src/ and include/ compiles alone.

A header that leans on what its users happen to include first breaks with the next user. One whose
source (NAME.cc beside NAME.h) includes it before all else is compiled alone with every build; any
other is compiled here by itself, for syntax only, with the flags that BUILD (a meson build folder)
has for the sources beside it.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys


def flags_by_folder(build):
    """Compiler and flags of one source of each folder of the tree, from compile_commands.json."""
    found = {}
    for entry in json.loads((build / 'compile_commands.json').read_text()):
        source = pathlib.Path(entry['directory'], entry['file']).resolve()
        words = shlex.split(entry['command'])
        if pathlib.Path(words[0]).name == 'ccache':
            words = words[1:]
        flags = []
        skip = False
        for word in words:
            if skip:
                skip = False
            elif word in ('-o', '-MF', '-MQ', '-c'):
                skip = True
            elif word not in ('-MD', '-MMD') and not word.startswith('-W'):
                flags.append(word)
        found.setdefault(source.parent, flags)
    return found


def comes_first(header):
    """Whether the source beside `header` includes it before all else."""
    source = header.with_suffix('.cc')
    if not source.exists():
        return False
    first = re.search(r'^#include "(.*)"$', source.read_text(), re.MULTILINE)
    before = source.read_text()[:first.start()] if first else '#include'
    return '#include' not in before and header.as_posix().endswith('/' + first[1])


def compile_alone(header, flags, build):
    """What the compiler says against `header`; empty if nothing."""
    # Included rather than named, so that a header is not the main file (`#pragma once` warns).
    done = subprocess.run(
        [*flags, '-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-x', 'c++', '-'],
        input=f'#include "{header}"\n', cwd=build, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ''


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', type=pathlib.Path)
    parser.add_argument('--root', type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    options = parser.parse_args()
    root, build = options.root.resolve(), options.build.resolve()
    headers = sorted([*root.glob('src/**/*.h'), *root.glob('include/**/*.h')])
    by_folder = flags_by_folder(build)
    # A folder of headers alone is compiled as the top of the house is.
    usual = by_folder.get(root / 'src/app') or next(iter(by_folder.values()))
    faults = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [(header, pool.submit(compile_alone, header,
                                     by_folder.get(header.parent, usual), build))
                for header in headers if not comes_first(header)]
        for header, run in runs:
            if said := run.result():
                faults += 1
                print(f'{header.relative_to(root)} does not compile alone:\n{said}')
    print(f'{len(headers)} headers, {len(runs)} compiled here, {faults} with faults')
    return 1 if faults or not headers else 0


if __name__ == '__main__':
    sys.exit(main())
