# SPDX-License-Identifier: Apache-2.0
"""Completions for bash, zsh and fish, made of the help texts."""
import command_help

# Options whose value is a file, and positionals that are.
FILES = {'--config', '--against', '--socket', '--store', '--out', 'FILE', 'FILE...', 'FOLDER',
         'OLD', 'NEW'}


def words_of(command):
    names = [name for option in command.options for name in option.names if name.startswith('--')]
    return [*(each.path[-1] for each in command.commands), *names]


def bash(leat):
    text = '''# bash completion for leat: made of its help texts
_leat() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} path= i
  set --
  case $before in
'''
    for name in sorted(FILES):
        if name.startswith('--'):
            text += f'    {name}) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;\n'
    text += '''  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${COMP_WORDS[i]}" in
'''
    for command in list(command_help.all_of(leat))[1:]:
        text += f'      " {" ".join(command.path)}") path+=" ${{COMP_WORDS[i]}}" ;;\n'
    text += '''    esac
  done
  case "$path $before" in
'''
    for command in command_help.all_of(leat):
        for option in command.options:
            if option.choices:
                at = ' '.join([*command.path, option.names[-1]])
                text += f'    " {at}") set -- "{" ".join(option.choices)}" ;;\n'
    text += '''  esac
  (($#)) || case $path in
'''
    for command in command_help.all_of(leat):
        path = ''.join(' ' + word for word in command.path)
        text += f'    "{path}") set -- "{" ".join(words_of(command))}" ;;\n'
    return text + '''  esac
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
  ((${#COMPREPLY[@]})) || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -o filenames -F _leat leat
'''


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


def zsh(leat):
    text = '''#compdef leat
# made of its help texts
_leat() {
  local path= i
  for ((i = 2; i < CURRENT; i++)); do
    case "$path ${words[i]}" in
'''
    for command in list(command_help.all_of(leat))[1:]:
        text += f'      " {" ".join(command.path)}") path+=" ${{words[i]}}" ;;\n'
    text += '''    esac
  done
  local -a found
  case $path in
'''
    for command in command_help.all_of(leat):
        path = ''.join(' ' + word for word in command.path)
        found = [f'{each.path[-1]}:{each.about.splitlines()[0]}' for each in command.commands]
        found += [f'{option.names[-1]}:{option.about}' for option in command.options]
        text += f'    "{path}") found=({" ".join(quoted(one) for one in found)}) ;;\n'
    return text + '''  esac
  _describe 'leat' found || _files
}
_leat "$@"
'''


def fish(leat):
    text = '''# fish completion for leat: made of its help texts
function __leat_at
    set -l path
    for word in (commandline -opc)[2..]
        string match -q -- "$(string join ' ' $path $word)" $__leat_paths; and set -a path $word
    end
    test "$(string join ' ' $path)" = "$argv"
end
'''
    paths = [' '.join(command.path) for command in list(command_help.all_of(leat))[1:]]
    text += f'set -g __leat_paths {" ".join(quoted(path) for path in paths)}\n'
    for command in command_help.all_of(leat):
        at = f'-n "__leat_at {" ".join(command.path)}"'
        for each in command.commands:
            about = quoted(each.about.splitlines()[0])
            text += f'complete -c leat {at} -f -a {each.path[-1]} -d {about}\n'
        for option in command.options:
            text += f'complete -c leat {at}'
            for name in option.names:
                text += f' -l {name[2:]}' if name.startswith('--') else f' -s {name[1:]}'
            if option.choices:
                text += f' -x -a {quoted(" ".join(option.choices))}'
            elif option.value:
                text += ' -r' if option.names[-1] in FILES else ' -x'
            text += f' -d {quoted(option.about)}\n'
    return text
