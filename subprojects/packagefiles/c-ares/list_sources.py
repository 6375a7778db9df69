#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""list_sources.py MAKEFILE.INC: the files of its variable CSOURCES, one a line."""
import sys


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        joined = file.read().replace('\\\n', ' ')
    for line in joined.splitlines():
        name, _, value = line.partition('=')
        if name.strip() == 'CSOURCES':
            print('\n'.join(value.split()))
            return
    sys.exit('no CSOURCES')


if __name__ == '__main__':
    main()
