#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The real binary with real sockets: the main job, failover, clients that leave, draining, shards.

Usage: service_test.py LEAT. Loopback only; every wait is bounded; ends whatever it starts.
"""
import hashlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import warnings

LEAT = sys.argv[1]
SLOW = float(os.environ.get('LEAT_TEST_SLOW', '1'))
KEY = 'sk-test-key'
WAIT = 20 * SLOW


def chunk(delta, finish=None):
    event = {'id': 'c', 'object': 'chat.completion.chunk', 'created': 1, 'model': 'm',
             'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}]}
    return b'data: ' + json.dumps(event).encode() + b'\n\n'


class Provider:
    """Answers each connection's requests with `script(request) -> generator of bytes`."""

    def __init__(self, script):
        self.script = script
        self.requests = []
        self.closed_at = []
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        data = b''
        while True:
            while b'\r\n\r\n' not in data:
                more = connection.recv(65536)
                if not more:
                    return connection.close()
                data += more
            head, data = data.split(b'\r\n\r\n', 1)
            length = int(re.search(rb'content-length: (\d+)', head.lower()).group(1))
            while len(data) < length:
                data += connection.recv(65536)
            body, data = data[:length], data[length:]
            self.requests.append((head, json.loads(body)))
            try:
                for piece in self.script(connection, self.requests[-1]):
                    if piece is None:
                        return connection.close()
                    connection.sendall(piece)
            except OSError:
                return connection.close()

    def close(self):
        self.listener.close()


def sse(*events):
    payload = b''.join(events)
    return (b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n'
            % len(payload) + payload)


def hello(connection, request):
    yield sse(chunk({'role': 'assistant', 'content': ''}), chunk({'content': 'hello'}),
              chunk({}, 'stop'), b'data: [DONE]\n\n')


