#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: each limit that a client can run into holds where it is configured, with its stated answer,
and what is within the limits is served: big bodies, chunked ones, pipelined requests.
Method: the real leat with small limits, raw clients that stop, drip or send too much.

Usage: test_limits.py LEAT"""

import re
import select
import threading

import harness
from harness import KEY, SLOW, answer_well, chat_body, chat_request, request, until


class Limits(harness.Case):
    def serve(self, **limits):
        return self.leat([self.provider(answer_well)], limits=limits)

    def refused(self, router, data, status, reason):
        """The answer to `data`, whose connection must end."""
        before = router.rejects(reason)
        with router.connect() as client:
            client.send(data)
            answer = client.answer()
            self.assertEqual(answer.status, status, answer.body)
            self.assertTrue(client.is_closed())
        self.assertEqual(router.rejects(reason), before + 1)
        return answer

    def test_head(self):
        router = self.serve(head_bytes_max=2048, head_line_bytes_max=512, headers_max=10)
        many = "".join(f"H{i}: x\r\n" for i in range(20))
        big = "".join(f"H{i}: {'x' * 450}\r\n" for i in range(6))
        self.refused(router, request(fields=f"Long: {'x' * 600}\r\n"), 431, "header_too_large")
        self.refused(router, request(fields=many), 431, "header_too_large")
        self.refused(router, request(fields=big), 431, "header_too_large")
        self.refused(router, request(target="/" + "x" * 600), 414, "uri_too_long")
        with router.connect() as client:
            client.send(request("GET", "/v1/models", fields=f"Long: {'x' * 400}\r\n"))
            self.assertEqual(client.answer().status, 200)

    def test_body(self):
        router = self.serve(body_bytes_max=4096, drain_bytes_max=0)
        body = chat_body(user="x" * 5000)
        self.refused(router, request(body=body), 413, "payload_too_large")
        told = request(fields=f"Content-Length: {1 << 30}\r\n", length=False)
        self.refused(router, told, 413, "payload_too_large")
        head = request(fields="Transfer-Encoding: chunked\r\n", length=False)
        chunks = b"".join(harness.chunk(body[i:i + 100]) for i in range(0, len(body), 100))
        answer = self.refused(router, head + chunks, 413, "payload_too_large")
        self.assert_error(answer, "/v1")
        self.assertEqual(router.chat(user="x" * 3000).status, 200)

    def test_expect(self):
        router = self.serve(body_bytes_max=4096)
        body = chat_body()
        with router.connect() as client:
            client.send(request(fields=f"Content-Length: {len(body)}\r\nExpect: 100-continue\r\n",
                                length=False))
            client.read_until(b"\r\n\r\n")
            self.assertTrue(client.buffer.startswith(b"HTTP/1.1 100 "))
            client.send(body)
            self.assertEqual(client.answer().status, 200)
        with router.connect() as client:
            client.send(request(fields="Content-Length: 9999\r\nExpect: 100-continue\r\n",
                                length=False))
            client.read_until(b"\r\n\r\n")
            self.assertTrue(client.buffer.startswith(b"HTTP/1.1 413 "))

    def test_what_is_left_of_a_refused_body(self):
        router = self.serve(body_bytes_max=1 << 20)

        def after_wrong_key(fields, body):
            with router.connect() as client:
                client.send(request(fields=fields, key="wrong", length=False) + body)
                answer = client.answer()
                self.assertEqual(answer.status, 401, answer.body)
                if "connection: close" in answer.head.lower():
                    return "closed" if client.is_closed() else "open"
                # 64 KiB were read and dropped: a chunked body shows its size late.
                return "closed" if client.is_closed() else "open"

        def kept_after_wrong_key(fields, body):
            with router.connect() as client:
                client.send(request(fields=fields, key="wrong", length=False) + body)
                answer = client.answer()
                self.assertEqual(answer.status, 401, answer.body)
                self.assertNotIn("connection: close", answer.head.lower())
                client.send(chat_request())
                self.assertEqual(client.answer().status, 200)

        little, much = b"x" * 60_000, b"x" * 70_000
        coded = "Transfer-Encoding: chunked\r\n"
        kept_after_wrong_key(f"Content-Length: {len(little)}\r\n", little)
        kept_after_wrong_key(coded, harness.chunk(little) + b"0\r\n\r\n")
        self.assertEqual(after_wrong_key(f"Content-Length: {len(much)}\r\n", much), "closed")
        self.assertEqual(after_wrong_key(coded, harness.chunk(much) + b"0\r\n\r\n"), "closed")
        # Who waits for 100 Continue may leave the body out: the next head must not be taken for it.
        expects = f"Content-Length: {len(little)}\r\nExpect: 100-continue\r\n"
        self.assertEqual(after_wrong_key(expects, b""), "closed")

    def test_a_body_over_the_limit_closes_however_little_is_left(self):
        router = self.serve(body_bytes_max=4096)
        told = request(body=b"x" * 5000)
        coded = (request(fields="Transfer-Encoding: chunked\r\n", length=False)
                 + harness.chunk(chat_body(user="x" * 5000)) + b"0\r\n\r\n")
        for data in (told, coded):
            answer = self.refused(router, data, 413, "payload_too_large")
            self.assertIn("connection: close", answer.head.lower())

    def test_slow_head(self):
        router = self.serve(request_head_ms_max=200)
        with router.connect() as client:
            client.send(b"GET /v1/models HTTP/1.1\r\n")
            answer = client.answer()
            self.assertEqual(answer.status, 408)
            self.assertRegex(answer.head, r"\r\nx-request-id: req-\S")
            self.assertTrue(client.is_closed())
        with router.connect() as client:  # not one byte: closed without a word
            self.assertTrue(client.is_closed())

    def test_dripping_head_has_no_more_time(self):
        router = self.serve(request_head_ms_max=300)
        with router.connect() as client:
            client.sock.settimeout(0.05)
            def drip():
                try:
                    client.send(b"x")
                    return client.more()
                except OSError as error:
                    return not isinstance(error, TimeoutError)
            client.send(b"GET /v1/models HTTP/1.1\r\nA: ")
            until(drip, "an answer to half a head")
            self.assertTrue(client.buffer.startswith(b"HTTP/1.1 408 ") or not client.buffer)

    def test_slow_body(self):
        router = self.serve(body_idle_ms_max=200)
        self.refused(router, request(fields="Content-Length: 100\r\n", length=False) + b"{",
                     408, "request_timeout")

    def test_body_pace(self):
        # No gap is as long as body_idle_ms_max; what is too little is the pace.
        router = self.serve(body_bytes_per_second_min=10_000, body_pace_after_ms=200)
        before = router.rejects("request_timeout")
        with router.connect() as client:
            client.send(request(fields="Content-Length: 100000\r\n", length=False))
            client.sock.settimeout(0.02)
            def answered():
                try:
                    client.send(b" ")
                    return client.more()
                except TimeoutError:
                    return False
            until(answered, "an answer to a body that drips")
            client.sock.settimeout(10 * harness.SLOW)
            self.assertEqual(client.answer().status, 408)
            self.assertTrue(client.is_closed())
        self.assertEqual(router.rejects("request_timeout"), before + 1)

    def test_a_body_at_its_pace_is_served(self):
        router = self.serve(body_bytes_per_second_min=1000, body_pace_after_ms=200)
        body = chat_body(user="x" * 200_000)
        with router.connect() as client:
            client.send(request(fields=f"Content-Length: {len(body)}\r\n", length=False))
            client.send(body[:150_000])
            self.assertFalse(client.is_closed(1.5))  # longer than the pace's first checks
            client.send(body[150_000:])
            self.assertEqual(client.answer().status, 200)

    def test_time_for_what_is_left_of_a_refused_body(self):
        router = self.serve(drain_ms_max=int(2500 * harness.SLOW))
        with router.connect() as client:
            client.send(request(fields="Content-Length: 1000\r\n", key="wrong", length=False))
            answer = client.answer()
            self.assertEqual(answer.status, 401)
            self.assertNotIn("connection: close", answer.head.lower())
            self.assertFalse(client.is_closed(1.5))
            self.assertTrue(client.is_closed())

    def test_small_body(self):
        router = self.serve(small_body_bytes_max=1024)
        for size, status in ((1024, 200), (1025, 413)):
            data = request("GET", "/v1/models", fields=f"Content-Length: {size}\r\n", length=False)
            with router.connect() as client:
                client.send(data + b"x" * size)
                answer = client.answer()
                self.assertEqual(answer.status, status)
                if status == 413:
                    self.assert_error(answer, "/v1")
                    self.assertTrue(client.is_closed())
        self.assertEqual(router.rejects("payload_too_large"), 1)

    def test_bodies_of_all(self):
        # 1 % of 512 MiB for the one shard there is.
        router = self.serve(memory_bytes_max=512 << 20, buffered_body_memory_percent_max=1)
        most = (512 << 20) // 100
        told = request("POST", "/api/v1/chat/completions", length=False,
                       fields=f"Content-Length: {most + 1}\r\n")
        coded = (request("POST", "/api/v1/chat/completions", length=False,
                         fields="Transfer-Encoding: chunked\r\n")
                 + harness.chunk(b" " * (most - 1000)) + harness.chunk(b" " * 2000))
        for data, count in ((told, 1), (coded, 2)):
            with router.connect() as client:
                client.send(data)
                self.assert_overloaded(client.answer())
            self.assertEqual(router.rejects("overloaded"), count)
        self.assertEqual(router.chat(user="x" * (most - 1000)).status, 200)

    def assert_overloaded(self, answer):
        self.assertEqual(answer.status, 503, answer.body)
        self.assert_error(answer, "/api/v1", "overloaded")
        self.assertRegex(answer.head.lower() + "\r\n", "retry-after: [123]\r\n")
        self.assertIn("x-should-retry: true", answer.head.lower())

    def short_of_memory(self, step, **limits):
        """A router that is past this step of the memory ladder and before the next: what it holds
        is some percent of 512 MiB."""
        steps = ("shrink_timeouts", "no_keep_alive", "refuse", "stop_accept")
        for i, name in enumerate(steps):
            limits[f"memory_{name}_percent"] = 1 if i <= steps.index(step) else 100
        return self.serve(memory_bytes_max=512 << 20, **limits)

    def test_memory_shrinks_idle_times(self):
        time = int(8000 * harness.SLOW)
        for router, closed in ((self.serve(keep_alive_idle_ms_max=time), False),
                               (self.short_of_memory("shrink_timeouts",
                                                     keep_alive_idle_ms_max=time), True)):
            with router.connect() as client:
                client.send(request("GET", "/v1/models"))
                answer = client.answer()
                self.assertEqual(answer.status, 200)
                self.assertNotIn("connection: close", answer.head.lower())
                self.assertEqual(client.is_closed(4), closed)

    def test_memory_ends_keep_alive(self):
        router = self.short_of_memory("no_keep_alive")
        with router.connect() as client:
            client.send(chat_request())
            answer = client.answer()
            self.assertEqual(answer.status, 200)
            self.assertIn("connection: close", answer.head.lower())
            self.assertTrue(client.is_closed())

    def test_memory_refuses(self):
        router = self.short_of_memory("refuse")
        with router.connect() as client:
            client.send(chat_request("/api/v1"))
            self.assert_overloaded(client.answer())
            self.assertTrue(client.is_closed())
        self.assertEqual(router.rejects("overloaded"), 1)

    def test_memory_stops_accepting(self):
        router = self.short_of_memory("stop_accept")
        with router.connect() as client:
            self.assertTrue(client.is_closed())
        self.assertEqual(router.metric("leat_connections_refused_total"), 1)
        self.assertEqual(router.metric("leat_connections_open"), 0)

    def test_connections(self):
        router = self.serve(connections_max=3)
        clients = [router.connect() for _ in range(3)]
        for client in clients:
            self.addCleanup(client.sock.close)
        until(lambda: router.metric("leat_connections_open") == 3, "three connections")
        with router.connect() as fourth:
            self.assertTrue(fourth.is_closed())
        self.assertEqual(router.metric("leat_connections_refused_total"), 1)
        clients[0].send(chat_request())
        self.assertEqual(clients[0].answer().status, 200)
        clients[1].sock.close()
        until(lambda: router.metric("leat_connections_open") == 2, "one to leave")
        self.assertEqual(router.chat().status, 200)

    def test_idle_keep_alive(self):
        router = self.serve(keep_alive_idle_ms_max=200)
        with router.connect() as client:
            client.send(request("GET", "/v1/models"))
            self.assertEqual(client.answer().status, 200)
            self.assertTrue(client.is_closed())

    def held(self, **limits):
        """A router whose provider answers only after the event."""
        go = threading.Event()
        def script(call):
            go.wait(10 * harness.SLOW)
            answer_well(call)
        self.addCleanup(go.set)
        return self.leat([self.provider(script)], limits=limits), go

    def test_streams_per_key(self):
        router, go = self.held(streams_per_key_max=2)
        clients = [router.connect() for _ in range(2)]
        for client in clients:
            self.addCleanup(client.sock.close)
            client.send(chat_request())
        until(lambda: router.metric("leat_requests_open") == 2, "two to run")
        answer = router.chat("/api/v1")
        self.assertEqual(answer.status, 429)
        self.assert_error(answer, "/api/v1", "rate_limit_exceeded")
        self.assertIn("retry-after: ", answer.head.lower())
        go.set()
        for client in clients:
            self.assertEqual(client.answer().status, 200)
        self.assertEqual(router.chat().status, 200)

    def test_buffered_bytes_per_key(self):
        router, go = self.held(buffered_body_bytes_per_key_max=1 << 20)
        with router.connect() as client:
            client.send(chat_request(user="x" * 700_000))
            until(lambda: router.metric("leat_requests_open") == 1, "one to run")
            answer = router.chat("/api/v1", user="x" * 400_000)
            self.assertEqual(answer.status, 429)
            self.assert_error(answer, "/api/v1", "overloaded_key")
            go.set()
            self.assertEqual(client.answer().status, 200)
        self.assertEqual(router.chat(user="x" * 700_000).status, 200)

    def test_failed_keys_block_an_address(self):
        router = self.serve(limit_private_addresses=True, failed_auth_per_minute_max=3,
                            failed_auth_block_ms=400)
        waits = set()
        def status(key):
            with router.connect() as client:
                client.send(request("GET", "/v1/models", key=key))
                answer = client.answer()
                waits.update(re.findall(r"\r\nretry-after: (\d+)", answer.head))
                return answer.status
        self.assertEqual([status("wrong") for _ in range(3)], [401] * 3)
        until(lambda: status("wrong") == 429, "the block")
        self.assertEqual(status(KEY), 429)
        self.assertEqual(waits, {"1"})  # of 400 ms, in whole seconds
        until(lambda: status(KEY) == 200, "the block's end")

    def test_connections_per_address(self):
        router = self.serve(limit_private_addresses=True, connections_per_address_max=4,
                            connections_before_key_per_address_max=4)
        clients = [router.connect() for _ in range(4)]
        for client in clients:
            self.addCleanup(client.sock.close)
        until(lambda: router.metric("leat_connections_open") == 4, "four connections")
        with router.connect() as fifth:
            self.assertTrue(fifth.is_closed())
        self.assertEqual(router.metric("leat_connections_refused_total"), 1)
        clients[0].send(request("GET", "/v1/models"))
        self.assertEqual(clients[0].answer().status, 200)

    def test_pipelined_requests_are_served_in_turn(self):
        def script(call):
            call.send(harness.reply(harness.completion(call.json()["user"])))
        router = self.leat([self.provider(script)])
        with router.connect() as client:
            client.send(b"".join(chat_request(user=f"number {i}") for i in range(40)))
            for i in range(40):
                answer = client.answer().json()
                self.assertEqual(answer["choices"][0]["message"]["content"], f"number {i}")

    def test_no_more_requests_are_read_than_may_wait(self):
        go_on = threading.Event()

        def script(call):
            if call.json().get("user") == "held":
                go_on.wait(20)
            answer_well(call)
        self.addCleanup(go_on.set)
        router = self.leat([self.provider(script)], limits={"pipelined_requests_max": 16})
        with router.connect() as client, router.connect() as other:
            def unread():
                """Bytes of the client's that leat has not taken from its socket."""
                ends = [f"{port:04X}" for port in (router.port, client.sock.getsockname()[1])]
                with open("/proc/net/tcp") as table:
                    for row in map(str.split, table):
                        if [end.rpartition(":")[2] for end in row[1:3]] == ends:
                            return int(row[4].partition(":")[2], 16)
                return 0

            small = request("GET", "/v1/models")
            client.send(chat_request(user="held"))
            until(lambda: router.metric("leat_requests_open") == 1, "the held request")
            client.send(small * 15)
            until(lambda: unread() == 0, "15 requests to be read")
            client.send(small)
            until(lambda: unread() == 0, "the 16th to be read")
            # One receive may still be under way; after it nothing more is taken, though there is
            # time for it, and all these together are less than may wait as bytes.
            sent = 0
            while unread() < 100 * len(small) and sent < 500:
                client.send(small)
                sent += 1
                other.send(small)
                self.assertEqual(other.answer().status, 200)
            self.assertGreaterEqual(unread(), 100 * len(small))
            go_on.set()
            for _ in range(1 + 15 + 1 + sent):
                self.assertEqual(client.answer().status, 200)

    def test_who_pipelines_too_much_and_leaves_is_gone_at_once(self):
        """What was sent before is unread: the end behind it is noticed all the same."""
        cut = threading.Event()

        def script(call):
            if call.is_cut(20):
                cut.set()
            return "close"
        router = self.leat([self.provider(script)], limits={"pipelined_requests_max": 16})
        for number in range(1, 4):
            cut.clear()
            with router.connect() as client:
                client.send(chat_request(user="held"))
                until(lambda: router.metric("leat_requests_open") == 1, "the held request")
                # Twice as many as may wait, one by one: the last ones are not read.
                for _ in range(32):
                    client.send(request("GET", "/v1/models"))
            self.assertTrue(cut.wait(5), "the provider is kept at work for nobody")
            until(lambda: router.metric("leat_client_gone_total") == number, "the counter")
            until(lambda: router.metric("leat_requests_open") == 0, "the request's end")

    def test_who_reads_no_answers_fills_its_own_buffers(self):
        """Requests that need no key and are answered at once: nothing but room limits them."""
        router = self.serve()
        small = request("GET", "/nothing", key=None)
        most = 64 << 20
        with router.connect() as client:
            client.sock.setblocking(False)
            sent = 0
            while sent < most:
                try:
                    sent += client.sock.send((small * 1000)[sent % len(small):])
                except BlockingIOError:
                    if not select.select([], [client.sock], [], 1.0 * SLOW)[1]:
                        break
            self.assertLess(sent, most, "all is read of who reads nothing")
            client.sock.setblocking(True)
            answers = 0
            tail = b""
            while answers < sent // len(small):
                data = client.sock.recv(1 << 20)
                self.assertTrue(data, "the connection ended before the last answer")
                answers += (tail + data).count(b"HTTP/1.1 404")
                tail = data[-11:]
            # What was sent of the last request is there, too.
            client.send(small[sent % len(small):])
            self.assertTrue(client.more())

    def test_bodies_to_32_mib(self):
        provider = self.provider(answer_well)
        router = self.leat([provider])
        body = chat_body(user="")
        body = chat_body(user="x" * ((32 << 20) - len(body)))
        self.assertEqual(len(body), 32 << 20)
        with router.connect() as client:
            client.send(request(body=body))
            self.assertEqual(client.answer().status, 200)
            client.send(request(fields="Transfer-Encoding: chunked\r\n", length=False))
            for at in range(0, len(body), 1 << 20):
                client.send(harness.chunk(body[at:at + (1 << 20)]))
            client.send(b"0\r\n\r\n")
            self.assertEqual(client.answer().status, 200)
        for call in provider.calls:
            self.assertEqual(len(call.json()["user"]), body.count(b"x"))


if __name__ == "__main__":
    harness.main()
