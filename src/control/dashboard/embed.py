#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""embed.py OUT PATH=FILE...: a C++ source with the files' bytes as the dashboard's assets.

PATH is what the admin listener is asked for. A file's tag is of its bytes, so it changes when they
do. The same files make the same source.
"""
import hashlib
import pathlib
import sys

TYPES = {'.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8',
         '.css': 'text/css; charset=utf-8', '.svg': 'image/svg+xml'}
COLUMNS = 24

HEAD = '''// Made by src/control/dashboard/embed.py.
#include "control/dashboard_assets.h"

namespace leat::control {
namespace {

'''


def array_of(number, data):
    lines = [','.join(str(byte) for byte in data[at:at + COLUMNS])
             for at in range(0, len(data), COLUMNS)]
    return f'constexpr unsigned char kBytes{number}[] = {{\n' + ',\n'.join(lines) + '};\n'


def main():
    out, *pairs = sys.argv[1:]
    text = HEAD
    rows = []
    for number, pair in enumerate(pairs):
        path, _, file = pair.partition('=')
        data = pathlib.Path(file).read_bytes()
        tag = hashlib.sha256(data).hexdigest()[:16]
        text += array_of(number, data)
        rows.append(f'    {{"{path}", "{TYPES[pathlib.Path(file).suffix]}", "\\"{tag}\\"", '
                    f'{{kBytes{number}, sizeof kBytes{number}}}}},\n')
    text += '\nconstexpr DashboardAsset kAssets[] = {\n' + ''.join(rows) + '};\n\n}  // namespace\n'
    text += '\nstd::span<const DashboardAsset> dashboard_assets() {\n  return kAssets;\n}\n'
    text += '\n}  // namespace leat::control\n'
    pathlib.Path(out).write_text(text, encoding='utf-8')


if __name__ == '__main__':
    main()
