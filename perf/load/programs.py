# SPDX-License-Identifier: Apache-2.0
"""The programs that perf/load/run starts: the mock, the proxies, the relays, Leat.

Each is started on the cores it is given, listens on loopback only, and is ended by its own process
id. Configurations are written from here, so that what was measured stands in one place.
"""

import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

KEY_COUNT = 64
KEYS = [f"sk-load-{i:04d}-{hashlib.sha256(str(i).encode()).hexdigest()[:24]}"
        for i in range(KEY_COUNT)]
MODEL = "openai/gpt-4o-mini"
# More than any load here asks for: what they cost is to be seen, not what they refuse.
LIMITS = ("[keys.limits]\nrequests_per_minute_max = 100_000_000\n"
          "tokens_per_minute_max = 100_000_000_000\n"
          "tokens_per_day_max = 100_000_000_000_000\nconcurrency_max = 100_000\n"
          'budget_usd_max = "1000000"\nbudget_period = "monthly"\n')
# As little is to be refused for lateness: a load may take all that there is.
NEVER_LATE = "".join(f"late_{step}_ms = 60_000\n"
                     for step in ("shrink_timeouts", "no_keep_alive", "refuse", "stop_accept"))
# The first is what most scenarios ask for, the rest are asked in turn by `leat-load --models 3`.
MODELS = [MODEL] + [f"{MODEL}-{i}" for i in (1, 2, 3)]
UPSTREAM_KEY = "sk-upstream-of-the-load-test"
PORT = {"mock": 21080, "mock-tls": 21443, "leat": 21001, "leat-pools": 21001, "leat-routed": 21001,
        "leat-bare": 21001, "leat-kept": 21001, "leat-governed": 21001,
        "leat-admin": 21002, "leat-tls": 21008, "nginx": 21003, "haproxy": 21004,
        "relay-epoll": 21005, "relay-uring": 21006}


class Failure(Exception):
    """Something could not be started or measured; the message says what."""


