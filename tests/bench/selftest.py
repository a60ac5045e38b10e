#!/usr/bin/env python3
"""Tests the driver without measuring: its arithmetic, and a whole run against programs that only talk."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import bench
import machine
import profile_cpu
import system
from rows import ROWS

SOL = ('{"sol":{"task":%d,"messages":1000,"seconds":1.0,"rate":%d,"bytes":100,'
       '"latency_us":{"p50":%g,"p99":9,"p999":10,"p9999":11},"out_of_order":%d,"missing":0,"corrupt":0}}')


def sample(limit, measured, moved=False):
    return {"limit": {"rate_msgs_per_s": limit}, "system": {"rate_msgs_per_s": measured},
            "moved": moved}


def is_running(pid):
    """A process that has ended and that nobody has waited for yet has no command line."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read() != b""
    except OSError:
        return False


def row_named(name):
    return next(row for row in ROWS if row.name == name)


class Reports(unittest.TestCase):
    def test_finds_an_object_behind_words_and_inside_a_string(self):
        inner = SOL % (0, 5, 1, 0)
        for text in (inner, f"12:00:01 sink/0 info {inner} {{", json.dumps({"text": f"at {inner}"})):
            self.assertEqual(system.sol_figures(text, 1, True)["rate_msgs_per_s"], 5, text)

    def test_adds_the_rates_of_sinks_and_keeps_the_worst_latency(self):
        text = SOL % (0, 5, 1.5, 0) + "\n" + SOL % (1, 7, 2.5, 0)
        figures = system.sol_figures(text, 2, True)
        self.assertEqual((figures["rate_msgs_per_s"], figures["p50_us"]), (12, 2.5))

    def test_counts_a_sink_once_that_is_shown_twice(self):
        text = SOL % (0, 5, 1, 0)
        self.assertEqual(system.sol_figures(text + text, 1, True)["messages"], 1000)

    def test_refuses_silence_and_disorder(self):
        for text in ("", "{", SOL % (0, 5, 1, 3)):
            with self.assertRaises(machine.CommandError):
                system.sol_figures(text, 1, True)

    def test_counts_words_in_part_files_only(self):
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("part-0", "a\t3\nb\t1\n"), ("part-1", "c\t2\n"), ("in.txt", "x\n")):
                with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                    file.write(text)
            self.assertEqual(system.words_counted(folder), (6, 3))


class Sums(unittest.TestCase):
    def test_takes_the_median_of_ratios_not_the_ratio_of_medians(self):
        row = row_named("sol-ring")
        rate = bench.sum_up(row, [sample(100, 50), sample(10, 2), sample(200, 80)])[0]
        self.assertAlmostEqual(rate["ratio"]["median"], 0.4)
        self.assertEqual(rate["limit"], {"median": 100, "min": 10, "max": 200})

    def test_leaves_out_pairs_across_a_move_while_most_stay(self):
        row = row_named("sol-ring")
        rate = bench.sum_up(row, [sample(10, 9, moved=True), sample(10, 5), sample(10, 5)])[0]
        self.assertAlmostEqual(rate["ratio"]["max"], 0.5)
        rate = bench.sum_up(row, [sample(10, 9, moved=True)])[0]
        self.assertAlmostEqual(rate["ratio"]["max"], 0.9)

    def test_judges_rates_upwards_and_times_downwards(self):
        rate, p50 = row_named("sol-ring").measures[0], row_named("latency-100k").measures[0]
        grades = ["BELOW", "sound", "floor", "aim"]
        self.assertEqual([bench.judge(rate, r) for r in (0.1, 0.3, 0.4, 0.7)], grades)
        self.assertEqual([bench.judge(p50, r) for r in (5, 3, 1.5, 1)], grades)


class Processes(unittest.TestCase):
    def test_sees_a_tree_and_its_memory(self):
        child = machine.start(["sh", "-c", "sleep 60 & echo; wait"], stdout=-1)
        try:
            child.stdout.readline()  # the grandchild is there
            self.assertEqual(len(machine.tree(child.pid)), 2)
            self.assertGreater(machine.tree_pss_bytes(child.pid), 0)
        finally:
            machine.signal_group(child, 9)
            child.wait()
            child.stdout.close()

    def test_kills_what_takes_too_long(self):
        with self.assertRaisesRegex(machine.CommandError, "no end within"):
            machine.run(["sleep", "60"], 0.05)

    def test_says_why_a_command_failed(self):
        with self.assertRaisesRegex(machine.CommandError, "status 3\n.*no such thing"):
            machine.run(["sh", "-c", "echo no such thing >&2; exit 3"], 10)


class Profiles(unittest.TestCase):
    def test_is_left_out_where_perf_is_not_there_or_not_allowed(self):
        for path in ("/nowhere", None):
            with tempfile.TemporaryDirectory() as folder:
                with open(os.path.join(folder, "perf"), "w", encoding="ascii") as file:
                    file.write("#!/bin/sh\necho 'no permission' >&2\nexit 255\n")
                os.chmod(file.name, 0o755)
                with mock.patch.dict(os.environ, {"PATH": path or f"{folder}:{os.environ['PATH']}"}):
                    with self.assertRaisesRegex(system.NotBuilt, "no profile: .*perf"):
                        profile_cpu.shares(["true"], {}, {})


