# SPDX-License-Identifier: Apache-2.0
"""Man pages: leat.1 of the help texts, leat.toml.5 of the reference of settings, which the program
writes itself (`leat help config`)."""
import re
import time

import command_help


def escaped(text):
    text = text.replace('\\', '\\e').replace('-', '\\-').replace("'", '\\(aq')
    return '\\&' + text if text.startswith('.') else text


def styled(text):
    """Markdown's `code`, *emphasis*, **strength** and [links](of) in roff."""
    text = re.sub(r'\[([^\]]*)\]\([^)]*\)', r'\1', text)
    pieces = re.split(r'(`[^`]*`|\*\*[^*]+\*\*|\*[^*]+\*)', text)
    out = ''
    for piece in pieces:
        if piece.startswith('`'):
            out += f'\\fB{escaped(piece[1:-1])}\\fR'
        elif piece.startswith('**'):
            out += f'\\fB{escaped(piece[2:-2])}\\fR'
        elif piece.startswith('*') and len(piece) > 2:
            out += f'\\fI{escaped(piece[1:-1])}\\fR'
        else:
            out += escaped(piece)
    return out


def head(name, section, version, epoch, about):
    day = time.strftime('%Y-%m-%d', time.gmtime(epoch))
    return (f'.TH "{name}" "{section}" "{day}" "Leat {version}"\n.SH NAME\n'
            f'{name.lower()} \\- {escaped(about)}\n')


def entries(some):
    text = ''
    for one in some:
        names = ', '.join(f'\\fB{escaped(name)}\\fR' for name in one.names)
        value = f' \\fI{escaped(one.value)}\\fR' if one.value else ''
        text += f'.TP\n{names}{value}\n{escaped(one.about or "(see the name)")}\n'
    return text


FILES = (
    ('/etc/leat/leat.toml', 'The configuration of the packaged service; see leat.toml(5).'),
    ('/var/lib/leat', "The packaged service's ledger and accounts."),
    ('/run/leat/admin.sock', 'Its admin socket, for keys, credits and workspaces.'),
)
SIGNALS = (
    ('SIGTERM, SIGINT', 'Take no more requests, let those that run finish, end. A second one: end '
                        'now.'),
    ('SIGHUP', 'Read configuration, catalogue, certificates and keys anew, whole or not at all; '
               'the log says what came of it.'),
)
VARIABLES = (
    ('LEAT_DEV_KEY', 'Without a configuration: the key that clients show.'),
    ('LEAT_OPERATOR_KEY', "For reload, diff and top by --url: the operator's key."),
    ('LEAT_HARDENING', 'off: serve without the sandbox that Leat else puts itself into.'),
    ('NOTIFY_SOCKET, WATCHDOG_USEC', 'Where a service manager wants to be told how things are.'),
    ('LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES', 'Listening sockets that were opened already: those '
                                               'named listen, and one named admin.'),
    ('CREDENTIALS_DIRECTORY', 'Where { credential = "NAME" } is looked for.'),
)


def listed(title, pairs):
    return f'.SH {title}\n' + ''.join(f'.TP\n\\fB{escaped(name)}\\fR\n{escaped(about)}\n'
                                      for name, about in pairs)


def program_page(leat, version, epoch):
    text = head('LEAT', '1', version, epoch, 'a gateway between applications and LLM providers')
    text += '.SH SYNOPSIS\n'
    for command in command_help.all_of(leat):
        if not command.commands or not command.path:
            text += f'.B {escaped(command.usage)}\n.br\n'
    text += f'.SH DESCRIPTION\n{escaped(leat.about)}\n.SH OPTIONS\n{entries(leat.options)}'
    text += '.SH COMMANDS\n'
    for command in list(command_help.all_of(leat))[1:]:
        text += f'.SS leat {escaped(" ".join(command.path))}\n{escaped(command.about)}\n'
        text += entries(command.positionals)
        text += entries(one for one in command.options if '--help' not in one.names)
    text += f'.SH EXIT STATUS\n{escaped(leat.foot.partition(": ")[2])}\n'
    text += listed('SIGNALS', SIGNALS) + listed('ENVIRONMENT', VARIABLES) + listed('FILES', FILES)
    return text + '.SH SEE ALSO\n.BR leat.toml (5)\n'


def table_row(line):
    """Cells of `| a | b |`; a bar inside of code is written \\|."""
    return [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]


def settings(rows):
    text = ''
    columns = rows[0]
    for row in rows[1:]:
        text += f'.TP\n{styled(row[0])}\n'
        if columns[-1] == 'meaning':
            form = ', '.join(f'{name}: {styled(cell)}' for name, cell
                             in list(zip(columns, row))[1:-1])
            text += f'{styled(row[-1])}\n.br\n{form}\n'
        else:
            text += '; '.join(styled(cell) for cell in row[1:]) + '\n'
    return text


def config_page(markdown, version, epoch):
    text = head('LEAT.TOML', '5', version, epoch, 'configuration of leat')
    text += '.SH DESCRIPTION\n'
    rows, in_code = [], False
    for line in markdown.splitlines()[1:]:
        if line.startswith('|'):
            cells = table_row(line)
            if not set(''.join(cells)) <= set('- :'):
                rows.append(cells)
            continue
        if rows:
            text += settings(rows)
            rows = []
        if line.startswith('```'):
            in_code = not in_code
            text += '.EX\n' if in_code else '.EE\n'
        elif in_code:
            text += escaped(line) + '\n'
        elif line.startswith('#'):
            text += f'.SH {escaped(line.lstrip("# ").replace("`", ""))}\n'
        elif line:
            if 'Written by `leat help config`' not in line:
                text += styled(line) + '\n'
        elif not text.rsplit('\n', 2)[-2].startswith(('.SH', '.PP')):
            text += '.PP\n'
    return text + (settings(rows) if rows else '') + '.SH SEE ALSO\n.BR leat (1)\n'
