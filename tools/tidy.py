#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy.py: the rules of the house that a program can check. Prints FILE:LINE: fault.

Checks: which layer includes which, lengths of files, functions and lines, words that have no
place where they stand, the licence line, a README for each layer, sources that no meson.build
names, and the format as clang-format 14 sees it (where that is installed). Status 1 if there is a
fault.
"""
import argparse
import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys

# What a layer may include besides itself and base; what those may include comes with it.
LAYERS = {
    'base': [],
    'io': [],
    'proto': [],
    'tls': [],
    'policy': [],
    'dialect': ['proto'],
    'shard': ['io'],
    'net': ['shard', 'tls', 'proto'],
    'ledger': ['shard'],
    'store': ['net', 'policy'],
    'gateway': ['store', 'ledger', 'dialect'],
    'control': ['gateway'],
    'app': ['control'],
}
# The public face (include/leat) is plain data: everyone above base may read it.
PUBLIC = 'leat'

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70
LINE_COLUMNS_MAX = 100
README_LINES_MAX = 60

CXX = {'.cc', '.h'}
# What may lie at the top of the tree: a program run there leaves things behind.
TOP_FILES = {'.clang-format', '.clang-tidy', '.gitignore', 'CHANGELOG.md', 'LICENSE', 'README.md',
             'SECURITY.md', 'meson.build', 'meson_options.txt'}
OWN_SUBPROJECTS = {'dependencies', 'packagefiles'}  # others are fetched by meson
SKIPPED_FOLDERS = {'.git', '.cache', 'node_modules', '__pycache__', 'packagecache', 'corpus'}

# Each rule: where (a pattern of paths), what (a pattern of code), why. In C++ the code is seen
# without comments and string literals.
BELOW_CONTROL = r'src/(?!control/|app/)'
SIMULATED = r'src/(shard|net|gateway)/'
CODE_RULES = [
    (BELOW_CONTROL, r'\b(throw|try|catch)\b', 'no exceptions below control'),
    (r'(src|include|tests|tools|perf)/', r'\bthread_local\b',
     'no thread_local: state has an owner'),
    (r'src/', r'\bstd::(recursive_|shared_)?mutex\b', 'no lock: ask the owner by message'),
    (r'tests/', r'\b(sleep_for|sleep_until|usleep|nanosleep)\b',
     'a test waits for what it needs, not for a time'),
    (SIMULATED, r'\b(std::chrono|clock_gettime|gettimeofday|(steady|system)_clock)\b',
     'no clock: time comes from Io'),
    (SIMULATED, r'\b(std::j?thread|std::async|pthread_\w+)\b', 'no thread here'),
    (SIMULATED,
     r'(?<![\w>])::(socket|connect|accept4?|bind|listen|send\w*|recv\w*|read|write|close|shutdown'
     r'|[gs]etsockopt|poll|epoll_\w+)\s*\(', 'no system call: bytes come from Io'),
    (SIMULATED, r'#\s*include\s*<(liburing|liburing/\w+|sys/(socket|epoll|ioctl|uio|time|timerfd)'
     r'|netinet/\w+|arpa/inet|netdb|poll|unistd|time|pthread)\.h>', 'only Io touches the system'),
    (SIMULATED, r'#\s*include\s*<(chrono|ctime|thread|mutex|condition_variable|future)>',
     'only Io touches the system'),
    (r'src/(?!io/)', r'#\s*include\s*<liburing\.h>', 'only io knows the ring'),
]
# (file, what the rule found): why it may.
EXCEPTIONS = {
    ('src/net/ares_resolver.cc', '#include <netinet/in.h>'): 'c-ares answers with sockaddr',
    ('src/net/ares_resolver.cc', '#include <poll.h>'): 'Io::poll takes POLLIN and POLLOUT',
    ('tests/unit/io/uring_turn_test.cc', 'sleep_for'):
        'makes it likely that the ring sleeps when it is woken; no outcome depends on the time',
}

# In every text of the tree, comments and strings included. Spelt in pieces, for this is one.
TEXT_RULES = [
    (r'\b(FIX' r'ME|X' r'XX|TO' r'DO)\b', 'finish it, or file an issue'),
    (r'(?<![\w.])/wo' r'rk/', 'path of a workplace'),
    (r'/tmp/bu' r'ild', 'path of a workplace'),
    (r'(registry\.np' r'mjs|py' r'pi|pythonho' r'sted|cra' r'tes|deb\.deb' r'ian|proxy\.gol' r'ang'
     r'|security\.deb' r'ian)\.(org|io)\b', 'host of a package registry'),
]


def may_include(layer):
    """All layers that `layer` may include."""
    allowed = {layer, 'base'}
    if layer != 'base':
        allowed.add(PUBLIC)
    for below in LAYERS[layer]:
        allowed |= may_include(below)
    return allowed


def blank(text):
    """Spaces in place of `text`, its line ends kept."""
    return re.sub(r'[^\n]', ' ', text)


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)"'
    r'|"(?:[^"\\\n]|\\.)*"|(?<![0-9a-fA-F])\'(?:[^\'\\\n]|\\.)+\'', re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.M)
DIRECTIVE = re.compile(r'^[ \t]*#(?:[^\n\\]|\\.|\\\n)*', re.M)


def bare(code):
    """C++ without comments and the insides of literals; lines keep their numbers."""
    return TOKEN.sub(lambda match: blank(match.group()), code)


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


def is_container(header):
    """Whether a block with this header holds declarations (namespace, class), not statements."""
    outside = re.sub(r'\btemplate\s*<[^{]*?>\s*(?=\w)', '', header)
    while True:
        shorter = re.sub(r'\([^()]*\)', '', outside)
        if shorter == outside:
            break
        outside = shorter
    return re.search(r'\b(namespace|class|struct|union|enum|extern)\b', outside) is not None


def functions(code):
    """(first line, number of lines) of each function body in C++ code."""
    text = DIRECTIVE.sub(lambda match: blank(match.group()), bare(code))
    open_blocks = []  # (is it a container, offset where its header begins, is it a function)
    header_begin = 0
    for match in re.finditer(r'[{};]', text):
        mark, offset = match.group(), match.start()
        if mark == '{':
            header = text[header_begin:offset]
            container = is_container(header)
            among_declarations = all(block[0] for block in open_blocks)
            open_blocks.append((container, header_begin + len(header) - len(header.lstrip()),
                                among_declarations and not container and '(' in header))
        elif mark == '}' and open_blocks:
            _, begin, is_function = open_blocks.pop()
            if is_function:
                first = line_of(text, begin)
                yield first, line_of(text, offset) - first + 1
        if mark != ';' or all(block[0] for block in open_blocks):
            header_begin = offset + 1


def python_functions(code):
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


class Tidy:
    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.faults = []
        self.texts = dict(self.read())

    def read(self):
        """Every text of the tree, as (path from the root, contents)."""
        for folder, folders, files in os.walk(self.root):
            here = pathlib.Path(folder).relative_to(self.root).as_posix()
            folders[:] = sorted(
                name for name in folders if name not in SKIPPED_FOLDERS
                and not (here == '.' and name.startswith('build'))
                and not (here == 'subprojects' and name not in OWN_SUBPROJECTS))
            for name in sorted(set(files) - {'.git'}):  # a file in a worktree
                path = pathlib.Path(folder, name)
                try:
                    yield path.relative_to(self.root).as_posix(), path.read_text('utf-8')
                except (UnicodeDecodeError, OSError):
                    pass  # not a text

    def fault(self, path, line, what):
        self.faults.append((path, line, what))

    def sources(self, suffixes=frozenset(CXX)):
        for path, text in self.texts.items():
            if pathlib.PurePath(path).suffix in suffixes:
                yield path, text

    def check_layers(self):
        for path, text in self.sources():
            parts = path.split('/')
            if parts[0] != 'src':
                continue
            if parts[1] not in LAYERS:
                self.fault(path, 1, f'src/{parts[1]} is no layer of the map in {__file__}')
                continue
            allowed = may_include(parts[1])
            for match in INCLUDE.finditer(text):
                layer = match.group(1).split('/')[0]
                if layer not in allowed:
                    self.fault(path, line_of(text, match.start()),
                               f'{parts[1]} must not include {match.group(1)}')

    def check_lengths(self):
        for path, text in self.sources(CXX | {'.py'}):
            lines = text.splitlines()
            if len(lines) > FILE_LINES_MAX:
                self.fault(path, len(lines),
                           f'file of {len(lines)} lines (at most {FILE_LINES_MAX})')
            is_python = path.endswith('.py')
            for first, count in (python_functions if is_python else functions)(text):
                if count > FUNCTION_LINES_MAX:
                    self.fault(path, first,
                               f'function of {count} lines (at most {FUNCTION_LINES_MAX})')
            for number, line in enumerate(lines, 1):
                # A raw string is one word that cannot be broken.
                if len(line) > LINE_COLUMNS_MAX and 'R"(' not in line:
                    self.fault(path, number,
                               f'line of {len(line)} columns (at most {LINE_COLUMNS_MAX})')

    def check_words(self):
        for path, text in self.sources():
            code = bare(text)
            for where, what, why in CODE_RULES:
                if not re.match(where, path):
                    continue
                for match in re.finditer(what, code):
                    found = ' '.join(match.group().split())
                    if (path, found) not in EXCEPTIONS:
                        self.fault(path, line_of(code, match.start()), f'{found}: {why}')
        for path, text in self.texts.items():
            for what, why in TEXT_RULES:
                for match in re.finditer(what, text):
                    self.fault(path, line_of(text, match.start()), f'{match.group()}: {why}')

    def check_top(self):
        for path in self.texts:
            if '/' not in path and path not in TOP_FILES:
                self.fault(path, 1, 'does not belong at the top of the tree')

    def check_licence(self):
        for path, text in self.sources():
            if not text.startswith('// SPDX-License-Identifier: Apache-2.0\n'):
                self.fault(path, 1, 'the first line is not the SPDX line')

    def check_layer_folders(self):
        for folder in sorted((self.root / 'src').glob('*/')):
            path = f'src/{folder.name}/README.md'
            if path not in self.texts:
                self.fault(path, 1, 'a layer has a README: owns, depends on, never')
            elif (count := len(self.texts[path].splitlines())) > README_LINES_MAX:
                self.fault(path, count, f'README of {count} lines (at most {README_LINES_MAX})')
            named = self.texts.get(f'src/{folder.name}/meson.build', '')
            for source in sorted(folder.rglob('*.cc')):
                if f"'{source.relative_to(folder).as_posix()}'" not in named:
                    self.fault(source.relative_to(self.root).as_posix(), 1,
                               'no meson.build names this file')

    def check_format(self):
        program = shutil.which('clang-format-14')
        files = [path for path, _ in self.sources()]
        if program is None or not files:
            return
        found = subprocess.run([program, '--dry-run', '--ferror-limit=1', '--style=file', *files],
                               cwd=self.root, capture_output=True, text=True, check=False)
        for match in re.finditer(r'^([^\s:]+):(\d+):\d+: (?:warning|error): ', found.stderr, re.M):
            self.fault(match.group(1), int(match.group(2)), 'not as clang-format 14 writes it')

    def run(self):
        self.check_layers()
        self.check_lengths()
        self.check_words()
        self.check_top()
        self.check_licence()
        self.check_layer_folders()
        self.check_format()
        return sorted(set(self.faults))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('root', nargs='?', default=pathlib.Path(__file__).resolve().parent.parent)
    faults = Tidy(parser.parse_args().root).run()
    for path, line, what in faults:
        print(f'{path}:{line}: {what}')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main())
