"""Runs the real system for a row: gpctl, a local cluster, and what they report.

What the bench relies on:
  sol        each sink task logs one line with {"sol": {"messages", "seconds", "rate", "latency_us",
             "missing", "out_of_order", "corrupt"}} at its end; in a log of JSON it is the text of an
             event.
  wordcount  each counting task writes part-N, lines of word<TAB>count, into its output folder.
  gpctl run  runs to the end of the job in one process; what tasks log goes to its stderr.
  gpctl submit --wait  ends when the job has; `gpctl logs` has then all that its tasks logged.
  gpd local  prints "gpd ready master=HOST:PORT workers=N [http=URL]"; ends, with all its children, at SIGTERM.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import machine
from machine import CommandError

JOB_TIMEOUT_S = 120
READY_TIMEOUT_S = 10
JOB_NAME = "bench"
LANES = 2  # of a job in one process: the limit programs have two threads
READY = re.compile(r"^gpd ready master=(\S+) workers=\d+(?: http=\S+)?$", re.MULTILINE)


class NotBuilt(Exception):
    """The row needs something that this build does not have."""


# ---- what they report ----

def objects_in(text):
    """Every JSON object in a text: in a line of its own, behind other words, or inside a string."""
    decoder = json.JSONDecoder()
    at = text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            yield from _objects_of(value)
        at = text.find("{", end)


def _objects_of(value):
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _objects_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _objects_of(inner)
    elif isinstance(value, str) and "{" in value:
        yield from objects_in(value)


def sol_figures(text, sinks, exact):
    """The sum over the sinks of one run. exact: no message may be missing either."""
    found = {o["sol"]["task"]: o["sol"] for o in objects_in(text) if isinstance(o.get("sol"), dict)}
    if len(found) != sinks:
        raise CommandError(f"{len(found)} of {sinks} sinks reported")
    reports = list(found.values())
    for fault in ("out_of_order", "corrupt") + (("missing",) if exact else ()):
        count = sum(r[fault] for r in reports)
        if count:
            raise CommandError(f"{count} messages {fault.replace('_', ' ')}")
    figures = {
        "messages": sum(r["messages"] for r in reports),
        "rate_msgs_per_s": sum(r["rate"] for r in reports),
        "bytes": reports[0]["bytes"],
        "first_share": found[0]["messages"] / sum(r["messages"] for r in reports),
    }
    if figures["messages"] == 0:
        raise CommandError("no message arrived")
    for quantile in ("p50", "p99", "p999", "p9999"):
        figures[f"{quantile}_us"] = max(r["latency_us"][quantile] for r in reports)
    figures["bytes_per_s"] = figures["rate_msgs_per_s"] * figures["bytes"]
    return figures


def words_counted(folder):
    """Words and different words in the part files of a WordCount."""
    words = distinct = 0
    for name in os.listdir(folder):
        if name.startswith("part-"):
            with open(os.path.join(folder, name), encoding="utf-8") as part:
                for line in part:
                    words += int(line.rpartition("\t")[2])
                    distinct += 1
    return words, distinct


# ---- jobs ----

class System:
    """The programs of one build. Every run has a new folder below scratch."""

    def __init__(self, build, scratch):
        self.build = build
        self.scratch = scratch
        # Logs to be read by programs; a secret of our own rather than one in the user's folder.
        self.environment = {"GEARPUMP_LOG__FORMAT": "json", "XDG_CONFIG_HOME": scratch}

    def path(self, *parts):
        path = os.path.join(self.build, *parts)
        if not os.path.exists(path):
            raise NotBuilt(os.path.join(*parts))
        return path

    def folder(self):
        return tempfile.mkdtemp(dir=self.scratch)

    def job(self, example, settings, executors):
        """The part of a command line that names a job. executors: None for the cluster's choice."""
        arguments = [self.path("examples", f"{example}.so")]
        if executors:
            arguments += ["--executors", str(executors)]
        for key, value in settings.items():
            arguments += ["--set", f"{key}={value}"]
        return arguments

    def command_alone(self, example, settings, lanes=LANES, executors=1):
        return [self.path("bin", "gpctl"), "run", *self.job(example, settings, executors),
                "--lanes", str(lanes), "--output", "json"]

    def run_alone(self, example, settings, lanes=LANES):
        """The job in one process. Returns what it printed, its wall and its CPU seconds."""
        done = machine.run(self.command_alone(example, settings, lanes), JOB_TIMEOUT_S,
                           self.environment)
        return done.output, done.seconds, done.cpu_s

    def run_on_cluster(self, example, settings, executors, edge):
        """The same on a local cluster of its own, data going over the given kind of edge. Returns the
        job's logs."""
        with Cluster(self, executors, {"data.edge": edge}) as cluster:
            cpu_s = cluster.cpu_s()
            begin_s = time.monotonic()
            cluster.submit(example, settings, executors)
            seconds = time.monotonic() - begin_s
            cluster.settle()
            return cluster.job_logs(), seconds, cluster.cpu_s() - cpu_s


