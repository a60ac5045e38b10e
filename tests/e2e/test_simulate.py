"""gpctl simulate: a job on a simulated cluster, what goes wrong there, and what is said of it."""

import json
import re

import harness

RESULT = {"verdict", "reason", "seed", "faults", "log_lines_omitted", "job", "events", "lost", "lost_at_least",
          "restarts", "simulated_ns", "steps", "trace", "timeline"}
CRASH = {"verdict", "reason", "seed", "signal", "plugin", "processor", "function", "timeline"}


class Simulate(harness.Case):
    def simulate(self, plugin, *arguments, **options):
        return self.gpctl("simulate", self.plugin(plugin), *arguments, **options)

    def json_of(self, plugin, *arguments, code=harness.OK):
        result = self.simulate(plugin, "-o", "json", *arguments)
        self.assertEqual(code, result.code, str(result))
        return json.loads(result.out)

    def test_runs_a_job_to_its_end(self):
        found = self.json_of("faulty", "--faults", "none")
        self.assertEqual(RESULT, found.keys())
        self.assertEqual(("finished", "", {}), (found["verdict"], found["reason"], found["faults"]))
        self.assertEqual([("numbers", 0, 1000), ("worker", 1000, 0)],
                         [(p["name"], p["in"], p["out"]) for p in found["job"]["processors"]])
        states = [e["text"] for e in found["timeline"] if e["kind"] == "job"]
        self.assertEqual("finished", states[-1])
        times = [e["time_ns"] for e in found["timeline"]]
        self.assertEqual(sorted(times), times)

    def test_shows_people_a_timeline_and_a_verdict(self):
        result = self.ok(self.simulate("faulty", "--faults", "none", "--workers", "2"))
        self.assertRegex(result.out, r"(?m)^ +0\.\d{6}  cluster 3 masters, 2 workers, seed 1$")
        self.assertRegex(result.out, r"(?m)^verdict +finished$")
        self.assertRegex(result.out, r"(?m)^trace +[0-9a-f]{16} \(seed 1\)$")
        self.assertRegex(result.out, r"(?m)^worker +1 +0 +1 +1000 +0 +0 +0$")

    def test_leaves_an_endless_job_running(self):
        found = self.json_of("ticker", "--faults", "clock", "--duration", "3s")
        self.assertEqual("running", found["verdict"])
        self.assertIn("clock_set", found["faults"])
        self.assertLess(3e9, found["simulated_ns"])

    def test_does_the_same_for_the_same_seed(self):
        arguments = ["--duration", "5s", "--faults", "all", "--fault-count", "6"]
        first, again, other = [self.simulate("ticker", "--seed", seed, *arguments) for seed in ("7", "7", "8")]
        self.assertEqual((first.code, first.out), (again.code, again.out))
        self.assertNotEqual(first.out, other.out)
        self.assertRegex(first.out, r"(?m)^ +\d+\.\d{6}  fault  ")

    def test_says_how_a_job_failed(self):
        found = self.json_of("faulty", "--faults", "none", "--set", "how=fail", "--set", "where=open",
                             code=harness.JOB_FAILED)
        self.assertEqual("failed", found["verdict"])
        self.assertIn("in its open()", found["reason"])

    def test_finds_a_crash_and_its_place(self):
        arguments = ["--set", "how=segv", "--set", "where=process"]
        found = self.json_of("faulty", *arguments, code=harness.JOB_FAILED)
        self.assertEqual(CRASH, found.keys())
        self.assertEqual(("crashed", 11, "faulty", "worker", "process"),
                         tuple(found[k] for k in ("verdict", "signal", "plugin", "processor", "function")))
        result = self.simulate("faulty", *arguments)
        self.assert_ends_with(result, harness.JOB_FAILED, "SIGSEGV", "processor worker", "--seed 1")

    def test_finds_a_crash_of_build(self):
        found = self.json_of("faulty", "--set", "how=segv", "--set", "where=build", code=harness.JOB_FAILED)
        self.assertEqual(("crashed", "faulty"), (found["verdict"], found["plugin"]))

    def test_finds_code_that_exits(self):
        found = self.json_of("faulty", "--set", "how=exit", "--set", "where=process", code=harness.JOB_FAILED)
        self.assertEqual("exited", found["verdict"])

    def test_finds_code_that_does_not_return(self):
        found = self.json_of("faulty", "--set", "how=hang", "--set", "where=process", code=harness.JOB_FAILED)
        self.assertEqual(("stuck", "process"), (found["verdict"], found["function"]))

    def test_refuses_what_it_cannot_do(self):
        for arguments, said in ((("--faults", "kil"), "kill, pause"), (("--seed", "x"), "--seed"),
                                (("--workers", "0"), "--workers"), (("--duration", "2h"), "--duration")):
            self.assert_refused(self.simulate("ticker", *arguments), harness.USAGE, said)
        self.assertEqual(harness.FAILED, self.gpctl("simulate", self.plugin("foreign")).code)

    def test_is_explained(self):
        text = self.ok(self.gpctl("help", "simulate")).out
        for word in ("--seed", "--faults", "--duration", "libc", "exit code 8"):
            self.assertTrue(re.search(re.escape(word), text), word)


if __name__ == "__main__":
    harness.main()
