"""User code that does not return is named: in the log, as the last error while it lasts, and as an event."""

import harness
import system


class Stuck(harness.Case):
    def setUp(self):
        super().setUp()
        self.expected_noise = r"task\.stuck"

    def begin(self, *settings, timeout="1s", action="report", restarts=3):
        self.cluster = self.local(workers=1, env={"GEARPUMP_TASK__STUCK_TIMEOUT": timeout,
                                                  "GEARPUMP_TASK__STUCK_ACTION": action,
                                                  "GEARPUMP_RECOVERY__RESTARTS": str(restarts)})
        self.app = self.cluster.submit(self.plugin("faulty"), "--detach",
                                       *[part for s in settings for part in ("--set", s)])

    def described(self):
        return self.cluster.json("describe", str(self.app))

    def busy(self, name):
        if self.cluster.gpctl("metrics", str(self.app)).code != 0:
            return 0.0  # nothing was told yet
        return [p["busy"] for p in self.cluster.json("metrics", str(self.app))["processors"] if p["name"] == name][0]

    def wait_for_event(self, text):
        def happened():
            self.last = self.described()
            return any(text in event["text"] for event in self.last["events"])

        system.wait_until(happened, f"an event says {text}", harness.JOB_S, pause_s=0.1)
        return self.last

    def test_a_call_that_never_returns(self):
        self.begin("how=hang", "where=process")
        described = self.wait_for_event("has been in its process() for")
        self.assertRegex(described["last_error"],
                         r"^processor 'worker', task 0 on executor 1, has been in its process\(\) for \d+ s$")
        self.assertEqual("running", described["application"]["state"])
        system.wait_until(lambda: self.busy("worker") > 0.9, "it counts as busy", harness.JOB_S, pause_s=0.1)
        texts = [event["text"] for event in self.described()["events"]]
        self.assertEqual(1, sum("has been in its" in text for text in texts), "said once")
        self.ok(self.cluster.gpctl("kill", str(self.app)))
        self.wait_until_free(self.cluster)

    def test_calls_that_return_and_move_nothing(self):
        """No row comes or goes, and still each second says how busy it was; of a share, none is above 1."""
        self.begin("how=yield", "where=process")
        told = {}

        def said():
            metrics = self.cluster.json("metrics", str(self.app))
            told.update({metrics["time_ms"]: p["busy"] for p in metrics["processors"] if p["name"] == "worker"})
            last = [told[at] for at in sorted(told)][-3:]
            return len(last) == 3 and min(last) > 0.5

        self.cluster.wait_for_state(self.app, "running")
        system.wait_until(said, "three in a row say that it is busy", harness.JOB_S, pause_s=0.1)
        self.assertLessEqual(max(told.values()), 1)

    def test_a_call_that_returns_after_all(self):
        until = self.path("until")
        self.begin("how=wait", "where=process", f"until={until}")
        self.wait_for_event("has been in its process() for")
        self.file("until", "now")
        self.cluster.wait_for_state(self.app, "finished")
        described = self.described()
        self.assertRegex("\n".join(event["text"] for event in described["events"]),
                         r"processor 'worker', task 0 on executor 1, returned from its process\(\) after \d+ s")
        self.assertEqual("", described["last_error"])

    def test_a_task_that_does_not_open(self):
        self.begin("how=hang", "where=open")
        self.wait_for_event("has been in its open() for")

    def test_its_executor_is_replaced_if_people_want_that(self):
        until = self.path("until")
        self.expected_noise = r"task\.stuck|executor_lost|app\.recovering"
        self.begin("how=wait", "where=open", f"until={until}", action="restart", restarts=100)
        self.wait_for_event("; the tasks of executor 1 begin anew on executor 2")
        self.file("until", "now")
        self.cluster.wait_for_state(self.app, "finished")
        described = self.described()
        self.assertLessEqual(1, described["restarts"]["used"])
        self.assertEqual([1000], [p["in"] for p in described["processors"] if p["name"] == "worker"])

    def test_it_is_replaced_no_oftener_than_a_job_may_restart(self):
        self.expected_noise = r"task\.stuck|executor_lost|app\.recovering|app\.failed"
        self.begin("how=hang", "where=open", action="restart", restarts=2)
        self.cluster.wait_for_state(self.app, "failed")
        self.assertIn("has been in its open() for", self.described()["application"]["error"])

    def test_nobody_looks(self):
        until = self.path("until")
        self.begin("how=wait", "where=process", f"until={until}", timeout="0s")
        self.cluster.wait_for_state(self.app, "running")
        self.file("until", "now")
        self.cluster.wait_for_state(self.app, "finished")
        self.assertEqual([], self.described()["events"])


if __name__ == "__main__":
    harness.main()
