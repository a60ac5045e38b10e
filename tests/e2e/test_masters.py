"""Several masters: one leads, any minority may die at any moment, and nothing that runs notices."""

import os
import shutil
import signal
import sys
import time

import groups
import harness
import system
from groups import ELECTION_S

SUBMIT_S = 3.0 * harness.SLOWNESS  # from the death of a leader to an accepted submit


class Masters(groups.Group):
    def running(self):
        """A job that runs, and the processes that it must keep."""
        app = self.cluster.submit(self.plugin("ticker"), "--executors", "2")
        self.cluster.wait_for_state(app, "running")
        return app, self.processes()

    def processes(self):
        return sorted(p.pid for role in ("appmaster", "executor") for p in self.cluster.children(role))

    def assert_undisturbed(self, app, processes):
        self.assertEqual(processes, self.processes())
        self.assertEqual("running", self.cluster.state(app))

    def test_one_leads_and_each_answers(self):
        self.group()
        self.wait_for_roles(leader=1, follower=2)
        leader = self.addresses[self.wait_for_leader()]
        for address in self.addresses:
            one = harness.Cluster(self, None, address)
            table = self.table(one)
            self.assertEqual("leader", table[leader]["role"], table)
            self.assertEqual(2, len(one.json("workers")["workers"]))
            self.count_words(one, None, "--executors", "2")
        system.wait_until(lambda: all(m["lag"] == 0 for m in self.table().values()), "nobody is behind", ELECTION_S)

    def test_a_killed_leader_is_replaced(self):
        self.group()
        app, processes = self.running()
        old = self.wait_for_leader()
        self.kill(self.masters[old])
        begin_s = time.monotonic()
        self.cluster.submit(self.plugin("ticker"), "--name", "another", "--executors", "1")
        took_s = time.monotonic() - begin_s
        print(f"submit accepted {1000 * took_s:.0f} ms after the leader was killed", file=sys.stderr)
        self.assertLess(took_s, SUBMIT_S)
        self.wait_for_roles(leader=1, follower=1, unreachable=1)
        self.assertEqual("unreachable", self.roles()[old])
        self.cluster.wait_for_state("another", "running")
        self.assertEqual("running", self.cluster.state(app))
        self.assertTrue(set(processes) <= set(self.processes()), "something was restarted")
        system.wait_until(lambda: sorted(w["id"] for w in self.cluster.json("workers")["workers"]) == [1, 2],
                          "the workers have their numbers again", harness.READY_S, pause_s=0.05)
        self.masters[old] = self.start_master(old)
        self.wait_for_roles(leader=1, follower=2)
        self.assertTrue(set(processes) <= set(self.processes()), "something was restarted")

    def test_a_frozen_leader_is_replaced_and_follows_when_it_wakes(self):
        self.group()
        app, processes = self.running()
        old = self.wait_for_leader()
        os.kill(self.masters[old].pid, signal.SIGSTOP)
        try:
            self.cluster.submit(self.plugin("ticker"), "--name", "another", "--executors", "1", timeout=harness.JOB_S)
            self.assertEqual("unreachable", self.roles()[old])
        finally:
            os.kill(self.masters[old].pid, signal.SIGCONT)
        self.wait_for_roles(leader=1, follower=2)
        self.assertNotEqual(old, self.wait_for_leader())
        self.cluster.wait_for_state("another", "running")
        self.assertEqual("running", self.cluster.state(app))
        self.assertTrue(set(processes) <= set(self.processes()), "something was restarted")

    def test_a_minority_accepts_nothing_and_says_so(self):
        self.group()
        app, processes = self.running()
        leader = self.wait_for_leader()
        dead = [(leader + 1) % 3, leader]
        for i in dead:
            self.kill(self.masters[i])
        result = self.cluster.gpctl("submit", self.plugin("ticker"), "--name", "another", timeout=harness.JOB_S)
        self.assertIn(result.code, (harness.UNREACHABLE, harness.TIMEOUT), str(result))
        self.assertEqual(processes, self.processes())
        self.assertEqual(2, self.roles().count("unreachable"))
        for i in dead:
            self.masters[i] = self.start_master(i)
        self.wait_for_roles(leader=1, follower=2)
        names = [a["name"] for a in self.cluster.json("list", "-a")["applications"]]
        self.assertNotIn("another", names)
        self.assert_undisturbed(app, processes)

    def test_all_masters_killed_lose_nothing(self):
        self.group()
        done = self.count_words(self.cluster)["id"]
        # Its appmaster ends a little later: with the thread sanitizer, a second.
        system.wait_until(lambda: not self.processes(), "what ended is gone", harness.READY_S, pause_s=0.05)
        app, processes = self.running()
        before = self.cluster.json("list", "-a")["applications"]
        for master in self.masters:
            self.kill(master)
        self.assertEqual(harness.UNREACHABLE, self.cluster.gpctl("list").code)
        self.assertEqual(processes, self.processes())
        self.masters = [self.start_master(i) for i in range(3)]
        self.wait_for_roles(leader=1, follower=2)
        after = {a["id"]: a for a in self.cluster.json("list", "-a")["applications"]}
        self.assertEqual([a["id"] for a in before], sorted(after))
        self.assertEqual("finished", after[done]["state"])
        system.wait_until(lambda: len(self.cluster.json("workers")["workers"]) == 2, "the workers are back",
                          harness.READY_S, pause_s=0.05)
        self.assert_undisturbed(app, processes)
        self.assertGreater(self.cluster.submit(self.plugin("ticker"), "--name", "next", "--executors", "1"), app)

    def test_masters_are_replaced_and_removed(self):
        self.group()
        app, processes = self.running()
        leader = self.wait_for_leader()
        lost, other = [i for i in range(3) if i != leader]
        self.kill(self.masters[lost])
        shutil.rmtree(self.path(f"master-{lost}"))
        self.masters[lost] = self.start_master(lost)
        self.masters[lost].ready()
        # It is another master now, at the same address, and no part of the cluster.
        self.assert_refused(self.cluster.gpctl("masters", "remove", self.addresses[other]), harness.CONFLICT,
                            "not enough")
        system.wait_until(lambda: self.cluster.gpctl("masters", "add", self.addresses[lost]).code == harness.OK,
                          "the new master was added", ELECTION_S, pause_s=0.1)
        self.wait_for_roles(leader=1, follower=2)
        system.wait_until(lambda: all(m["lag"] == 0 for m in self.table().values()), "nobody is behind", ELECTION_S)
        self.assert_refused(self.cluster.gpctl("masters", "add", self.addresses[other]), harness.CONFLICT)
        self.assert_refused(self.cluster.gpctl("masters", "remove", "127.0.0.1:1"), harness.NOT_FOUND)
        self.kill(self.masters[other])
        self.ok(self.cluster.gpctl("masters", "remove", self.addresses[other]))
        one = harness.Cluster(self, None, self.addresses[leader])
        self.assertEqual({self.addresses[leader], self.addresses[lost]}, self.table(one).keys())
        self.assert_undisturbed(app, processes)

    def test_a_master_that_is_not_listed(self):
        self.group(workers=0)
        result = self.gpd("master", "--host", "127.0.0.1", "--port", str(system.free_port()), "--data",
                          self.path("stranger"))
        self.assert_refused(result, harness.USAGE, "this would be 127.0.0.1:", "not in cluster.masters")


if __name__ == "__main__":
    harness.main()
