"""A master's disk is full: it leads no more, says so, and loses nothing that was acknowledged."""

import time

import disks
import groups
import harness
import system

NOTICED_S = 10.0 * harness.SLOWNESS
MENDED_S = 30.0 * harness.SLOWNESS  # it looks again in growing intervals


class FullDisk(groups.Group):
    def setUp(self):
        super().setUp()
        self.disks = []
        self.accepted = []

    def _check_nothing_is_left(self):
        """All processes end before their disks do."""
        for disk in self.disks:
            disk.free()
        try:
            super()._check_nothing_is_left()
        finally:
            for disk in self.disks:
                disk.close()

    def begin(self):
        for i in range(3):
            self.disks.append(disks.Disk(self.path(f"master-{i}"), 4096))
        self.group(workers=1)

    def submit(self):
        """Something that was promised."""
        name = f"job-{len(self.accepted)}"
        self.accepted.append((self.cluster.submit(self.plugin("ticker"), "--name", name, "--executors", "1",
                                                  timeout=2 * harness.COMMAND_S), name))
        self.ok(self.cluster.gpctl("kill", name, timeout=2 * harness.COMMAND_S))

    def assert_nothing_is_lost(self):
        kept = {a["id"]: a for a in self.cluster.json("list", "-a")["applications"]}
        for number, name in self.accepted:
            self.assertIn(number, kept)
            self.assertEqual((name, "killed"), (kept[number]["name"], kept[number]["state"]))

    def is_broken(self, i):
        return self.roles()[i] == "broken"

    def fill_until_broken(self, i):
        """Nobody notices: others lead at once, and whoever submits is sent to them."""
        self.disks[i].fill()

        def check():
            result = self.cluster.gpctl("submit", self.plugin("ticker"), "--name", f"filler-{time.monotonic_ns()}",
                                        "--executors", "1", timeout=2 * harness.COMMAND_S)
            self.ok(result)
            return self.is_broken(i)

        system.wait_until(check, f"master {i} is broken: {self.roles()}", NOTICED_S)
        self.assertRegex(self.masters[i].err, r"consensus\.broken .*GP_ENOSPC")

    def wait_until_mended(self, i):
        self.disks[i].free()
        self.wait_for_all(MENDED_S)
        self.assertRegex(self.masters[i].err, r"consensus\.mended")

    def wait_for_all(self, seconds):
        system.wait_until(lambda: sorted(map(str, self.roles())) == ["follower", "follower", "leader"]
                          and all(m["lag"] == 0 for m in self.table().values()), "one leads, two follow", seconds,
                          pause_s=0.05)

    def restart_all(self):
        for master in self.masters:
            self.assertEqual(0, master.stop())
        self.masters = [self.start_master(i) for i in range(3)]
        for master in self.masters:
            master.ready()
        self.wait_for_all(groups.ELECTION_S)

    def test_a_leader_gives_the_lead_away(self):
        self.begin()
        self.submit()
        full = self.wait_for_leader()
        self.fill_until_broken(full)
        self.assertNotEqual(full, self.wait_for_leader())
        one = harness.Cluster(self, None, self.addresses[full])
        self.assertEqual("broken", self.table(one)[self.addresses[full]]["role"])
        for _ in range(3):
            self.submit()
        self.assert_nothing_is_lost()
        self.wait_until_mended(full)
        # It counts again: with it alone beside the leader there are enough.
        other = next(i for i in range(3) if i not in (full, self.wait_for_leader()))
        self.kill(self.masters[other])
        self.submit()
        self.masters[other] = self.start_master(other)
        self.wait_for_all(groups.ELECTION_S)
        self.restart_all()
        self.assert_nothing_is_lost()

    def test_a_follower_is_waited_for(self):
        self.begin()
        leader = self.wait_for_leader()
        full = (leader + 1) % 3
        self.fill_until_broken(full)
        self.submit()
        self.wait_until_mended(full)
        self.assert_nothing_is_lost()

    def test_all_are_full_and_then_are_not(self):
        self.begin()
        self.submit()
        app = self.cluster.submit(self.plugin("ticker"), "--name", "goes-on", "--executors", "1")
        self.cluster.wait_for_state(app, "running")
        processes = [e["pid"] for e in self.cluster.json("describe", str(app))["executors"]]
        self.assertEqual(2, len(processes), "its appmaster and an executor")
        for disk in self.disks:
            disk.fill()
        refused = False
        for number in range(20):  # a page may have room left
            result = self.cluster.gpctl("submit", self.plugin("ticker"), "--name", f"no-{number}", "--executors", "1",
                                        timeout=2 * harness.COMMAND_S)
            refused = refused or result.code != harness.OK
            if refused:
                break
        self.assertTrue(refused, "everything was accepted")
        self.assertTrue(all(map(system.is_alive, processes)), "what runs does not need the masters")
        for disk in self.disks:
            disk.free()
        self.wait_for_all(MENDED_S)
        self.submit()
        self.assert_nothing_is_lost()
        self.assertEqual("running", self.cluster.state(app))


if __name__ == "__main__":
    harness.main()
