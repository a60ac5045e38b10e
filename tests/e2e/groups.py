"""A cluster of several masters and workers, each a process of its own."""

import signal

import harness
import system

# Each master needs a free port that is known before any of them starts.
ELECTION_S = 10.0 * harness.SLOWNESS


class Group(harness.Case):
    def group(self, count=3, workers=2):
        """`count` masters that have found each other, and workers that have found their leader."""
        self.addresses = []
        while len(self.addresses) < count:
            address = f"127.0.0.1:{system.free_port()}"
            if address not in self.addresses:
                self.addresses.append(address)
        self.env["GEARPUMP_MASTERS"] = ",".join(self.addresses)
        self.masters = [self.start_master(i) for i in range(count)]
        for master in self.masters:
            master.ready()
        self.cluster = harness.Cluster(self, self.masters[0], ",".join(self.addresses))
        self.wait_for_leader()
        self.workers = [self.start_worker(i) for i in range(workers)]
        for worker in self.workers:
            worker.ready()
        return self.cluster

    def start_master(self, i):
        host, _, port = self.addresses[i].rpartition(":")
        return self.start("master", "--host", host, "--port", port, "--data", self.path(f"master-{i}"))

    def start_worker(self, i):
        return self.start("worker", "--data", self.path(f"worker-{i}"))

    def table(self, cluster=None):
        """{address: entry} as `gpctl masters` shows it; {} when none answers."""
        result = (cluster or self.cluster).gpctl("-o", "json", "masters")
        return {m["address"]: m for m in result.json["masters"]} if result.code == harness.OK else {}

    def roles(self, cluster=None):
        return [self.table(cluster).get(a, {}).get("role") for a in self.addresses]

    def wait_for_leader(self):
        """The number of the one that leads."""
        system.wait_until(lambda: self.roles().count("leader") == 1, "one master leads", ELECTION_S, pause_s=0.05)
        return self.roles().index("leader")

    def wait_for_roles(self, **counts):
        system.wait_until(lambda: all(self.roles().count(r) == n for r, n in counts.items()), f"masters: {counts}",
                          ELECTION_S, pause_s=0.05)

    def kill(self, daemon):
        self.killed_hard = True
        daemon.stop(signal.SIGKILL)
