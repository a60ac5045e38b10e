"""gpctl logs: filtered, cut to its end, followed over the death of an executor to the end of the application."""

import json
import re
import subprocess
import threading
import time

import harness
import system

PATIENCE_S = 60 * harness.SLOWNESS


class Follower:
    """`gpctl logs -f` as it goes on."""

    def __init__(self, case, cluster, *arguments):
        argv = [case.built("bin/gpctl"), "--master", cluster.master, "logs", "-f", *arguments]
        self.process = subprocess.Popen(argv, env=case.env, cwd=case.work, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines, self.errors = [], []
        self.readers = [threading.Thread(target=lambda to=to, of=of: to.extend(of))
                        for to, of in ((self.lines, self.process.stdout), (self.errors, self.process.stderr))]
        for reader in self.readers:
            reader.start()
        case.addCleanup(self.end)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join()

    def wait_for(self, pattern):
        system.wait_until(lambda: any(re.search(pattern, line) for line in list(self.lines)), pattern, PATIENCE_S)

    def wait(self):
        code = self.process.wait(PATIENCE_S)
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code


class Logs(harness.Case):
    def ticking(self):
        cluster = self.local()
        app = cluster.submit(self.plugin("ticker"))
        cluster.wait_for_state(app, "running")
        system.wait_until(lambda: cluster.gpctl("logs", "ticker").out.count("printed tick") >= 5, "ticks", PATIENCE_S)
        return cluster

    def test_filters(self):
        cluster = self.ticking()
        everything = self.ok(cluster.gpctl("logs", "ticker")).out
        for said in ("printed tick 1", "complained tick 1", "logged tick 1", "executor.registered"):
            self.assertIn(said, everything)
        self.assertRegex(everything, r"(?m)^\[executor 1\] printed tick 0$")
        self.assertEqual("", self.ok(cluster.gpctl("logs", "ticker", "--level", "error")).out)
        self.assertIn("printed tick 1", self.ok(cluster.gpctl("logs", "ticker", "--level", "info")).out)
        self.assertIn("printed tick 1", self.ok(cluster.gpctl("logs", "ticker", "--since", "1h")).out)
        self.assertEqual("", self.ok(cluster.gpctl("logs", "ticker", "--since", "2100-01-01T00:00Z")).out)
        # The time of a line is the least that shows it and not what was before.
        line = next(line for line in everything.splitlines() if "logged tick 3" in line)
        moment = re.search(r"\d{4}-\d\d-\d\dT[0-9:.]+Z", line).group()
        since = self.ok(cluster.gpctl("logs", "ticker", "--since", moment)).out
        self.assertIn("logged tick 3", since)
        self.assertNotIn("logged tick 2", since)

    def test_tail(self):
        cluster = self.ticking()
        lines = self.ok(cluster.gpctl("logs", "ticker", "--executor", "1", "--tail", "3")).out.splitlines()
        self.assertEqual(3, len(lines), lines)
        every = self.ok(cluster.gpctl("logs", "ticker", "--executor", "1")).out
        self.assertIn("\n".join(lines), every)
        objects = [json.loads(line) for line in
                   self.ok(cluster.gpctl("logs", "ticker", "--tail", "2", "-o", "json")).out.splitlines()]
        self.assertEqual({0: 2, 1: 2}, {e: sum(o["executor"] == e for o in objects) for e in (0, 1)})

    def test_follows_from_the_tail_to_the_end_of_the_application(self):
        cluster = self.ticking()
        follower = Follower(self, cluster, "ticker", "--tail", "1", "--executor", "1")
        system.wait_until(lambda: len(follower.lines) > 10, "more lines", PATIENCE_S)
        self.assertFalse([line for line in follower.lines if "registered" in line])
        ticks = [int(n) for n in re.findall(r"printed tick (\d+)", "".join(follower.lines))]
        self.assertEqual(list(range(ticks[0], ticks[0] + len(ticks))), ticks)
        self.ok(cluster.gpctl("kill", "ticker"))
        self.assertEqual(0, follower.wait(), follower.errors)

    def test_follows_those_that_take_the_place_of_others(self):
        self.expected_noise = r"gearpump: crash |process\.crashed|app\.recovering|executor_lost|SIGSEGV"
        cluster = self.local(workers=2)
        crash = self.path("crash")
        app = cluster.submit(self.plugin("steady"), "--executors", "2", "--set", "rate=1000", "--set",
                             f"crash={crash}")
        cluster.wait_for_state(app, "running")
        follower = Follower(self, cluster, "steady", "--level", "info")
        bad = Follower(self, cluster, "steady", "--level", "error")
        follower.wait_for(r"^\[executor 1\] .*executor\.started")
        follower.wait_for(r"^\[executor 2\] .*executor\.started")
        begin_s = time.monotonic()
        open(crash, "w").close()
        bad.wait_for(r"^\[executor [12]\] gearpump: crash ")
        follower.wait_for(r"^\[executor [3-9]\] .*executor\.started")
        self.assertLess(time.monotonic() - begin_s, PATIENCE_S)
        self.ok(cluster.gpctl("kill", "steady"))
        self.assertEqual(0, follower.wait(), follower.errors)
        self.assertEqual(0, bad.wait(), bad.errors)
        self.assertFalse([line for line in bad.lines if " INFO " in line])

    def test_mistakes(self):
        cluster = self.ticking()
        for arguments, said in ((["--level", "loud"], "--level loud"), (["--since", "soon"], "--since soon"),
                                (["--tail", "0"], "--tail 0"), (["--tail", "10001"], "10000"),
                                (["--executor", "x"], "--executor x")):
            self.assert_refused(cluster.gpctl("logs", "ticker", *arguments), harness.USAGE, said)


if __name__ == "__main__":
    harness.main()
