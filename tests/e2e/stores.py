"""A Graphite and a Prometheus of our own, on loopback, with their files in the folder of the test."""

import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import harness

CARBON = "/usr/bin/carbon-cache"
PROMETHEUS = "/usr/bin/prometheus"
PATIENCE_S = 60 * harness.SLOWNESS

CARBON_CONF = """[cache]
LOCAL_DATA_DIR = {folder}/whisper/
STORAGE_DIR = {folder}/
CONF_DIR = {folder}/
LOG_DIR = {folder}/log/
PID_DIR = {folder}/
USER =
MAX_CACHE_SIZE = inf
MAX_UPDATES_PER_SECOND = inf
MAX_CREATES_PER_MINUTE = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {port}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = 0
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = 0
ENABLE_LOGROTATION = False
WHISPER_AUTOFLUSH = True
"""
PROMETHEUS_CONF = """global:
  scrape_interval: 1s
scrape_configs:
  - job_name: gearpump
    static_configs:
      - targets: ["{target}"]
"""
SCHEMAS = "[all]\npattern = .*\nretentions = 1s:10m\n"


def wait_until(check, what):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {PATIENCE_S:g} s: {what}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Stores:
    """For a Case: each store that is started is ended with the test."""

    def carbon(self):
        """A carbon-cache of our own; the port may be taken by somebody else until it is ours."""
        for attempt in range(5):
            folder = self.folder(f"carbon-{attempt}")
            port = free_port()
            for name, text in (("carbon.conf", CARBON_CONF), ("storage-schemas.conf", SCHEMAS)):
                with open(os.path.join(folder, name), "w", encoding="utf-8") as out:
                    out.write(text.format(folder=folder, port=port))
            process = subprocess.Popen([CARBON, f"--config={folder}/carbon.conf", "--nodaemon", "start"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            wait_until(lambda: process.poll() is not None or is_listening(port), "carbon listens")
            if process.poll() is None:
                return folder, port
        self.fail("carbon does not start")

    def prometheus(self, target):
        for attempt in range(5):
            folder = self.folder(f"prometheus-{attempt}")
            self.listener = f"127.0.0.1:{free_port()}"
            with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as out:
                out.write(PROMETHEUS_CONF.format(target=target))
            process = subprocess.Popen([PROMETHEUS, f"--config.file={folder}/prometheus.yml",
                                        f"--storage.tsdb.path={folder}/data",
                                        f"--web.listen-address={self.listener}"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            wait_until(lambda: process.poll() is not None or is_listening(int(self.listener.split(":")[1])),
                       "prometheus listens")
            if process.poll() is None:
                return
        self.fail("prometheus does not start")

    def query(self, expression):
        """[(labels, value)] of an instant query."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://{self.listener}/api/v1/query?{query}", timeout=PATIENCE_S) as answer:
                result = json.load(answer)["data"]["result"]
        except OSError:  # it is not ready yet
            return []
        return [(r["metric"], float(r["value"][1])) for r in result]
