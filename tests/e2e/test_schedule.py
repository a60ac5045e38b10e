"""Who gets slots, on a cluster of real processes: priorities, waiting, and tasks that are placed."""

import harness
import system


class Waiting(harness.Case):
    def submit(self, name, sinks, *arguments):
        """ticker has one source and so many sinks; a slot for each, and one for its appmaster."""
        return self.cluster.submit(self.plugin("ticker"), "--name", name, "--parallelism", f"sink={sinks}", *arguments)

    def summary(self, app):
        return self.cluster.json("describe", str(app))["application"]

    def setUp(self):
        super().setUp()
        self.cluster = self.local("--slots", "8", workers=2)

    def test_begins_when_slots_are_free_the_most_urgent_first(self):
        first = self.submit("first", 9)
        self.cluster.wait_for_state(first, "running")
        second = self.submit("second", 9)
        self.cluster.wait_for_state(second, "waiting")
        urgent = self.submit("urgent", 9, "--priority", "high")
        self.cluster.wait_for_state(urgent, "waiting")
        self.assertEqual("high", self.summary(urgent)["priority"])
        self.assertIn("11 slots needed, 5 free on 2 workers", self.summary(urgent)["error"])
        self.assertIn(f"behind application {urgent}", self.summary(second)["error"])
        listed = self.ok(self.cluster.gpctl("list")).out
        self.assertIn("waiting", listed)
        self.assertIn("11 slots needed, 5 free", listed)
        self.assertIn("waits", self.ok(self.cluster.gpctl("describe", "second")).out)
        self.cluster.json("kill", "first")
        self.cluster.wait_for_state(urgent, "running")
        self.assertEqual("waiting", self.summary(second)["state"])
        self.cluster.json("kill", "urgent")
        self.cluster.wait_for_state(second, "running")
        # Who waited holds what it needs, and no more.
        self.assertEqual(11, sum(w["slots_used"] for w in self.cluster.json("workers")["workers"]))

    def test_a_job_that_waits_can_be_killed(self):
        app = self.submit("wide", 30)
        self.cluster.wait_for_state(app, "waiting")
        self.assertIn("too few even if all were free", self.summary(app)["error"])
        self.assertEqual("killed", self.cluster.json("kill", "wide")["state"])
        self.wait_until_free(self.cluster)

    def test_nobody_has_to_wait(self):
        result = self.cluster.gpctl("submit", self.plugin("ticker"), "--parallelism", "sink=30", "--no-wait-for-slots",
                                    "--wait")
        self.assert_ends_with(result, harness.JOB_FAILED, "31 needed", "16|15 free")

    def test_who_follows_it_hears_that_it_waits(self):
        result = self.cluster.gpctl("submit", self.plugin("ticker"), "--parallelism", "sink=30", "--wait", "--timeout",
                                    "2s")
        self.assertEqual(harness.TIMEOUT, result.code, str(result))
        self.assertIn("waits: ", result.err)
        self.cluster.json("kill", "ticker")

    def test_priorities_that_are_none(self):
        self.assert_refused(self.cluster.gpctl("submit", self.plugin("ticker"), "--priority", "urgent"), harness.USAGE,
                            "low, normal or high")


