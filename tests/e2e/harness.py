"""The real programs, started in a sandbox, and the promise that nothing of them is left behind.

A test file holds subclasses of Case and ends with harness.main(). Each test gets a folder of its own
for everything (home, XDG folders, secret, data), starts daemons and runs gpctl in it:

    class Submit(harness.Case):
        def test_prints_the_id(self):
            cluster = self.local(workers=1)
            self.assertEqual("1\\n", self.ok(cluster.gpctl("submit", self.example("wordcount"))).out)

At the end of each test, passed or failed, every process it started and all their descendants are
ended and must be gone, no socket and no temporary file may be left, and what the daemons and their
children wrote must be free of failed assertions and sanitizer reports. No waiting without a
deadline; processes are signalled by pid, and only those that descend from the test.

GP_BUILD_DIR and GP_SOURCE_DIR say where the programs and the sources are (as ctest does; by hand:
GP_BUILD_DIR=build python3 tests/e2e/test_counts.py -k tcp). GP_E2E_KEEP=1 keeps the sandboxes.
"""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import unittest

import system
from system import wait_until

SOURCE = os.path.abspath(os.environ.get("GP_SOURCE_DIR", os.path.join(os.path.dirname(__file__), "../..")))
BUILD = os.path.abspath(os.environ.get("GP_BUILD_DIR", os.path.join(SOURCE, "build")))
SANITIZED = os.environ.get("GP_E2E_SANITIZE", "")
# Sanitizers slow the programs down; every time limit grows with this.
SLOWNESS = float(os.environ.get("GP_E2E_SLOWNESS", "4" if SANITIZED else "1"))

COMMAND_S = 20.0 * SLOWNESS  # a command without --wait answers in far less
JOB_S = 40.0 * SLOWNESS  # a job of these tests
READY_S = 10.0 * SLOWNESS  # a daemon from start to ready
STOP_S = 10.0 * SLOWNESS  # a daemon from SIGTERM to its end
GONE_S = 4.0 * SLOWNESS  # children after the death of their parent
# Silence that counts as death, where a test waits for it: a machine that stands still for a second kills nobody.
FAILURE_S = 3.0 if SANITIZED else 2.0
HERE = os.path.dirname(os.path.abspath(__file__))

# Exit codes of gpctl and gpd.
OK, FAILED, USAGE, NOT_FOUND, CONFLICT, UNREACHABLE, NOT_ALLOWED, TIMEOUT, JOB_FAILED, LOSSES = range(10)

# Never written by a healthy process.
ALARMING = re.compile(r"[Aa]ssert|Sanitizer|runtime error:|stack smashing|double free|gearpump: crash ")


class Result:
    """How a command ended."""

    def __init__(self, argv, code, out, err, seconds):
        self.argv, self.code, self.out, self.err, self.seconds = argv, code, out, err, seconds

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"{' '.join(self.argv)}\nexit code {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}---"


