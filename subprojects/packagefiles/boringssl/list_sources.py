#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""list_sources.py SOURCES.JSON TARGET...: the files of BoringSSL's targets, one a line.

Assembly for other systems is left out; what remains for other processors is empty once
preprocessed.
"""
import json
import sys


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        targets = json.load(file)
    for name in sys.argv[2:]:
        for source in targets[name]['srcs'] + targets[name].get('asm', []):
            if not source.endswith(('-apple.S', '-win.S')):
                print(source)


if __name__ == '__main__':
    main()
