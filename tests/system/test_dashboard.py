#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: the admin listener serves the dashboard whole and from itself alone; who watches gets a
frame a second, and sees money and requests only with the operator's key; a watcher that does not
read costs no memory; `leat top` says the same.
Method: the real leat with a ledger; raw bytes on its admin listener.

Usage: test_dashboard.py LEAT"""

import fcntl
import json
import os
import pathlib
import pty
import re
import select
import struct
import subprocess
import tempfile
import termios
import time
import urllib.error
import urllib.request

import harness
from harness import Client, answer_well, until

OPERATOR = "operator-key-0123456789-0123456789"
WATCHERS_MAX = 16
PAGE_BYTES_MAX = 150 * 1024


class Case(harness.Case):
    def start(self, script=answer_well):
        folder = self.folder()
        (folder / "ledger").mkdir()
        self.socket = folder / "admin.sock"
        admin = 'operator_key = { env = "LEAT_TEST_OPERATOR" }\n'
        admin += f'socket = "{self.socket}"\n'
        ledger = f'[ledger]\nfolder = "{folder}/ledger"\nsegment_mib = 1\n'
        return self.leat([self.provider(script)], admin=admin, extra=ledger,
                         environment={"LEAT_TEST_OPERATOR": OPERATOR})

    def folder(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        return pathlib.Path(made.name)

    def get(self, leat, path, key=None, **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if key is not None:
            headers["authorization"] = "Bearer " + key
        asked = urllib.request.Request(leat.admin + path, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=10) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def watch(self, leat, key=None):
        client = Client(int(leat.admin.rsplit(":", 1)[1]))
        self.addCleanup(client.sock.close)
        field = f"authorization: Bearer {key}\r\n" if key else ""
        client.send(f"GET /dashboard/events HTTP/1.1\r\nhost: x\r\n{field}\r\n".encode())
        return client

    def event(self, client):
        """(name, data) of the next one."""
        name = self.take(client, b"\ndata: ").decode().removeprefix("event: ")
        return name, json.loads(self.take(client, b"\n\n"))

    def take(self, client, mark):
        """What comes before `mark`, which goes with it."""
        client.read_until(mark)
        text, _, rest = bytes(client.buffer).partition(mark)
        client.buffer[:] = rest
        return text


class Dashboard(Case):
    def test_every_file_is_served_with_its_tag_and_a_strict_policy(self):
        leat = self.start()
        status, headers, page = self.get(leat, "/")
        self.assertEqual((status, headers["content-type"]), (200, "text/html; charset=utf-8"))
        self.assertEqual(self.get(leat, "/dashboard")[2], page)
        policy = headers["content-security-policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotIn("http", policy)
        paths = set(re.findall(r'(?:href|src)="(/dashboard[^"]+)"', page.decode()))
        scripts = [path for path in paths if path.endswith(".js")]
        size = len(page)
        while scripts:
            text = self.get(leat, scripts.pop())[2].decode()
            found = {"/dashboard/" + name for name in re.findall(r"from '\./([a-z]+\.js)'", text)}
            scripts += found - paths
            paths |= found
        self.assertGreater(len(paths), 8)
        for path in paths:
            status, headers, body = self.get(leat, path)
            self.assertEqual(status, 200, path)
            size += len(body)
            again = self.get(leat, path, if_none_match=headers["etag"])
            self.assertEqual((again[0], again[2]), (304, b""), path)
            self.assertEqual(self.get(leat, path, if_none_match='"other"')[0], 200)
        self.assertLess(size, PAGE_BYTES_MAX)
        self.assertEqual(self.get(leat, "/dashboard/none.js")[0], 404)
        self.assertEqual(self.get(leat, "/dashboard/../etc/passwd")[0], 404)

    def test_a_watcher_gets_what_was_and_then_a_frame_a_second(self):
        leat = self.start()
        client = self.watch(leat)
        head = self.take(client, b"\r\n\r\n").decode()
        self.assertIn("text/event-stream", head)
        name, history = self.event(client)
        self.assertEqual(name, "history")
        self.assertEqual(len(history["at"]), len(history["requests"]))
        leat.chat()
        before = time.monotonic()
        frames = [self.event(client) for _ in range(3)]
        self.assertEqual([name for name, _ in frames], ["frame"] * 3)
        self.assertGreater(time.monotonic() - before, 1)
        ats = [frame["at"] for _, frame in frames]
        self.assertTrue(all(900 < b - a < 3000 for a, b in zip(ats, ats[1:])), ats)
        self.assertEqual(frames[-1][1]["counters"]["requests"], leat.metric("leat_requests_total"))
        self.assertEqual([one["outcome"] for one in frames[-1][1]["endpoints"][0]["outcomes"]],
                         ["success"])

    def test_money_and_requests_are_the_operators(self):
        leat = self.start()
        leat.chat()
        frame = json.loads(self.get(leat, "/dashboard/frame")[2])
        self.assertFalse({"money", "running"} & set(frame))
        self.assertFalse(frame["operator"])
        self.assertNotIn("charged_nanodollars", frame["endpoints"][0])
        theirs = json.loads(self.get(leat, "/dashboard/frame", OPERATOR)[2])
        self.assertIn("charged_nanodollars", theirs["money"])
        for path in ("/dashboard/usage", "/dashboard/request?id=gen-1"):
            self.assertEqual(self.get(leat, path)[0], 401, path)
            self.assertEqual(self.get(leat, path, harness.KEY)[0], 401, path)
        for path in ("/dashboard/frame", "/dashboard/events"):
            self.assertEqual(self.get(leat, path, "wrong")[0], 401, path)
        self.assertEqual(self.get(leat, "/dashboard/usage", OPERATOR)[0], 200)

    def test_who_guesses_keys_is_not_listened_to(self):
        leat = self.start()
        answers = [self.get(leat, "/dashboard/frame", f"guess-{i}")[0] for i in range(60)]
        self.assertIn(429, answers)
        self.assertEqual(self.get(leat, "/dashboard/frame")[0], 200)

    def test_what_runs_is_told_with_its_age(self):
        held = []
        leat = self.start(lambda call: held.append(call))
        with leat.connect() as client:
            client.send(harness.chat_request(stream=True))
            until(lambda: held, "the request to be upstream")

            def running():
                return json.loads(self.get(leat, "/dashboard/frame", OPERATOR)[2]).get("running")
            until(lambda: running(), "it to be told")
            [one] = running()
            self.assertTrue(one["id"].startswith("gen-"))
            self.assertEqual((one["key"], one["model"], one["stage"]),
                             ("k1", harness.MODEL, "waiting"))
            answer_well(held[0])
            client.answer()
        until(lambda: running() == [], "it to be gone")

    def test_a_requests_life_is_found_by_its_id(self):
        leat = self.start()
        answer = leat.chat("/api/v1")
        [record] = [json.loads(self.get(leat, f"/dashboard/request?id={answer.json()['id']}",
                                        OPERATOR)[2])["data"]]
        self.assertEqual((record["key"], record["status"]), ("k1", 200))
        self.assertEqual([one["outcome"] for one in record["attempts"]], ["succeeded"])
        self.assertEqual(self.get(leat, "/dashboard/request?id=gen-none", OPERATOR)[0], 404)

    def test_usage_is_told_by_day_and_who(self):
        leat = self.start()
        for _ in range(3):
            leat.chat()
        data = json.loads(self.get(leat, "/dashboard/usage", OPERATOR)[2])["data"]
        self.assertEqual(len(data["days"]), 31)
        self.assertEqual(data["totals"]["requests"][-1], 3)
        self.assertEqual([one["name"] for one in data["by"]["key"]], ["k1"])
        self.assertEqual([one["name"] for one in data["by"]["model"]], [harness.MODEL])

    def test_there_are_only_so_many_watchers(self):
        leat = self.start()
        clients = [self.watch(leat) for _ in range(WATCHERS_MAX)]
        for client in clients:
            self.assertIn(b" 200 ", self.take(client, b"\r\n\r\n"))
        self.assertIn(b" 503 ", self.take(self.watch(leat), b"\r\n\r\n"))
        clients[0].sock.close()

        def is_free():
            return b" 200 " in self.take(self.watch(leat), b"\r\n\r\n")
        until(is_free, "a place to be free")

    def test_who_does_not_read_gets_fewer_frames_and_holds_up_nobody(self):
        leat = self.start()
        lazy = Client(int(leat.admin.rsplit(":", 1)[1]))
        self.addCleanup(lazy.sock.close)
        lazy.sock.setsockopt(harness.socket.SOL_SOCKET, harness.socket.SO_RCVBUF, 4096)
        lazy.send(b"GET /dashboard/events HTTP/1.1\r\nhost: x\r\n\r\n")
        reader = self.watch(leat)
        self.take(reader, b"\r\n\r\n")
        names = [self.event(reader)[0] for _ in range(4)]
        self.assertEqual(names, ["history", "frame", "frame", "frame"])


class Top(Case):
    def top(self, *arguments, **environment):
        return subprocess.run([harness.LEAT, "top", *arguments, "--once"], capture_output=True,
                              text=True, timeout=30, env={**os.environ, **environment},
                              check=False)

    def test_one_frame_is_printed_without_colour(self):
        leat = self.start()
        leat.chat()
        for where in (["--socket", str(self.socket)], ["--admin", leat.admin]):
            done = self.top(*where)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("serving", done.stdout)
            self.assertIn(harness.MODEL, done.stdout)
            self.assertNotIn("\x1b", done.stdout)
        self.assertIn("charged $", self.top("--socket", str(self.socket)).stdout)
        self.assertNotIn("charged $", self.top("--admin", leat.admin).stdout)
        keyed = self.top("--admin", leat.admin, LEAT_OPERATOR_KEY=OPERATOR)
        self.assertIn("charged $", keyed.stdout)

    def test_the_screen_lives_and_leaves_the_terminal_as_it_was(self):
        leat = self.start()
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        columns = 100
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        before = termios.tcgetattr(theirs)
        process = subprocess.Popen([harness.LEAT, "top", "--socket", str(self.socket)],
                                   stdin=theirs, stdout=theirs, stderr=theirs)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        shown = bytearray()

        def has(mark, times=1):
            if select.select([ours], [], [], 0.05)[0]:
                shown.extend(os.read(ours, 1 << 16))
            return shown.count(mark) >= times

        until(lambda: has(harness.MODEL.encode()) or not leat.chat(), "the first frame")
        self.assertIn(b"serving", shown)
        self.assertEqual(shown.count(b"\x1b[?1049h"), 1, "on a screen of its own")
        until(lambda: has(b"\x1b[H", 3), "a frame each second", 10)
        frame = bytes(shown).rsplit(b"\x1b[H", 1)[0].rsplit(b"\x1b[H", 1)[1].decode()
        lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame).split("\r\n")
        self.assertLessEqual(len(lines), 30)
        self.assertLessEqual(max(len(line) for line in lines), columns)
        os.write(ours, b"q")
        until(lambda: has(b"\x1b[?1049l") and process.poll() is not None, "its end")
        self.assertEqual(process.returncode, 0)
        self.assertEqual(termios.tcgetattr(theirs), before)
        os.close(theirs)

    def test_what_is_wrong_is_said(self):
        leat = self.start()
        refused = self.top("--admin", leat.admin, LEAT_OPERATOR_KEY="wrong")
        self.assertEqual((refused.returncode, refused.stdout), (66, ""))
        self.assertIn("refuses that key", refused.stderr)
        nobody = self.top("--admin", "http://127.0.0.1:1")
        self.assertEqual(nobody.returncode, 66)
        self.assertEqual(self.top().returncode, 64)


if __name__ == "__main__":
    harness.main()