class Places(harness.Case):
    """Three workers that are not alike: left and right are in zone a, third is in zone b."""

    def setUp(self):
        super().setUp()
        self.master = f"127.0.0.1:{system.free_port()}"
        self.config = self.file("gearpump.yaml", f'cluster:\n  masters: ["{self.master}"]\n'
                                                 f'  secret_file: {self.secret}\n'
                                                 f'  failure_timeout: {harness.FAILURE_S:g}s\n'
                                                 f'data_dir: {self.path("data")}\n')
        master = self.start("master", "--config", self.config, "--port", self.master.rpartition(":")[2])
        master.ready()
        self.workers = {}
        for name, zone in (("left", "a"), ("right", "a"), ("third", "b")):
            self.add(name, f"zone={zone}")
        self.cluster = harness.Cluster(self, master, self.master)
        self.wait_for(3)

    def add(self, name, label):
        self.workers[name] = self.start("worker", "--config", self.config, "--name", name, "--slots", "10", "--set",
                                        f"worker.labels={label}", "--set", "http.enabled=false")
        self.workers[name].ready()

    def wait_for(self, count):
        system.wait_until(lambda: len(self.cluster.json("workers")["workers"]) == count, f"{count} workers",
                          harness.READY_S, pause_s=0.03)

    def submit(self, *places):
        arguments = [word for place in places for word in ("--place", place)]
        return self.cluster.submit(self.plugin("ticker"), "--parallelism", "sink=4", *arguments)

    def where(self, app):
        """{processor: {name of a worker: tasks}}"""
        described = self.cluster.json("describe", str(app))
        workers = {e["id"]: e["worker"] for e in described["executors"]}
        names = {w["id"]: w["name"] for w in self.cluster.json("workers")["workers"]}
        places = {}
        for placed in described["tasks"]:
            on = places.setdefault(placed["processor"], {})
            name = names.get(workers[placed["executor"]], "nobody")
            on[name] = on.get(name, 0) + placed["count"]
        return places

    def await_where(self, app, processor, names):
        system.wait_until(lambda: set(self.where(app).get(processor, {})) == set(names), f"{processor} on {names}",
                          harness.JOB_S, pause_s=0.1)
        self.assertEqual(4, sum(self.where(app)["sink"].values()))

    def test_tasks_are_on_the_worker_of_that_name(self):
        listed = {w["name"]: w["labels"] for w in self.cluster.json("workers")["workers"]}
        self.assertEqual({"left": ["zone=a"], "right": ["zone=a"], "third": ["zone=b"]}, listed)
        app = self.submit("sink=worker:third", "ticks=worker:left")
        self.cluster.wait_for_state(app, "running")
        self.assertEqual({"ticks": {"left": 1}, "sink": {"third": 4}}, self.where(app))
        self.assertEqual({"ticks": "worker:left", "sink": "worker:third"},
                         {p["name"]: p["place"] for p in self.cluster.json("describe", str(app))["processors"]})
        self.assertRegex(self.ok(self.cluster.gpctl("describe", str(app))).out, r"(?s)PLACE\n.* worker:third\n")
        self.cluster.json("kill", str(app))

    def test_tasks_with_a_label_find_another_such_worker(self):
        app = self.submit("sink=label:zone=a")
        self.cluster.wait_for_state(app, "running")
        self.assertEqual({"left": 2, "right": 2}, self.where(app)["sink"])
        self.assertEqual(0, self.workers["left"].stop())
        self.await_where(app, "sink", ["right"])
        self.cluster.wait_for_state(app, "running")
        self.cluster.json("kill", str(app))

    def test_a_worker_that_is_drained_is_left_for_another_of_that_label(self):
        app = self.submit("sink=label:zone=a")
        self.cluster.wait_for_state(app, "running")
        self.ok(self.cluster.gpctl("drain", "left"))
        self.await_where(app, "sink", ["right"])
        self.cluster.json("kill", str(app))

    def test_what_has_no_such_worker_waits_for_one(self):
        app = self.submit("sink=worker:fourth")
        self.cluster.wait_for_state(app, "waiting")
        self.assertIn("no worker is worker:fourth", self.cluster.json("describe", str(app))["application"]["error"])
        other = self.cluster.submit(self.plugin("ticker"), "--name", "other")
        self.cluster.wait_for_state(other, "running")
        self.add("fourth", "zone=c")
        self.cluster.wait_for_state(app, "running")
        self.assertEqual({"fourth": 4}, self.where(app)["sink"])

    def test_places_that_are_none(self):
        for value in ("sink", "sink=somewhere", "sink=worker:", "sink=label:zone", "=worker:a"):
            with self.subTest(value=value):
                self.assert_refused(self.cluster.gpctl("submit", self.plugin("ticker"), "--place", value),
                                    harness.USAGE, "--place")
        result = self.cluster.gpctl("submit", self.plugin("ticker"), "--place", "snik=worker:left", "--wait")
        self.assertIn("did you mean 'sink'?", result.err)


if __name__ == "__main__":
    harness.main()