class Daemon:
    """A gpd that this test started, with its stdout and stderr in files."""

    def __init__(self, case, argv, env, ready_file):
        self.case = case
        self.argv = argv
        self.ready_file = ready_file
        number = len(case.daemons)
        self.out_path = os.path.join(case.root, f"daemon-{number}.out")
        self.err_path = os.path.join(case.root, f"daemon-{number}.err")
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env,
                                            cwd=case.work)
        self.pid = self.process.pid
        case.daemons.append(self)

    @property
    def out(self):
        return read_text(self.out_path)

    @property
    def err(self):
        return read_text(self.err_path)

    def ready(self):
        """Waits for the ready file and returns what it says."""

        def check():
            if self.process.poll() is not None:
                raise AssertionError(f"{' '.join(self.argv)} ended with {self.process.returncode}:\n{self.err}")
            return os.path.exists(self.ready_file)

        wait_until(check, f"ready: {' '.join(self.argv)}\n{self.err}", READY_S)
        with open(self.ready_file, encoding="utf-8") as file:
            return json.load(file)

    def wait(self, seconds=STOP_S):
        """Its exit code; negative for a signal."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {seconds:g} s: {' '.join(self.argv)}") from None

    def send(self, number):
        system.kill_quietly(self.pid, number)

    def stop(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.send(number)
        return self.wait()

    def children(self):
        return system.descendants(self.pid)


class Cluster:
    """Daemons and the address of their master."""

    def __init__(self, case, daemon, master):
        self.case, self.daemon, self.master = case, daemon, master

    def gpctl(self, *arguments, **options):
        return self.case.gpctl("--master", self.master, *arguments, **options)

    def json(self, *arguments, **options):
        """What `gpctl -o json` says; it must not fail."""
        return self.case.ok(self.gpctl("-o", "json", *arguments, **options)).json

    def submit(self, *arguments, **options):
        """The id of a new application."""
        return self.json("submit", *arguments, **options)["id"]

    def state(self, app):
        return self.json("describe", str(app))["application"]["state"]

    def wait_for_state(self, app, *states, seconds=JOB_S):
        ends = ("finished", "failed", "killed")

        def check():
            self.last = self.json("describe", str(app))["application"]
            if self.last["state"] not in states and self.last["state"] in ends:
                raise AssertionError(f"application {app} is {self.last['state']}: {self.last.get('error')}")
            return self.last["state"] in states

        wait_until(check, f"application {app} is {' or '.join(states)}", seconds, pause_s=0.03)
        return self.last

    def children(self, role):
        """Its running `gpd ROLE` processes: appmaster, executor."""
        below = system.descendants(os.getpid())
        return [p for p in below if len(p.command) > 1 and p.command[1] == role]

    def is_healthy(self):
        """A WordCount must succeed, and be right."""
        self.case.count_words(self)


def read_text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Case(unittest.TestCase):
    maxDiff = 4000

    # ---- life of a test ----

    def run(self, result=None):
        result = result or self.defaultTestResult()
        bad_before = len(result.failures) + len(result.errors)
        # Short, for the paths of Unix sockets are.
        self.root = tempfile.mkdtemp(prefix="gp-e2e-")
        self.daemons = []
        self.expected_noise = None  # a pattern of alarming output that this test asks for
        self.killed_hard = False  # a daemon was killed, so it could not remove its sockets
        try:
            super().run(result)
            if len(result.failures) + len(result.errors) > bad_before:
                self._show_logs()
        finally:
            if not os.environ.get("GP_E2E_KEEP"):
                shutil.rmtree(self.root, ignore_errors=True)
        return result

    def setUp(self):
        self.addCleanup(self._check_nothing_is_left)
        self.work = self.folder("work")
        self.secret = os.path.join(self.root, "secret")
        self.env = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": self.folder("home"),
            "TMPDIR": self.folder("tmp"),
            "XDG_RUNTIME_DIR": self.folder("run", mode=0o700),
            "XDG_CONFIG_HOME": os.path.join(self.root, "home/.config"),
            "XDG_STATE_HOME": os.path.join(self.root, "home/.local/state"),
            "XDG_DATA_HOME": os.path.join(self.root, "home/.local/share"),
            "LC_ALL": "C.UTF-8",
            "GEARPUMP_CLUSTER__SECRET_FILE": self.secret,
            "GEARPUMP_HTTP__PORT": "0",  # many run beside each other
            # What always fails is to fail soon.
            "GEARPUMP_RECOVERY__RESTARTS": "3",
        }
        for name, value in os.environ.items():
            if name.endswith("SAN_OPTIONS"):
                self.env[name] = value
        self._shared_before = self._shared_folders()

    @staticmethod
    def _shared_folders():
        # Other tests have folders of other names there.
        return {name for name in os.listdir("/tmp") if name.startswith(f"gearpump-{os.getuid()}")}

    def _check_nothing_is_left(self):
        problems = []
        for daemon in self.daemons:
            if daemon.process.poll() is None:
                try:
                    if daemon.stop() != 0:
                        problems.append(f"{' '.join(daemon.argv)} ended with {daemon.process.returncode}")
                except AssertionError as error:
                    problems.append(str(error))
        problems += self._left_processes()
        problems += self._left_files()
        problems += self._alarms()
        if problems:
            self.fail("\n".join(problems))

    def _left_processes(self):
        known = {daemon.pid for daemon in self.daemons}
        try:
            wait_until(lambda: not system.descendants(os.getpid()), "all processes are gone", GONE_S)
            left = []
        except AssertionError:
            left = system.descendants(os.getpid())
        for process in left:
            system.kill_quietly(process.pid)
        for daemon in self.daemons:
            daemon.process.wait()
        system.reap_orphans(known)
        return [f"left running: {p.pid} {' '.join(p.command)[:200]}" for p in left]

    def _left_files(self):
        # The thread sanitizer's own, of a process that was killed while it began.
        names = [name for name in os.listdir(self.env["TMPDIR"]) if not name.startswith("tsan.rodata.")]
        problems = [f"left in the temporary folder: {name}" for name in names]
        problems += [f"left: /tmp/{name}" for name in self._shared_folders() - self._shared_before]
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISSOCK(os.lstat(path).st_mode) and not self.killed_hard:
                    problems.append(f"left: the socket {os.path.relpath(path, self.root)}")
        return problems

    def _texts_of_processes(self):
        for daemon in self.daemons:
            yield daemon.err_path
        # What the children wrote is in the folders of their workers.
        for folder, _, names in os.walk(self.root):
            if "/logs" in folder:
                yield from (os.path.join(folder, name) for name in sorted(names))

    def _alarms(self):
        problems = []
        for path in self._texts_of_processes():
            for line in read_text(path).splitlines():
                expected = self.expected_noise and re.search(self.expected_noise, line)
                if ALARMING.search(line) and not expected:
                    problems.append(f"{os.path.relpath(path, self.root)}: {line}")
        return problems

    def _show_logs(self):
        print(f"\n=== {self.id()}", file=sys.stderr)
        for path in self._texts_of_processes():
            lines = read_text(path).splitlines()
            if lines:
                print(f"--- {os.path.relpath(path, self.root)} (last of {len(lines)} lines)", file=sys.stderr)
                print("\n".join(lines[-40:]), file=sys.stderr)

    # ---- files ----

    def path(self, name):
        return os.path.join(self.root, name)

    def folder(self, name, mode=0o755):
        path = self.path(name)
        os.makedirs(path, mode=mode, exist_ok=True)
        return path

    def file(self, name, content):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return path

    @staticmethod
    def built(*parts):
        path = os.path.join(BUILD, *parts)
        if not os.path.exists(path):
            raise AssertionError(f"not built: {path}")
        return path

    def example(self, name):
        return self.built("examples", f"{name}.so")

    def plugin(self, name):
        """One of tests/e2e/plugins."""
        return self.built("tests/e2e/plugins", f"{name}.so")

    # ---- programs ----

    def start(self, role, *arguments, env=None, program=None, prefix=()):
        """A daemon; ready() waits until it is. prefix: a program that becomes it, as `ip netns exec`."""
        ready_file = self.path(f"ready-{len(self.daemons)}.json")
        argv = [*prefix, program or self.built("bin/gpd"), role, *arguments, "--ready-file", ready_file]
        return Daemon(self, argv, {**self.env, **(env or {})}, ready_file)

    def local(self, *arguments, workers=1, env=None, program=None):
        """A whole cluster in one daemon, on a free port."""
        data = self.path(f"data-{len(self.daemons)}")
        daemon = self.start("local", "--port", "0", "--workers", str(workers), "--data", data, *arguments, env=env,
                            program=program)
        return Cluster(self, daemon, daemon.ready()["master"])

    def execute(self, argv, env=None, timeout=COMMAND_S, stdin=subprocess.DEVNULL):
        begin_s = time.monotonic()
        process = subprocess.Popen(argv, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**self.env, **(env or {})}, cwd=self.work)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail(f"still runs after {timeout:g} s: {' '.join(argv)}\n{out.decode()}\n{err.decode()}")
        result = Result(argv, process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace"),
                        time.monotonic() - begin_s)
        self.assertNotRegex(result.err, ALARMING, str(result))
        return result

    def gpctl(self, *arguments, **options):
        return self.execute([self.built("bin/gpctl"), *arguments], **options)

    def gpd(self, *arguments, **options):
        return self.execute([self.built("bin/gpd"), *arguments], **options)

    # ---- claims ----

    def ok(self, result):
        self.assertEqual(OK, result.code, str(result))
        return result

    def assert_refused(self, result, code, *said):
        """Ended with `code`, nothing on stdout, and exactly three lines of error that say all this."""
        self.assertEqual(code, result.code, str(result))
        self.assertEqual("", result.out, str(result))
        lines = result.err.rstrip("\n").split("\n")
        labels = [line.partition(":")[0] for line in lines if not line.startswith(" ")]
        self.assertRegex(labels[0], r"^error\[[a-z_]+\]$", str(result))
        self.assertNotEqual("error[unknown]", labels[0], str(result))
        self.assertEqual(["cause", "hint"], labels[1:], str(result))
        for line in lines:
            self.assertNotRegex(line, r"^(error.*|cause|hint):\s*$", str(result))
        for text in said:
            self.assertRegex(result.err, text, str(result))
        return result

    def assert_job_failed(self, cluster, *said, submit):
        """`submit --wait` ends with 8 in three lines; describe and list -a say the same. Returns describe's."""
        result = cluster.gpctl("submit", *submit, "--wait", timeout=JOB_S)
        self.assert_ends_with(result, JOB_FAILED, *said)
        app = cluster.json("list", "-a")["applications"][-1]
        self.assertEqual("failed", app["state"], app)
        described = cluster.json("describe", str(app["id"]))
        for text in said:
            self.assertRegex(app["error"], text)
            self.assertRegex(described["last_error"], text)
        self.wait_until_free(cluster)
        return described

    def assert_ends_with(self, result, code, *said):
        """As assert_refused, but data on stdout (an id) is fine."""
        silent = Result(result.argv, result.code, "", result.err, result.seconds)
        return self.assert_refused(silent, code, *said)

    def wait_until_free(self, cluster):
        """No application process runs and no slot is used."""
        wait_until(lambda: not cluster.children("executor") and not cluster.children("appmaster"),
                   "executors and appmasters have ended", STOP_S)
        wait_until(lambda: all(w["slots_used"] == 0 for w in cluster.json("workers")["workers"]),
                   "all slots are free", STOP_S, pause_s=0.03)

    # ---- WordCount ----

    def count_words(self, cluster, inputs=None, *arguments):
        """Submits WordCount, waits, compares with coreutils. Returns what submit said."""
        inputs = inputs or [self.file("some.txt", "the gear turns the pump\n  the pump\tturns\n")]
        output = tempfile.mkdtemp(prefix="counts-", dir=self.root)
        result = self.ok(cluster.gpctl("-o", "json", "submit", self.example("wordcount"), "--wait",
                                       "--set", f"input={','.join(inputs)}", "--set", f"output={output}",
                                       *arguments, timeout=JOB_S))
        self.assert_same_counts(inputs, output)
        return result.json

    def assert_same_counts(self, inputs, output):
        expected, counted = words_by_coreutils(inputs), words_counted(output)
        if expected != counted:
            wrong = sorted(w for w in expected.keys() | counted.keys() if expected.get(w) != counted.get(w))
            shown = [(w, expected.get(w, 0), counted.get(w, 0)) for w in wrong[:10]]
            self.fail(f"{len(wrong)} of {len(expected)} words differ (word, coreutils, counted): {shown}")


