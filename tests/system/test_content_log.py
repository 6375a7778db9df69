#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: content is written nowhere unless the operator turned that on for the key that asks; then
what was asked and answered is, redacted, for the owner's eyes alone, and no key is in it, for as
long as it is to be kept; a reload turns it on and off, and a folder that takes nothing costs no
request.
Method: the real leat with a provider that repeats what it is told to, and every byte that it leaves
in its folder.

Usage: test_content_log.py LEAT"""

import base64
import json
import os
import pathlib
import resource
import stat
import subprocess
import tempfile
import time
import urllib.request

import harness
from harness import SSE_HEAD, chunk, event, reply, request, until

LOGGED_KEY = "sk-canary-0123456789-abcdef"
PROMPT = "canary-prompt-5f1e"
ANSWER = "canary-answer-77aa"
MAIL = "bob.canary@example.com"
CARD = "4111 1111 1111 1111"
ENVIRONMENT = {"LEAT_TEST_LOGGED_KEY": LOGGED_KEY}


def answer(call):
    """Says ANSWER and an address, whole or as a stream cut within the address."""
    if call.json().get("stream"):
        words = [f"{ANSWER} to ", MAIL[:6], MAIL[6:], "."]
        call.send(SSE_HEAD + b"".join(chunk(event({"content": word})) for word in words)
                  + chunk(event({}, "stop")) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
    else:
        call.send(reply(harness.completion(f"{ANSWER} to {MAIL}")))


def extra(folder, settings="", log_content="true"):
    text = f'[[keys]]\nname = "logged"\nsecret = {{ env = "LEAT_TEST_LOGGED_KEY" }}\n'
    text += f"log_content = {log_content}\n" if log_content else ""
    return text + (f'[content_log]\nfolder = "{folder}"\n{settings}' if folder else "")


def body(content=f"{PROMPT} of {MAIL}, {CARD}", **fields):
    return json.dumps({"model": harness.MODEL, "messages": [{"role": "user", "content": content}],
                       **fields}).encode()


def ask(leat, key=LOGGED_KEY, face="/v1", sent=None, **fields):
    with leat.connect() as client:
        client.send(request(target=face + "/chat/completions", key=key,
                            body=body(**fields) if sent is None else sent))
        return client.answer()


class ContentLogCase(harness.Case):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = pathlib.Path(made.name, "content")
        self.provider_ = self.provider(answer)

    def start(self, settings="", log_content="true", folder=None, **options):
        return self.leat([self.provider_], environment=ENVIRONMENT,
                         extra=extra(self.folder if folder is None else folder, settings,
                                     log_content), **options)

    def files(self):
        return sorted(self.folder.iterdir()) if self.folder.exists() else []

    def text(self):
        return "".join(file.read_text() for file in self.files())

    def records(self, leat, count):
        until(lambda: leat.metric("leat_content_log_written_total") >= count, f"{count} records")
        records = [json.loads(line) for line in self.text().splitlines()]
        self.assertEqual(len(records), count)
        return records

    # ---- Off

    def test_nothing_is_written_by_default(self):
        leat = self.leat([self.provider_])
        self.assertEqual(leat.chat().status, 200)
        self.assertNotIn("content_log", leat.get_admin("/metrics")[1])
        self.assertFalse(any(PROMPT in line or "content" in line for line in leat.lines))
        for file in pathlib.Path(leat.directory.name).rglob("*"):
            self.assertNotIn(b'"content":"hi"', file.read_bytes() if file.is_file() else b"")

    def test_a_folder_alone_logs_nothing(self):
        leat = self.start(log_content="")
        self.assertEqual(ask(leat).status, 200)
        self.assertEqual(ask(leat, key=harness.KEY, stream=True).status, 200)
        leat.close()
        self.assertEqual(self.files(), [])

    def test_a_key_without_a_folder_is_a_fault(self):
        with self.assertRaisesRegex(AssertionError, r"keys\[1\]\.log_content"):
            self.start(folder="")

    # ---- On

    def test_only_the_key_that_is_switched_on(self):
        leat = self.start()
        self.assertIn(f"leat: content of 1 key is logged in {self.folder}", leat.lines)
        self.assertEqual(ask(leat, key=harness.KEY).status, 200)
        self.assertEqual(ask(leat, key=harness.KEY, stream=True, face="/api/v1").status, 200)
        told = ask(leat)
        record, = self.records(leat, 1)
        self.assertEqual(record["id"], told.field("x-generation-id"))
        self.assertEqual(record["request_id"], told.field("x-request-id"))
        self.assertEqual((record["key"], record["status"], record["api"]), ("logged", 200, "chat"))
        self.assertEqual((record["model_asked"], record["model"], record["provider"]),
                         (harness.MODEL, harness.MODEL, "p0"))
        self.assertEqual(record["finish_reason"], "stop")
        self.assertNotIn("streamed", record)
        self.assertEqual(record["request"]["messages"][0]["content"],
                         f"{PROMPT} of [redacted:email], [redacted:card]")
        self.assertEqual(record["answer"]["choices"][0]["message"]["content"],
                         f"{ANSWER} to [redacted:email]")
        self.assertRegex(record["time"], r"^20\d\d-\d\d-\d\dT[\d:.]+Z$")

    def test_streams_are_put_together(self):
        leat = self.start()
        for face in "/v1", "/api/v1":
            self.assertIn(MAIL, ask(leat, stream=True, face=face).text())
        for record in self.records(leat, 2):
            self.assertTrue(record["streamed"])
            self.assertEqual(record["finish_reason"], "stop")
            said = {"role": "assistant", "content": f"{ANSWER} to [redacted:email]."}
            self.assertEqual(record["answer"]["choices"], [{"index": 0, "message": said}])

    def test_no_key_and_nothing_redacted_is_in_any_file(self):
        leat = self.start()
        for stream in False, True:
            # Escaped, as a client may write it.
            sent = body(stream=stream).replace(b"@", b"\\u0040").replace(b"4111 ", b"\\u0034111 ")
            self.assertEqual(ask(leat, sent=sent).status, 200)
        self.assertEqual(ask(leat, user=MAIL, metadata={MAIL: LOGGED_KEY}).status, 200)
        self.records(leat, 3)
        leat.close()
        text = self.text()
        self.assertEqual(text.count(PROMPT), 3)
        for secret in (LOGGED_KEY, harness.KEY, harness.PROVIDER_KEY, MAIL, "example.com", CARD,
                       "1111 1111", "Bearer", "uthorization"):
            self.assertFalse(secret in text, f"{secret[:6]}... stands in the log")

    def test_files_are_the_owners_alone(self):
        leat = self.start(preexec=lambda: os.umask(0))
        ask(leat)
        self.records(leat, 1)
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        file, = self.files()
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)

    def test_media_are_left_out_and_long_ones_cut(self):
        leat = self.start("body_bytes_max = 2048\n")
        image = "data:image/png;base64," + base64.b64encode(os.urandom(60_000)).decode()
        parts = [{"type": "image_url", "image_url": {"url": image}},
                 {"type": "text", "text": PROMPT}, {"type": "text", "text": "word " * 1000}]
        self.assertEqual(ask(leat, content=parts).status, 200)
        record, = self.records(leat, 1)
        kept = record["request"]["messages"][0]["content"]
        self.assertEqual(kept[0]["image_url"]["url"],
                         "data:image/png;base64,[80000 bytes left out]")
        self.assertEqual(kept[1]["text"], PROMPT)
        self.assertTrue(kept[2]["text"].startswith("word word"))
        self.assertLess(len(kept[2]["text"]), 2048)
        self.assertTrue(record["request_truncated"])
        self.assertNotIn("answer_truncated", record)

    def test_of_a_large_answer_the_beginning(self):
        self.provider_ = self.provider(
            lambda call: call.send(reply(harness.completion("begun " + "word " * 400_000))))
        leat = self.start()
        self.assertEqual(len(ask(leat).json()["choices"][0]["message"]["content"]), 2_000_006)
        record, = self.records(leat, 1)
        kept = record["answer"]["choices"][0]["message"]["content"]
        self.assertTrue(kept.startswith("begun word word"))
        self.assertTrue(60_000 < len(kept) < 65_536, len(kept))
        self.assertTrue(record["answer_truncated"])
        self.assertEqual(record["status"], 200)

    def test_one_part_alone(self):
        leat = self.start('parts = ["answer"]\nredact = []\n')
        ask(leat)
        record, = self.records(leat, 1)
        self.assertNotIn("request", record)
        self.assertIn(MAIL, record["answer"]["choices"][0]["message"]["content"])
        self.assertNotIn("redacted", record)

    def test_of_other_kinds_than_chats(self):
        def script(call):
            if "/embeddings" in call.head:
                return call.send(reply({
                    "object": "list", "model": "m",
                    "usage": {"prompt_tokens": 1, "total_tokens": 1},
                    "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -0.25]}]}))
            data = {"id": "c", "object": "text_completion", "created": 1, "model": "m"}
            events = [{**data, "choices": [{"index": 0, "text": text, "finish_reason": reason}]}
                      for text, reason in (("once ", None), (MAIL, None), ("", "stop"))]
            return call.send(SSE_HEAD + b"".join(
                chunk(b"data: " + json.dumps(each).encode() + b"\n\n") for each in events)
                + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

        self.provider_ = self.provider(script)
        leat = self.start()
        for path, members in (("completions", {"prompt": MAIL, "stream": True}),
                              ("embeddings", {"input": MAIL})):
            with leat.connect() as client:
                client.send(request(target="/v1/" + path, key=LOGGED_KEY, body=json.dumps(
                    {"model": harness.MODEL, **members}).encode()))
                self.assertEqual(client.answer().status, 200)
        text, vectors = self.records(leat, 2)
        self.assertEqual(text["request"]["prompt"], "[redacted:email]")
        self.assertEqual(text["answer"]["choices"],
                         [{"index": 0, "text": "once [redacted:email]"}])
        self.assertEqual(vectors["request"]["input"], "[redacted:email]")
        self.assertEqual(vectors["answer"]["data"][0]["embedding"], [0.5, -0.25])

    def test_a_request_that_two_providers_were_asked_for_is_one_record(self):
        failing = self.provider(lambda call: call.send(
            SSE_HEAD + chunk(event({"role": "assistant", "content": ""}))) or "close")
        leat = self.leat([failing, self.provider_], environment=ENVIRONMENT,
                         extra=extra(self.folder))
        self.assertEqual(ask(leat, stream=True).status, 200)
        record, = self.records(leat, 1)
        self.assertEqual(record["provider"], "p1")
        self.assertEqual(record["answer"]["choices"][0]["message"]["content"],
                         f"{ANSWER} to [redacted:email].")

    # ---- How requests end

    def test_refused_failed_and_left_requests_are_records_too(self):
        def script(call):
            if "break" in call.json()["messages"][0]["content"]:
                call.send(SSE_HEAD + chunk(event({"content": "half"})))
                return "close"
            if "hang" in call.json()["messages"][0]["content"]:
                call.send(SSE_HEAD + chunk(event({"content": "begun"})))
                return None if call.is_cut() else None
            call.send(reply({"error": {"message": "no"}}, "400 Bad Request"))
            return None

        self.provider_ = self.provider(script)
        leat = self.start()
        self.assertEqual(ask(leat, model="acme/none").status, 404)
        self.assertEqual(ask(leat, content="refuse me").status, 400)
        self.assertFalse(ask(leat, content="break", stream=True).whole)
        with leat.connect() as client:
            client.send(request(body=body(content="hang", stream=True), key=LOGGED_KEY))
            client.read_until(b"begun")
            client.reset()
        by = {r["request"]["messages"][0]["content"].split(" ")[0]: r
              for r in self.records(leat, 4)}
        self.assertEqual(by[PROMPT]["status"], 404)
        self.assertEqual(by["refuse"]["status"], 400)
        for name in PROMPT, "refuse":
            self.assertIn("error", by[name])
            self.assertNotIn("answer", by[name])
            self.assertNotIn("provider", by[name])
        self.assertEqual(by["break"]["answer"]["choices"][0]["message"]["content"], "half")
        self.assertIn("error", by["break"])
        self.assertTrue(by["hang"]["cancelled"])
        self.assertEqual(by["hang"]["answer"]["choices"][0]["message"]["content"], "begun")

    def test_with_a_ledger(self):
        ledger = tempfile.TemporaryDirectory()
        self.addCleanup(ledger.cleanup)
        leat = self.start(f'[ledger]\nfolder = "{ledger.name}"\n')
        for stream in False, True:
            self.assertEqual(ask(leat, stream=stream).status, 200)
        for record in self.records(leat, 2):
            self.assertEqual(record["status"], 200)
            self.assertIn("answer", record)

    # ---- Switched while it runs

    def test_a_reload_switches_a_key_on_and_off(self):
        socket = self.folder.with_name("admin.sock")
        leat = self.start(log_content="false", admin=f'socket = "{socket}"\n')
        self.assertEqual(ask(leat).status, 200)
        for value, expected in ("true", 1), ("false", 1), ("true", 2):
            leat.rewrite(lambda text: text.replace("log_content = true", "log_content = false")
                         .replace("log_content = false", f"log_content = {value}"))
            done = subprocess.run([harness.LEAT, "reload", "--socket", str(socket)],
                                  capture_output=True, text=True, timeout=60 * harness.SLOW,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("keys.logged.log_content", done.stdout)
            self.assertEqual(ask(leat).status, 200)
            self.records(leat, expected)
        leat.close()
        self.assertEqual(self.text().count(PROMPT), 2)

    def test_a_reload_changes_all_but_the_folder(self):
        socket = self.folder.with_name("admin.sock")
        leat = self.start('parts = ["answer"]\n', admin=f'socket = "{socket}"\n')

        def reload(before, after):
            leat.rewrite(lambda text: text.replace(before, after))
            return subprocess.run([harness.LEAT, "reload", "--socket", str(socket)],
                                  capture_output=True, text=True, timeout=60 * harness.SLOW,
                                  check=False)

        self.assertEqual(ask(leat).status, 200)
        self.assertNotIn("request", self.records(leat, 1)[0])
        self.assertNotIn(MAIL, self.text())
        done = reload('parts = ["answer"]\n', 'parts = ["request"]\nredact = ["card"]\n')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("content_log.redact", done.stdout)
        self.assertEqual(ask(leat).status, 200)
        record = self.records(leat, 2)[1]
        self.assertNotIn("answer", record)
        self.assertIn(MAIL, json.dumps(record["request"]))
        self.assertNotIn(CARD, self.text())
        done = reload(f'folder = "{self.folder}"', f'folder = "{self.folder}2"')
        self.assertEqual(done.returncode, 78)
        self.assertIn("content_log.folder: cannot change while Leat runs", done.stderr)

    def test_a_key_of_an_account_is_switched_by_the_operator(self):
        operator = "operator-key-0123456789-0123456789"
        leat = self.leat([self.provider_],
                         environment={**ENVIRONMENT, "LEAT_TEST_OPERATOR": operator},
                         admin='operator_key = { env = "LEAT_TEST_OPERATOR" }\n',
                         extra=extra(self.folder, log_content="") +
                         f'[accounts]\nstore_file = "{self.folder.with_name("store.db")}"\n')

        def manage(method, path, members):
            asked = urllib.request.Request(
                leat.admin + "/api/v1" + path, json.dumps(members).encode(),
                {"authorization": f"Bearer {operator}", "content-type": "application/json"},
                method=method)
            with urllib.request.urlopen(asked, timeout=10 * harness.SLOW) as told:
                return json.loads(told.read())

        made = manage("POST", "/keys", {"name": "made"})
        key, path = made["key"], "/keys/" + made["data"]["hash"]
        self.assertFalse(made["data"]["log_content"])
        until(lambda: ask(leat, key=key).status == 200, "the key")
        self.assertTrue(manage("PATCH", path, {"log_content": True})["data"]["log_content"])

        def is_logged():
            self.assertEqual(ask(leat, key=key).status, 200)
            return self.text()

        until(is_logged, "a record")
        for line in self.text().splitlines():
            self.assertRegex(json.loads(line)["key"], "^#[0-9]+$")
        self.assertNotIn(key, self.text())

    # ---- Files that come and go

    def test_old_files_go_and_others_stay(self):
        self.folder.mkdir(mode=0o700)
        old, young, other = (self.folder / name for name in
                             ("content-20200101-000000-1-1.jsonl",
                              "content-20200102-000000-1-1.jsonl", "mine.jsonl"))
        for file, days in (old, 8), (young, 6), (other, 999):
            file.write_text("{}\n")
            then = time.time() - days * 86_400
            os.utime(file, (then, then))
        self.start("retention_days = 7\n")
        until(lambda: not old.exists(), "the old file to go")
        self.assertTrue(young.exists() and other.exists())

    def test_a_full_file_is_followed_and_the_oldest_goes(self):
        leat = self.start("body_bytes_max = 1048576\nfile_mib_max = 1\ntotal_mib_max = 2\n"
                          'parts = ["request"]\n')
        names = set()
        for number in range(1, 6):
            self.assertEqual(ask(leat, content="word " * 150_000).status, 200)
            until(lambda: leat.metric("leat_content_log_written_total") == number, "the record")
            names.update(file.name for file in self.files())
        self.assertEqual(len(names), 5)
        left = self.files()
        self.assertLess(len(left), 5)
        self.assertLessEqual(sum(file.stat().st_size for file in left), 3 << 20)
        self.assertEqual(left[-1].name, max(names, key=lambda name: int(name.split("-")[4][:-6])))

    def test_a_broken_folder_costs_no_request(self):
        leat = self.start()
        self.assertEqual(ask(leat).status, 200)
        self.records(leat, 1)
        self.folder.rename(self.folder.with_name("away"))
        for file in self.folder.with_name("away").iterdir():
            file.unlink()
        for number in range(1, 4):
            self.assertEqual(ask(leat, stream=True).status, 200)
            until(lambda: leat.metric("leat_content_log_dropped_total") == number, "the drop")
        until(lambda: "content log:" in leat.log(), "the line that says so")
        self.assertNotIn(PROMPT, leat.log())
        self.folder.with_name("away").rename(self.folder)
        self.assertEqual(ask(leat).status, 200)
        until(lambda: leat.metric("leat_content_log_written_total") == 2, "the next record")
        self.assertEqual(self.text().count(PROMPT), 1)

    def test_a_disk_that_is_full_costs_no_request(self):
        def small():
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        leat = self.start(preexec=small)
        for number in range(1, 5):
            self.assertEqual(ask(leat, content="word " * 1_200).status, 200)
            until(lambda: leat.metric("leat_content_log_dropped_total") == number, "the drop")
        self.assertEqual(self.text(), "")
        self.assertEqual(ask(leat).status, 200)
        self.records(leat, 1)

    def test_a_folder_that_others_can_read_keeps_it_from_starting(self):
        self.folder.mkdir()
        self.folder.chmod(0o750)
        with self.assertRaisesRegex(AssertionError, "content_log.folder: .*chmod 700"):
            self.start()
        with self.assertRaisesRegex(AssertionError, "content_log.folder: cannot make"):
            self.start(folder=self.folder.with_name("no") / "folder")


if __name__ == "__main__":
    harness.main()