class Arguments(unittest.TestCase):
    def refused(self, *argv):
        said = io.StringIO()
        with contextlib.redirect_stderr(said), self.assertRaises(SystemExit) as end:
            bench.parse_arguments(argv)
        self.assertEqual(end.exception.code, 2)
        return said.getvalue()

    def test_refuses_at_once_what_cannot_be_done(self):
        self.assertIn("no such row: sol-rign", self.refused("--only", "sol-rign"))
        self.assertIn("/nowhere/report.json: No such file", self.refused("--json", "/nowhere/report.json"))
        self.assertIn("not a whole number from 1", self.refused("--rounds", "0"))
        self.assertIn("not a whole number from 1", self.refused("--seconds", "-1"))

    def test_leaves_an_old_report_as_it_is_and_makes_no_new_one(self):
        with tempfile.TemporaryDirectory() as folder:
            old, new = (os.path.join(folder, name) for name in ("old", "new"))
            with open(old, "w", encoding="ascii") as file:
                file.write("{}")
            for path in (old, new):
                bench.parse_arguments(["--json", path])
            self.assertEqual(os.listdir(folder), ["old"])
            self.assertEqual(os.path.getsize(old), 2)


class WholeRun(unittest.TestCase):
    """bench.py from arguments to JSON; limits, gpctl and gpd are scripts of a line."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.script("bench/text", 'echo \'{"words":3}\'')
        self.script("bench/probe", 'echo \'{"one_way_ns":60}\'')
        for name in ("limit_ring", "limit_tcp"):
            self.script(f"bench/{name}", 'echo \'{"rate_msgs_per_s":100,"cpu_ns_per_msg":5}\'')

    def script(self, path, text):
        path = os.path.join(self.folder.name, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(path, 0o755)

    def bench(self, row):
        """Returns exit status, what was shown, the row in the JSON file."""
        report = os.path.join(self.folder.name, "report.json")
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(io.StringIO()):
            status = bench.main(["--build", self.folder.name, "--quick", "--only", row,
                                 "--json", report])
        with open(report, encoding="utf-8") as file:
            return status, shown.getvalue(), json.load(file)["rows"][0]

    def test_shows_a_limit_where_the_system_is_not_built(self):
        status, shown, row = self.bench("sol-ring")
        self.assertEqual(status, 0)
        self.assertIn("not built: bin/gpctl", shown)
        self.assertEqual(row["summary"][0]["limit"]["median"], 100)

    def test_measures_a_job_in_one_process(self):
        self.script("examples/sol.so", "")
        self.script("bin/gpctl", f"echo '{SOL % (0, 60, 1, 0)}'")
        status, shown, row = self.bench("sol-ring")
        self.assertEqual(status, 0, shown)
        self.assertEqual(row["summary"][0]["verdict"], "aim")

    def test_measures_a_job_on_a_cluster_and_stops_it(self):
        self.script("examples/sol.so", "")
        self.script("bin/gpd", "echo addr=127.0.0.1:1 >&2; "
                               "echo gpd ready master=127.0.0.1:4711 workers=2; exec sleep 60")
        self.script("bin/gpctl", f"echo \"$*\" | grep -q 127.0.0.1:4711 && echo '{SOL % (0, 50, 1, 0)}'")
        status, shown, row = self.bench("sol-tcp")
        self.assertEqual(status, 0, shown)
        self.assertAlmostEqual(row["summary"][0]["ratio"]["median"], 0.5)
        self.assertEqual(row["summary"][0]["verdict"], "sound")
        self.assertEqual(machine.tree(os.getpid()), [os.getpid()])

    def test_goes_on_without_a_peer_that_does_not_run(self):
        self.script("bench/limit_ring", "echo no such runtime >&2; exit 127")
        status, shown, row = self.bench("sol-ring")
        self.assertEqual(status, 1)
        self.assertIn("no such runtime", shown)
        self.assertEqual(len(row["samples"]), 3)

    def test_leaves_nothing_behind_when_interrupted(self):
        scratch = os.path.join(self.folder.name, "scratch")
        started = os.path.join(self.folder.name, "started")
        os.mkdir(scratch)
        os.mkfifo(started)
        self.script("bench/limit_ring", f"sleep 600 & echo $! >{started}; wait")
        for number in (signal.SIGINT, signal.SIGTERM):
            with subprocess.Popen(
                    [sys.executable, "-B", bench.__file__, "--build", self.folder.name, "--quick",
                     "--only", "sol-ring"], env={**os.environ, "TMPDIR": scratch},
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
                with open(started, encoding="ascii") as file:
                    sleeper = int(file.read())
                run.send_signal(number)
                said = run.communicate(timeout=60)[1]
            self.assertEqual(run.returncode, 128 + number)
            self.assertIn("interrupted", said)
            self.assertNotIn("Traceback", said)
            self.assertFalse(is_running(sleeper))
            self.assertEqual(os.listdir(scratch), [])

    def test_fails_when_a_job_fails(self):
        self.script("examples/sol.so", "")
        self.script("bin/gpctl", "echo bad plugin >&2; exit 8")
        status, shown, _ = self.bench("sol-ring")
        self.assertEqual(status, 1)
        self.assertIn("bad plugin", shown)


if __name__ == "__main__":
    unittest.main()