def files_in(path):
    """What the file source reads: a file, or the visible regular files of a folder."""
    if not os.path.isdir(path):
        return [path]
    names = (os.path.join(path, name) for name in sorted(os.listdir(path)) if not name.startswith("."))
    return [name for name in names if os.path.isfile(name)]


def words_by_coreutils(inputs):
    """{word: count}, words as bytes."""
    files = [file for path in inputs for file in files_in(path)]
    script = r"""for f; do cat "$f"; echo; done | tr -s '[:space:]' '\n' | grep -av '^$' | sort | uniq -c"""
    done = subprocess.run(["sh", "-c", script, "sh", *files], stdout=subprocess.PIPE, check=True,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
    counts = {}
    for line in done.stdout.split(b"\n")[:-1]:
        count, _, word = line.strip(b" ").partition(b" ")
        counts[word] = int(count)
    return counts


def words_counted(output):
    """The same from the part files of WordCount; no word may stand in two of them."""
    counts = {}
    for name in sorted(os.listdir(output)):
        if not re.fullmatch(r"part-\d+", name):
            raise AssertionError(f"an unexpected file: {name}")
        with open(os.path.join(output, name), "rb") as part:
            for line in part.read().split(b"\n")[:-1]:
                word, _, count = line.rpartition(b"\t")
                if word in counts:
                    raise AssertionError(f"{word} was counted by two tasks")
                counts[word] = int(count)
    return counts


def main():
    system.become_subreaper()
    unittest.main(verbosity=2, failfast=False)
