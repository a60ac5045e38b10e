"""Start and end of `gpd local`: nothing is left behind, whoever dies how."""

import json
import os
import shutil
import signal
import subprocess
import time

import harness
import system


def insist(process, number):
    """Sends a signal again and again: two of a kind that wait to be delivered are one."""

    def ended():
        if process.poll() is None:
            process.send_signal(number)
        return process.poll() is not None

    system.wait_until(ended, "a second signal ends it", 4 * harness.SLOWNESS, pause_s=0.1)


class Local(harness.Case):
    def run_ticker(self, cluster, executors=2):
        app = cluster.submit(self.plugin("ticker"), "--executors", str(executors))
        cluster.wait_for_state(app, "running")
        return app

    def test_ready_line_and_ready_file(self):
        cluster = self.local(workers=3)
        ready = json.loads(harness.read_text(cluster.daemon.ready_file))
        self.assertEqual(cluster.daemon.pid, ready["pid"])
        self.assertEqual(3, len(ready["workers"]))
        system.wait_until(lambda: cluster.daemon.out, "the ready line", harness.READY_S)
        self.assertEqual(f"gpd ready master={cluster.master} workers=3 http={ready['http']}\n", cluster.daemon.out)
        self.assertEqual(3, len(cluster.json("workers")["workers"]))

    def test_defaults(self):
        daemon = self.start("local", "--port", "0")
        cluster = harness.Cluster(self, daemon, daemon.ready()["master"])
        self.assertTrue(cluster.master.startswith("127.0.0.1:"))
        self.assertEqual([100] * 4, [w["slots"] for w in cluster.json("workers")["workers"]])
        self.assertTrue(os.listdir(os.path.join(self.env["XDG_STATE_HOME"], "gearpump")))

    def test_default_secret_is_found_by_both(self):
        del self.env["GEARPUMP_CLUSTER__SECRET_FILE"]
        cluster = self.local()
        cluster.is_healthy()
        secret = os.path.join(self.env["XDG_CONFIG_HOME"], "gearpump/secret")
        self.assertEqual(0o600, os.stat(secret).st_mode & 0o777)

    def test_term_and_int_end_it_cleanly(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(signal=number):
                cluster = self.local(workers=2)
                self.run_ticker(cluster)
                begin_s = time.monotonic()
                self.assertEqual(0, cluster.daemon.stop(number))
                self.assertLess(time.monotonic() - begin_s, 3 * harness.SLOWNESS)
                self.assertEqual([], system.descendants(os.getpid()))

    def test_it_ends_though_user_code_hangs(self):
        cluster = self.local(workers=2)
        app = cluster.submit(self.plugin("faulty"), "--set", "how=hang", "--set", "where=process")
        cluster.wait_for_state(app, "running")
        self.assertEqual(0, cluster.daemon.stop())
        self.assertEqual([], system.descendants(os.getpid()))

    def test_a_second_signal_ends_it_at_once(self):
        cluster = self.local(workers=2)
        app = cluster.submit(self.plugin("faulty"), "--set", "how=hang", "--set", "where=process")
        cluster.wait_for_state(app, "running")
        insist(cluster.daemon.process, signal.SIGINT)
        system.wait_until(lambda: not system.descendants(os.getpid()), "children are gone", harness.GONE_S)
        self.killed_hard = True

    def test_kill_9_takes_all_children_along(self):
        self.killed_hard = True
        cluster = self.local(workers=2)
        self.run_ticker(cluster)
        app = cluster.submit(self.plugin("faulty"), "--set", "how=hang", "--set", "where=process")
        cluster.wait_for_state(app, "running")
        self.assertLessEqual(5, len(cluster.daemon.children()))
        self.assertEqual(-signal.SIGKILL, cluster.daemon.stop(signal.SIGKILL))
        system.wait_until(lambda: not system.descendants(os.getpid()), "children are gone", harness.GONE_S)

    def test_stopped_children_die_as_well(self):
        """A child that does not run (SIGSTOP) cannot see its lifeline; the kernel must do it."""
        self.killed_hard = True
        cluster = self.local(workers=1)
        self.run_ticker(cluster, executors=1)
        for child in cluster.daemon.children():
            os.kill(child.pid, signal.SIGSTOP)
        cluster.daemon.stop(signal.SIGKILL)
        system.wait_until(lambda: not system.descendants(os.getpid()), "children are gone", harness.GONE_S)

    def test_it_starts_again_where_it_was_killed(self):
        self.killed_hard = True
        cluster = self.local(workers=2)
        self.run_ticker(cluster)
        cluster.daemon.stop(signal.SIGKILL)
        again = self.start("local", "--port", "0", "--workers", "2", "--data", self.path("data-0"))
        harness.Cluster(self, again, again.ready()["master"]).is_healthy()

    def test_readers_that_went_away_do_not_end_it(self):
        """Its stdout and stderr may be pipes that nobody reads any more."""
        argv = [self.built("bin/gpd"), "local", "--port", "0", "--workers", "1", "--data", self.path("piped"),
                "--ready-file", self.path("piped.json")]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.env, cwd=self.work)
        process.stdout.close()
        process.stderr.close()
        try:
            system.wait_until(lambda: os.path.exists(self.path("piped.json")), "ready", harness.READY_S)
            with open(self.path("piped.json"), encoding="utf-8") as file:
                cluster = harness.Cluster(self, None, json.load(file)["master"])
            cluster.is_healthy()
        finally:
            system.kill_quietly(process.pid, signal.SIGTERM)
            self.assertEqual(0, process.wait(harness.STOP_S))

    def test_few_descriptors_are_enough_and_none_leak(self):
        cluster = self.local(workers=1)
        cluster.is_healthy()
        self.wait_until_free(cluster)
        before = len(os.listdir(f"/proc/{cluster.daemon.pid}/fd"))
        for i in range(5):
            cluster.json("submit", self.plugin("faulty"), "--wait", "--name", f"n{i}")
        self.wait_until_free(cluster)
        system.wait_until(lambda: len(os.listdir(f"/proc/{cluster.daemon.pid}/fd")) <= before, "descriptors are closed",
                          5 * harness.SLOWNESS)

    def test_children_inherit_nothing(self):
        cluster = self.local(workers=2)
        self.run_ticker(cluster)
        for child in cluster.daemon.children():
            for name in os.listdir(f"/proc/{child.pid}/fd"):
                target = os.readlink(f"/proc/{child.pid}/fd/{name}")
                self.assertNotIn("daemon-0", target, f"{child.command[1]} holds {target}")


