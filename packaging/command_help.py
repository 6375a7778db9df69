# SPDX-License-Identifier: Apache-2.0
"""What `leat --help` and the help of each command say, as data: man page and completions are made
of it, so they cannot name what the program does not have."""
import dataclasses
import re
import subprocess

HEADER = re.compile(r'^ *(Positionals|Options|Subcommands):$')
CONTINUED_FROM = 20  # columns; a text that found no room beside its name stands there


@dataclasses.dataclass
class Entry:
    """An option (`names` with their dashes), a positional or a subcommand (one name)."""
    names: list
    value: str = ''      # what follows the name: TEXT, FILE...
    choices: list = dataclasses.field(default_factory=list)
    about: str = ''


@dataclasses.dataclass
class Command:
    path: list           # [] for leat itself
    about: str
    usage: str
    positionals: list
    options: list
    commands: list       # of Command
    foot: str


def told(program, *words):
    return subprocess.run([program, *words], check=True, capture_output=True, text=True).stdout


def entry(kind, text):
    """`-c,--config TEXT REQUIRED   TOML file`"""
    left, _, about = re.match(r'(\S.*?)(\s{2,}(.*))?$', text).groups()
    words = left.split()
    choices = re.search(r':\{(.*)\}', left)
    value = ' '.join(word.split(':')[0] for word in words[1:] if word != 'REQUIRED')
    names = words[0].split(',') if kind == 'Options' else words[:1]
    return Entry(names, value, choices.group(1).split(',') if choices else [], about or '')


def sections(text):
    """Entries by kind."""
    found = {'Positionals': [], 'Options': [], 'Subcommands': []}
    kind = None
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if match := HEADER.match(line):
            kind = match.group(1)
        elif not line.strip() or indent == 0:
            kind = None
        elif kind and indent >= CONTINUED_FROM:
            found[kind][-1].about = f'{found[kind][-1].about} {line.strip()}'.strip()
        elif kind:
            found[kind].append(entry(kind, line.strip()))
    return found


def read(program, path=()):
    """The command at `path` with all below it."""
    text = told(program, *path, '--help')
    found = sections(text)
    usage = re.search(r'^Usage: (.*)$', text, re.M)
    foot = text.rstrip().rsplit('\n\n', 1)[-1]
    below = [read(program, [*path, one.names[0]]) for one in found['Subcommands']]
    return Command(list(path), text[:usage.start()].strip(), usage.group(1), found['Positionals'],
                   found['Options'], below, foot if foot.startswith('Exit status') else '')


def all_of(command):
    """The command and all below it, outermost first."""
    yield command
    for each in command.commands:
        yield from all_of(each)