class Cluster:
    """`gpd local` with a port of its own choice and nothing left behind."""

    def __init__(self, system, workers, configuration=None):
        self._system = system
        self._data = system.folder()
        argv = [system.path("bin", "gpd"), "local", "--port", "0", "--workers", str(workers),
                "--data", self._data]
        for key, value in (configuration or {}).items():
            argv += ["--set", f"{key}={value}"]
        self._log_path = os.path.join(self._data, "gpd.out")
        with open(self._log_path, "wb") as log:
            self.process = machine.start(argv, system.environment, stdout=log,
                                         stderr=subprocess.STDOUT)
        self.address = None

    def __enter__(self):
        try:
            self.address = self._wait_until_ready()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_):
        self._stop()

    def log(self):
        with open(self._log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def _wait_until_ready(self):
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline_s:
            match = READY.search(self.log())
            if match:
                return match.group(1)
            if self.process.poll() is not None:
                raise CommandError(f"gpd local ended: {self.log().strip()[-300:]}")
            time.sleep(0.002)
        raise CommandError(f"gpd local is not ready after {READY_TIMEOUT_S} s")

    def _stop(self):
        machine.signal_group(self.process, signal.SIGTERM)
        try:
            self.process.wait(machine.STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            machine.signal_group(self.process, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self._data, ignore_errors=True)

    def submit(self, example, settings, executors, wait=True):
        """Waits for the end of the job, or only until it is accepted. Returns what gpctl printed."""
        argv = ["submit", *self._system.job(example, settings, executors), "--name", JOB_NAME]
        return self.gpctl(*argv, *(["--wait"] if wait else []))

    def gpctl(self, *arguments):
        argv = [self._system.path("bin", "gpctl"), "--master", self.address, *arguments]
        return machine.run(argv, JOB_TIMEOUT_S, self._system.environment).output

    def job_logs(self):
        return self.gpctl("logs", JOB_NAME)

    def describe(self):
        return json.loads(self.gpctl("describe", JOB_NAME, "--output", "json"))

    def wait_until_job_runs(self):
        """Returns when all its tasks ran, in seconds since 1970, as the cluster says."""
        deadline_s = time.monotonic() + JOB_TIMEOUT_S
        while time.monotonic() < deadline_s:
            about = self.describe()["application"]
            if about["state"] == "running":
                return about["started_ms"] / 1e3
            time.sleep(0.01)
        raise CommandError(f"the job does not run after {JOB_TIMEOUT_S} s")

    def progress(self, seconds):
        """Of SOL: how many tasks did nothing yet, and the rate of messages over some seconds."""
        about = self.describe()
        begin_s = time.monotonic()
        still = sum(p["parallelism"] - p["counters"].get(counter, 0)
                    for p, counter in zip(about["processors"], ("started", "reached")))
        time.sleep(seconds)
        moved = sum(e["messages"] for e in self.describe()["edges"])
        moved -= sum(e["messages"] for e in about["edges"])
        return {"still": still, "rate_msgs_per_s": moved / (time.monotonic() - begin_s)}

    def settle(self):
        """Waits until the job's processes are gone, so that their CPU time is counted."""
        deadline_s = time.monotonic() + machine.STOP_TIMEOUT_S
        while len(machine.tree(self.process.pid)) > 1 and time.monotonic() < deadline_s:
            time.sleep(0.01)

    def cpu_s(self):
        return machine.tree_cpu_s(self.process.pid)

    def run_s(self):
        return machine.tree_run_s(self.process.pid)

    def pss_bytes(self):
        return machine.tree_pss_bytes(self.process.pid)
