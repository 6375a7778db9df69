# SPDX-License-Identifier: Apache-2.0
"""Runs a scenario: rounds in which every subject has its turn, and what each turn measured."""

import http.client
import json
import pathlib
import re
import subprocess
import sys
import time
import urllib.request

from programs import KEYS, MODEL, PORT, Failure, Program

LOAD_CORE_BUSY_MAX = 0.9
COMMIT_WINDOW_US = 1000  # the longest that Leat gathers records for a commit


def ratio(a, b):
    return a / b if b else 0.0


def run_load(bench, scenario, target, pids, scale, extra=()):
    """One run of leat-load; its JSON. target: as of a Program."""
    window = max(1.0, scenario.window * scale)
    warm_up = max(0.5, scenario.warm_up * scale)
    command = [bench.tool("tools/load/leat-load"), *target, "--json",
               "--model", MODEL, "--keys-file", bench.key_file, "--warm-up", warm_up,
               "--duration", window, "--drain", scenario.drain, *scenario.load, *extra]
    for pid in pids:
        command += ["--pid", pid]
    for core in (min(bench.subject_cores), max(bench.load_cores)):
        command += ["--core", core]
    cores = ",".join(str(core) for core in sorted(bench.load_cores))
    done = subprocess.run(["taskset", "-c", cores] + [str(word) for word in command],
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
        raise Failure(f"leat-load ended with {done.returncode}: {done.stderr[-400:]}")
    return json.loads(done.stdout)


def figures(report):
    """The metrics of one run, by the names that scenarios use."""
    cpu_ns = sum(process["cpu_ns"] for process in report["processes"])
    grown = sum(process["pss_kib"] - process["pss_kib_before"] for process in report["processes"])
    latency = report["latency_us"]
    return {
        "us_per_answer": ratio(cpu_ns / 1e3, report["answers"]),
        "answers_per_core_s": ratio(report["answers"] * 1e9, cpu_ns),
        "ns_per_token": ratio(cpu_ns, report["tokens"]),
        "tokens_per_core_s": ratio(report["tokens"] * 1e9, cpu_ns),
        "p50_us": latency["total"]["p50"],
        "p99_us": latency["total"]["p99"],
        "first_token_p50_us": latency["first_token"]["p50"],
        "first_token_p99_us": latency["first_token"]["p99"],
        "gap_p99_ms": latency["gap"]["p99"] / 1e3,
        "subject_core": report["cores"][0]["busy"],
        "load_core": report["cores"][1]["busy"],
        "open_connections": report["open_connections"],
        "kib_per_connection": ratio(grown, report["open_connections"]),
        "errors": report["errors_total"],
        "kinds_of_errors": {**{kind: n for kind, n in report["errors"].items() if n},
                            **report["statuses"]},
        "answers_per_s": ratio(report["answers"], report["window_s"]),
        "tokens_per_s": ratio(report["tokens"], report["window_s"]),
    }


def leat_counter(name):
    """One counter of Leat's admin listener, summed over its labels; None if it is not there."""
    url = f"http://127.0.0.1:{PORT['leat-admin']}/metrics"
    try:
        text = urllib.request.urlopen(url, timeout=5).read().decode()
    except OSError:
        return None
    found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)
    return sum(float(value) for value in found) if found else None


def turn_of_load(bench, scenario, subject, scale):
    """Starts mock and subject afresh, loads it once."""
    with bench.start_mock(list(scenario.mock), scenario.tls):
        if subject == "direct":
            target = [f"http://127.0.0.1:{PORT['mock']}/v1"]
            return figures(run_load(bench, scenario, target, [], scale))
        shards = 2 if subject == "leat-2" else 1
        name = "leat" if subject == "leat-2" else subject
        with bench.start(name, scenario.tls, scenario.streamed, shards) as program:
            report = run_load(bench, scenario, program.target, program.pids(), scale)
            result = figures(report)
            if "body_copied" in scenario.metrics and name == "leat":
                copied = leat_counter("leat_body_bytes_copied_total")
                if copied is not None:
                    result["body_copied"] = ratio(copied, report["checked"])
            if "commit_us" in scenario.metrics:
                result["commit_us"] = commit_us()
            return result


def commit_us():
    """What one commit of the ledger took on average since the start; 0 without a ledger."""
    return ratio((leat_counter("leat_ledger_commit_seconds_sum") or 0) * 1e6,
                 leat_counter("leat_ledger_commits_total") or 0)


