"""A cluster of separate daemons from one configuration file, on 127.0.0.1, .2 and .3 as three hosts."""

import os
import signal

import harness
import system


class Hosts(harness.Case):
    def setUp(self):
        super().setUp()
        # The file names the master's port, so it must be known beforehand.
        self.master = f"127.0.0.1:{system.free_port()}"
        self.config = self.file("gearpump.yaml", f'cluster:\n  masters: ["{self.master}"]\n'
                                                 f'  secret_file: {self.secret}\n'
                                                 f'  failure_timeout: {harness.FAILURE_S:g}s\n'
                                                 f'data_dir: {self.path("data")}\n')

    def start_master(self):
        host, _, port = self.master.rpartition(":")
        return self.start("master", "--config", self.config, "--host", host, "--port", port)

    def start_worker(self, host, *arguments):
        return self.start("worker", "--config", self.config, "--host", host, *arguments)

    def cluster(self, master, workers):
        cluster = harness.Cluster(self, master, self.master)
        self.wait_for_workers(cluster, workers)
        return cluster

    def wait_for_workers(self, cluster, count):
        system.wait_until(lambda: len(cluster.json("workers")["workers"]) == count, f"{count} workers",
                          harness.READY_S, pause_s=0.03)

    def three(self):
        master = self.start_master()
        master.ready()
        workers = [self.start_worker("127.0.0.2"), self.start_worker("127.0.0.3")]
        for worker in workers:
            worker.ready()
        return self.cluster(master, 2), workers

    def test_words_are_counted_over_tcp(self):
        cluster, _ = self.three()
        hosts = sorted(w["address"].partition(":")[0] for w in cluster.json("workers")["workers"])
        self.assertEqual(["127.0.0.2", "127.0.0.3"], hosts)
        report = self.count_words(cluster, ["/usr/share/common-licenses"], "--executors", "2", "--set", "data.edge=tcp")
        described = cluster.json("describe", str(report["id"]))
        self.assertEqual({"tcp"}, {k for e in described["edges"] for k in e["kinds"]})
        self.assertEqual(2, len({e["worker"] for e in described["executors"] if e["id"] > 0}))

    def test_every_process_listens_on_the_address_of_its_host(self):
        cluster, workers = self.three()
        cluster.wait_for_state(cluster.submit(self.plugin("ticker"), "--executors", "2"), "running")
        for worker, host in zip(workers, ("127.0.0.2", "127.0.0.3")):
            pages = "127.0.0.1"  # http.bind: a worker's pages are for its own host
            self.assertEqual({host, pages}, {a for a, _ in system.tcp_listeners(worker.pid)})
            for process in worker.children():
                self.assertLessEqual({a for a, _ in system.tcp_listeners(process.pid)}, {host})

    def test_workers_may_start_before_their_master(self):
        workers = [self.start_worker("127.0.0.2"), self.start_worker("127.0.0.3")]
        for worker in workers:
            system.wait_until(lambda: system.tcp_listeners(worker.pid), "the worker listens", harness.READY_S)
            self.assertFalse(os.path.exists(worker.ready_file), "not registered, yet ready")
        master = self.start_master()
        master.ready()
        cluster = self.cluster(master, 2)
        for worker in workers:
            worker.ready()
        self.count_words(cluster, None, "--executors", "2")

    def test_a_killed_worker_takes_its_executors_along(self):
        self.killed_hard = True
        cluster, workers = self.three()
        app = cluster.submit(self.plugin("ticker"), "--executors", "2")
        cluster.wait_for_state(app, "running")
        children = [p.pid for p in workers[0].children()]
        self.assertTrue(children)
        workers[0].stop(signal.SIGKILL)
        system.wait_until(lambda: not any(system.is_alive(pid) for pid in children), "its children are gone",
                          harness.GONE_S)
        self.wait_for_workers(cluster, 1)
        system.wait_until(lambda: cluster.json("describe", str(app))["events"], "the loss is told", harness.READY_S)
        cluster.wait_for_state(app, "running")
        left = {worker["id"] for worker in cluster.json("workers")["workers"]}
        self.assertEqual(left, {e["worker"] for e in cluster.json("describe", str(app))["executors"]})
        cluster.gpctl("kill", str(app))
        self.wait_until_free(cluster)
        cluster.is_healthy()
        self.start_worker("127.0.0.2").ready()
        self.wait_for_workers(cluster, 2)
        self.count_words(cluster, None, "--executors", "2")

    def test_a_frozen_worker_is_missed(self):
        cluster, workers = self.three()
        os.kill(workers[0].pid, signal.SIGSTOP)
        try:
            self.wait_for_workers(cluster, 1)
            cluster.is_healthy()
        finally:
            os.kill(workers[0].pid, signal.SIGCONT)
        self.wait_for_workers(cluster, 2)

    def test_workers_end_cleanly(self):
        cluster, workers = self.three()
        app = cluster.submit(self.plugin("ticker"), "--executors", "2")
        cluster.wait_for_state(app, "running")
        self.assertEqual(0, workers[1].stop())
        self.wait_for_workers(cluster, 1)
        self.assertEqual(0, workers[0].stop())
        self.wait_for_workers(cluster, 0)
        waiting = cluster.submit(self.plugin("faulty"))
        self.assertEqual("waiting", cluster.json("describe", str(waiting))["application"]["state"])

    def test_names_and_slots_of_workers(self):
        master = self.start_master()
        master.ready()
        self.start_worker("127.0.0.2", "--name", "left", "--slots", "3").ready()
        cluster = self.cluster(master, 1)
        (worker,) = cluster.json("workers")["workers"]
        self.assertEqual(("left", 3), (worker["name"], worker["slots"]))
        self.assert_job_failed(cluster, "slots", submit=[self.plugin("ticker"), "--parallelism", "sink=5",
                                                      "--no-wait-for-slots"])


if __name__ == "__main__":
    harness.main()
