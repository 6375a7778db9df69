#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: the access log has one line for each request that ended, which says what the ledger says;
traces arrive at a collector as OTLP has them, with the caller's trace above and the provider's call
below; a log or a collector that does not keep up costs requests nothing; and no prompt, no answer
and no key is in any of it.
Method: the real leat with a ledger, providers that fail and hang, a pipe that nobody reads, and a
collector that decodes every field strictly, hangs, refuses or goes away.

Usage: test_logs.py LEAT"""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import threading

import harness
from harness import SSE_HEAD, chunk, event, reply, until

SECRET_PROMPT = "canary-prompt-5f1e"
SECRET_ANSWER = "canary-answer-77aa"
COLLECTOR_SECRET = "canary-collector-1b2c3d"
TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def logfmt(line):
    """The pairs of a line of logfmt; fails on what is none."""
    pairs, at = {}, 0
    form = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^\s"=]*)(?: |$)')
    while at < len(line):
        match = form.match(line, at)
        assert match, f"no pair at {at}: {line!r}"
        key, value = match.groups()
        assert key not in pairs, f"{key} twice: {line!r}"
        pairs[key] = json.loads(value) if value.startswith('"') else value
        at = match.end()
    return pairs


# ---- A collector ---------------------------------------------------------------------------------


def hexadecimal(text, size):
    assert isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text), text
    assert set(text) != {"0"}, "an id of zeros"
    return text


def integer(text):
    assert isinstance(text, str) and re.fullmatch(r"-?\d+", text), f"no int64 of OTLP: {text!r}"
    return int(text)


def attribute_value(value):
    assert isinstance(value, dict) and len(value) == 1, value
    (kind, inner), = value.items()
    if kind == "stringValue":
        assert isinstance(inner, str)
        return inner
    if kind == "intValue":
        return integer(inner)
    if kind == "doubleValue":
        assert isinstance(inner, (int, float)) and not isinstance(inner, bool)
        return float(inner)
    if kind == "boolValue":
        assert isinstance(inner, bool)
        return inner
    assert kind == "arrayValue" and set(inner) == {"values"}, value
    return [attribute_value(each) for each in inner["values"]]


def attributes(pairs):
    found = {}
    for pair in pairs:
        assert set(pair) == {"key", "value"} and pair["key"] not in found, pair
        found[pair["key"]] = attribute_value(pair["value"])
    return found


SPAN_KEYS = {"traceId", "spanId", "parentSpanId", "flags", "name", "kind", "startTimeUnixNano",
             "endTimeUnixNano", "attributes", "status"}


def decode_span(span):
    assert set(span) <= SPAN_KEYS, set(span) - SPAN_KEYS
    parent = span.get("parentSpanId")
    start, end = integer(span["startTimeUnixNano"]), integer(span["endTimeUnixNano"])
    assert 1.6e18 < start <= end, (start, end)
    assert span["kind"] in (2, 3) and isinstance(span["flags"], int)
    assert set(span.get("status", {})) <= {"code"}
    return {"trace": hexadecimal(span["traceId"], 16), "id": hexadecimal(span["spanId"], 8),
            "parent": hexadecimal(parent, 8) if parent else None, "name": span["name"],
            "kind": span["kind"], "start": start, "end": end,
            "is_error": span.get("status", {}).get("code") == 2,
            "attributes": attributes(span["attributes"])}


def decode_export(body):
    export = json.loads(body)
    assert set(export) == {"resourceSpans"}
    spans = []
    for resource in export["resourceSpans"]:
        assert set(resource) == {"resource", "scopeSpans"}
        assert attributes(resource["resource"]["attributes"])["service.name"]
        for scope in resource["scopeSpans"]:
            assert set(scope) == {"scope", "spans"} and scope["scope"]["name"] == "leat"
            spans += [decode_span(span) for span in scope["spans"]]
    return spans


class Collector(harness.Provider):
    """`behave(number)`: what becomes of an export: a status, or None for none."""

    def __init__(self, behave=lambda number: 200, fields=""):
        self.behave = behave
        self.fields = fields
        self.exports = []
        self.faults = []
        super().__init__(self.take)

    def take(self, call):
        number = len(self.exports)
        try:
            assert call.head.startswith("POST /v1/traces HTTP/1.1\r\n"), call.head
            assert re.search(r"(?i)\r\ncontent-type: application/json\r\n", call.head), call.head
            self.exports.append(decode_export(call.body))
        except (AssertionError, KeyError, ValueError) as fault:
            self.faults.append(repr(fault))
        status = self.behave(number)
        if status is None:
            call.is_cut(60)
            return "close"
        if status == "close":
            return "close"
        return call.send(reply({}, f"{status} x", self.fields))

    def url(self):
        return f"http://127.0.0.1:{self.port}/v1/traces"

    def spans(self):
        assert not self.faults, self.faults
        return [span for export in self.exports for span in export]


class Logs(harness.Case):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.access = pathlib.Path(self.folder.name, "access.log")
        self.hanging = []

    def serve(self, providers, access="json", sections="", collector=None, trace="", **options):
        ledger = pathlib.Path(self.folder.name, "ledger")
        ledger.mkdir(exist_ok=True)
        extra = f'[ledger]\nfolder = "{ledger}"\nsegment_mib = 1\n'
        extra += f'[log]\naccess = "{access}"\naccess_file = "{self.access}"\n'
        if collector:
            extra += f'[trace]\nendpoint = "{collector.url()}"\n{trace}\n'
        return self.leat(providers, extra=extra + sections, **options)

    def collector(self, *arguments, **options):
        made = Collector(*arguments, **options)
        self.addCleanup(made.close)
        return made

    def lines(self, read=json.loads):
        text = self.access.read_text() if self.access.exists() else ""
        return [read(line) for line in text.split("\n")[:-1]]

    def records(self):
        dumped = subprocess.run([harness.LEAT, "ledger", "dump", self.folder.name + "/ledger"],
                                capture_output=True, text=True)
        self.assertEqual(dumped.returncode, 0, dumped.stderr)
        return {each["id"]: each for each in map(json.loads, dumped.stdout.splitlines())}

    # ---- The access log ----

    def unlike_ends(self, leat):
        """Requests of every end; how many."""
        for fields in ({}, {"stream": True}, {"user": "refused"},
                       {"stream": True, "user": "cut"}, {"model": "no/such"}):
            leat.chat("/api/v1", **fields)
        leat.chat("/v1", messages="none")
        with leat.connect() as client:
            client.send(harness.chat_request("/v1", stream=True, user="hangs"))
            until(lambda: self.hanging, "the attempt that hangs")
        with leat.connect() as client:
            client.send(harness.request(body=harness.chat_body(), key="wrong-key-0123456789"))
            client.answer()
            client.send(b"GET /v1/models HTTP/1.1\r\nhost: x\r\nauthorization: Bearer "
                        + harness.KEY.encode() + b"\r\n\r\n")
            client.answer()
            client.send(b"GET /v1/none?secret=canary-path HTTP/1.1\r\nhost: x\r\n\r\n")
            client.answer()
            client.send(b"BAD LINE\r\n\r\n")
            client.answer()
        return 11

    def script(self, call):
        way = call.json().get("user")
        if way == "refused":
            return call.send(reply({"error": {"message": SECRET_ANSWER}}, "400 Bad Request"))
        if way == "cut":
            call.send(SSE_HEAD + chunk(event({"content": SECRET_ANSWER})))
            return "close"
        if way == "hangs":
            self.hanging.append(call)
            call.is_cut()
            return "close"
        return harness.answer_well(call)

    def failing(self, call):
        """Before all others: what is well is refused here, so that it goes on to the next."""
        if call.json().get("user"):
            return self.script(call)
        return call.send(reply({"error": {"message": "busy"}}, "503 Service Unavailable"))

    def check_against_ledger(self, lines):
        records = self.records()
        served = {line["id"]: line for line in lines if line.get("attempts_made")}
        self.assertEqual(set(served), set(records))
        for key, record in records.items():
            line = served[key]
            for name in ("request_id", "status", "model_asked", "attempts_made"):
                self.assertEqual(str(line.get(name, "")), str(record[name]), (name, line, record))
            for name in ("prompt_tokens", "completion_tokens", "cached_tokens"):
                self.assertEqual(int(line[name]), record[name], (name, line))
            for name in ("cost", "charge"):
                self.assertEqual(float(line[name]), float(record[name]), (name, line))
            for name in ("streamed", "cancelled", "estimated"):
                self.assertEqual(str(line.get(name, False)).lower(), str(record[name]).lower())
            for name in ("model", "provider", "finish_reason"):
                self.assertEqual(line.get(name, ""), record[name], (name, line))
        return records

    def check_ends(self, access, read):
        providers = [self.provider(self.failing), self.provider(self.script)]
        leat = self.serve(providers, access)
        count = self.unlike_ends(leat)
        until(lambda: len(self.lines(read)) == count, f"{count} lines, {self.lines(read)}")
        lines = self.lines(read)
        records = self.check_against_ledger(lines)
        self.assertEqual(len(records), 5)
        told = sorted((int(line["status"]), line.get("reason", "")) for line in lines)
        self.assertEqual(told, sorted([
            (200, ""), (200, ""), (400, "invalid_request"), (200, "upstream_closed"),
            (404, "model_not_found"), (400, "invalid_request"), (0, ""), (401, "authentication"),
            (200, ""), (404, "not_found"), (400, "bad_request_line")]), lines)
        self.assertEqual(leat.metric("leat_request_events_total"), count)
        self.assertEqual(leat.metric("leat_request_events_dropped_total"), 0)
        self.assertEqual(leat.metric('leat_log_sink_lines_total{sink="access"}'), count)
        for line in lines:
            self.assertEqual(line["client"], "127.0.0.1")
            if line["status"] in (200, "200"):
                self.assertGreater(int(line["bytes_out"]), 100)
        leat.close()
        return lines

    def test_json_says_what_the_ledger_says(self):
        lines = self.check_ends("json", json.loads)
        over = [line for line in lines if line.get("attempts_made") == 2]
        self.assertEqual([each["outcome"] for each in over[0]["attempts"]],
                         ["refused", "succeeded"])
        self.assertEqual([each["status"] for each in over[0]["attempts"]], [503, 200])
        paths = {line.get("path") for line in lines}
        self.assertEqual(paths, {"/api/v1/chat/completions", "/v1/chat/completions", "/v1/models",
                                 None})
        gone = [line for line in lines if line.get("cancelled")]
        self.assertEqual([line["attempts"][-1]["outcome"] for line in gone], ["client_gone"])

    def test_logfmt_says_the_same(self):
        lines = self.check_ends("logfmt", logfmt)
        over = [line for line in lines if line.get("attempts_made") == "2"]
        self.assertRegex(over[0]["attempts"], r"^[^:]+:refused:503:\d+,[^:]+:succeeded:200:\d+$")

    def test_bytes_out_are_those_that_the_client_got(self):
        leat = self.serve([self.provider(harness.answer_well)])
        sizes = []
        for fields in ({}, {"stream": True}):
            with socket.create_connection(("127.0.0.1", leat.port)) as sock:
                sock.sendall(harness.chat_request("/v1", **fields).replace(
                    b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1))
                sizes.append(sum(len(data) for data in iter(lambda: sock.recv(65536), b"")))
        until(lambda: len(self.lines()) == 2, "both lines")
        self.assertEqual([line["bytes_out"] for line in self.lines()], sizes)

    def test_what_clients_write_ends_no_line(self):
        leat = self.serve([self.provider(harness.answer_well)], "logfmt")
        leat.chat("/api/v1", user='x" status=999 \n key=root \u2028 \\"')
        until(lambda: len(self.lines(logfmt)) == 1, "the line")
        line = self.lines(logfmt)[0]
        self.assertEqual((line["user"], line["status"], line["key"]),
                         ('x" status=999 \n key=root \u2028 \\"', "200", "k1"))

    def test_without_a_file_it_goes_to_standard_error_alone(self):
        self.access = "-"
        leat = self.serve([self.provider(self.script)])
        leat.chat("/v1")
        leat.chat("/v1", model="no/such")
        until(lambda: leat.log().count("\n") >= 2, "two lines")
        self.assertEqual([json.loads(line)["status"] for line in leat.log().splitlines()],
                         [200, 404])

    def test_a_file_that_was_moved_away_is_made_anew(self):
        leat = self.serve([self.provider(harness.answer_well)])
        leat.chat("/v1")
        until(lambda: len(self.lines()) == 1, "the line")
        moved = self.access.with_suffix(".1")
        self.access.rename(moved)
        leat.process.send_signal(signal.SIGUSR1)
        until(self.access.exists, "the new file")
        leat.chat("/v1")
        until(lambda: len(self.lines()) == 1, "the line in the new file")
        self.assertEqual(len(moved.read_text().splitlines()), 1)

    def test_a_pipe_that_nobody_reads_costs_requests_nothing(self):
        os.mkfifo(self.access)
        reader = os.open(self.access, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        leat = self.serve([], "json")
        title = "t" * 250
        sent = 0

        def more():
            nonlocal sent
            with leat.connect() as client:
                for _ in range(500):
                    client.send(harness.chat_request("/v1", model="leat/simulated",
                                                     user=title, max_tokens=1))
                    assert client.answer().status == 200
                    sent += 1
            return leat.metric('leat_log_sink_dropped_total{sink="access"}') > 0

        until(more, "lines that are dropped", 120)
        dropped = leat.metric('leat_log_sink_dropped_total{sink="access"}')
        self.assertEqual(leat.get_admin("/healthz")[0], 200)
        text = bytearray()

        def read_on():
            try:
                text.extend(os.read(reader, 1 << 20))
            except BlockingIOError:
                pass
            told = [json.loads(line) for line in text.split(b"\n")[:-1]]
            missing = sum(line["lines"] for line in told if "event" in line)
            return missing >= dropped and sum("status" in line for line in told) + missing == sent

        until(read_on, "all lines, or how many are missing", 60)

    # ---- Traces ----

    def trees(self, collector):
        """Each request's span with its attempts, in order of time; every link is checked."""
        spans = collector.spans()
        self.assertEqual(len({span["id"] for span in spans}), len(spans))
        requests = [span for span in spans if span["kind"] == 2]
        trees = []
        for request in requests:
            below = sorted((span for span in spans if span["parent"] == request["id"]),
                           key=lambda span: span["start"])
            for span in below:
                self.assertEqual((span["kind"], span["trace"]), (3, request["trace"]))
                self.assertLessEqual(request["start"], span["start"])
                self.assertLessEqual(span["end"], request["end"])
            trees.append((request, below))
        self.assertEqual(len(requests) + sum(len(below) for _, below in trees), len(spans))
        return trees

    def test_spans_of_a_failover(self):
        collector = self.collector()
        provider = self.provider(self.script)
        leat = self.serve([self.provider(self.failing), provider], collector=collector)
        self.assertEqual(leat.chat("/v1", session_id="s1").status, 200)
        until(lambda: len(collector.spans()) == 3, "three spans")
        (request, (first, second)), = self.trees(collector)
        self.assertIsNone(request["parent"])
        self.assertEqual(request["name"], "POST /v1/chat/completions")
        self.assertEqual((request["is_error"], first["is_error"], second["is_error"]),
                         (False, True, False))
        self.assertEqual(request["attributes"]["http.response.status_code"], 200)
        self.assertEqual(first["attributes"]["error.type"], "503")
        self.assertEqual(first["attributes"]["http.response.status_code"], 503)
        told = second["attributes"]
        self.assertEqual(second["name"], "chat " + harness.MODEL)
        self.assertEqual((told["gen_ai.operation.name"], told["gen_ai.provider.name"]),
                         ("chat", "p1"))
        self.assertEqual((told["gen_ai.request.model"], told["gen_ai.response.model"]),
                         (harness.MODEL, harness.MODEL))
        self.assertEqual((told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]),
                         (3, 2))
        self.assertEqual(told["gen_ai.response.finish_reasons"], ["stop"])
        self.assertEqual((told["gen_ai.response.id"], told["gen_ai.conversation.id"]), ("c1", "s1"))
        self.assertEqual((told["server.address"], told["server.port"]),
                         ("127.0.0.1", provider.port))
        line, = self.lines()
        self.assertEqual((line["trace_id"], line["span_id"]), (request["trace"], request["id"]))
        sent = re.search(r"(?im)^traceparent: (.*?)\r?$", provider.calls[0].head).group(1)
        self.assertEqual(sent, f"00-{request['trace']}-{second['id']}-01")

    def test_the_callers_trace_goes_on(self):
        collector = self.collector()
        provider = self.provider(harness.answer_well)
        leat = self.serve([provider], collector=collector, trace='sample_percent = 0')

        def ask(fields):
            with leat.connect() as client:
                client.send(harness.chat_request("/v1").replace(
                    b"\r\n", b"\r\n" + fields, 1))
                self.assertEqual(client.answer().status, 200)

        ask(b"traceparent: 00-%s-%s-01\r\ntracestate: a=1\r\ntracestate: b=2\r\n"
            % (TRACE.encode(), SPAN.encode()))
        ask(b"traceparent: 00-%s-%s-00\r\n" % (TRACE.encode(), SPAN.encode()))
        ask(b"traceparent: 00-%s-%s-01-x\r\n" % (TRACE.encode(), SPAN.encode()))
        until(lambda: len(collector.spans()) == 2, "the spans of the first")
        (request, (attempt,)), = self.trees(collector)
        self.assertEqual((request["trace"], request["parent"]), (TRACE, SPAN))
        heads = [call.head + "\r\n" for call in provider.calls]
        self.assertIn(f"\r\ntraceparent: 00-{TRACE}-{attempt['id']}-01\r\n", heads[0])
        self.assertIn("\r\ntracestate: a=1,b=2\r\n", heads[0])
        self.assertRegex(heads[1], f"\r\ntraceparent: 00-{TRACE}-[0-9a-f]{{16}}-00\r\n")
        self.assertNotIn("tracestate", heads[1])
        self.assertNotIn(TRACE, heads[2])
        self.assertRegex(heads[2], "\r\ntraceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n")

    def test_without_traces_it_is_passed_on_as_it_came(self):
        provider = self.provider(harness.answer_well)
        leat = self.leat([provider])
        with leat.connect() as client:
            client.send(harness.chat_request("/v1").replace(
                b"\r\n", f"\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\n".encode(), 1))
            client.answer()
            client.send(harness.chat_request("/v1"))
            client.answer()
        self.assertIn(f"\r\ntraceparent: 00-{TRACE}-{SPAN}-01", provider.calls[0].head)
        self.assertNotIn("traceparent", provider.calls[1].head)

    def test_every_end_has_its_spans(self):
        collector = self.collector()
        leat = self.serve([self.provider(self.failing), self.provider(self.script)],
                          collector=collector)
        count = self.unlike_ends(leat)
        # But for the head that nobody could read.
        until(lambda: sum(span["kind"] == 2 for span in collector.spans()) == count - 1, "spans")
        trees = self.trees(collector)
        by_status = {}
        for request, below in trees:
            status = request["attributes"].get("http.response.status_code", 0)
            by_status.setdefault(status, []).append((request, below))
        self.assertEqual(by_status[401][0][0]["attributes"]["error.type"], "authentication")
        self.assertEqual([below for _, below in by_status[401]], [[]])
        self.assertTrue(by_status[0][0][0]["attributes"]["leat.cancelled"])

    def test_a_collector_that_is_busy_is_asked_again(self):
        collector = self.collector(lambda number: 503 if number < 2 else 200,
                                   fields="retry-after: 1\r\n")
        leat = self.serve([self.provider(harness.answer_well)], collector=collector)
        leat.chat("/v1")
        until(lambda: leat.metric("leat_trace_spans_exported_total") == 2, "the spans", 30)
        self.assertEqual(len(collector.exports), 3)
        self.assertEqual(collector.exports[0], collector.exports[2])
        self.assertEqual(leat.metric("leat_trace_export_failures_total"), 2)
        self.assertEqual(leat.metric("leat_trace_spans_dropped_total"), 0)
        self.assertIn("traces: the collector takes no spans: status 503", leat.log())
        until(lambda: "traces: exports go on" in leat.log(), "the good news")

    def test_what_a_collector_refuses_is_dropped_and_counted(self):
        collector = self.collector(lambda number: 400)
        leat = self.serve([self.provider(harness.answer_well)], collector=collector)
        leat.chat("/v1")
        until(lambda: leat.metric("leat_trace_spans_dropped_total") == 2, "the spans")
        self.assertEqual(len(collector.exports), 1)

    def test_collectors_that_hang_or_go_away_cost_requests_nothing(self):
        for behave in (lambda number: None, lambda number: "close"):
            collector = self.collector(behave)
            leat = self.serve([self.provider(harness.answer_well)], collector=collector)
            for _ in range(20):
                self.assertEqual(leat.chat("/v1").status, 200)
            until(lambda: collector.calls, "an export")
            self.assertEqual(leat.chat("/v1").status, 200)
            self.assertEqual(leat.metric("leat_trace_spans_exported_total"), 0)
            self.assertEqual(leat.get_admin("/healthz")[0], 200)
            leat.close()
            collector.close()

    def test_spans_that_find_no_room_are_dropped(self):
        collector = self.collector(lambda number: None)
        leat = self.serve([], collector=collector)
        stop = threading.Event()

        def load():
            with leat.connect() as client:
                while not stop.is_set():
                    client.send(harness.chat_request("/v1", model="leat/simulated",
                                                     user="u" * 250, max_tokens=1))
                    client.answer()

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: leat.metric("leat_trace_spans_dropped_total") > 0, "dropped spans", 120)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(leat.chat("/v1", model="leat/simulated").status, 200)

    # ---- Secrets ----

    def test_no_secret_and_no_content_is_in_any_of_it(self):
        collector = self.collector()

        def script(call):
            if call.json().get("user"):
                return self.script(call)
            return call.send(reply(harness.completion(SECRET_ANSWER)))

        secret = pathlib.Path(self.folder.name, "secret")
        secret.write_text(COLLECTOR_SECRET + "\n")
        leat = self.serve([self.provider(script)], collector=collector,
                          trace=f'secret = {{ file = "{secret}" }}\nsecret_header = "x-team"')
        messages = [{"role": "user", "content": SECRET_PROMPT}]
        for fields in ({}, {"user": "refused"}, {"stream": True, "user": "cut"}):
            leat.chat("/v1", messages=messages, **fields)
        with leat.connect() as client:
            client.send(b"POST /v1/none?x=canary-path HTTP/1.1\r\nhost: x\r\n"
                        b"authorization: Bearer canary-client-key\r\ncontent-length: 0\r\n\r\n")
            client.answer()
        until(lambda: len(self.lines()) == 4, "the lines")
        until(lambda: sum(span["kind"] == 2 for span in collector.spans()) == 4, "the spans")
        metrics = leat.get_admin("/metrics")[1]
        heads = [call.head for call in collector.calls]
        self.assertTrue(all(f"x-team: {COLLECTOR_SECRET}\r\n" in head + "\r\n" for head in heads))
        told = [self.access.read_text(), leat.log(), metrics,
                *(call.body.decode() for call in collector.calls)]
        for text in told:
            for canary in ("canary-", harness.KEY, harness.PROVIDER_KEY):
                self.assertNotIn(canary, text)


if __name__ == "__main__":
    harness.main()