class Leat:
    def __init__(self, providers, shards=1, extra=''):
        self.folder = tempfile.TemporaryDirectory()
        config = f'''[server]
listen = ["127.0.0.1:0"]
shards = {shards}
[admin]
listen = "127.0.0.1:0"
[[keys]]
name = "test"
sha256 = "{hashlib.sha256(KEY.encode()).hexdigest()}"
'''
        for name, port in providers.items():
            config += f'''[providers.{name}]
format = "openai"
base_url = "http://127.0.0.1:{port}/v1"
allow_private = true
'''
        endpoints = ', '.join(f'{{ provider = "{name}", model = "up" }}' for name in providers)
        config += f'[[models]]\nid = "a/m"\nendpoints = [{endpoints}]\n{extra}'
        path = self.folder.name + '/leat.toml'
        with open(path, 'w') as file:
            file.write(config)
        self.process = subprocess.Popen([LEAT, 'serve', '--config', path], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        lines = []
        for line in self.process.stdout:
            lines.append(line)
            if 'ready' in line:
                break
        text = ''.join(lines)
        if 'ready' not in text:
            raise RuntimeError(text + self.process.stderr.read())
        self.port = int(re.search(r'serving on http://127.0.0.1:(\d+)', text).group(1))
        self.admin = int(re.search(r'admin on http://127.0.0.1:(\d+)', text).group(1))

    def connect(self):
        return http.client.HTTPConnection('127.0.0.1', self.port, timeout=WAIT)

    def ask(self, face='/v1', connection=None, key=KEY, **fields):
        body = {'model': 'a/m', 'messages': [{'role': 'user', 'content': 'hi'}], **fields}
        connection = connection or self.connect()
        connection.request('POST', face + '/chat/completions', json.dumps(body),
                           {'Authorization': 'Bearer ' + key, 'Content-Type': 'application/json'})
        return connection.getresponse()

    def admin_get(self, path):
        connection = http.client.HTTPConnection('127.0.0.1', self.admin, timeout=WAIT)
        connection.request('GET', path)
        response = connection.getresponse()
        return response.status, response.read().decode()

    def metric(self, name):
        text = self.admin_get('/metrics')[1]
        return sum(float(line.rsplit(' ', 1)[1]) for line in text.splitlines()
                   if line.startswith(name) and not line.startswith('#'))

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(WAIT)
        self.process.stdout.close()
        self.process.stderr.close()
        self.folder.cleanup()


def until(condition):
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        if condition():
            return True
        threading.Event().wait(0.005)
    return False


class Service(unittest.TestCase):
    def start(self, *scripts, **options):
        providers = {}
        for number, script in enumerate(scripts):
            provider = Provider(script)
            self.addCleanup(provider.close)
            providers[f'p{number}'] = provider
        leat = Leat({name: each.port for name, each in providers.items()}, **options)
        self.addCleanup(leat.close)
        return leat, list(providers.values())

    def test_streams_on_both_faces(self):
        leat, (provider,) = self.start(hello)
        connection = leat.connect()
        text = leat.ask(connection=connection, stream=True).read()
        self.assertEqual(text, chunk({'role': 'assistant', 'content': ''}) +
                         chunk({'content': 'hello'}) + chunk({}, 'stop') + b'data: [DONE]\n\n')
        text = leat.ask('/api/v1', connection, stream=True, usage={'include': True}).read().decode()
        events = [json.loads(line[6:]) for line in text.split('\n\n')[:-2]]
        self.assertTrue(all(e['id'].startswith('gen-') and e['provider'] == 'p0' for e in events))
        head, body = provider.requests[-1]
        self.assertEqual(body['model'], 'up')
        self.assertTrue(body['stream_options']['include_usage'])
        self.assertNotIn('usage', body)
        self.assertNotIn(KEY.encode(), head)
        # Mirrored once a second.
        self.assertTrue(until(lambda: leat.metric('leat_pool_dialed_total') == 1))

    def test_next_endpoint_serves_before_content(self):
        def broken(connection, request):
            yield b'HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n'

        def error_event(connection, request):
            yield sse(chunk({'role': 'assistant', 'content': ''}),
                      b'data: {"error":{"message":"overloaded","code":529}}\n\n')
        for script in (broken, error_event):
            leat, providers = self.start(script, hello)
            self.assertIn(b'hello', leat.ask(stream=True).read())
            self.assertEqual([len(each.requests) for each in providers], [1, 1])

    def test_break_after_content_is_told_and_never_tried_again(self):
        def cut(connection, request):
            yield (b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
                   b'Transfer-Encoding: chunked\r\n\r\n')
            event = chunk({'content': 'hel'})
            yield b'%x\r\n%s\r\n' % (len(event), event)
            yield None
        leat, providers = self.start(cut, hello)
        response = leat.ask(stream=True)
        text = b''
        with self.assertRaises(http.client.IncompleteRead) as broken:
            text = response.read()
        text = broken.exception.partial
        self.assertIn(b'hel', text)
        self.assertIn(b'data: {"error":', text)
        self.assertNotIn(b'[DONE]', text)
        self.assertEqual(len(providers[1].requests), 0)

    def test_refusals_have_the_faces_shape(self):
        leat, _ = self.start(hello)
        response = leat.ask(key='wrong')
        self.assertEqual(response.status, 401)
        self.assertEqual(json.loads(response.read())['error']['code'], 'invalid_api_key')
        response = leat.ask('/api/v1', key='wrong')
        self.assertEqual(json.loads(response.read())['error']['code'], 401)
        response = leat.ask(model='no/such')
        self.assertEqual(response.status, 404)
        self.assertGreaterEqual(leat.metric('leat_reject_total{reason="authentication"}'), 2)

    def test_large_bodies_arrive_whole(self):
        leat, (provider,) = self.start(hello)
        for size in (20_000, 300_000, 5_000_000):
            content = 'x' * size
            response = leat.ask(stream=True, messages=[{'role': 'user', 'content': content}])
            self.assertIn(b'hello', response.read())
            self.assertEqual(provider.requests[-1][1]['messages'][0]['content'], content)

    def test_client_gone_is_provider_gone(self):
        seen = {}

        def endless(connection, request):
            yield (b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
                   b'Transfer-Encoding: chunked\r\n\r\n')
            event = chunk({'content': 'x'})
            yield b'%x\r\n%s\r\n' % (len(event), event)
            connection.settimeout(WAIT)
            seen['end'] = connection.recv(1)
            seen['at'] = time.monotonic()
            yield None
        leat, _ = self.start(endless)
        connection = leat.connect()
        response = leat.ask(connection=connection, stream=True)
        response.read1(100)
        left = time.monotonic()
        connection.sock.shutdown(socket.SHUT_RDWR)
        self.assertTrue(until(lambda: 'at' in seen))
        print(f'provider left after {(seen["at"] - left) * 1000:.2f} ms', file=sys.stderr)
        self.assertLess(seen['at'] - left, 0.25 * SLOW)

    def test_drain_finishes_what_runs(self):
        go_on = threading.Event()

        def slow(connection, request):
            yield (b'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n'
                   b'Transfer-Encoding: chunked\r\n\r\n')
            event = chunk({'content': 'a'})
            yield b'%x\r\n%s\r\n' % (len(event), event)
            go_on.wait(WAIT)
            event = chunk({'content': 'b'}, 'stop') + b'data: [DONE]\n\n'
            yield b'%x\r\n%s\r\n0\r\n\r\n' % (len(event), event)
        leat, _ = self.start(slow)
        response = leat.ask(stream=True)
        first = response.read1(4096)
        self.assertEqual(leat.admin_get('/readyz')[0], 200)
        leat.process.send_signal(signal.SIGTERM)
        self.assertTrue(until(lambda: leat.admin_get('/readyz')[0] == 503))

        def refused():
            try:
                socket.create_connection(('127.0.0.1', leat.port), 1).close()
                return False
            except OSError:
                return True
        self.assertTrue(until(refused))
        go_on.set()
        self.assertIn(b'[DONE]', first + response.read())
        self.assertEqual(leat.process.wait(WAIT), 0, leat.process.stderr.read())

    def test_two_shards_serve_and_are_summed(self):
        leat, _ = self.start(hello, shards=2)
        failures = []

        def client():
            for _ in range(10):
                if b'hello' not in leat.ask(stream=True).read():
                    failures.append(1)
        threads = [threading.Thread(target=client) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(failures, [])
        self.assertEqual(leat.metric('leat_streams_completed_total'), 80)
        leat.process.send_signal(signal.SIGTERM)
        self.assertEqual(leat.process.wait(WAIT), 0)

    def test_bad_configuration_starts_nothing(self):
        with tempfile.NamedTemporaryFile('w', suffix='.toml') as file:
            file.write('[server]\nlisten = ["nonsense"]\nshardz = 1\n')
            file.flush()
            for command in ('check', 'serve'):
                result = subprocess.run([LEAT, command, '--config', file.name], text=True,
                                        capture_output=True, timeout=WAIT)
                self.assertEqual(result.returncode, 78)
                self.assertIn('shardz', result.stderr)
                self.assertIn(':2:', result.stderr)


if __name__ == '__main__':
    warnings.simplefilter('ignore', ResourceWarning)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[2:]], warnings='ignore')
