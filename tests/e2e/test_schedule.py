"""Who gets slots, on a cluster of real processes: priorities and waiting."""

import harness


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


if __name__ == "__main__":
    harness.main()
