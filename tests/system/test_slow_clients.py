#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: clients that are slow - to send a head, to send a body, to take an answer - cost little
memory each, hold nobody up, and are ended by the limits with the answer that fits. Method: the real
leat with hundreds of each kind at once; its resident memory, and other clients' requests meanwhile.

Usage: test_slow_clients.py LEAT [SANITIZERS]: with any but "none" memory is that of the tools,
and not judged."""

import pathlib
import resource
import socket
import sys
import time

import harness
from harness import SLOW, SSE_HEAD, Case, Pressed, chat_body, chunk, event, request, until

IS_MEMORY_OURS = sys.argv[2:3] in ([], ["none"])
del sys.argv[2:3]
EACH = 150
READERS = 20
# Before TLS; of resident memory, the allocator's rounding included.
KIB_MAX = 16
# A provider that fills the kernel's buffers in seconds, and no core.
PACED = ('[providers.paced]\nformat = "simulated"\n[providers.paced.simulated]\n'
         'tokens_per_second = 4000\ntokens = 1_000_000\nfirst_token_ms = 0\n'
         'events_per_write = 32\n'
         '[[models]]\nid = "leat/paced"\n'
         'endpoints = [{ provider = "paced", model = "paced" }]\n')
STREAM = request(body=chat_body(model="leat/paced", stream=True, max_tokens=1_000_000))
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: "


def resident_kib(leat):
    for line in pathlib.Path(f"/proc/{leat.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


class SlowClients(Case):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.clients = []
        self.addCleanup(lambda: [each.close() for each in self.clients])

    def open(self, leat, first, receive_bytes=0):
        made = socket.socket()
        if receive_bytes:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        made.settimeout(20 * SLOW)
        made.connect(("127.0.0.1", leat.port))
        made.sendall(first)
        self.clients.append(made)
        return made

    def open_all(self, leat):
        """So many of each kind, by kind."""
        body = request(body=chat_body())
        cut = body[:-8]
        return {"head": [self.open(leat, HEAD) for _ in range(EACH)],
                "body": [self.open(leat, cut) for _ in range(EACH)],
                "read": [self.open(leat, STREAM, 4096) for _ in range(READERS)]}

    def warm(self, leat):
        """What is held once and not for each client is there already."""
        warm = [self.open(leat, HEAD) for _ in range(8)]
        for each in warm:
            each.close()
        for _ in range(20):
            self.assertEqual(leat.chat(model="leat/simulated").status, 200)

    def test_each_costs_little_and_others_are_served(self):
        limits = {"request_head_ms_max": 600_000, "body_idle_ms_max": 600_000,
                  "body_pace_after_ms": 600_000, "client_stall_ms_max": 600_000}
        leat = self.leat(limits=limits)
        self.warm(leat)
        for kind, first in (("head", HEAD), ("body", request(body=chat_body())[:-8])):
            before = resident_kib(leat)
            held = [self.open(leat, first) for _ in range(2 * EACH)]
            until(lambda n=len(held): leat.metric("leat_connections_open") >= n, "all of them", 20)
            each = (resident_kib(leat) - before) / len(held)
            if IS_MEMORY_OURS:
                self.assertLessEqual(each, KIB_MAX, f"{kind}: {each:.1f} KiB each")
            began = time.monotonic()
            self.assertEqual(leat.chat(model="leat/simulated").status, 200)
            self.assertLess(time.monotonic() - began, 1 * SLOW)
            for one in held:
                one.close()
            until(lambda: leat.metric("leat_connections_open") <= 1, "all of them to go", 20)

    def test_the_limits_end_each_with_the_answer_that_fits(self):
        time_ms = int(1500 * SLOW)
        leat = self.leat(limits={"request_head_ms_max": time_ms, "body_idle_ms_max": time_ms,
                                 "client_stall_ms_max": time_ms,
                                 "client_buffer_bytes_max": 16 * 1024},
                         extra=PACED)
        clients = self.open_all(leat)
        until(lambda: leat.metric("leat_connections_open") >= 2 * EACH + READERS, "all of them", 20)
        self.assertEqual(leat.chat(model="leat/simulated").status, 200)
        for kind in ("head", "body"):
            for one in clients[kind]:
                answer = b""
                while piece := one.recv(4096):
                    answer += piece
                self.assertTrue(answer.startswith(b"HTTP/1.1 408 "), (kind, answer[:80]))
                self.assertIn(b"connection: close", answer.lower())
        until(lambda: leat.metric("leat_connections_open") == 0, "those that do not read", 30)
        self.assertEqual(leat.metric("leat_requests_open"), 0)
        self.assertEqual(leat.rejects("request_timeout"), 2 * EACH)

    def test_who_does_not_read_stops_its_provider_and_then_has_every_byte(self):
        script = Pressed()
        leat = self.leat([self.provider(script)], limits={"client_stall_ms_max": 600_000})
        with harness.Client(leat.port, receive_bytes=4096) as client:
            client.send(harness.chat_request(stream=True))
            until(script.has_stopped.is_set, "the provider to be stopped", 60)
            # The kernel's buffers on both sides of us, and 4 KiB of ours. The whole is some 4 MB.
            self.assertLess(script.bytes_taken, 768 * 1024)
            relayed = leat.metric("leat_stream_events_total")
            self.assertLess(relayed * script.event_bytes, 192 * 1024)
            # So small a window may be less than the segments that the kernel sized by it: then each
            # waits for the timer of a closed window, a fifth of a second.
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            answer = client.answer()
            self.assertTrue(answer.whole)
            self.assertEqual(answer.text(), script.text)
            self.assertEqual(answer.events()[-1], "[DONE]")

    def test_who_reads_slowly_is_not_taken_for_stalled(self):
        """An answer that is passed on, of which more waits than is read in a stall's time."""
        size = 3_000_000
        large = harness.reply(harness.completion("x" * size))
        leat = self.leat([self.provider(lambda call: call.send(large))],
                         limits={"client_stall_ms_max": 500})
        with harness.Client(leat.port, receive_bytes=64 * 1024) as client:
            client.send(harness.chat_request())
            read = 0
            last = b""
            while not last.endswith(b"0\r\n\r\n"):
                data = client.sock.recv(16 * 1024)
                self.assertTrue(data, f"cut off after {read} bytes")
                read += data.count(b"x")
                last = (last + data)[-5:]
                time.sleep(0.01)  # what makes it slow
        self.assertGreaterEqual(read, size)

    def test_who_does_not_read_holds_no_more_than_its_buffer_and_a_turn(self):
        piece = chunk(event({"content": "word " * 1_600}))

        def paced(call):
            call.send(SSE_HEAD)
            while True:  # until it is hung up on
                call.send(piece)
                time.sleep(0.002)

        limits = {"client_stall_ms_max": 600_000, "client_buffer_bytes_max": 16 * 1024}
        leat = self.leat([self.provider(paced)], limits=limits)
        self.warm(leat)
        before = resident_kib(leat)
        for _ in range(READERS):
            self.open(leat, harness.chat_request(stream=True), 4096)
        until(lambda: leat.metric("leat_requests_open") >= READERS, "all of them", 20)
        # The kernel takes the first of it; what is relayed stops growing when that is full.
        seen = []

        def is_full():
            seen.append(leat.metric("leat_stream_events_total"))
            time.sleep(0.3)
            return seen[-1] > 0 and seen[-3:] == seen[-1:] * 3

        until(is_full, "no more is relayed", 60)
        each = (resident_kib(leat) - before) / READERS
        # Its buffer, what one turn may bring of its provider before that is no longer read (32
        # receives of 8 KiB), and what its request and its provider's end need.
        if IS_MEMORY_OURS:
            self.assertLessEqual(each, 16 + 256 + 4 * KIB_MAX, f"{each:.1f} KiB each")
        self.assertEqual(leat.chat(model="leat/simulated").status, 200)


if __name__ == "__main__":
    harness.main()
