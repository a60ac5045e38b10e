"""User code that crashes takes its own process with it and nothing else; signal, plugin and function are named."""

import concurrent.futures
import os

import harness
import system


class Crash(harness.Case):
    def setUp(self):
        super().setUp()
        self.expected_noise = r"gearpump: crash |process\.crashed|app\.failed|SIG[A-Z]+"
        if harness.SANITIZED:
            # Whoever comes first to the signal: the sanitizer reports it, too.
            self.expected_noise += r"|Sanitizer|runtime error:"
        self.cluster = self.local(workers=2)

    def crash(self, how, where, *said):
        bystander = self.cluster.submit(self.plugin("ticker"), "--name", "bystander")
        self.cluster.wait_for_state(bystander, "running")
        pids = {p.pid for role in ("appmaster", "executor") for p in self.cluster.children(role)}
        result = self.cluster.gpctl("submit", self.plugin("faulty"), "--set", f"how={how}", "--set", f"where={where}",
                                    "--set", "recovery.restarts=2", "--wait", timeout=harness.JOB_S)
        # What crashes anew each time fails the job; one whose source had ended before ends with losses.
        self.assertIn(result.code, (harness.LOSSES, harness.JOB_FAILED), str(result))
        if result.code == harness.LOSSES:
            self.assertIn("the last that happened: ", result.err)
        described = self.cluster.json("describe", "faulty")
        happened = "\n".join([described["last_error"]] + [e["text"] for e in described["events"]])
        for text in said:
            self.assertRegex(happened, text)
            if result.code == harness.JOB_FAILED:
                self.assertRegex(described["application"]["error"], text)
        self.assertEqual("running", self.cluster.state(bystander))
        system.wait_until(lambda: {p.pid for r in ("appmaster", "executor") for p in self.cluster.children(r)} == pids,
                          "only the bystander runs, in the same processes", harness.STOP_S)
        self.ok(self.cluster.gpctl("kill", "bystander"))
        self.wait_until_free(self.cluster)
        self.cluster.is_healthy()
        return described

    def named(self, name):
        # A sanitizer ends the process by its own signal.
        return "SIG" if harness.SANITIZED else name

    def test_segmentation_fault_in_process(self):
        self.crash("segv", "process", self.named("SIGSEGV"), "faulty", "process", "worker")

    def test_the_function_of_the_plugin_is_named(self):
        if harness.SANITIZED:
            self.skipTest("the sanitizer comes first")
        self.crash("segv", "process", "go_wrong|worker_process")

    def test_division_by_zero_in_poll(self):
        self.crash("fpe", "poll", self.named("SIGFPE"), "faulty", "numbers")

    def test_abort_in_open(self):
        self.crash("abort", "open", self.named("SIGABRT"), "faulty", "open")

    def test_crash_at_the_end(self):
        self.crash("segv", "end", self.named("SIGSEGV"), "faulty")

    def test_crash_in_close(self):
        self.crash("segv", "close", self.named("SIGSEGV"), "faulty")

    def test_crash_in_build(self):
        self.crash("segv", "build", self.named("SIGSEGV"), "faulty", "build")

    def test_exit_in_process(self):
        self.crash("exit", "process", "7")

    def test_exit_in_build(self):
        self.crash("exit", "build", "7")

    def test_crash_at_load(self):
        result = self.cluster.gpctl("submit", self.plugin("faulty_init"), "--wait", timeout=harness.JOB_S)
        self.assert_ends_with(result, harness.JOB_FAILED, self.named("SIGSEGV"), "faulty")
        self.wait_until_free(self.cluster)
        self.cluster.is_healthy()

    def outlives(self, app, said):
        """It says what happened and that it is over, and messages go on; then it is killed. Its last executors."""
        def over():
            events = self.cluster.json("describe", str(app))["events"]
            return events and all(e["took_ms"] >= 0 for e in events)
        system.wait_until(over, "it recovers", harness.STOP_S)
        described = self.cluster.json("describe", str(app))
        self.assertRegex(described["events"][-1]["text"], said)
        self.assertEqual("running", self.cluster.state(app))
        before = sum(e["messages"] for e in described["edges"])
        system.wait_until(lambda: sum(e["messages"] for e in self.cluster.json("describe", str(app))["edges"]) > before,
                          "messages go on", harness.STOP_S)
        executors = {p.pid for p in self.cluster.children("executor")}
        self.ok(self.cluster.gpctl("kill", str(app)))
        return executors

    def test_an_executor_that_is_killed(self):
        app = self.cluster.submit(self.plugin("ticker"), "--executors", "2")
        self.cluster.wait_for_state(app, "running")
        victim = self.cluster.children("executor")[0].pid
        system.kill_quietly(victim)
        executors = self.outlives(app, r"SIGKILL|signal 9|killed")
        self.assertEqual(2, len(executors - {victim}))
        self.wait_until_free(self.cluster)
        self.cluster.is_healthy()

    def test_who_waits_is_told_of_losses(self):
        job = os.path.join(harness.BUILD, "obj/tests/sim/jobs/chain.so")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = pool.submit(self.cluster.gpctl, "submit", job, "--name", "chain", "--executors", "2", "--set",
                                  "rows=16000", "--set", "pause=3000", "--wait", timeout=harness.JOB_S)
            system.wait_until(lambda: waiting.done() or len(self.cluster.children("executor")) == 2, "it has begun",
                              harness.READY_S)
            self.assertFalse(waiting.done(), "it has ended already")
            self.cluster.wait_for_state("chain", "running")
            system.kill_quietly(self.cluster.children("executor")[0].pid)
            result = waiting.result()
        self.assertEqual(harness.LOSSES, result.code, str(result))
        self.assertRegex(result.err, r"lost, as parts of it died: gpctl describe \d+")
        self.wait_until_free(self.cluster)

    def test_an_appmaster_that_is_killed(self):
        app = self.cluster.submit(self.plugin("ticker"), "--executors", "2")
        self.cluster.wait_for_state(app, "running")
        (victim,) = self.cluster.children("appmaster")
        executors = {p.pid for p in self.cluster.children("executor")}
        system.kill_quietly(victim.pid)
        self.assertEqual(executors, self.outlives(app, "the appmaster was lost"))
        self.wait_until_free(self.cluster)
        self.cluster.is_healthy()


if __name__ == "__main__":
    harness.main()
