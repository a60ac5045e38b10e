"""Anything may die or freeze, at random moments, again and again, under load: the cluster repairs itself soon.

Each kind of death comes GP_E2E_DEATHS times (2), in an order and at moments drawn from GP_E2E_SEED, which is
printed. How long each repair took is printed, too; only far too long fails. Afterwards the job goes on, and
nothing has added up: no processes, descriptors, memory, sockets or files.
"""

import math
import os
import random
import signal
import sys
import time

import groups
import harness
import system

TIMES = int(os.environ.get("GP_E2E_DEATHS", "2"))
FAILURE_S = harness.FAILURE_S / 2  # who is mistaken for dead does no harm here
FROZEN_S = 1.5 * FAILURE_S + 1  # noticed after a third more, and the last tick
REPAIR_S = 20.0 * harness.SLOWNESS  # far too long for anything
EXECUTORS = 3
RATE = 20000  # rows a second of each of the three source tasks
GROWTH_BYTES = 4 << 20  # of a daemon's memory: a log of half a MiB, applications that ended, and what malloc keeps
GROWTH_FILES = 2  # of its descriptors: a connection that just comes or goes


class Deaths(groups.Group):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("GP_E2E_SEED", random.randrange(1 << 32)))
        self.random = random.Random(self.seed)
        self.times = {}  # kind -> how long each repair took
        print(f"GP_E2E_SEED={self.seed} GP_E2E_DEATHS={TIMES}", file=sys.stderr)
        self.env["GEARPUMP_CLUSTER__FAILURE_TIMEOUT"] = f"{1000 * FAILURE_S:.0f}ms"
        # As many as there are here, without the pauses between those that come too often.
        self.env["GEARPUMP_RECOVERY__RESTARTS"] = "200"
        self.env["GEARPUMP_RECOVERY__WINDOW"] = "1s"
        self.crash = self.path("crash")

    def begin(self):
        self.group(workers=3)
        self.used_before = self.used()
        self.app = self.cluster.submit(self.plugin("steady"), "--executors", str(EXECUTORS), "--set",
                                       f"rate={RATE}", "--set", f"crash={self.crash}")
        self.wait_until_well()

    # ---- how the job is ----

    def describe(self):
        """None while nobody can say."""
        result = self.cluster.gpctl("-o", "json", "describe", str(self.app), timeout=2 * harness.COMMAND_S)
        return result.json if result.code == harness.OK else None

    def is_well(self, without=()):
        self.last = self.describe()
        if not self.last:
            return False
        state = self.last["application"]["state"]
        self.assertNotIn(state, ("finished", "failed", "killed"), self.last)
        executors = self.last["executors"]
        return (state == "running" and len(executors) == 1 + EXECUTORS
                and all(e["state"] == "running" for e in executors if e["id"] > 0)
                and not any(e["pid"] in without for e in executors))

    def wait_until_well(self, without=()):
        try:
            system.wait_until(lambda: self.is_well(without), "", REPAIR_S)
        except AssertionError:
            self.fail(f"not well, without {without}, after {REPAIR_S:g} s: {self.last}")

    def pids(self, executors=True):
        return [e["pid"] for e in self.last["executors"] if (e["id"] > 0) == executors]

    def arrived(self):
        """Rows that reached the sink, as far as is known."""
        described = self.describe()
        return described["processors"][2]["in"] if described else 0

    def shares_memory(self):
        """Whether executors reach each other through shared memory, as they do on one host once it is handed over."""
        described = self.describe()
        return described is not None and any("shm" in edge["kinds"] for edge in described["edges"])

    def assert_progress(self):
        before = self.arrived()
        system.wait_until(lambda: self.arrived() > before + RATE // 10, "rows arrive", REPAIR_S)
        for processor in self.describe()["processors"]:
            self.assertLess(processor["rate_in"], 50 * RATE, "a rate that cannot be")

    def submit(self):
        """Accepted, and ended again: neither waits for its start."""
        app = self.cluster.submit(self.plugin("ticker"), "--name", f"at-{time.monotonic_ns()}", "--executors", "1",
                                  timeout=2 * harness.COMMAND_S)
        self.after.append(lambda: self.ok(self.cluster.gpctl("kill", str(app), timeout=2 * harness.COMMAND_S)))

    # ---- what is used ----

    def used(self):
        """{name: (descriptors, bytes)} of each master and worker, when nothing is going on any more."""
        system.wait_until(lambda: all(m["role"] != "unreachable" and m["lag"] == 0 for m in self.table().values()),
                          "nobody is behind", groups.ELECTION_S, pause_s=0.05)
        return {f"{role} {i}": (system.descriptors(d.pid), system.memory_bytes(d.pid))
                for role, daemons in (("master", self.masters), ("worker", self.workers))
                for i, d in enumerate(daemons)}

    def assert_little_more_is_used(self):
        """The roles of masters may have changed, and who leads has the most connections."""
        used = {}

        def is_little():
            used.update(self.used())
            self.grown = []
            for role in ("master", "worker"):
                before, now = ([u for name, u in all_of.items() if name.startswith(role)]
                               for all_of in (self.used_before, used))
                self.grown += [n[0] - b[0] for b, n in zip(sorted(before), sorted(now))]
            return max(self.grown) <= GROWTH_FILES

        try:
            system.wait_until(is_little, "descriptors", harness.STOP_S, pause_s=0.1)
        except AssertionError:
            self.fail(f"descriptors: {self.used_before} before, {used} after")
        for name, (files, size) in used.items():
            before = self.used_before[name]
            print(f"{name}: descriptors {before[0]} -> {files}, memory {before[1] >> 10} -> {size >> 10} KiB",
                  file=sys.stderr)
        if not harness.SANITIZED:
            most = max(size for _, size in self.used_before.values())
            for name, (_, size) in used.items():
                self.assertLess(size, most + GROWTH_BYTES, f"the memory of {name}")

    # ---- deaths: each returns when all is repaired; self.after is done when the clock stands ----

    def kill_one(self, pid):
        system.kill_quietly(pid)
        self.wait_until_well(without=[pid])

    def freeze_one(self, pid):
        os.kill(pid, signal.SIGSTOP)
        self.after.append(lambda: system.kill_quietly(pid, signal.SIGCONT))
        self.wait_until_well(without=[pid])

    def executor_killed(self):
        self.kill_one(self.random.choice(self.pids()))

    def executor_crashes(self):
        before = self.pids()
        self.file("crash", "")
        system.wait_until(lambda: not os.path.exists(self.crash), "it crashes", REPAIR_S)
        system.wait_until(lambda: self.is_well() and sorted(self.pids()) != sorted(before), "it is replaced", REPAIR_S)

    def executor_frozen(self):
        self.freeze_one(self.random.choice(self.pids()))

    def appmaster_killed(self):
        executors = self.pids()
        self.kill_one(self.pids(executors=False)[0])
        self.assertEqual(sorted(executors), sorted(self.pids()), "executors were replaced")

    def appmaster_frozen(self):
        executors = self.pids()
        self.freeze_one(self.pids(executors=False)[0])
        self.assertEqual(sorted(executors), sorted(self.pids()), "executors were replaced")

    def busy_worker(self):
        return self.random.choice([i for i, worker in enumerate(self.workers) if worker.children()])

    def worker_killed(self):
        i = self.busy_worker()
        lost = [p.pid for p in self.workers[i].children()]
        self.kill(self.workers[i])
        self.wait_until_well(without=lost)
        self.assertFalse([pid for pid in lost if system.is_alive(pid)])
        self.after.append(lambda: self.start_worker_again(i))

    def start_worker_again(self, i):
        self.workers[i] = self.start_worker(i)
        self.workers[i].ready()
        self.wait_for_workers()

    def worker_frozen(self):
        """What it runs goes on, and is found again."""
        before = sorted(e["pid"] for e in self.last["executors"])
        worker = self.random.choice(self.workers)
        os.kill(worker.pid, signal.SIGSTOP)
        time.sleep(FROZEN_S)
        os.kill(worker.pid, signal.SIGCONT)
        begin_s = time.monotonic()
        self.wait_for_workers()
        self.wait_until_well()
        took_s = time.monotonic() - begin_s
        self.assertEqual(before, sorted(e["pid"] for e in self.last["executors"]), "something was restarted")
        return took_s

    def host_frozen(self):
        """A worker and all that it runs, which has its successors by the time it wakes."""
        worker = self.workers[self.busy_worker()]
        lost = [p.pid for p in worker.children()]
        for pid in (*lost, worker.pid):
            os.kill(pid, signal.SIGSTOP)

        def wake():
            for pid in (worker.pid, *lost):
                system.kill_quietly(pid, signal.SIGCONT)
            self.wait_for_workers()
            system.wait_until(lambda: not any(system.is_alive(pid) for pid in lost), "the outdated end", REPAIR_S)

        self.after.append(wake)
        self.wait_until_well(without=lost)

    def wait_for_workers(self):
        system.wait_until(lambda: len(self.cluster.json("workers")["workers"]) == len(self.workers), "all workers",
                          REPAIR_S, pause_s=0.05)

    def leader_killed(self):
        i = self.wait_for_leader()
        self.kill(self.masters[i])
        self.submit()
        self.after.append(lambda: self.start_masters_again(i))

    def follower_killed(self):
        i = (self.wait_for_leader() + self.random.randrange(1, 3)) % 3
        self.kill(self.masters[i])
        self.submit()
        self.after.append(lambda: self.start_masters_again(i))

    def leader_frozen(self):
        i = self.wait_for_leader()
        os.kill(self.masters[i].pid, signal.SIGSTOP)
        self.after.append(lambda: os.kill(self.masters[i].pid, signal.SIGCONT))
        self.after.append(lambda: self.wait_for_roles(leader=1, follower=2))
        self.submit()

    def all_masters_killed(self):
        for master in self.masters:
            self.kill(master)
        time.sleep(self.random.uniform(0, FAILURE_S))
        begin_s = time.monotonic()
        self.start_masters_again(0, 1, 2)
        self.submit()
        return time.monotonic() - begin_s

    def start_masters_again(self, *numbers):
        for i in numbers:
            self.masters[i] = self.start_master(i)
        for i in numbers:
            self.masters[i].ready()
        self.wait_for_roles(leader=1, follower=2)

    # ---- the campaign ----

    def die(self, kind):
        self.after = []
        time.sleep(self.random.uniform(0, 0.3))
        begin_s = time.monotonic()
        took_s = getattr(self, kind)()
        self.times.setdefault(kind, []).append(took_s or time.monotonic() - begin_s)
        for act in self.after:
            act()

    def campaign(self, *kinds):
        order = [kind for kind in kinds for _ in range(TIMES)]
        self.random.shuffle(order)
        try:
            for number, kind in enumerate(order):
                begin_s = time.monotonic()
                self.wait_until_well()
                self.wait_for_workers()
                system.wait_until(self.shares_memory, "executors share memory", REPAIR_S)
                self.die(kind)
                self.wait_until_well()
                self.assert_progress()
                if os.environ.get("GP_E2E_VERBOSE"):
                    print(f"{number}: {kind} {self.times[kind][-1]:.3f} of {time.monotonic() - begin_s:.1f} s",
                          file=sys.stderr)
        except AssertionError as error:
            self.fail(f"death {number}, {kind}, of seed {self.seed}: {error}")
        finally:
            self.show()

    def show(self):
        print(f"\n{'ms until it was repaired':24} {'times':>5} {'p50':>6} {'p90':>6} {'max':>6}", file=sys.stderr)
        for kind, times in sorted(self.times.items()):
            times = sorted(1000 * t for t in times)
            at = [times[math.ceil(len(times) * p) - 1] for p in (0.5, 0.9)]
            print(f"{kind.replace('_', ' '):24} {len(times):5} {at[0]:6.0f} {at[1]:6.0f} {times[-1]:6.0f}",
                  file=sys.stderr)

    def end(self):
        """All that was used for the job is given back."""
        events = self.describe()["events"]
        self.assertTrue(events)
        self.ok(self.cluster.gpctl("kill", str(self.app)))
        self.wait_until_free(self.cluster)
        self.assert_little_more_is_used()
        self.cluster.is_healthy()

    def test_what_belongs_to_a_job(self):
        self.expected_noise = r"gearpump: crash |process\.crashed|app\.recovering|executor_lost"
        self.begin()
        self.campaign("executor_killed", "executor_crashes", "executor_frozen", "appmaster_killed",
                      "appmaster_frozen", "worker_frozen")
        self.end()

    def test_what_belongs_to_the_cluster(self):
        self.begin()
        self.campaign("worker_killed", "host_frozen", "leader_killed", "follower_killed", "leader_frozen",
                      "all_masters_killed")
        self.end()


if __name__ == "__main__":
    harness.main()
