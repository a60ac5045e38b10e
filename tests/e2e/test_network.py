"""Hosts that lose sight of each other: each on a network of its own, whose links are cut and healed."""

import sys
import time

import harness
import network
import system

PORT = 3000
# A cut is found out by silence: a failure timeout and a third of it for the last question.
FAILURE_S = harness.FAILURE_S
NOTICED_S = (4 * FAILURE_S + 4) * harness.SLOWNESS
HEALED_S = 15.0 * harness.SLOWNESS
# Between two executors it must last: a silence, and the failure timeout again.
CUT_S = (3 * FAILURE_S + 4) * harness.SLOWNESS


class Network(harness.Case):
    def setUp(self):
        super().setUp()
        self.net = network.Network("10.77.0", 6)

    def _check_nothing_is_left(self):
        """All processes end before their hosts do, and they can speak to each other until then."""
        if not hasattr(self, "net"):
            return  # it is skipped
        self.net.heal()
        try:
            super()._check_nothing_is_left()
        finally:
            self.net.close()

    def begin(self, masters=1, workers=2):
        """Masters on the first hosts, workers on the next, people on the last."""
        self.addresses = [f"{self.net.address(i)}:{PORT}" for i in range(masters)]
        self.env["GEARPUMP_MASTERS"] = ",".join(self.addresses)
        self.env["GEARPUMP_CLUSTER__FAILURE_TIMEOUT"] = f"{FAILURE_S:g}s"
        self.env["GEARPUMP_RECOVERY__RESTARTS"] = "20"  # a network has more to it than what is cut here
        self.env["GEARPUMP_INSECURE"] = "true"
        self.masters = [self.start_on(i, "master", "--port", str(PORT)) for i in range(masters)]
        for master in self.masters:
            master.ready()
        self.workers = [self.start_on(3 + i, "worker") for i in range(workers)]
        for worker in self.workers:
            worker.ready()
        return PeopleOnTheLastHost(self, self.masters[0], ",".join(self.addresses))

    def start_on(self, host, role, *arguments):
        data = self.path(f"data-{host}")
        return self.start(role, "--host", self.net.address(host), "--data", data, *arguments,
                          prefix=self.net.prefix(host))

    def workers_by_host(self, cluster):
        """{host: id}"""
        hosts = {self.net.address(i): i for i in range(self.net.count)}
        return {hosts[w["address"].partition(":")[0]]: w["id"] for w in cluster.json("workers")["workers"]}

    def wait_for_workers(self, cluster, seconds, *hosts):
        """Returns {host: id} of them, all there are."""
        system.wait_until(lambda: sorted(self.workers_by_host(cluster)) == sorted(hosts), f"workers on {hosts}",
                          seconds, pause_s=0.05)
        return self.workers_by_host(cluster)

    def roles(self, cluster):
        result = cluster.gpctl("-o", "json", "masters")
        table = {m["address"]: m["role"] for m in result.json["masters"]} if result.code == harness.OK else {}
        return [table.get(a) for a in self.addresses]

    def wait_for_leader(self, cluster, but=None):
        def check():
            roles = self.roles(cluster)
            leaders = [i for i, role in enumerate(roles) if role == "leader" and i != but]
            self.leader = leaders[0] if len(leaders) == 1 else None
            return self.leader is not None

        system.wait_until(check, "one master leads", NOTICED_S, pause_s=0.05)
        return self.leader

    def test_a_worker_that_is_cut_off_is_missed_and_comes_back(self):
        cluster = self.begin()
        ids = self.wait_for_workers(cluster, harness.READY_S, 3, 4)
        for cut in (lambda: self.net.cut(0, 4), lambda: self.net.cut_one_way(0, 4),
                    lambda: self.net.cut_one_way(4, 0)):
            cut()
            begin_s = time.monotonic()
            self.wait_for_workers(cluster, NOTICED_S, 3)
            print(f"missed after {time.monotonic() - begin_s:.1f} s", file=sys.stderr)
            cluster.is_healthy()
            self.net.heal()
            self.assertEqual(ids, self.wait_for_workers(cluster, HEALED_S, 3, 4))
        cluster.is_healthy()

    def test_a_short_cut_harms_nobody(self):
        cluster = self.begin()
        self.wait_for_workers(cluster, harness.READY_S, 3, 4)
        app = cluster.submit(self.plugin("ticker"), "--executors", "2", "--set", "data.edge=tcp")
        cluster.wait_for_state(app, "running")
        before = sorted(p.pid for role in ("appmaster", "executor") for p in cluster.children(role))
        for host in (3, 4):
            self.net.isolate(host)
            time.sleep(0.3 * FAILURE_S)
            self.net.heal()
        time.sleep(2 * FAILURE_S)
        self.assertEqual(before, sorted(p.pid for role in ("appmaster", "executor") for p in cluster.children(role)))
        self.assertEqual("running", cluster.state(app))

    def check_a_leader_without_followers(self, cut):
        cluster = self.begin(masters=3)
        old = self.wait_for_leader(cluster)
        app = cluster.submit(self.plugin("ticker"), "--executors", "2")
        cluster.wait_for_state(app, "running")
        before = sorted(p.pid for role in ("appmaster", "executor") for p in cluster.children(role))
        cut(old)
        begin_s = time.monotonic()
        cluster.submit(self.plugin("ticker"), "--name", "another", "--executors", "1", timeout=harness.JOB_S)
        print(f"submit accepted {time.monotonic() - begin_s:.1f} s after the cut", file=sys.stderr)
        self.assertNotEqual(old, self.wait_for_leader(cluster, but=old))
        cluster.wait_for_state("another", "running")
        self.net.heal()
        system.wait_until(lambda: sorted(map(str, self.roles(cluster))) == ["follower", "follower", "leader"],
                          "one leads, two follow", HEALED_S, pause_s=0.05)
        after = sorted(p.pid for role in ("appmaster", "executor") for p in cluster.children(role))
        self.assertTrue(set(before) <= set(after), "something was restarted")
        self.assertEqual("running", cluster.state(app))

    def test_a_leader_that_is_alone_leads_no_more(self):
        self.check_a_leader_without_followers(self.net.isolate)

    def test_a_leader_that_hears_and_is_not_heard(self):
        self.check_a_leader_without_followers(
            lambda old: [self.net.cut_one_way(old, other) for other in range(3) if other != old])

    def test_a_leader_that_is_heard_and_does_not_hear(self):
        self.check_a_leader_without_followers(
            lambda old: [self.net.cut_one_way(other, old) for other in range(3) if other != old])

    def test_a_leader_that_only_its_workers_cannot_reach(self):
        cluster = self.begin(masters=3)
        leader = self.wait_for_leader(cluster)
        self.wait_for_workers(cluster, harness.READY_S, 3, 4)
        self.net.cut(leader, 3)
        self.wait_for_workers(cluster, NOTICED_S, 4)
        cluster.is_healthy()
        self.net.heal()
        self.wait_for_workers(cluster, HEALED_S, 3, 4)
        cluster.is_healthy()


    def check_it_flows(self, cluster, app, seconds):
        """Rows come to the sink, and go on coming."""
        seen = []

        def check():
            seen.append(cluster.json("describe", str(app))["processors"][2]["in"])
            return len(seen) > 4 and all(a < b for a, b in zip(seen[-5:], seen[-4:]))

        system.wait_until(check, "rows flow", seconds, pause_s=0.5)

    def executors(self, cluster, app):
        """{id: host}"""
        hosts = {worker: host for host, worker in self.workers_by_host(cluster).items()}
        return {e["id"]: hosts[e["worker"]] for e in cluster.json("describe", str(app))["executors"] if e["id"] > 0}

    def test_executors_that_only_each_other_cannot_reach(self):
        cluster = self.begin(workers=3)
        self.wait_for_workers(cluster, harness.READY_S, 3, 4, 5)
        app = cluster.submit(self.plugin("steady"), "--executors", "2", "--set", "rate=1000", "--set",
                             "data.edge=tcp")
        cluster.wait_for_state(app, "running")
        self.check_it_flows(cluster, app, harness.JOB_S)
        before = self.executors(cluster, app)
        self.net.cut(*before.values())
        begin_s = time.monotonic()

        def is_mended():
            self.last = cluster.json("describe", str(app))["events"]
            return any("could not reach each other" in e["text"] and e["took_ms"] >= 0 for e in self.last)

        system.wait_until(is_mended, "one of the two is replaced", CUT_S, pause_s=0.2)
        print(f"replaced {time.monotonic() - begin_s:.1f} s after the cut", file=sys.stderr)
        self.check_it_flows(cluster, app, HEALED_S)
        after = self.executors(cluster, app)
        self.assertEqual(1, len(before.keys() & after.keys()), after)
        self.assertNotEqual(set(before.values()), set(after.values()))
        self.net.heal()
        self.check_it_flows(cluster, app, HEALED_S)
        self.assertEqual(after, self.executors(cluster, app))


class PeopleOnTheLastHost(harness.Cluster):
    """gpctl runs where it reaches everybody."""

    def gpctl(self, *arguments, **options):
        argv = [*self.case.net.prefix(5), self.case.built("bin/gpctl"), "--master", self.master, *arguments]
        return self.case.execute(argv, **options)


if __name__ == "__main__":
    harness.main()
