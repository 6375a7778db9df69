#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Goal: what an operator loads into Prometheus and Grafana works: the metrics are read as they are
meant, the rules fire where they must, and no expression names what is not there.
Method: promtool on the metrics and the rules; a real Prometheus with the rules that scrapes a real
leat under some traffic, asked every expression of monitoring/.

Usage: monitoring_test.py LEAT MONITORING"""

import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request

import harness
from harness import answer_well, until

MONITORING = pathlib.Path(sys.argv.pop(2)) if len(sys.argv) > 2 else None
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: leat
    static_configs: [{{targets: ["{target}"]}}]
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Prometheus:
    def __init__(self, target):
        self.folder = tempfile.TemporaryDirectory()
        config = pathlib.Path(self.folder.name, "prometheus.yml")
        config.write_text(CONFIG.format(rules=MONITORING / "alerts.yml", target=target))
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = open(pathlib.Path(self.folder.name, "log"), "wb")
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={config}", "--storage.tsdb.path=" + self.folder.name,
             "--web.listen-address=" + self.url.removeprefix("http://")],
            stdout=self.log, stderr=self.log)

    def get(self, path, **query):
        try:
            with urllib.request.urlopen(f"{self.url}{path}?{urllib.parse.urlencode(query)}",
                                        timeout=10) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return {"status": "error", "said": error.read()}
        except OSError:
            return {}  # it is not up yet

    def value(self, expression):
        """The first sample's value, or None."""
        result = self.get("/api/v1/query", query=expression).get("data", {}).get("result")
        return float(result[0]["value"][1]) if result else None

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        self.folder.cleanup()


def dashboard_expressions():
    board = json.loads((MONITORING / "grafana.json").read_text())
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield panel["title"], (target["expr"].replace("$__rate_interval", "5s")
                                   .replace("$instance", ".*"))


def names_of(expression):
    return set(re.findall(r"\bleat_\w+", expression))


def promtool(*arguments, text=None):
    return subprocess.run(["promtool", *map(str, arguments)], input=text, capture_output=True,
                          text=True, timeout=60, check=False)


class Monitoring(harness.Case):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        # Some metrics are there only with what they are of.
        self.served = self.leat([self.provider(answer_well)],
                                extra=f'[content_log]\nfolder = "{folder.name}/content"\n')
        for _ in range(5):
            self.served.chat("/api/v1", stream=True)
        self.served.get_admin("/metrics")

    def families(self):
        text = self.served.get_admin("/metrics")[1]
        kinds = dict(re.findall(r"(?m)^# TYPE (\S+) (\S+)$", text))
        for name, kind in list(kinds.items()):
            if kind == "histogram":
                kinds.update({name + end: kind for end in ("_bucket", "_sum", "_count")})
        return kinds

    def test_metrics_are_named_by_the_conventions(self):
        checked = promtool("check", "metrics", text=self.served.get_admin("/metrics")[1])
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_rules_are_sound_and_fire_where_they_must(self):
        for arguments in (["check", "rules", MONITORING / "alerts.yml"],
                          ["test", "rules", MONITORING / "alerts_test.yml"]):
            done = promtool(*arguments)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_real_prometheus_reads_it_all(self):
        prometheus = Prometheus(self.served.admin.removeprefix("http://"))
        self.addCleanup(prometheus.close)
        requests = self.served.metric("leat_requests_total")
        until(lambda: prometheus.value("leat_requests_total") == requests, "a scrape", 30)
        self.served.chat("/api/v1", stream=True)
        until(lambda: (prometheus.value("rate(leat_requests_total[5s])") or 0) > 0,
              "two scrapes", 30)
        groups = prometheus.get("/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        self.assertGreater(len(rules), 10)
        until(lambda: all(rule["health"] == "ok" for group in
                          prometheus.get("/api/v1/rules")["data"]["groups"]
                          for rule in group["rules"]), "the rules to be evaluated", 30)
        families = self.families()
        asked = [(rule["name"], rule["query"]) for rule in rules] + list(dashboard_expressions())
        self.assertGreater(len(asked), 40)
        for title, expression in asked:
            answer = prometheus.get("/api/v1/query", query=expression)
            self.assertEqual(answer.get("status"), "success", f"{title}: {expression}: {answer}")
            self.assertFalse(names_of(expression) - set(families), f"{title}: {expression}")
        firing = prometheus.get("/api/v1/alerts")["data"]["alerts"]
        self.assertEqual([one for one in firing if one["state"] == "firing"], [])


if __name__ == "__main__":
    harness.main()