class Program:
    """A running program: started, waited for until its port answers, ended on exit.
    `target`: the words for leat-load of what to ask, once it runs."""

    def __init__(self, name, command, port, cores, work, environment=None, workers=0):
        self.name = name
        self.port = port
        self.target = [f"http://127.0.0.1:{port}/v1"]
        self.workers = workers
        self.log = work / f"{name}.log"
        self.started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **(environment or {})},
                preexec_fn=lambda: os.sched_setaffinity(0, cores))
        try:
            self.wait_for_port(15)
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()

    def wait_for_port(self, limit_s):
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with status {self.process.returncode}: "
                              f"{self.last_words()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.001)
        raise Failure(f"{self.name} does not listen: {self.last_words()}")

    def last_words(self):
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "(it said nothing)"

    def pids(self):
        """The process itself and its workers, which may come a moment after the port."""
        own = self.process.pid
        end = time.monotonic() + 5
        while time.monotonic() < end:
            children = pathlib.Path(f"/proc/{own}/task/{own}/children").read_text().split()
            if len(children) >= self.workers:
                return [own] + [int(pid) for pid in children]
            time.sleep(0.001)
        raise Failure(f"{self.name} has {len(children)} of {self.workers} workers")

    def stop(self):
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Workbench:
    """Where the programs are and how each is started."""

    def __init__(self, build, work, subject_cores, load_cores):
        self.build = build
        self.work = work
        self.subject_cores = subject_cores
        self.load_cores = load_cores
        self.ca = work / "ca.pem"
        self.key_file = work / "keys.txt"
        self.key_file.write_text("".join(f"{key}\n" for key in KEYS))
        self.make_certificate()

    def make_certificate(self):
        """One self-signed certificate for localhost, which is its own authority."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "7", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", self.work / "key.pem", "-out", self.ca],
            check=True, capture_output=True)

    def tool(self, *candidates):
        for candidate in candidates:
            path = self.build / candidate
            if path.exists():
                return path
        raise Failure(f"{candidates[0]} is not in {self.build}: build it first")

    def start_mock(self, arguments, tls):
        command = [self.tool("tools/mock/leat-mock"), "--listen", f"127.0.0.1:{PORT['mock']}"]
        if tls:
            command += ["--tls-listen", f"127.0.0.1:{PORT['mock-tls']}", "--cert", self.ca,
                        "--key", self.work / "key.pem"]
        return Program("mock", command + arguments, PORT["mock"], self.load_cores, self.work)

    def start(self, subject, tls, streamed, shards=1):
        """Starts the program under test in front of the mock; tls: on the mock's side."""
        starter = {"leat": self.start_leat, "leat-pools": self.start_pools,
                   "leat-routed": self.start_routed, "leat-bare": self.start_bare,
                   "leat-calm": self.start_tls, "leat-handshakes": self.start_tls,
                   "leat-plain": self.start_plain, "leat-both-tls": self.start_both_tls,
                   "leat-kept": self.start_kept, "leat-governed": self.start_governed,
                   "nginx": self.start_nginx,
                   "haproxy": self.start_haproxy}.get(subject)
        if starter is not None:
            return starter(tls, streamed, shards)
        protocol = "http2" if subject.startswith("leat-h2") else "http1"
        if subject == "leat-acks":  # acknowledgements of two events at a time
            return self.start_governed(tls, streamed, shards, acks="auto")
        if subject == "leat-h2":
            return self.start_governed(tls, streamed, shards, protocol=protocol)
        if subject.startswith(("leat-hold-", "leat-h2-hold-")):
            return self.start_governed(tls, streamed, shards, hold=subject.rsplit("-", 1)[1],
                                       protocol=protocol)
        command = [self.tool(f"perf/load/{subject}"), PORT[subject], PORT["mock"]]
        return Program(subject, command, PORT[subject], self.subject_cores, self.work)

    def start_routed(self, tls, streamed, shards):
        """leat with a choice: each model has three priced endpoints, all of them the mock."""
        endpoints = [("mock1", 'price = { prompt = "0.15", completion = "0.60" }'),
                     ("mock2", 'price = { prompt = "0.16", completion = "0.64" }'),
                     ("mock3", 'price = { prompt = "0.30", completion = "1.20" }')]
        return self.start_leat(tls, streamed, shards, [endpoints] * len(MODELS))

    def start_pools(self, tls, streamed, shards):
        """leat with as many pools and nothing to choose: each model is at a provider of its own."""
        return self.start_leat(tls, streamed, shards,
                               [[(f"mock{max(i, 1)}", "")] for i in range(len(MODELS))])

    def start_bare(self, tls, streamed, shards):
        """leat with everything off that can be: no keys, no prices, no records."""
        # Without keys all requests are one nobody's: what one may run at a time is for all.
        return self.start_leat(tls, streamed, shards, auth="off",
                               node_limits=f"streams_per_key_max = 100_000\n{NEVER_LATE}")

    def start_tls(self, tls, streamed, shards):
        """leat that listens for TLS too, at PORT["leat-tls"]."""
        listener = self.tls_listener()
        return self.start_leat(tls, streamed, shards, extra=listener["more"],
                               listen=listener["listen"])

    def start_plain(self, _tls, streamed, shards):
        """leat-governed, plain on both sides wherever the mock listens."""
        return self.start_governed(False, streamed, shards)

    def start_both_tls(self, _tls, streamed, shards):
        """leat-governed with TLS on both sides."""
        program = self.start_governed(True, streamed, shards, **self.tls_listener())
        program.target = [f"https://localhost:{PORT['leat-tls']}/v1", "--ca", self.ca,
                          "--connect-to", f"127.0.0.1:{PORT['leat-tls']}"]
        return program

    def tls_listener(self):
        """Beside the plain one."""
        pem = f'[server.tls]\ncertificate = "{self.ca}"\nkey = "{self.work / "key.pem"}"\n'
        return {"more": pem, "listen": f', "tls://127.0.0.1:{PORT["leat-tls"]}"'}

    def start_kept(self, tls, streamed, shards):
        """leat that writes a durable record of each request before its answer ends."""
        return self.start_leat(tls, streamed, shards, extra=self.ledger())

    def start_governed(self, tls, streamed, shards, hold="off", protocol="http1", acks="off",
                       more="", listen=""):
        """leat with everything on: keys with four rates and a budget, prices, durable records;
        hold: for how many milliseconds events wait, whatever the load; "auto": by the load.
        protocol: what it speaks with the mock; more: sections of the configuration; listen: other
        listeners."""
        price = 'price = { prompt = "0.15", completion = "0.60" }'
        return self.start_leat(tls, streamed, shards, [[("mock", price)]] * len(MODELS),
                               limits=LIMITS, extra=self.ledger() + more, hold=hold,
                               protocol=protocol, acks=acks, listen=listen)

    def ledger(self):
        folder = self.work / "ledger"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return f'[ledger]\nfolder = "{folder}"\n'

    def start_leat(self, tls, _streamed, shards, endpoints=None, auth="keys", limits="", extra="",
                   node_limits=NEVER_LATE, hold="off", protocol="http1", acks="off",
                   listen=""):
        """endpoints: for each of MODELS the names of its providers, with what else is to be said
        of the endpoint; None: one provider has all of them. limits: of each key; node_limits: of
        all together. protocol: what is spoken with the providers; acks: whether their events are
        acknowledged two at a time."""
        endpoints = endpoints or [[("mock", "")]] * len(MODELS)
        scheme, port = ("https", PORT["mock-tls"]) if tls else ("http", PORT["mock"])
        keys = "".join(f'[[keys]]\nname = "load-{i}"\n'
                       f'sha256 = "{hashlib.sha256(key.encode()).hexdigest()}"\n{limits}'
                       for i, key in enumerate(KEYS))
        # Where it is not what is measured, nothing waits: a busy core would change what it does.
        mode = f'"always"\nms_max = {hold}' if hold.isdigit() else f'"{hold}"'
        ca = f'ca_file = "{self.ca}"\n' if tls else ""
        providers = "".join(
            f'[providers.{name}]\nformat = "openai"\nbase_url = "{scheme}://localhost:{port}/v1"\n'
            f'protocol = "{protocol}"\ndelayed_acks = "{acks}"\n{ca}'
            f'api_key = {{ env = "MOCK_KEY" }}\n'
            f'allow_private = true\n'
            for name in sorted({name for ends in endpoints for name, _ in ends}))

        def model(name, ends):
            tables = ", ".join(", ".join(filter(None, (f'{{ provider = "{provider}"',
                                                       'model = "gpt-4o-mini"', more))) + " }"
                               for provider, more in ends)
            return f'[[models]]\nid = "{name}"\nendpoints = [{tables}]\n'

        config = self.work / "leat.toml"
        config.write_text(
            f'[server]\nlisten = ["127.0.0.1:{PORT["leat"]}"{listen}]\nshards = {shards}\n'
            f'[admin]\nlisten = "127.0.0.1:{PORT["leat-admin"]}"\n'
            f'[auth]\nmode = "{auth}"\n[hold]\nmode = {mode}\n[limits]\n{node_limits}'
            f'{keys if auth == "keys" else ""}{providers}'
            + "".join(model(name, ends) for name, ends in zip(MODELS, endpoints)) + extra)
        cores = self.subject_cores if shards == 1 else self.subject_cores | self.load_cores
        return Program("leat", [self.tool("leat", "src/app/leat"), "serve", "--config", config],
                       PORT["leat"], cores, self.work, {"MOCK_KEY": UPSTREAM_KEY})

    def start_nginx(self, tls, streamed, _shards):
        prefix = self.work / "nginx"
        (prefix / "logs").mkdir(parents=True, exist_ok=True)
        scheme, port = ("https", PORT["mock-tls"]) if tls else ("http", PORT["mock"])
        keys = "".join(f'    "Bearer {key}" 1;\n' for key in KEYS)
        config = prefix / "nginx.conf"
        config.write_text(f"""
{"user root;" if os.geteuid() == 0 else ""}
daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid {prefix}/nginx.pid;
error_log {prefix}/error.log crit;
events {{ worker_connections 20000; }}
http {{
  access_log off; tcp_nodelay on;
  keepalive_timeout 3600s; keepalive_requests 1000000000;
  client_max_body_size 32m; client_body_buffer_size 1m;
  client_body_temp_path {prefix}; proxy_temp_path {prefix}; fastcgi_temp_path {prefix};
  uwsgi_temp_path {prefix}; scgi_temp_path {prefix};
  map_hash_bucket_size 128;
  map $http_authorization $known {{
    default 0;
{keys}  }}
  upstream mock {{
    server 127.0.0.1:{port};
    keepalive 10000; keepalive_requests 1000000000; keepalive_timeout 3600s;
  }}
  server {{
    listen 127.0.0.1:{PORT["nginx"]} backlog=16384;
    location / {{
      if ($known = 0) {{ return 401; }}
      proxy_pass {scheme}://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host localhost;
      proxy_set_header Authorization "Bearer {UPSTREAM_KEY}";
      proxy_buffering {"off" if streamed else "on"};
      proxy_read_timeout 3600s;
      proxy_ssl_verify on; proxy_ssl_trusted_certificate {self.ca};
      proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_session_reuse on;
      proxy_ssl_protocols TLSv1.2 TLSv1.3;
    }}
  }}
}}
""")
        return Program("nginx", [find("nginx"), "-c", config, "-p", prefix], PORT["nginx"],
                       self.subject_cores, self.work, workers=1)

    def start_haproxy(self, tls, _streamed, _shards):
        known = self.work / "haproxy-keys.txt"
        known.write_text("".join(f"Bearer {key}\n" for key in KEYS))
        server = f"server mock 127.0.0.1:{PORT['mock']}"
        if tls:
            server = (f"server mock 127.0.0.1:{PORT['mock-tls']} ssl verify required "
                      f"ca-file {self.ca} verifyhost localhost sni str(localhost)")
        config = self.work / "haproxy.cfg"
        config.write_text(f"""
global
  nbthread 1
  maxconn 9990
  no numa-cpu-mapping
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 1h
  option http-keep-alive
  option http-no-delay
  http-reuse always
frontend clients
  bind 127.0.0.1:{PORT["haproxy"]} backlog 16384
  http-request deny deny_status 401 unless {{ req.hdr(authorization) -f {known} }}
  http-request set-header Host localhost
  http-request set-header Authorization "Bearer {UPSTREAM_KEY}"
  default_backend mocks
backend mocks
  {server} pool-purge-delay 1h pool-max-conn 20000
""")
        return Program("haproxy", [find("haproxy"), "-db", "-f", config], PORT["haproxy"],
                       self.subject_cores, self.work)


def find(name):
    """A program by name, the administrator's folders included."""
    for folder in os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/sbin"]:
        path = pathlib.Path(folder) / name
        if os.access(path, os.X_OK):
            return path
    raise Failure(f"{name} is not installed")


def install_missing():
    """Installs from Debian what a comparison needs and is not there."""
    packages = {"nginx": "nginx-light", "haproxy": "haproxy", "openssl": "openssl"}
    missing = []
    for program, package in packages.items():
        try:
            find(program)
        except Failure:
            missing.append(package)
    if not missing:
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        command.insert(0, "sudo")
    # A fresh nginx package would start a server of its own on port 80.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    subprocess.run(command, check=True, env=environment)
