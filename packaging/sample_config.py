# SPDX-License-Identifier: Apache-2.0
"""/etc/leat/leat.toml: what a first start needs, then every setting that has a default of its own,
as a comment, from the reference that the program writes (`leat help config`)."""
import re
import textwrap

import manual

HEAD = '''\
# Configuration of Leat. man leat.toml tells all settings; `leat check --config /etc/leat/leat.toml`
# tells all faults of this file. Then: systemctl enable --now leat, and
#
#   leat keys create NAME --socket /run/leat/admin.sock        (as root or as leat)
#
# makes a key for clients. To try it, with no provider's key and no network:
#
#   curl -N http://127.0.0.1:8080/v1/chat/completions -H "Authorization: Bearer $KEY" \\
#     -H 'Content-Type: application/json' -d '{"model":"leat/simulated","stream":true,
#     "messages":[{"role":"user","content":"Hello"}]}'

'''
# Settings that are given rather than shown, by section.
GIVEN = {
    '[server]': {'listen': '["127.0.0.1:8080"]'},
    '[admin]': {'listen': '"127.0.0.1:8081"', 'socket': '"/run/leat/admin.sock"'},
    '[accounts]': {'store_file': '"/var/lib/leat/accounts.db"'},
    '[ledger]': {'folder': '"/var/lib/leat/ledger"'},
}
SECTIONS = ['[server]', '[admin]', '[accounts]', '[ledger]', '[routing]', '[limits]']
FOOT = '''
# Answers from the prompt, built in: delete it when there is a real one.
[providers.simulated]
format = "simulated"
[[models]]
id = "leat/simulated"
endpoints = [{ provider = "simulated", model = "simulated" }]

# A provider. Its key: a file of root's, named by LoadCredential in the unit
# (systemctl edit leat: [Service], LoadCredential=openai:/etc/leat/credentials/openai).
#[providers.openai]
#base_url = "https://api.openai.com/v1"
#api_key = { credential = "openai" }
#[[models]]
#id = "openai/*"
#endpoints = [{ provider = "openai", model = "*" }]
'''


def tables(markdown):
    """Rows of settings by section: {'[server]': [[key, value, default, reload, meaning], ...]}."""
    found, section = {}, None
    for line in markdown.splitlines():
        if line.startswith('## '):
            section = line[3:].strip('`')
        elif line.startswith('| `') and section:
            found.setdefault(section, []).append(manual.table_row(line))
    return found


def is_value(text):
    """Whether a default as the reference writes it is one in TOML, too."""
    return re.fullmatch(r'-?\d+|true|false|"[^"]*"|\[.*\]', text) is not None


def commented(text):
    return textwrap.fill(text.replace('`', '').replace('\\|', '|'), 98, initial_indent='# ',
                         subsequent_indent='#   ', break_on_hyphens=False) + '\n'


def text_of(markdown):
    text = HEAD
    found = tables(markdown)
    for section in SECTIONS:
        given = dict(GIVEN.get(section, {}))
        text += f'{section}\n'
        for key, form, default, _, meaning in found[section]:
            key = key.strip('`')
            value = given.pop(key, None)
            if value is None and not is_value(default):
                continue
            text += commented(f'{meaning} ({form})')
            text += f'{key} = {value}\n' if value is not None else f'#{key} = {default}\n'
        if given:
            raise ValueError(f'{section} has no {", ".join(given)}')
        text += '\n'
    return text.rstrip() + '\n' + FOOT
