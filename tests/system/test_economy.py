#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: what one shard knows of a provider's TLS serves the others: they resume sessions instead of
making full handshakes, and so does the next process; connections that end before their time are
opened again before anyone asks.
Method: the real leat with several shards; a provider that is Python's ssl, which is OpenSSL's, and
counts what it sees. What is lent at the moment that a connection begins cannot be in time here,
where TCP connects at once; what a shard may need later can.

Usage: test_economy.py LEAT"""

import pathlib
import socket
import ssl
import subprocess
import tempfile
import time

import harness
from harness import Provider, answer_well, until

SHARDS = 4


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class TlsProvider(Provider):
    """Closes each connection after one answer, so that every request needs another."""

    def __init__(self, context):
        self.resumed = []

        def script(call):
            self.resumed.append(call.sock.session_reused)
            answer_well(call)
            return "close"

        super().__init__(script, context)

    def url(self):
        return f"https://localhost:{self.port}/v1"

    def full(self):
        return self.resumed.count(False)


class OneHandshake(Provider):
    """Shakes hands once. Later connections are accepted and left without an answer, so that who
    gets one has it from who made the first."""

    def __init__(self, context):
        super().__init__(answer_well, context)

    def url(self):
        return f"https://localhost:{self.port}/v1"

    def _serve(self, sock):
        if self.connections == 1:
            return super()._serve(sock)
        while sock.recv(4096):
            pass


class Economy(harness.Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.certificate = pathlib.Path(folder.name, "cert.pem")
        cls.key = pathlib.Path(folder.name, "key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=DNS:localhost", "-keyout", cls.key, "-out",
                        cls.certificate], check=True, capture_output=True)

    def context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context

    def tls_provider(self, tickets, version=None):
        context = self.context()
        context.num_tickets = tickets
        if version:
            context.minimum_version = context.maximum_version = version
        made = TlsProvider(context)
        self.addCleanup(made.close)
        return made

    def router(self, provider, shards=SHARDS, server=""):
        return self.leat([provider], server=f"shards = {shards}\n{server}",
                         provider_lines=f'ca_file = "{self.certificate}"\n')

    def ask(self, leat, times):
        for _ in range(times):
            self.assertEqual(leat.chat().status, 200)

    def served(self, leat):
        """How many shards have had a client."""
        text = leat.get_admin("/metrics")[1]
        lines = [line for line in text.splitlines()
                 if line.startswith("leat_shard_connections_accepted_total{")]
        return sum(not line.endswith(" 0") for line in lines)

    def test_what_one_shard_learned_serves_the_others(self):
        provider = self.tls_provider(tickets=2 * SHARDS)
        leat = self.router(provider)
        # The kernel chooses a shard for each client.
        self.ask(leat, 1)
        until(lambda: leat.metric("leat_tickets_borrowed_total") == SHARDS - 1,
              "the others have one each")
        self.ask(leat, 40)
        self.assertEqual(self.served(leat), SHARDS)
        self.assertEqual(provider.full(), 1)
        # Or one more for each shard: of what is expected to be asked.
        until(lambda: leat.metric("leat_provider_handshakes_resumed_total") >= 40, "all counted")
        until(lambda: leat.metric("leat_provider_handshakes_total")
              - leat.metric("leat_provider_handshakes_resumed_total") == 1, "one was full")

    def test_an_idle_connection_serves_whichever_shard_is_asked(self):
        provider = OneHandshake(self.context())
        self.addCleanup(provider.close)
        leat = self.router(provider)
        self.ask(leat, 1)
        # The kernel chooses a shard for each client: with so many, more than one.
        for _ in range(12):
            time.sleep(1.3)  # what lay idle for less than a second is not lent
            self.ask(leat, 1)
            if leat.metric("leat_connections_borrowed_total") >= 2:
                break
        until(lambda: leat.metric("leat_connections_borrowed_total") >= 1, "it was lent")
        self.assertGreater(self.served(leat), 1)
        self.assertEqual(leat.metric("leat_provider_handshakes_total"), 1)
        self.assertEqual(len({call.sock for call in provider.calls}), 1)

    def test_one_shard_lends_to_nobody(self):
        provider = self.tls_provider(tickets=2)
        leat = self.router(provider, shards=1)
        self.ask(leat, 5)
        self.assertEqual(provider.resumed, [False] + [True] * 4)
        self.assertEqual(leat.metric("leat_tickets_borrowed_total"), 0)

    def test_a_provider_without_tickets_is_served(self):
        provider = self.tls_provider(tickets=0)
        leat = self.router(provider)
        self.ask(leat, 20)
        self.assertEqual(provider.full(), 20)

    def test_sessions_of_tls12_stay_where_they_are(self):
        provider = self.tls_provider(tickets=2, version=ssl.TLSVersion.TLSv1_2)
        leat = self.router(provider)
        self.ask(leat, 40)
        self.assertEqual(self.served(leat), SHARDS)
        self.assertEqual(provider.full(), SHARDS)
        self.assertEqual(leat.metric("leat_tickets_borrowed_total"), 0)

    def test_a_new_process_goes_on_with_the_tickets_of_the_old_one(self):
        provider = self.tls_provider(tickets=2 * SHARDS)
        old = self.leat([provider], listen=f"127.0.0.1:{free_port()}",
                        admin_listen=f"127.0.0.1:{free_port()}",
                        server=f'shards = {SHARDS}\ntakeover_socket = "takeover.sock"',
                        provider_lines=f'ca_file = "{self.certificate}"\n')
        self.ask(old, 1)
        until(lambda: old.metric("leat_tickets_borrowed_total") == SHARDS - 1, "they are lent")
        new = old.again()
        self.addCleanup(new.close)
        until(lambda: old.process.poll() == 0, "the old one ends")
        self.ask(new, 1)
        self.assertEqual(provider.resumed, [False, True])

    def test_what_ended_before_its_time_is_opened_again(self):
        provider = self.provider(lambda call: answer_well(call) or "close")
        leat = self.leat([provider])
        self.ask(leat, 1)
        until(lambda: provider.connections == 2, "another is opened before anyone asks")
        self.ask(leat, 1)
        until(lambda: provider.connections == 3, "and another")
        self.assertEqual(len(provider.calls), 2)
        until(lambda: leat.metric("leat_pool_expected_total") == 2, "they are counted")

    def test_who_asks_for_a_number_of_warm_connections_gets_that_number(self):
        provider = self.provider(lambda call: answer_well(call) or "close")
        leat = self.leat([provider], provider_lines="warm_connections = 3\n")
        until(lambda: provider.connections == 3, "three")
        self.ask(leat, 1)
        until(lambda: provider.connections == 4, "three again")
        self.assertEqual(leat.metric("leat_pool_expected_total"), 0)


if __name__ == "__main__":
    harness.main()