class Alone(harness.Case):
    """gpctl run: the same actors in one process."""

    def start_run(self, *arguments):
        argv = [self.built("bin/gpctl"), "run", *arguments]
        with open(self.path("run.out"), "wb") as out, open(self.path("run.err"), "wb") as err:
            return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env, cwd=self.work)

    def said(self):
        return harness.read_text(self.path("run.out")) + harness.read_text(self.path("run.err"))

    def test_ctrl_c_ends_the_job(self):
        run = self.start_run(self.plugin("ticker"), "--lanes", "2")
        system.wait_until(lambda: "tick 2" in self.said(), "ticks", harness.READY_S)
        self.assertEqual([], system.descendants(run.pid))
        run.send_signal(signal.SIGINT)
        self.assertEqual(130, run.wait(harness.STOP_S))

    def test_a_second_ctrl_c_ends_it_at_once(self):
        run = self.start_run(self.plugin("faulty"), "--set", "how=hang", "--set", "where=process")
        system.wait_until(lambda: len(os.listdir(f"/proc/{run.pid}/task")) > 1, "lanes run", harness.READY_S)
        insist(run, signal.SIGINT)
        self.assertNotEqual(0, run.wait())
        shutil.rmtree(self.env["TMPDIR"])  # what it could not remove
        self.folder("tmp")

    def test_a_crash_is_that_of_the_process(self):
        """As under a debugger: the signal is not hidden, and the crash says where it was."""
        run = self.start_run(self.plugin("faulty"), "--set", "how=segv", "--set", "where=process")
        code = run.wait(harness.COMMAND_S)
        if not harness.SANITIZED:
            self.assertEqual(-signal.SIGSEGV, code)
            self.assertRegex(self.said(), "SIGSEGV.*faulty.*process")
        self.assertNotEqual(0, code)
        shutil.rmtree(self.env["TMPDIR"])
        self.folder("tmp")


class Installed(harness.Case):
    def test_an_installed_tree_that_was_moved(self):
        """Programs, plugins and examples find each other by where they stand."""
        subprocess.run(["cmake", "--install", harness.BUILD, "--prefix", self.path("first")], check=True,
                       stdout=subprocess.DEVNULL)
        os.rename(self.path("first"), self.path("moved"))
        prefix = self.path("moved")
        os.symlink(os.path.join(prefix, "bin/gpd"), os.path.join(self.work, "gpd"))
        cluster = self.local(program=os.path.join(self.work, "gpd"))
        output = self.folder("counts")
        text = self.file("text.txt", "a b a\n")
        job = [os.path.join(prefix, "lib/gearpump/examples/wordcount.so"), "--set", f"input={text}", "--set",
               f"output={output}"]
        gpctl = os.path.join(prefix, "bin/gpctl")
        self.ok(self.execute([gpctl, "--master", cluster.master, "submit", *job, "--wait"], timeout=harness.JOB_S))
        self.assert_same_counts([text], output)
        shutil.rmtree(output)
        self.ok(self.execute([gpctl, "run", *job], timeout=harness.JOB_S))
        self.assert_same_counts([text], output)
        self.ok(self.execute([os.path.join(prefix, "bin/gpd"), "check-config",
                              os.path.join(prefix, "etc/gearpump/gearpump.yaml")]))


if __name__ == "__main__":
    harness.main()
