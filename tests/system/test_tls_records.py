#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: records of TLS 1.3 that Leat writes and reads itself are those that another library writes
and reads: under each suite, through changes of keys that either side begins, with large bodies, and
sessions resumed; and the switch that leaves them to the TLS library changes nothing else.
Method: the real leat; `openssl s_client` in the client's place and `openssl s_server` in the
provider's, whose commands K and k change keys with and without asking for the same.

Usage: test_tls_records.py LEAT"""

import json
import pathlib
import subprocess
import tempfile
import threading

import harness
from harness import chat_body, completion, reply, request, until

SUITES = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
SIMULATED = "leat/simulated"


class OpenSsl:
    """`openssl ARGUMENTS` with its input open and its output collected."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen(["openssl", *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.said = b""
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        while data := self.process.stdout.read1(1 << 16):
            self.said += data

    def send(self, data):
        """In one piece: it looks for commands at the beginning of each."""
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait(self, text, count=1):
        until(lambda: self.said.count(text) >= count or self.process.poll() is not None,
              f"{text[:60]!r} from openssl")
        if self.said.count(text) < count:
            raise AssertionError(f"openssl ended: {self.said[-2000:]!r}")

    def quit(self):
        """By its command, so that it says all."""
        self.send(b"Q\n")
        self.process.wait(10 * harness.SLOW)
        self.reader.join()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdin.close()
        self.process.stdout.close()


class Records(harness.Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.at = pathlib.Path(folder.name)
        self.certificate, self.key = self.at / "cert.pem", self.at / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.key,
                        "-out", self.certificate], check=True, capture_output=True)

    def openssl(self, *arguments):
        made = OpenSsl(*map(str, arguments))
        self.addCleanup(made.close)
        return made

    # ---- Leat as server --------------------------------------------------------------------------

    def serve(self, own_records=True):
        tls = f'[server.tls]\ncertificate = "{self.certificate}"\nkey = "{self.key}"\n'
        return self.leat(listen="tls://127.0.0.1:0",
                         server=f"own_tls_records = {str(own_records).lower()}\n{tls}")

    def client(self, server, suite, *arguments):
        made = self.openssl("s_client", "-connect", f"127.0.0.1:{server.port}", "-servername",
                            "localhost", "-CAfile", self.certificate, "-verify_return_error",
                            "-tls1_3", "-ciphersuites", suite, *arguments)
        made.wait(b"Verify return code: 0 (ok)")
        self.assertIn(suite.encode(), made.said)
        made.answers = 0
        return made

    def ask(self, client, content="hi"):
        """A streamed answer to the end."""
        message = {"role": "user", "content": content}
        body = chat_body(model=SIMULATED, stream=True, messages=[message])
        client.send(request(body=body))
        client.answers += 1
        client.wait(b"data: [DONE]", client.answers)
        self.assertEqual(client.said.count(b"HTTP/1.1 200 OK"), client.answers)

    def change_keys(self, client, command):
        before = client.said.count(b"KEYUPDATE")
        client.send(command + b"\n")
        client.wait(b"KEYUPDATE", before + 1)

    def talk(self, client):
        self.ask(client)
        for command in (b"k", b"K", b"K"):
            self.change_keys(client, command)
            self.ask(client)
        # One answer to both: nothing was written between them.
        self.change_keys(client, b"K")
        self.change_keys(client, b"k")
        self.ask(client)
        # Four records of 16 KiB, and none that begins with a command's letter.
        self.ask(client, "x" * 60_000)

    def test_each_suite_with_a_client_that_changes_keys(self):
        server = self.serve()
        for suite in SUITES:
            with self.subTest(suite):
                self.talk(self.client(server, suite))

    def test_the_library_writes_the_records_where_it_is_told_to(self):
        self.talk(self.client(self.serve(own_records=False), SUITES[0]))

    def test_sessions_are_resumed(self):
        server = self.serve()
        for suite in SUITES:
            with self.subTest(suite):
                first = self.client(server, suite, "-sess_out", self.at / "session")
                # Tickets come with the first answer, and are saved as they come.
                self.ask(first)
                first.quit()
                again = self.client(server, suite, "-sess_in", self.at / "session")
                self.assertIn(b"Reused, TLSv1.3", again.said)
                self.talk(again)

    # ---- Leat as client --------------------------------------------------------------------------

    def openssl_provider(self, suite):
        made = self.openssl("s_server", "-accept", "127.0.0.1:0", "-cert", self.certificate, "-key",
                            self.key, "-tls1_3", "-ciphersuites", suite)
        made.wait(b"ACCEPT 127.0.0.1:")
        line = made.said[made.said.index(b"ACCEPT "):].split(b"\n")[0]
        made.port = int(line.rsplit(b":", 1)[1])
        made.asked = 0
        return made

    def relay(self, router, provider, text="hello", content="hi"):
        """One request through to the provider, and its answer."""
        answers = []
        message = {"role": "user", "content": content}
        asking = threading.Thread(target=lambda: answers.append(router.chat(messages=[message])))
        asking.start()
        provider.asked += 1
        provider.wait(b'"}]}', provider.asked)
        self.assertIn(b'"content": "' + content.encode() + b'"}]}', provider.said)
        provider.send(reply(completion(text)))
        asking.join()
        self.assertEqual(answers[0].status, 200, answers[0].body)
        self.assertEqual(answers[0].json()["choices"][0]["message"]["content"], text)

    def converse(self, suite, own_records=True):
        provider = self.openssl_provider(suite)
        router = self.leat([f"https://127.0.0.1:{provider.port}/v1"],
                           server=f"own_tls_records = {str(own_records).lower()}\n",
                           provider_lines=f'ca_file = "{self.certificate}"')
        self.relay(router, provider)
        self.assertIn(suite.encode(), provider.said)
        for command in (b"k\n", b"K\n", b"K\n"):
            # It looks for commands before it reads what comes, so this goes before the next answer.
            provider.send(command)
            self.relay(router, provider)
        self.relay(router, provider, "y" * 100_000, "x" * 60_000)
        provider.quit()
        self.assertEqual(provider.said.count(b"CIPHER is "), 1, "one connection")
        self.assertEqual(provider.said.count(b"SSL_do_handshake -> 1"), 3, "changes of keys")

    def test_each_suite_with_a_provider_that_changes_keys(self):
        for suite in SUITES:
            with self.subTest(suite):
                self.converse(suite)

    def test_the_library_reads_the_records_where_it_is_told_to(self):
        self.converse(SUITES[0], own_records=False)


if __name__ == "__main__":
    harness.main()
