"""What could break a stream processor: floods, standstill, huge messages, thousands of tasks, sudden death."""

import os
import signal
import time

import harness
import system
from test_counts import LICENSES


def pss_bytes(pid):
    for line in harness.read_text(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


class Partitioners(harness.Case):
    ROWS, KEYS, TASKS = 4 * 3000, 100, 4

    def check(self, report):
        counters = {p["name"]: p["counters"] for p in report["processors"]}
        del counters["source"]
        for name, counted in counters.items():
            expected = self.ROWS * (self.TASKS if name == "broadcast" else 1)
            self.assertEqual(expected, counted["rows"], name)
        tasks = [f"task-{i}" for i in range(self.TASKS)]
        self.assertEqual(self.KEYS, counters["hash"]["keys"])
        self.assertEqual(self.KEYS * self.TASKS, counters["broadcast"]["keys"])
        for name in ("round_robin", "forward"):
            self.assertEqual([self.ROWS // self.TASKS] * self.TASKS, [counters[name][t] for t in tasks])
        self.assertEqual(self.ROWS, counters["last"][tasks[-1]])

    def test_each_sends_where_it_should(self):
        for edge in ("auto", "shm", "unix", "tcp"):
            cluster = self.local(workers=4, env={"GEARPUMP_DATA__EDGE": edge})
            for executors in ("1", "2", "4"):
                with self.subTest(edge=edge, executors=executors):
                    self.check(cluster.json("submit", self.plugin("spread"), "--executors", executors, "--wait"))

    def test_alone(self):
        result = self.ok(self.gpctl("-o", "json", "run", self.plugin("spread"), "--lanes", "2"))
        self.check(result.json)


class Standstill(harness.Case):
    def check_stops(self, edge):
        """Everything waits for the sinks, in bounded memory; other jobs go on, and it can be killed."""
        cluster = self.local(workers=2, env={"GEARPUMP_DATA__EDGE": edge})
        app = cluster.submit(self.plugin("flood"), "--executors", "2", "--parallelism", "source=4", "--parallelism",
                             "sink=4")
        cluster.wait_for_state(app, "running")

        def emitted():
            return cluster.json("describe", str(app))["processors"][0]["out"]

        def stands_still():
            before = emitted()
            time.sleep(0.5 * harness.SLOWNESS)  # what happens meanwhile is the question
            return before == emitted() and before >= 4000

        system.wait_until(stands_still, "the sources stand still", harness.JOB_S)
        for executor in cluster.children("executor"):
            if not harness.SANITIZED:
                self.assertLess(pss_bytes(executor.pid), 64 << 20)
        self.assertEqual([4000], [p["in"] for p in cluster.json("describe", str(app))["processors"][1:]])
        cluster.is_healthy()
        self.assertEqual("killed", cluster.json("kill", str(app))["state"])
        self.wait_until_free(cluster)

    def test_sinks_that_stop(self):
        for edge in ("auto", "tcp"):
            with self.subTest(edge=edge):
                self.check_stops(edge)


class Size(harness.Case):
    def test_two_thousand_tasks_all_to_all(self):
        cluster = self.local("--slots", "600", workers=4)
        report = self.count_words(cluster, [LICENSES], "--parallelism", "split=1000", "--parallelism", "count=1000",
                                  "--executors", "4")
        self.assertEqual([1, 1000, 1000], [p["tasks"] for p in report["processors"]])

    def test_a_line_of_15_mib_among_small_ones(self):
        line = b"".join(b"%01000d " % (i % 7) for i in range(15000))
        text = self.file("huge.txt", b"small\n" * 1000 + line + b"\n" + b"after\n" * 1000 + line)
        for edge in ("auto", "tcp"):
            with self.subTest(edge=edge):
                cluster = self.local(workers=2, env={"GEARPUMP_DATA__EDGE": edge})
                self.count_words(cluster, [text], "--executors", "2", "--set", f"source.line.max={16 << 20}")

    def test_a_line_beyond_the_limit_fails_the_job_alone(self):
        cluster = self.local()
        text = self.file("huge.txt", b"x" * (2 << 20))
        for said, limits in (("line", []), ("1 MiB|1048576|larger", [
                "--set", f"source.line.max={4 << 20}", "--set", "data.message_max_bytes=1MiB"])):
            self.assert_job_failed(cluster, said, submit=[
                self.example("wordcount"), "--set", f"input={text}", "--set", f"output={self.folder('o')}",
                "--set", "recovery.restarts=1", *limits])
        cluster.is_healthy()


class Death(harness.Case):
    def flooded(self, cluster):
        # Endless, over all processes, as fast as it goes.
        app = cluster.submit(self.plugin("flood"), "--set", "take=1000000000", "--executors", "3", "--parallelism",
                             "source=3", "--parallelism", "sink=3")
        cluster.wait_for_state(app, "running")
        system.wait_until(lambda: cluster.json("describe", str(app))["processors"][1]["in"] > 10000, "rows flow",
                          harness.JOB_S, pause_s=0.05)
        return app

    def goes_on(self, cluster, app, said):
        """It says what died, its tasks run again, messages flow; then it is killed."""
        def well():
            events = cluster.json("describe", str(app))["events"]
            return events and all(e["took_ms"] >= 0 for e in events)
        system.wait_until(well, "it recovers", 20 * harness.SLOWNESS, pause_s=0.05)
        described = cluster.json("describe", str(app))
        self.assertRegex(described["events"][0]["text"], said)
        before = sum(e["messages"] for e in described["edges"])
        system.wait_until(lambda: sum(e["messages"] for e in cluster.json("describe", str(app))["edges"]) > before,
                          "messages go on", harness.JOB_S, pause_s=0.05)
        self.ok(cluster.gpctl("kill", str(app)))

    def test_kill_9_amid_full_flow(self):
        for edge in ("auto", "tcp"):
            with self.subTest(edge=edge):
                cluster = self.local(workers=3, env={"GEARPUMP_DATA__EDGE": edge})
                app = self.flooded(cluster)
                system.kill_quietly(cluster.children("executor")[1].pid)
                self.goes_on(cluster, app, "SIGKILL")
                self.wait_until_free(cluster)
                cluster.is_healthy()

    def test_a_frozen_executor_is_missed(self):
        cluster = self.local(workers=3, env={"GEARPUMP_CLUSTER__FAILURE_TIMEOUT": f"{harness.FAILURE_S:g}s"})
        app = self.flooded(cluster)
        frozen = cluster.children("executor")[0].pid
        os.kill(frozen, signal.SIGSTOP)
        try:
            self.goes_on(cluster, app, "nothing was heard")
            system.wait_until(lambda: not system.is_alive(frozen), "the frozen one is ended", harness.STOP_S)
        finally:
            system.kill_quietly(frozen, signal.SIGCONT)
        self.wait_until_free(cluster)
        cluster.is_healthy()

    def test_the_whole_cluster_amid_full_flow(self):
        cluster = self.local(workers=3)
        self.flooded(cluster)
        self.assertEqual(0, cluster.daemon.stop())


if __name__ == "__main__":
    harness.main()
