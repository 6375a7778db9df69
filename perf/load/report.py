# SPDX-License-Identifier: Apache-2.0
"""Turns the measured rounds into perf/RESULTS.md."""

import statistics

from measure import LOAD_CORE_BUSY_MAX

HEADINGS = {
    "added_ns_per_token": "added CPU ns/token",
    "added_gap_p99_ms": "added gap p99 ms", "handshakes_per_s": "handshakes/s",
    "added_p99_us": "added p99 µs", "commit_us": "one commit µs",
    "of_promise": "added p99 of window and two commits",
    "us_per_answer": "CPU µs/request", "answers_per_core_s": "requests/core-s",
    "ns_per_token": "CPU ns/token", "tokens_per_core_s": "tokens/core-s", "p50_us": "p50 µs",
    "p99_us": "p99 µs", "added_p50_us": "added p50 µs", "first_token_p50_us": "first token p50 µs",
    "added_first_token_p50_us": "added to first token, p50 µs",
    "first_token_p99_us": "first token p99 µs", "gap_p99_ms": "gap p99 ms",
    "subject_core": "its core busy", "load_core": "load's core busy",
    "kib_per_connection": "KiB each", "open_connections": "open", "errors": "errors",
    "body_copied": "body bytes copied/request", "start_ms": "ms",
    "tokens_per_s": "tokens/s", "answers_per_s": "requests/s", "aborts": "aborts",
    "hang_up_p50_ms": "hang-up p50 ms",
    "hang_up_p99_ms": "p99 ms", "hang_up_max_ms": "max ms", "hang_up_share": "hung up",
    "seeds_per_minute": "seeds/min", "violations": "violations",
}
SHARES = ("subject_core", "load_core", "hang_up_share")
WHOLE = ("open_connections", "errors", "violations")
NOISE = 1.10  # a difference under 10 % counts as none here


def median(turns, metric):
    values = [turn[metric] for turn in turns if metric in turn]
    return statistics.median(values) if values else None


def number(value):
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def cell(turns, metric):
    """The median, and the spread in brackets if there were several rounds."""
    values = [turn[metric] for turn in turns if metric in turn]
    if not values:
        return "-"
    if metric in SHARES:
        return f"{100 * statistics.median(values):.0f} %"
    if metric in WHOLE:
        return f"{max(values):,.0f}" if metric != "open_connections" else f"{min(values):,.0f}"
    text = number(statistics.median(values))
    if len(values) > 1:
        text += f" ({number(min(values))} – {number(max(values))})"
    return text


def table(scenario, turns):
    heads = [HEADINGS[metric] for metric in scenario.metrics]
    lines = ["| | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for subject, rounds in turns.items():
        if rounds:
            cells = [cell(rounds, metric) for metric in scenario.metrics]
            lines.append(f"| {subject} | " + " | ".join(cells) + " |")
    return lines


def peer_of(goal, turns):
    """The peer's name and median: for "relay" the cheaper of the two."""
    if goal.against != "relay":
        names = [goal.against]
    else:
        names = ["relay-epoll", "relay-uring"]
    medians = {name: median(turns.get(name, []), goal.metric) for name in names}
    medians = {name: value for name, value in medians.items() if value is not None}
    if not medians:
        return goal.against, None
    best = min(medians, key=medians.get)
    return best, medians[best]


def verdict(goal, scenario, turns):
    """One line: the goal, the figure, whether it was met."""
    own = goal.subject or {"shards": "leat-2", "simulator": "simulate"}.get(scenario.kind, "leat")
    ours = median(turns.get(own, []), goal.metric)
    heading = HEADINGS[goal.metric]
    if not goal.against:
        wanted = f"{'≥' if goal.at_least else '≤'} {goal.factor:g} {goal.text}"
        if ours is None:
            return f"- {wanted}: not measured"
        met = ours >= goal.factor if goal.at_least else ours <= goal.factor
        return f"- {wanted}: **{'met' if met else 'missed'}**, {number(ours)}"
    name, theirs = peer_of(goal, turns)
    whose = f" of {goal.subject}" if goal.subject else ""
    wanted = f"{heading}{whose} ≤ {goal.factor:g} × {name}"
    if ours is None or theirs is None or theirs <= 0:
        return f"- {wanted}: not measured"
    share = ours / theirs
    if share <= goal.factor:
        word = "met"
    elif share <= goal.factor * NOISE:
        word = "missed by less than the noise"
    else:
        word = "missed"
    return f"- {wanted}: **{word}**, {share:.2f} ×"


def remarks(scenario, turns, failed):
    lines = []
    for subject, rounds in turns.items():
        offered = scenario.offered()
        reached = offered and median(rounds, offered[0])
        if reached is not None and reached < 0.95 * offered[1]:
            lines.append(f"- {subject}: reached only {number(reached)} of {number(offered[1])} "
                         f"{HEADINGS[offered[0]]}: not at equal load")
        busy = [turn for turn in rounds if turn.get("load_core", 0) > LOAD_CORE_BUSY_MAX]
        if busy:
            lines.append(f"- {subject}: in {len(busy)} of {len(rounds)} rounds the load's core was "
                         "over 90 % busy: latencies there are the generator's too")
        kinds = {}
        for turn in rounds:
            for kind, count in turn.get("kinds_of_errors", {}).items():
                kinds[kind] = kinds.get(kind, 0) + count
        if kinds:
            listed = ", ".join(f"{kind} {count:,}" for kind, count in kinds.items())
            lines.append(f"- {subject}: errors by kind: {listed}")
    lines += [f"- {subject}: could not be run: {why.splitlines()[0]}"
              for subject, why in failed.items()]
    return lines


def section(scenario, entry, notes):
    turns = entry["turns"]
    load = f"`leat-load {' '.join(scenario.load)}`" if scenario.load else ""
    mock = f", `leat-mock {' '.join(scenario.mock)}`" if scenario.mock else ""
    lines = [f"## {scenario.title}", "", f"`{scenario.name}`: {load}{mock} "
             f"({entry['rounds']} rounds, {entry['date']}, Leat {entry['leat']}, "
             f"load average before {entry['load_average']:.1f})".replace(" ,", ","),
             ""]
    lines += table(scenario, turns) + [""]
    lines += [verdict(goal, scenario, turns) for goal in scenario.goals]
    lines += remarks(scenario, turns, entry["failed"])
    note = notes / f"{scenario.name}.md"
    if note.exists():
        lines += ["", note.read_text(encoding="utf-8").strip()]
    return lines + [""]


PAGES = ("RESULTS.md", "HELD.md", "BUDGET.md", "GOVERNED.md", "ROUTING.md", "OPERATED.md",
         "SLOW_CLIENTS.md", "TLS.md")


def write(path, scenarios, data, machine, notes):
    lines = ["# Measured", "",
             "Written by `perf/load/run`; change the scenarios or the notes (`perf/load/notes/`), "
             "not this page.", ""]
    lines += [f"- {line}" for line in machine]
    lines += [
        "- Medians over interleaved rounds, lowest and highest in brackets. CPU time is the",
        "  scheduler's account of the process, all its threads, the kernel's work for it included.",
        f"  Differences under {100 * (NOISE - 1):.0f} % count as none. Memory is PSS, grown since "
        "the start.",
        f"- Measured apart: {', '.join(f'[{p}]({p})' for p in PAGES if p != path.name)}.",
        ""]
    for scenario in scenarios:
        if scenario.name in data:
            lines += section(scenario, data[scenario.name], notes)
    path.write_text("\n".join(lines), encoding="utf-8")