def read_log(path):
    """The lines "SEED NANOSECONDS [PHASE]" of the tools' logs."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    return {line[0]: (int(line[1]), line[2] if len(line) > 2 else "") for line in lines}


def turn_of_aborts(bench, scenario, subject, scale):
    """How long after a client left its provider was left, matched request by request."""
    gone_log, abort_log = bench.work / "gone.log", bench.work / "abort.log"
    with bench.start_mock([*scenario.mock, "--gone-log", gone_log], scenario.tls):
        with bench.start(subject, scenario.tls, scenario.streamed) as program:
            report = run_load(bench, scenario, program.target, program.pids(), scale,
                              ("--abort-log", abort_log))
            time.sleep(0.2)
    gone, aborts = read_log(gone_log), read_log(abort_log)
    # An abort right after the request may overtake it, one at the last token comes too late: only
    # of those in between every one must reach the provider.
    between = [seed for seed, (_, phase) in aborts.items()
               if phase in ("head", "first_token", "middle")]
    delays = sorted((gone[seed][0] - when) / 1e6 for seed, (when, _) in aborts.items()
                    if seed in gone)
    if not between or not delays:
        raise Failure("no abort reached the provider")
    return {**figures(report), "aborts": len(aborts),
            "hang_up_p50_ms": delays[len(delays) // 2],
            "hang_up_p99_ms": delays[int(len(delays) * 0.99)], "hang_up_max_ms": delays[-1],
            "hang_up_share": sum(seed in gone for seed in between) / len(between)}


def turn_of_handshakes(bench, scenario, subject, scale):
    """Streams by the plain listener; with "leat-handshakes" others shake hands by the TLS one."""
    with bench.start_mock(list(scenario.mock), scenario.tls):
        with bench.start(subject, scenario.tls, scenario.streamed) as program:
            if subject != "leat-handshakes":
                return figures(run_load(bench, scenario, program.target, program.pids(), scale))
            cores = ",".join(str(core) for core in sorted(bench.load_cores))
            began = time.monotonic()
            source = subprocess.Popen(
                ["taskset", "-c", cores, sys.executable,
                 str(pathlib.Path(__file__).with_name("handshaker.py")), str(PORT["leat-tls"]),
                 str(scenario.handshakes), str(bench.ca)], stdout=subprocess.PIPE, text=True)
            try:
                result = figures(run_load(bench, scenario, program.target, program.pids(), scale))
                took = time.monotonic() - began
                source.terminate()
                done, failed = (int(word) for word in source.communicate(timeout=15)[0].split())
            finally:
                source.kill()
                source.wait()
    result["errors"] += failed
    return {**result, "handshakes_per_s": done / took}


def first_answer(port, deadline):
    """Asks until an answer comes; the moment it was complete."""
    body = json.dumps({"model": MODEL, "max_tokens": 4,
                       "messages": [{"role": "user", "content": "start"}]})
    while time.monotonic() < deadline:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("POST", "/v1/chat/completions", body,
                               {"Authorization": f"Bearer {KEYS[0]}",
                                "Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return time.monotonic()
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        time.sleep(0.0005)
    raise Failure("no answer after the start")


def turn_of_start(bench, scenario, subject):
    with bench.start_mock(list(scenario.mock), scenario.tls):
        with bench.start(subject, scenario.tls, scenario.streamed) as program:
            end = first_answer(program.port, time.monotonic() + 10)
            return {"start_ms": (end - program.started) * 1e3}


def turn_of_simulator(bench, scale):
    """The simulator alone on the subject's core, timed from outside."""
    seeds = max(200, int(4000 * scale))
    program = bench.tool("tests/simulation/simulate")
    cores = ",".join(str(core) for core in sorted(bench.subject_cores))
    begin = time.monotonic()
    done = subprocess.run(["taskset", "-c", cores, str(program), "--seeds", f"1..{seeds}"],
                          capture_output=True, text=True, timeout=300, check=False)
    took = time.monotonic() - begin
    output = done.stdout + done.stderr
    violations = 0 if done.returncode == 0 else max(1, len(re.findall("--seed", output)))
    return {"seeds_per_minute": seeds / took * 60, "violations": violations, "seeds": seeds,
            "last_words": output.strip()[-300:]}


def one_turn(bench, scenario, subject, scale):
    if scenario.kind == "start":
        return turn_of_start(bench, scenario, subject)
    if scenario.kind == "simulator":
        return turn_of_simulator(bench, scale)
    if scenario.kind == "aborts":
        return turn_of_aborts(bench, scenario, subject, scale)
    if scenario.kind == "handshakes":
        return turn_of_handshakes(bench, scenario, subject, scale)
    return turn_of_load(bench, scenario, subject, scale)


def add_differences(turns, base):
    """What each subject added to the base (the direct way, or another), within the same round."""
    for column in ("p50_us", "p99_us", "first_token_p50_us", "gap_p99_ms", "ns_per_token",
                   "kib_per_connection"):
        for subject in turns:
            for turn, plain in zip(turns[subject], turns.get(base, [])):
                if column in turn and subject != base:
                    turn[f"added_{column}"] = turn[column] - plain[column]
    for turn in (turn for list_ in turns.values() for turn in list_):
        if turn.get("commit_us") and "added_p99_us" in turn:
            # What is promised of the last byte: the window of a commit and two commits.
            turn["of_promise"] = turn["added_p99_us"] / (COMMIT_WINDOW_US + 2 * turn["commit_us"])


def run_scenario(bench, scenario, rounds, scale, subjects, say):
    """All rounds: {subject: [figures of each round]}, and {subject: why it could not run}."""
    turns = {subject: [] for subject in scenario.subjects
             if subjects is None or subject in subjects}
    failed = {}
    if not turns:
        return turns, failed
    for number in range(scenario.rounds or rounds):
        order = list(turns)
        order = order[number % len(order):] + order[:number % len(order)]
        for subject in order:
            if subject in failed:
                continue
            try:
                result = one_turn(bench, scenario, subject, scale)
            except (Failure, subprocess.TimeoutExpired) as failure:
                failed[subject] = str(failure)
                say(f"  {subject}: {failure}")
                continue
            turns[subject].append(result)
            shown = "  ".join(f"{name} {result[name]:.4g}" for name in scenario.metrics
                              if name in result)
            busy = result.get("load_core", 0) > LOAD_CORE_BUSY_MAX
            say(f"  {number + 1} {subject:<12} {shown}{'  LOAD CORE OVER 90 %' if busy else ''}"
                f"{'  ' + str(result['kinds_of_errors']) if result.get('errors') else ''}")
    if all(turns[subject] for subject in turns if subject not in failed):
        add_differences(turns, scenario.base)
    return turns, failed
