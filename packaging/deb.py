#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""deb.py: a .deb of a program that was built. Needs no root, and no clock: the same program, tree
and --epoch give the same bytes, whatever the folder, the user and the day.

Prints the path of the package. What is in it is a table, FILES."""
import argparse
import gzip
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True

import bill_of_materials
import command_help
import completions
import manual
import sample_config

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
UNITS = ('leat.service', 'leat.socket', 'leat-admin.socket')
DOCS = ('README.md', 'CHANGELOG.md', 'SECURITY.md')
CONTROL = '''\
Package: leat
Version: {version}
Section: net
Priority: optional
Architecture: {architecture}
Maintainer: The authors of Leat <leat@localhost>
Installed-Size: {kib}
Depends: {depends}
Recommends: ca-certificates
Description: gateway between applications and LLM providers
 One address and keys of your own for all providers: it checks the key, holds
 limits and budgets, picks a provider for the model, tries the next if that
 fails, and relays the answer token by token. Clients speak OpenAI's or
 OpenRouter's API.
'''


def output(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def stripped(program):
    """The program's bytes without what only a debugger wants, paths of the builder among it."""
    with tempfile.NamedTemporaryFile() as copy:
        output('strip', '--strip-all', '--remove-section=.comment', '-o', copy.name, str(program))
        return pathlib.Path(copy.name).read_bytes()


def libraries(program):
    """Packages of the shared libraries that the program asks for itself, each at least as new as
    the one it was linked with. By the dynamic linker's own word on where they are."""
    needed = re.findall(r'\(NEEDED\).*\[(.*)\]', output('readelf', '-dW', str(program)))
    places = dict(re.findall(r'^\s*(\S+) => (\S+)', output('ldd', str(program)), re.M))
    found = set()
    for name in needed:
        if name.startswith('ld-linux'):
            continue
        place = pathlib.Path(places[name]).resolve()
        # With /usr merged, dpkg may know the file by its place before that.
        for path in (place, pathlib.Path(*place.parts[:1], *place.parts[2:])):
            owner = subprocess.run(['dpkg-query', '-S', str(path)], capture_output=True, text=True,
                                   check=False).stdout
            if owner:
                package = owner.split(': ')[0].split(':')[0]
                version = bill_of_materials.debian_version(package)
                found.add(f'{package} (>= {version.rsplit("-", 1)[0]})')
                break
        else:
            raise SystemExit(f'deb.py: no package has {place}')
    return ', '.join(sorted(found))


def zipped(text):
    return gzip.compress(text.encode(), mtime=0)


def contents(program, version, epoch, is_vendored):
    """Path in the system: (bytes, mode)."""
    leat = command_help.read(str(program))
    reference = command_help.told(str(program), 'help', 'config')
    binary = stripped(program)
    share = 'usr/share'
    files = {
        'usr/bin/leat': (binary, 0o755),
        'etc/leat/leat.toml': (sample_config.text_of(reference).encode(), 0o644),
        'usr/lib/sysusers.d/leat.conf': ((HERE / 'leat.sysusers').read_bytes(), 0o644),
        'usr/lib/tmpfiles.d/leat.conf': ((HERE / 'leat.tmpfiles').read_bytes(), 0o644),
        f'{share}/man/man1/leat.1.gz': (
            zipped(manual.program_page(leat, version, epoch)), 0o644),
        f'{share}/man/man5/leat.toml.5.gz': (
            zipped(manual.config_page(reference, version, epoch)), 0o644),
        f'{share}/bash-completion/completions/leat': (completions.bash(leat).encode(), 0o644),
        f'{share}/zsh/vendor-completions/_leat': (completions.zsh(leat).encode(), 0o644),
        f'{share}/fish/vendor_completions.d/leat.fish': (completions.fish(leat).encode(), 0o644),
        f'{share}/doc/leat/copyright': ((HERE / 'copyright').read_bytes(), 0o644),
        f'{share}/doc/leat/sbom.spdx.json': (
            bill_of_materials.document(binary, version, epoch, ROOT, is_vendored).encode(), 0o644),
    }
    for unit in UNITS:
        files[f'usr/lib/systemd/system/{unit}'] = ((HERE / unit).read_bytes(), 0o644)
    for name in DOCS:
        files[f'{share}/doc/leat/{name}.gz'] = (zipped((ROOT / name).read_text()), 0o644)
    for page in sorted((ROOT / 'docs').glob('*.md')):
        files[f'{share}/doc/leat/docs/{page.name}'] = (page.read_bytes(), 0o644)
    return files


def write(path, data, mode):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def lay_out(tree, files, control):
    """The package's files, and those that are for dpkg."""
    for name, (data, mode) in files.items():
        write(tree / name, data, mode)
    for script in ('postinst', 'prerm', 'postrm'):
        write(tree / 'DEBIAN' / script, (HERE / script).read_bytes(), 0o755)
    sums = ''.join(f'{hashlib.md5(data).hexdigest()}  {name}\n'
                   for name, (data, _) in sorted(files.items()))
    write(tree / 'DEBIAN/md5sums', sums.encode(), 0o644)
    write(tree / 'DEBIAN/conffiles', b'/etc/leat/leat.toml\n', 0o644)
    write(tree / 'DEBIAN/control', control.encode(), 0o644)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('program', type=pathlib.Path)
    parser.add_argument('out', type=pathlib.Path, help='folder for the package')
    parser.add_argument('--epoch', type=int, required=True, help='seconds; when this was changed')
    parser.add_argument('--vendored', action='store_true', help='built with -Dvendored=true')
    options = parser.parse_args()
    version = command_help.told(str(options.program), '--version').split()[1]
    files = contents(options.program, version, options.epoch, options.vendored)
    architecture = output('dpkg', '--print-architecture').strip()
    control = CONTROL.format(version=version, architecture=architecture,
                             depends=libraries(options.program),
                             kib=sum((len(data) + 1023) // 1024 for data, _ in files.values()))
    package = options.out / f'leat_{version}_{architecture}.deb'
    with tempfile.TemporaryDirectory() as folder:
        os.umask(0o022)
        tree = pathlib.Path(folder, 'leat')
        tree.mkdir()
        lay_out(tree, files, control)
        for path in [tree, *tree.rglob('*')]:
            if path.is_dir():
                path.chmod(0o755)
            os.utime(path, (options.epoch, options.epoch))
        options.out.mkdir(parents=True, exist_ok=True)
        # One thread: how many there are would show in the compressed bytes.
        output('dpkg-deb', '--root-owner-group', '--threads-max=1', '-Zxz', '--build', str(tree),
               str(package), env={**os.environ, 'SOURCE_DATE_EPOCH': str(options.epoch)})
    print(package)


if __name__ == '__main__':
    main()
