# SPDX-License-Identifier: Apache-2.0
"""What perf/load/run measures: one Scenario for each figure that Leat is held to.

All subjects of a scenario get the same offered load: open loop at a fixed rate, or a fixed number
of paced streams. The rates keep the load's core below 90 % on a machine of two cores.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Goal:
    """Leat's median of a metric against a peer's (times factor) or against a number."""
    metric: str
    factor: float
    against: str = ""  # a subject, "relay" for the cheaper relay, "" for the number itself
    text: str = ""
    at_least: bool = False
    subject: str = ""  # whose median; "" for Leat's


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    metrics: tuple          # columns of the table, by their names in measure.py
    goals: tuple
    subjects: tuple = ("leat", "nginx", "haproxy", "relay-epoll", "relay-uring")
    tls: bool = False       # on the upstream side
    streamed: bool = False
    mock: tuple = ()        # arguments of leat-mock
    load: tuple = ()        # arguments of leat-load
    warm_up: float = 1.0
    window: float = 3.0
    drain: float = 2.0
    rounds: int = 0         # 0: as many as asked for
    base: str = "direct"    # the subject to which the others are said to add
    kind: str = "load"      # load, aborts, start, shards, simulator, handshakes
    handshakes: int = 0     # a second, full ones of clients

    def offered(self):
        """The metric that shows the offered load, and how much it should be; None if neither."""
        load, mock = dict(zip(self.load, self.load[1:])), dict(zip(self.mock, self.mock[1:]))
        if "--streams" in load and "--rate" in mock:
            return "tokens_per_s", float(load["--streams"]) * float(mock["--rate"])
        if "--rate" in load and self.kind != "aborts":
            return "answers_per_s", float(load["--rate"])
        return None


HELD = ("leat-governed", "leat-acks", "leat-hold-25", "leat-hold-50", "leat-h2", "leat-h2-hold-25",
        "leat-h2-hold-50", "relay-epoll", "relay-uring")
# What a connection of HTTP/2 carries at a time, if it is said; the others' connections carry one.
FIFTY = ("--h2-streams", "50")
NO_RELAY = ("leat", "nginx", "haproxy")
PER_REQUEST = ("us_per_answer", "answers_per_core_s", "p50_us", "p99_us", "subject_core",
               "load_core", "errors")
PER_TOKEN = ("ns_per_token", "tokens_per_core_s", "tokens_per_s", "gap_p99_ms", "subject_core",
             "load_core", "errors")
MANY = ("--sources", "64")
# The last bytes of an answer wait until its record is durable.
LAST_BYTE = ("p50_us", "added_p50_us", "p99_us", "added_p99_us", "commit_us", "of_promise",
             "subject_core", "load_core", "errors")
LAST_BYTE_GOALS = (Goal("of_promise", 1.0, subject="leat-governed",
                        text="of a commit's window (1 ms) and two commits, added at p99"),)


def streams(count, tokens, ramp):
    return ("--streams", str(count), "--tokens", str(tokens), "--ramp", str(ramp), *MANY)


SCENARIOS = (
    Scenario(
        "json", "CPU per request: 1 KB prompt, not streamed, 64 connections, plain both sides",
        PER_REQUEST, (Goal("us_per_answer", 1.0, "haproxy"),),
        load=("--connections", "64", "--rate", "12000", *MANY)),
    Scenario(
        "json-tls", "The same with a TLS upstream", PER_REQUEST,
        (Goal("us_per_answer", 1.0, "haproxy"),), subjects=NO_RELAY, tls=True,
        load=("--connections", "64", "--rate", "12000", *MANY)),
    Scenario(
        "routed", "CPU of routing: three priced endpoints a model against none to choose from",
        PER_REQUEST, (Goal("us_per_answer", 1.03, "leat-pools", subject="leat-routed"),),
        subjects=("leat", "leat-pools", "leat-routed"),
        load=("--connections", "64", "--rate", "12000", "--models", "3", *MANY)),
    Scenario(
        "routed-streams", "The same for tokens: 2,000 streams of 20 tokens/s",
        PER_TOKEN, (Goal("ns_per_token", 1.0, "leat-pools", subject="leat-routed"),),
        subjects=("leat", "leat-pools", "leat-routed"), streamed=True, mock=("--rate", "20"),
        load=(*streams(2000, 1000, 2), "--models", "3"), drain=0),
    Scenario(
        "governed", "Everything on against everything off: 1 KB, not streamed, saturated by 256",
        PER_REQUEST, (Goal("us_per_answer", 1.1, "leat-bare", subject="leat-governed"),),
        subjects=("leat-bare", "leat-kept", "leat-governed"), load=("--connections", "256", *MANY)),
    Scenario(
        "governed-streams", "The same for tokens: 2,000 streams of 20 tokens/s",
        PER_TOKEN, (Goal("ns_per_token", 1.02, "leat-bare", subject="leat-governed"),),
        subjects=("leat-bare", "leat-kept", "leat-governed"), streamed=True,
        mock=("--rate", "20"), load=streams(2000, 1000, 2), drain=0),
    Scenario(
        "streams", "CPU per token: 2,000 streams of 20 tokens/s, one event a packet, plain",
        PER_TOKEN, (Goal("ns_per_token", 1.2, "relay"), Goal("ns_per_token", 0.85, "nginx")),
        streamed=True, mock=("--rate", "20"), load=streams(2000, 1000, 2), drain=0),
    Scenario(
        "streams-tls", "The same with a TLS upstream", PER_TOKEN,
        (Goal("ns_per_token", 0.8, "nginx"),), subjects=NO_RELAY, tls=True, streamed=True,
        mock=("--rate", "20"), load=streams(2000, 1000, 4), warm_up=2.5, drain=0),
    Scenario(
        "hold-50", "Events that wait for others: 800 streams of 50 tokens/s, plain",
        PER_TOKEN, (Goal("ns_per_token", 0.95, "relay", subject="leat-hold-25"),
                    Goal("ns_per_token", 0.6, "relay", subject="leat-hold-50"),
                    Goal("ns_per_token", 0.65, "leat-governed", subject="leat-h2"),
                    Goal("ns_per_token", 0.5, "relay", subject="leat-h2-hold-25"),
                    Goal("ns_per_token", 0.35, "relay", subject="leat-h2-hold-50")),
        subjects=HELD, streamed=True, mock=("--rate", "50", *FIFTY), load=streams(800, 1000, 2),
        drain=0),
    Scenario(
        "hold-100", "The same: 400 streams of 100 tokens/s",
        PER_TOKEN, (Goal("ns_per_token", 0.6, "relay", subject="leat-hold-25"),
                    Goal("ns_per_token", 0.35, "relay", subject="leat-hold-50"),
                    Goal("ns_per_token", 0.35, "relay", subject="leat-h2-hold-25"),
                    Goal("ns_per_token", 0.25, "relay", subject="leat-h2-hold-50")),
        subjects=HELD, streamed=True, mock=("--rate", "100", *FIFTY), load=streams(400, 2000, 2),
        drain=0),
    Scenario(
        "handshakes", "300 full TLS handshakes/s of clients beside 2,000 streams of 10 tokens/s",
        ("gap_p99_ms", "added_gap_p99_ms", "handshakes_per_s", "ns_per_token", "tokens_per_s",
         "subject_core", "load_core", "errors"),
        (Goal("added_gap_p99_ms", 5, subject="leat-handshakes", text="ms added to the gap's p99"),
         Goal("handshakes_per_s", 270, subject="leat-handshakes", at_least=True,
              text="handshakes a second")),
        subjects=("leat-calm", "leat-handshakes"), base="leat-calm", kind="handshakes",
        streamed=True, handshakes=300, mock=("--rate", "10"), load=streams(2000, 1000, 2),
        drain=0),
    Scenario(
        "both-tls", "TLS on both sides against plain on both, everything on: 2,000 streams of 20 "
        "tokens/s", ("ns_per_token", "added_ns_per_token", "kib_per_connection", "tokens_per_s",
                     "gap_p99_ms", "subject_core", "load_core", "errors"),
        (Goal("added_ns_per_token", 700, subject="leat-both-tls", text="ns added to a token"),
         Goal("kib_per_connection", 16, subject="leat-both-tls", text="KiB a stream")),
        subjects=("leat-plain", "leat-both-tls"), base="leat-plain", tls=True, streamed=True,
        mock=("--rate", "20"), load=streams(2000, 1000, 6), warm_up=7.0, drain=0),
    Scenario(
        "burst", "CPU per token: 2,000 streams of 160 tokens/s, 8 events a write, plain",
        PER_TOKEN, (Goal("ns_per_token", 1.2, "relay"),), streamed=True,
        mock=("--rate", "160", "--events-per-write", "8"), load=streams(2000, 8000, 2), drain=0),
    Scenario(
        "prompt-20k", "CPU per request: 20 KB prompts", PER_REQUEST + ("body_copied",),
        (Goal("us_per_answer", 1.0, "nginx"),), subjects=NO_RELAY,
        load=("--connections", "64", "--rate", "6000", "--prompt-bytes", "20000", *MANY)),
    Scenario(
        "prompt-200k", "CPU per request: 200 KB prompts", PER_REQUEST + ("body_copied",),
        (Goal("us_per_answer", 1.2, "nginx"),), subjects=NO_RELAY,
        load=("--connections", "64", "--rate", "1000", "--prompt-bytes", "200000", *MANY)),
    Scenario(
        "latency", "Added latency: 2,000 requests/s in open loop, not streamed",
        ("p50_us", "added_p50_us", "p99_us", "subject_core", "load_core", "errors"),
        (Goal("added_p50_us", 1.25, "relay"), Goal("added_p50_us", 1.0, "haproxy")),
        subjects=("direct", "leat", "nginx", "haproxy", "relay-epoll"),
        load=("--connections", "64", "--rate", "2000", *MANY)),
    Scenario(
        "last-byte", "Added time to the last byte, everything on: 2,000 requests/s, not streamed",
        LAST_BYTE, LAST_BYTE_GOALS, subjects=("leat-bare", "leat-kept", "leat-governed"),
        base="leat-bare", load=("--connections", "64", "--rate", "2000", *MANY)),
    Scenario(
        "last-byte-streams", "The same for streams of 8 tokens, 1,000 a second each: 500 begun/s",
        LAST_BYTE, LAST_BYTE_GOALS, subjects=("leat-bare", "leat-kept", "leat-governed"),
        base="leat-bare", streamed=True, mock=("--rate", "1000"),
        load=("--connections", "64", "--rate", "500", "--stream", "--tokens", "8", *MANY)),
    Scenario(
        "first-token", "Added time to the first token: 2,000 streams/s begun in open loop",
        ("first_token_p50_us", "added_first_token_p50_us", "first_token_p99_us", "subject_core",
         "load_core", "errors"),
        (Goal("added_first_token_p50_us", 1.25, "relay"),
         Goal("added_first_token_p50_us", 1.0, "haproxy")),
        subjects=("direct", "leat", "nginx", "haproxy", "relay-epoll"), streamed=True,
        load=("--connections", "64", "--rate", "2000", "--stream", "--tokens", "4", *MANY)),
    Scenario(
        "many", "9,500 concurrent streams: memory and errors, plain",
        ("kib_per_connection", "ns_per_token", "open_connections", "tokens_per_s",
         "subject_core", "load_core", "errors"),
        (Goal("kib_per_connection", 6.0, text="KiB a stream"), Goal("errors", 0, text="errors")),
        subjects=NO_RELAY, streamed=True, mock=("--rate", "2"), load=streams(9500, 1000, 6),
        drain=0, rounds=1),
    Scenario(
        "many-tls", "9,500 concurrent streams: memory and errors, TLS upstream",
        ("kib_per_connection", "ns_per_token", "open_connections", "tokens_per_s",
         "subject_core", "load_core", "errors"),
        (Goal("kib_per_connection", 16.0, text="KiB a stream"), Goal("errors", 0, text="errors")),
        subjects=NO_RELAY, tls=True, streamed=True, mock=("--rate", "2"),
        load=streams(9500, 1000, 14), warm_up=5.0, drain=0, rounds=1),
    Scenario(
        "idle", "10,000 idle keep-alive connections: memory",
        ("kib_per_connection", "open_connections", "errors"),
        (Goal("kib_per_connection", 2.0, text="KiB a connection"),
         Goal("errors", 0, text="errors")),
        # HAProxy wants two descriptors a connection: 20,000 are too few.
        subjects=("leat", "nginx"),
        load=("--connections", "10000", "--idle", "--ramp", "4", "--tokens", "4", *MANY),
        window=1.0, drain=0, rounds=1),
    Scenario(
        "aborts", "Clients that leave: half of 300 streams/s given up, at six phases",
        ("aborts", "hang_up_p50_ms", "hang_up_p99_ms", "hang_up_max_ms", "hang_up_share",
         "load_core", "errors"),
        (Goal("hang_up_p99_ms", 10, text="ms from client gone to provider gone, p99"),
         Goal("hang_up_share", 1.0, text="of the aborts in an answer", at_least=True),
         Goal("errors", 0, text="errors")),
        subjects=NO_RELAY, streamed=True, mock=("--rate", "200", "--first-token-ms", "20"),
        load=("--connections", "200", "--rate", "300", "--stream", "--tokens", "40",
              "--abort-rate", "0.5", *MANY), window=14.0, rounds=1, kind="aborts"),
    Scenario(
        "start", "Start to the first answered request", ("start_ms",),
        (Goal("start_ms", 100, text="ms"),), subjects=NO_RELAY, kind="start"),
    Scenario(
        "shards-json", "Two shards against one: CPU per request",
        ("us_per_answer", "subject_core", "load_core", "errors"),
        (Goal("us_per_answer", 1.05, "leat"),), subjects=("leat", "leat-2"), kind="shards",
        load=("--connections", "64", "--rate", "6000", *MANY)),
    Scenario(
        "shards-streams", "Two shards against one: CPU per token",
        ("ns_per_token", "subject_core", "load_core", "errors"),
        (Goal("ns_per_token", 1.05, "leat"),), subjects=("leat", "leat-2"), kind="shards",
        streamed=True, mock=("--rate", "20"), load=streams(1000, 1000, 2), drain=0),
    Scenario(
        "simulator", "Simulator: seeds a minute on one core, violations",
        ("seeds_per_minute", "violations"),
        (Goal("seeds_per_minute", 1000, text="seeds a minute", at_least=True),
         Goal("violations", 0, text="violations")),
        subjects=("simulate",), kind="simulator", rounds=1),
)
