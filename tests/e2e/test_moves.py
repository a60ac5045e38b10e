"""Tasks move while rows flow, on a cluster of real processes: onto a worker that joins, off one that is drained.

The job checks itself (plugins/counted.c): each row of a key carries the number of its predecessors, so one row lost,
doubled or out of order anywhere is counted as a gap or a repeat. At its end the rows are counted once more.
"""

import os
import random
import signal
import sys

import groups
import harness
import system

MOVE_S = 60.0 * harness.SLOWNESS  # far too long for anything
TASKS = 3 + 6 + 3
EXACT = {"gaps": 0, "repeats": 0}


class Moves(groups.Group):
    def setUp(self):
        super().setUp()
        self.stop = self.path("stop")
        self.seed = int(os.environ.get("GP_E2E_SEED", random.randrange(1 << 32)))
        self.random = random.Random(self.seed)
        print(f"GP_E2E_SEED={self.seed}", file=sys.stderr)

    def begin(self, masters=1, workers=2, *arguments, rate=6000):
        self.group(count=masters, workers=workers)
        self.wait_for_workers(workers)
        self.app = self.cluster.submit(self.plugin("counted"), "--set", f"stop={self.stop}", "--set", f"rate={rate}",
                                       *arguments)
        self.cluster.wait_for_state(self.app, "running")
        self.assert_progress()

    def add_worker(self):
        self.workers.append(self.start_worker(len(self.workers)))
        self.workers[-1].ready()
        self.wait_for_workers(len(self.workers))

    def wait_for_workers(self, count):
        system.wait_until(lambda: len(self.list()) == count, f"{count} workers", harness.READY_S, pause_s=0.05)

    # ---- how it is ----

    def list(self):
        """{id: worker}"""
        return {w["id"]: w for w in self.cluster.json("workers")["workers"]}

    def worker_of(self, id):
        """The daemon."""
        pid = self.list()[id]["pid"]
        return next(w for w in self.workers if w.pid == pid)

    def describe(self):
        return self.cluster.json("describe", str(self.app), timeout=2 * harness.COMMAND_S)

    def counters(self, described=None):
        described = described or self.describe()
        sums = {"gaps": 0, "repeats": 0}
        for processor in described["processors"][1:]:
            for name in sums:
                sums[name] += processor["counters"].get(name, 0)
        return sums

    def tasks_on(self):
        """{worker: tasks}, those of the executors there."""
        described = self.describe()
        executors = {e["id"]: e["worker"] for e in described["executors"]}
        tasks = {}
        for placed in described["tasks"]:
            worker = executors[placed["executor"]]
            tasks[worker] = tasks.get(worker, 0) + placed["count"]
        return tasks

    def arrived(self):
        return self.describe()["processors"][2]["in"]

    def assert_progress(self):
        before = self.arrived()
        system.wait_until(lambda: self.arrived() > before + 1000, "rows arrive", MOVE_S, pause_s=0.05)

    def assert_nothing_went_wrong(self):
        """Nothing lost, doubled, restarted."""
        described = self.describe()
        self.assertEqual({"messages": 0, "in_doubt": 0, "at_least": False}, described["lost"])
        self.assertEqual(0, described["restarts"]["used"], described["events"])
        self.assertEqual(EXACT, self.counters(described), described["events"])

    def end_exactly(self):
        """The sources end, and all they sent has arrived."""
        self.file("stop", "")
        self.cluster.wait_for_state(self.app, "finished", seconds=MOVE_S)
        described = self.describe()
        numbers, check, sink = described["processors"]
        self.assertLess(0, numbers["out"])
        self.assertEqual([numbers["out"]] * 3, [check["in"], check["out"], sink["in"]], described["events"])
        self.assertEqual(EXACT, self.counters(described), described["events"])
        self.wait_until_free(self.cluster)

    def stop_worker(self, worker):
        """As its operator does once it is drained."""
        daemon = self.worker_of(worker)
        self.assertEqual([], [p for p in daemon.children()], "it still has processes")
        self.assertEqual(0, daemon.stop())
        self.workers.remove(daemon)

    def drain(self, worker, *arguments):
        return self.cluster.gpctl("drain", str(worker), "--wait", *arguments, timeout=MOVE_S)

    def appmaster_worker(self):
        return next(e["worker"] for e in self.describe()["executors"] if e["id"] == 0)

    def is_well(self):
        result = self.cluster.gpctl("-o", "json", "describe", str(self.app), timeout=2 * harness.COMMAND_S)
        if result.code != harness.OK:
            return False
        described = result.json
        self.assertNotIn(described["application"]["state"], ("finished", "failed", "killed"), described)
        return (described["application"]["state"] == "running"
                and all(e["state"] == "running" for e in described["executors"] if e["id"] > 0))

    def wait_until_well(self):
        system.wait_until(self.is_well, "all is well", MOVE_S, pause_s=0.05)

    # ---- what is promised ----

    def test_a_worker_joins_and_tasks_are_spread(self):
        self.begin(1, 1)
        before = {e["id"]: e["pid"] for e in self.describe()["executors"]}
        self.add_worker()
        self.assertEqual({1: TASKS}, self.tasks_on())
        report = self.cluster.json("rebalance", "counted", "--wait", timeout=MOVE_S)
        self.assertEqual((0, []), (report["moving"], report["refused"]))
        self.assertLess(0, report["tasks"])
        tasks = self.tasks_on()
        self.assertEqual(TASKS, sum(tasks.values()))
        self.assertLess(abs(tasks.get(1, 0) - tasks.get(2, 0)), 4, tasks)
        self.assertLessEqual(before.items(), {e["id"]: e["pid"] for e in self.describe()["executors"]}.items())
        self.assertEqual(report["tasks"], self.describe()["moves"]["done"])
        self.assertEqual(0, self.cluster.json("rebalance", "counted")["tasks"])
        self.assert_progress()
        self.assert_nothing_went_wrong()
        self.end_exactly()

    def test_it_happens_by_itself_if_it_is_to(self):
        self.env["GEARPUMP_BALANCE__REBALANCE"] = "auto"
        self.begin(1, 1)
        self.add_worker()
        system.wait_until(lambda: len(self.tasks_on()) == 2 and self.describe()["moves"]["open"] == 0, "tasks move",
                          MOVE_S, pause_s=0.1)
        self.assert_nothing_went_wrong()
        self.end_exactly()

    def test_a_worker_is_drained_and_stopped(self):
        self.begin(1, 3)
        worker = next(w for w in self.tasks_on() if w != self.appmaster_worker())
        others = {e["id"]: e["pid"] for e in self.describe()["executors"] if e["worker"] != worker}
        result = self.ok(self.drain(worker))
        self.assertRegex(result.out, rf"^worker {worker} \(.*\) is drained and may stop\n$")
        self.assertEqual((0, "drained"), tuple(self.list()[worker][k] for k in ("slots_used", "state")))
        self.stop_worker(worker)
        self.assert_progress()
        self.assertNotIn(worker, self.tasks_on())
        self.assertLessEqual(others.items(), {e["id"]: e["pid"] for e in self.describe()["executors"]}.items())
        self.assert_nothing_went_wrong()
        self.end_exactly()

    def test_the_worker_of_the_appmaster_is_drained(self):
        self.begin(1, 2)
        worker = self.appmaster_worker()
        others = {e["id"]: e["pid"] for e in self.describe()["executors"] if e["worker"] != worker and e["id"] > 0}
        self.ok(self.drain(worker))
        self.stop_worker(worker)
        self.wait_until_well()
        self.assertNotEqual(worker, self.appmaster_worker())
        self.assertLessEqual(others.items(), {e["id"]: e["pid"] for e in self.describe()["executors"]}.items())
        self.assert_progress()
        self.assert_nothing_went_wrong()
        self.end_exactly()

    def test_the_last_one_waits_for_another(self):
        self.begin(1, 1)
        result = self.cluster.gpctl("drain", "1", "--wait", timeout=MOVE_S)
        self.assert_refused(result, harness.CONFLICT, "worker 1 is not drained", "counted .id 1.: .*no other worker has room",
                            "start a worker, or gpctl drain 1 --force")
        self.assertEqual({1: TASKS}, self.tasks_on())
        self.add_worker()
        self.ok(self.drain(1))
        self.wait_until_well()
        self.assertEqual({2: TASKS}, self.tasks_on())
        self.assert_nothing_went_wrong()
        self.end_exactly()

    def test_what_cannot_take_its_state_along_stays(self):
        self.begin(1, 2, "--set", "stays=1")
        worker = next(w for w in self.tasks_on() if w != self.appmaster_worker())
        result = self.drain(worker)
        self.assert_refused(result, harness.CONFLICT, "task.* of 'sink': .*snapshot", f"drain {worker} --undo")
        self.assertIn(worker, self.tasks_on())
        self.ok(self.cluster.gpctl("drain", str(worker), "--undo"))
        self.assert_nothing_went_wrong()
        self.ok(self.drain(worker, "--force"))  # it was told what that costs
        self.assertNotIn(worker, self.tasks_on())
        self.assert_progress()
        self.assertEqual(0, self.describe()["restarts"]["used"])

    def test_an_undo_halfway(self):
        self.begin(1, 2)
        worker = next(iter(self.tasks_on()))
        self.ok(self.cluster.gpctl("drain", str(worker)))
        self.ok(self.cluster.gpctl("drain", str(worker), "--undo"))
        self.assertEqual("serving", self.list()[worker]["state"])
        self.wait_until_well()
        system.wait_until(lambda: self.describe()["moves"]["open"] == 0, "nothing moves", MOVE_S, pause_s=0.1)
        self.assert_progress()
        self.assert_nothing_went_wrong()
        self.end_exactly()

    def test_an_executor_is_killed_meanwhile(self):
        """What it held is lost, and said; the rest moves on, and the worker is drained in the end."""
        self.expected_noise = r"process\.crashed"
        self.begin(1, 3)
        worker = next(w for w in self.tasks_on() if w != self.appmaster_worker())
        victims = [e["pid"] for e in self.describe()["executors"] if e["id"] > 0]
        self.ok(self.cluster.gpctl("drain", str(worker)))
        system.kill_quietly(self.random.choice(victims), signal.SIGKILL)
        self.ok(self.drain(worker, "--timeout", f"{MOVE_S / 2:g}s"))
        self.wait_until_well()
        self.assertNotIn(worker, self.tasks_on())
        self.stop_worker(worker)
        self.assert_progress()

    def test_the_leader_is_killed_meanwhile(self):
        self.begin(3, 3)
        worker = next(w for w in self.tasks_on() if w != self.appmaster_worker())
        self.ok(self.cluster.gpctl("drain", str(worker)))
        self.kill(self.masters[self.wait_for_leader()])
        self.ok(self.drain(worker))
        self.stop_worker(worker)
        self.wait_until_well()
        self.assertNotIn(worker, self.tasks_on())
        self.assert_progress()
        self.assert_nothing_went_wrong()
        self.end_exactly()

    def test_a_drained_worker_is_drained_when_it_comes_again(self):
        self.begin(1, 2)
        name = "the-third"
        daemon = self.start("worker", "--data", self.path("worker-named"), "--name", name)
        daemon.ready()
        self.wait_for_workers(3)
        self.ok(self.cluster.gpctl("drain", name))
        self.assertEqual(0, daemon.stop())
        self.wait_for_workers(2)
        self.start("worker", "--data", self.path("worker-named"), "--name", name).ready()
        self.wait_for_workers(3)
        self.assertEqual(["drained"], [w["state"] for w in self.list().values() if w["name"] == name])
        self.assertEqual("serving", self.cluster.json("drain", name, "--undo")["state"])
        self.end_exactly()


if __name__ == "__main__":
    harness.main()
