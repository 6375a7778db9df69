# SPDX-License-Identifier: Apache-2.0
"""The list of what a package is made of, as SPDX 2.3 JSON: the program with its digest, each
library with version, licence and where it came from. The same inputs give the same bytes."""
import configparser
import dataclasses
import hashlib
import json
import subprocess
import time


@dataclasses.dataclass(frozen=True)
class Library:
    name: str        # as subprojects/dependencies/meson.build asks for it
    package: str     # of Debian, with the headers
    licence: str     # SPDX expression
    how: str         # STATIC_LINK: compiled in from headers; DYNAMIC_LINK; or of the wrap
    wrap: str = ''   # subprojects/NAME.wrap, for builds with -Dvendored=true


LIBRARIES = (
    Library('CLI11', 'libcli11-dev', 'BSD-3-Clause', 'STATIC_LINK'),
    Library('boringssl', 'android-libboringssl-dev', 'OpenSSL AND ISC', 'DYNAMIC_LINK',
            'boringssl'),
    Library('fmt', 'libfmt-dev', 'MIT', 'DYNAMIC_LINK'),
    Library('libcares', 'libc-ares-dev', 'MIT', 'DYNAMIC_LINK', 'c-ares'),
    Library('libnghttp2', 'libnghttp2-dev', 'MIT', 'DYNAMIC_LINK'),
    Library('liburing', 'liburing-dev', 'MIT OR LGPL-2.1-or-later', 'DYNAMIC_LINK', 'liburing'),
    Library('mimalloc', 'libmimalloc-dev', 'MIT', 'DYNAMIC_LINK', 'mimalloc'),
    Library('simdjson', 'libsimdjson-dev', 'Apache-2.0', 'DYNAMIC_LINK', 'simdjson'),
    Library('sqlite3', 'libsqlite3-dev', 'blessing', 'DYNAMIC_LINK'),
    Library('tomlplusplus', 'libtomlplusplus-dev', 'MIT', 'STATIC_LINK'),
    Library('yaml-0.1', 'libyaml-dev', 'MIT', 'DYNAMIC_LINK'),
)
# Asked for by the build, but no part of the program.
NOT_SHIPPED = ('benchmark', 'gmock', 'gtest_main', 'threads')


def debian_version(package):
    return subprocess.run(['dpkg-query', '-W', '-f=${Version}', package], check=True,
                          capture_output=True, text=True).stdout


def entry(library, root, is_vendored):
    """One package of the document."""
    if is_vendored and library.wrap:
        wrap = configparser.ConfigParser()
        wrap.read(root / 'subprojects' / f'{library.wrap}.wrap')
        section = wrap['wrap-git']
        version = section['revision']
        source = f'git+{section["url"]}@{version}'
    else:
        version = debian_version(library.package)
        source = f'pkg:deb/debian/{library.package}@{version.replace("+", "%2B")}'
    return {
        'SPDXID': f'SPDXRef-{library.name.replace("+", "p")}',
        'name': library.name,
        'versionInfo': version,
        'downloadLocation': source if source.startswith('git+') else 'NOASSERTION',
        'filesAnalyzed': False,
        'licenseConcluded': library.licence,
        'licenseDeclared': library.licence,
        'copyrightText': 'NOASSERTION',
    } | ({} if source.startswith('git+') else {'externalRefs': [{
        'referenceCategory': 'PACKAGE-MANAGER',
        'referenceType': 'purl',
        'referenceLocator': source,
    }]})


def document(program, version, epoch, root, is_vendored):
    digest = hashlib.sha256(program).hexdigest()
    libraries = [entry(library, root, is_vendored) for library in LIBRARIES]
    relations = [{'spdxElementId': 'SPDXRef-DOCUMENT', 'relationshipType': 'DESCRIBES',
                  'relatedSpdxElement': 'SPDXRef-leat'}]
    for library, made in zip(LIBRARIES, libraries):
        is_static = library.how == 'STATIC_LINK' or is_vendored and library.wrap
        relations.append({'spdxElementId': 'SPDXRef-leat',
                          'relationshipType': 'STATIC_LINK' if is_static else library.how,
                          'relatedSpdxElement': made['SPDXID']})
    leat = {
        'SPDXID': 'SPDXRef-leat',
        'name': 'leat',
        'versionInfo': version,
        'downloadLocation': 'NOASSERTION',
        'filesAnalyzed': False,
        'checksums': [{'algorithm': 'SHA256', 'checksumValue': digest}],
        'primaryPackagePurpose': 'APPLICATION',
        'licenseConcluded': 'Apache-2.0',
        'licenseDeclared': 'Apache-2.0',
        'copyrightText': 'NOASSERTION',
    }
    created = time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(epoch))
    return json.dumps({
        'spdxVersion': 'SPDX-2.3',
        'dataLicense': 'CC0-1.0',
        'SPDXID': 'SPDXRef-DOCUMENT',
        'name': f'leat-{version}',
        'documentNamespace': f'urn:leat:sbom:{digest}',
        'creationInfo': {'created': created, 'creators': ['Tool: leat-package']},
        'packages': [leat, *libraries],
        'relationships': relations,
    }, indent=2) + '\n'
