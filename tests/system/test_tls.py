#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: a client whose TLS is not ours is served on a tls:// listener: TLS 1.2 and 1.3, sessions
resumed, every answer whole and ended in order; what is no TLS is closed and harms nobody.
Method: the real leat with a certificate made on the spot; Python's ssl, which is OpenSSL's, as the
client.

Usage: test_tls.py LEAT"""

import pathlib
import socket
import ssl
import subprocess
import tempfile
import time

import harness
from harness import chat_body, request

SIMULATED = "leat/simulated"


class TlsClient(harness.Client):
    def __init__(self, port, context, session=None):
        super().__init__(port)
        # A FIN without close_notify is an error then, not an end.
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost", session=session,
                                        suppress_ragged_eofs=False)


class Tls(harness.Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.certificate = pathlib.Path(folder.name, "cert.pem")
        key = pathlib.Path(folder.name, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out",
                        self.certificate], check=True, capture_output=True)
        self.tls = f'[server.tls]\ncertificate = "{self.certificate}"\nkey = "{key}"\n'
        self.server = self.serve()

    def serve(self, **limits):
        return self.leat(listen="tls://127.0.0.1:0", server=self.tls, limits=limits)

    def context(self, version=None):
        made = ssl.create_default_context(cafile=self.certificate)
        made.set_alpn_protocols(["http/1.1"])
        if version:
            made.minimum_version = made.maximum_version = version
        return made

    def ask(self, client, fields="", **members):
        client.send(request(body=chat_body(model=SIMULATED, **members), fields=fields))
        return client.answer()

    def test_both_versions_stream_and_keep_alive(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                              (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with self.subTest(name), TlsClient(self.server.port, self.context(version)) as client:
                self.assertEqual(client.sock.version(), name)
                self.assertEqual(client.sock.selected_alpn_protocol(), "http/1.1")
                for stream in (True, False, True):
                    answer = self.ask(client, stream=stream)
                    self.assertEqual(answer.status, 200)
                    self.assertTrue(answer.whole)
                    if stream:
                        self.assertEqual(answer.events()[-1], "[DONE]")
                        self.assertTrue(answer.text())

    def test_sessions_are_resumed(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(version)
            with self.subTest(version.name):
                with TlsClient(self.server.port, context) as first:
                    self.assertEqual(self.ask(first).status, 200)
                    self.assertFalse(first.sock.session_reused)
                    session = first.sock.session
                with TlsClient(self.server.port, context, session) as second:
                    self.assertTrue(second.sock.session_reused)
                    self.assertEqual(self.ask(second).status, 200)

    def test_any_shard_resumes_what_another_began(self):
        shards = self.leat(listen="tls://127.0.0.1:0", server="shards = 3\n" + self.tls)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(version)
            with self.subTest(version.name):
                with TlsClient(shards.port, context) as first:
                    self.assertEqual(self.ask(first).status, 200)
                    session = first.sock.session
                # The kernel chooses the shard by the client's port: 24 times the same is unlikely
                # (3^-23), and a shard with keys of its own would begin anew.
                for _ in range(24):
                    with TlsClient(shards.port, context, session) as again:
                        self.assertTrue(again.sock.session_reused)

    def test_an_answer_that_closes_ends_with_close_notify(self):
        with TlsClient(self.server.port, self.context()) as client:
            self.assertTrue(self.ask(client, "Connection: close\r\n").whole)
            self.assertEqual(client.sock.recv(1), b"")

    def test_a_large_body_crosses_in_many_records(self):
        with TlsClient(self.server.port, self.context()) as client:
            content = "a word " * 60_000
            answer = self.ask(client, messages=[{"role": "user", "content": content}])
            self.assertEqual(answer.status, 200)

    def test_what_is_no_tls_is_closed_and_others_are_served(self):
        for bytes_ in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x40\x00" + b"\0" * 500,
                       b"\x15\x03\x03\x00\x02\x02\x28"):
            with self.subTest(bytes_[:5]), self.server.connect() as client:
                client.send(bytes_)
                client.sock.shutdown(socket.SHUT_WR)
                while client.more():
                    pass
                self.assertNotIn(b"HTTP/1.1", bytes(client.buffer))
        with TlsClient(self.server.port, self.context()) as client:
            self.assertEqual(self.ask(client).status, 200)

    def test_a_refused_handshake_says_why(self):
        with self.server.connect() as client:
            client.send(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00")  # a hello of one byte
            while client.more():
                pass
            alert, fatal = b"\x15", b"\x02"
            self.assertEqual((client.buffer[:1], client.buffer[5:6]), (alert, fatal))

    def client_hello(self):
        sent = ssl.MemoryBIO()
        client = self.context().wrap_bio(ssl.MemoryBIO(), sent, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            client.do_handshake()
        return sent.read()

    def test_a_handshake_that_does_not_end_is_closed_at_its_limit(self):
        server = self.serve(tls_handshake_ms_max=300, request_head_ms_max=60_000)
        hello = self.client_hello()
        for name, data in (("nothing", b""), ("half a ClientHello", hello[:len(hello) // 2])):
            with self.subTest(name):
                start = time.monotonic()
                with server.connect() as client:
                    client.send(data)
                    self.assertTrue(client.is_closed())
                    self.assertGreaterEqual(time.monotonic() - start, 0.3)

    def test_a_dripping_handshake_has_no_more_time(self):
        server = self.serve(tls_handshake_ms_max=300, request_head_ms_max=60_000)
        hello = self.client_hello()
        with server.connect() as client:
            client.sock.settimeout(0.02)
            for at in range(len(hello) - 1):
                try:
                    client.send(hello[at:at + 1])
                    self.assertEqual(client.sock.recv(1), b"")
                    break
                except TimeoutError:
                    continue
                except OSError:
                    break
            else:
                self.fail("all of the ClientHello was taken")

    def test_the_head_has_its_time_from_the_end_of_the_handshake(self):
        server = self.serve(tls_handshake_ms_max=60_000, request_head_ms_max=500)
        with server.connect() as late:
            self.assertFalse(late.is_closed(1))
            with self.context().wrap_socket(late.sock, server_hostname="localhost") as late.sock:
                self.assertEqual(self.ask(late).status, 200)
        with TlsClient(server.port, self.context()) as client:
            start = time.monotonic()
            self.assertTrue(client.is_closed())
            self.assertGreaterEqual(time.monotonic() - start, 0.4)

    def test_the_handshake_limit_ends_with_the_handshake(self):
        server = self.serve(tls_handshake_ms_max=500, request_head_ms_max=60_000)
        with TlsClient(server.port, self.context()) as client:
            self.assertFalse(client.is_closed(1))
            self.assertEqual(self.ask(client).status, 200)


if __name__ == "__main__":
    harness.main()
