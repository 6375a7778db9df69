#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: no secret leaves the process but to whom it is for: not in logs, metrics, refusals,
records, the store, reports, pages or a core file, whatever happens to requests and process.
Method: the real leat in which every secret and prompt is a canary; good, refused, failing and
broken requests, an abort; then all that was written or answered is searched for each canary as it
is and as base64, hexadecimal, URL and JSON would have it.

Usage: test_canaries.py LEAT"""

import base64
import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import harness
from harness import SSE_HEAD, Case, chat_body, chunk, completion, event, reply, request

CLIENT = "canary-client-7Qm2Zr9xWv4"
WRONG = "canary-wrong-key-8Lk3Pq0aTy"
PROVIDER = "canary-provider-5Xc1Vb6nMj"
OPERATOR = "canary-operator-2Hg7Fd4sKp-0123456789"
MASTER = "c0ffee0ddba11cafe0ddf00dba5eba11c0ffee0ddba11cafe0ddf00dba5eba11"
OWN = "canary-own-key-9Rt5Yu1iOe"
SENT = "canary-sent-along-3Ui8Op2z"
PROMPT = "canary-prompt \"quoted\" /slash & more 3Zx"
ANSWER = "canary-answer-6Bn2Mw8q"
COOKIE = "canary-cookie-1As9Df7g"
HEADER = "canary-header-4Jk6Lz0x"

PAGES = ("/", "/healthz", "/readyz", "/metrics", "/dashboard", "/api/v1/keys", "/api/v1/byok",
         "/api/v1/workspaces", "/api/v1/credits", "/api/v1/activity", "/api/v1/nothing")


def forms(secret):
    """The secret as it might be written: by each name, bytes to look for."""
    raw = secret.encode()
    found = {"raw": raw, "hex": raw.hex().encode(), "HEX": raw.hex().upper().encode(),
             "url": urllib.parse.quote(secret, safe="").encode(),
             "json": json.dumps(secret)[1:-1].encode()}
    # Where in a base64 text it begins is one of three; its edges depend on what is beside it.
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + raw)
        found[f"base64+{shift}"] = text[4:-4]
        found[f"base64url+{shift}"] = base64.urlsafe_b64encode(b"x" * shift + raw)[4:-4]
    return found


def hits(secrets, outputs):
    """Which secret stands in which output, in which form."""
    return [f"{name} ({form}) in {place}" for name, secret in secrets.items()
            for form, text in forms(secret).items()
            for place, data in outputs.items() if text in data]


def leaky(call):
    """A provider that tells its key, and the prompt, wherever it can."""
    user = call.json().get("user")
    key = SENT if SENT in call.head else PROVIDER
    told = f"bad key {key}: {PROMPT}"
    error = json.dumps({"error": {"message": told, "code": key, "type": OWN}}).encode()
    if user == "refused":
        call.send(reply(json.loads(error), "401 Unauthorized"))
    if user == "fails":
        call.send(reply(json.loads(error), "500 Internal Server Error",
                        f"x-leak: {key}\r\n"))
    if user == "cut":
        call.send(SSE_HEAD + chunk(event({"content": ANSWER})))
        return "close"
    if user == "garbage":
        call.send(b"HTTP/1.1 200 OK\r\n" + key.encode() + b"\r\n\r\n")
    if user not in ("refused", "fails", "garbage"):
        call.send(reply(completion(ANSWER)))
    return "kept"


class Canaries(Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("ledger", "run", "tls"):
            (self.folder / name).mkdir()
        key = self.folder / "tls" / "key.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
                        "/CN=localhost", "-keyout", key, "-out", self.folder / "tls" / "c.pem"],
                       check=True, capture_output=True)
        lines = key.read_text().splitlines()
        self.secrets = {"client key": CLIENT, "wrong key": WRONG, "provider key": PROVIDER,
                        "operator key": OPERATOR, "master key": MASTER, "own key": OWN,
                        "key sent along": SENT,
                        "prompt": PROMPT, "answer": ANSWER, "cookie": COOKIE, "header": HEADER,
                        "TLS key": lines[len(lines) // 2]}
        self.outputs = {}

    def start(self):
        extra = (f'[ledger]\nfolder = "{self.folder}/ledger"\nsegment_mib = 1\n'
                 f'[accounts]\nstore_file = "{self.folder}/run/store.db"\n'
                 'master_key = { env = "LEAT_TEST_MASTER" }\nprovider_keys_in_requests = true\n'
                 f'[routing]\nhealth_file = "{self.folder}/run/health.json"\n'
                 f'[log]\naccess = "json"\naccess_file = "{self.folder}/run/access.log"\n')
        admin = ('operator_key = { env = "LEAT_TEST_OPERATOR" }\n'
                 f'socket = "{self.folder}/run/admin.sock"\n')
        tls = (f'[server.tls]\ncertificate = "{self.folder}/tls/c.pem"\n'
               f'key = "{self.folder}/tls/key.pem"\n')

        def preexec():
            resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY,) * 2)
            os.chdir(self.folder / "run")

        def no_limit():
            try:
                preexec()
            except (OSError, ValueError):
                os.chdir(self.folder / "run")

        return self.leat([self.provider(leaky)], admin=admin, extra=extra, server=tls,
                         preexec=no_limit,
                         environment={"LEAT_TEST_KEY": CLIENT, "LEAT_TEST_PROVIDER_KEY": PROVIDER,
                                      "LEAT_TEST_OPERATOR": OPERATOR, "LEAT_TEST_MASTER": MASTER})

    def manage(self, leat, method, path, body=None):
        """The answer is an output, too."""
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(
            leat.admin + path, data, {"content-type": "application/json",
                                      "authorization": f"Bearer {OPERATOR}"}, method=method)
        try:
            with urllib.request.urlopen(asked, timeout=10 * harness.SLOW) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                text = error.read()
        self.outputs[f"{method} {path}"] = text
        return text

    def ask(self, leat, name, body, key=CLIENT, target="/api/v1/chat/completions", is_good=False,
            more=""):
        """Its answer is an output, where it is none that the prompt's owner is to have."""
        fields = f"Cookie: {COOKIE}\r\nX-Own: {HEADER}\r\nX-Title: an app\r\n{more}"
        with leat.connect() as client:
            client.send(request(target=target, body=body, fields=fields, key=key))
            answer = client.answer()
        self.outputs[f"head of {name}"] = str(answer.head).encode()
        if not is_good:
            # What a provider said of the prompt is for whoever asked; keys are not.
            self.outputs[f"answer to {name}"] = bytes(answer.body).replace(
                json.dumps(PROMPT)[1:-1].encode(), b"")
        return answer

    def run_requests(self, leat):
        messages = [{"role": "user", "content": PROMPT}]
        good = {"messages": messages, "max_tokens": 5, "model": harness.MODEL}
        for face in ("/v1", "/api/v1"):
            answer = self.ask(leat, "a good one", json.dumps(good).encode(),
                              target=face + "/chat/completions", is_good=True)
            self.assertEqual(answer.status, 200)
        for user in ("refused", "fails", "garbage"):
            body = json.dumps({**good, "user": user}).encode()
            answer = self.ask(leat, user, body)
            self.assertGreaterEqual(answer.status, 400, user)
        along = json.dumps({"p0": SENT})
        for name, keys in (("a key sent along", along), ("broken keys", along[:-1]),
                           ("a stranger's", json.dumps({"p0": SENT, "x": SENT}))):
            for user in ("refused", "fails", "garbage"):
                self.ask(leat, name, json.dumps({**good, "user": user}).encode(),
                         more=f"X-Provider-API-Keys: {keys}\r\n")
        self.ask(leat, "cut", json.dumps({**good, "user": "cut", "stream": True}).encode(),
                 is_good=True)
        self.ask(leat, "a simulated one", json.dumps({**good, "model": "leat/simulated"}).encode(),
                 is_good=True)
        for name, body in (("half a body", json.dumps(good).encode()[:-9]),
                           ("a bad type", json.dumps({**good, "max_tokens": PROMPT}).encode()),
                           ("a double key", b'{"model":"x","model":' + json.dumps(PROMPT).encode()
                            + b"}"),
                           ("no model", json.dumps({**good, "model": "not/there"}).encode())):
            self.assertGreaterEqual(self.ask(leat, name, body).status, 400, name)
        for _ in range(3):
            self.assertEqual(self.ask(leat, "a wrong key", chat_body(), key=WRONG).status, 401)
        with leat.connect() as client:
            client.send(f"POST /v1/{CLIENT} HTTP/1.1\r\nHost: x\r\n"
                        f"Cookie {COOKIE}\r\n\r\n".encode())
            self.outputs["a bad head"] = bytes(client.answer().body)

    def gather(self, leat):
        self.outputs["log"] = leat.log().encode()
        self.outputs["what it said at start"] = "\n".join(leat.lines).encode()
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and path.parent.name != "tls":
                self.outputs[str(path.relative_to(self.folder))] = path.read_bytes()

    def command(self, *words):
        done = subprocess.run([harness.LEAT, *words], capture_output=True, timeout=60)
        self.outputs["leat " + " ".join(words[:2])] = done.stdout + done.stderr

    def test_the_search_finds_what_is_there(self):
        for form, text in forms(PROMPT).items():
            found = hits({"prompt": PROMPT}, {"a file": b"before " + text + b" after"})
            self.assertTrue(found, form)
        within = base64.b64encode(b"key=" + PROVIDER.encode() + b"; more")
        self.assertTrue(hits({"provider": PROVIDER}, {"base64": within}))
        self.assertFalse(hits({"prompt": PROMPT}, {"a file": b"nothing of it"}))

    def test_no_secret_is_in_anything_that_is_written_or_told(self):
        leat = self.start()
        self.manage(leat, "POST", "/api/v1/byok", {"provider": "p0", "key": OWN})
        self.run_requests(leat)
        for path in PAGES:
            self.manage(leat, "GET", path)
        self.manage(leat, "POST", "/api/v1/explain?key=k1", json.loads(chat_body(user=HEADER)))
        socket = str(self.folder / "run" / "admin.sock")
        self.command("keys", "list", "--socket", socket)
        harness.until(lambda: leat.metric("leat_ledger_entries_total") >= 5, "records on disk")
        leat.may_end_with = -signal.SIGABRT
        leat.process.send_signal(signal.SIGABRT)
        leat.process.wait(30)
        self.gather(leat)
        for words in (("ledger", "dump"), ("ledger", "verify"), ("ledger", "statement"),
                      ("ledger", "export"), ("usage",)):
            self.command(*words, str(self.folder / "ledger"))
        cores = [path.name for path in (self.folder / "run").iterdir() if "core" in path.name]
        self.assertEqual(cores, [], "a core file was written")
        # There was something to search in.
        self.assertIn(b"refused reason=", self.outputs["log"])
        self.assertIn(b"leat_requests_total", self.outputs["GET /metrics"])
        self.assertIn(b'"status"', self.outputs["leat ledger dump"])
        self.assertGreater(len(self.outputs["run/store.db"]), 4096)
        self.assertEqual(hits(self.secrets, self.outputs), [])


if __name__ == "__main__":
    harness.main()
