"""TAB in real shells: bash driven as its own machinery does it, and bash, zsh and fish as typed into.

What is offered by tables is tested in tests/unit/app/test_completion.c; here are the scripts of the
shells, and what a cluster adds."""

import os
import pty
import select
import shutil
import signal
import socket
import subprocess
import time
import unittest

import harness
import system

# Gives the words of the line to the function that bash would call, and prints what it would offer.
BASH = r"""
source <(gpctl completion bash)
function=$(complete -p "$1"); function=${function#*-F }; function=${function%% *}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
"$function" "$1" "${@: -1}" "${@: -2:1}"
printf '%s\n' "${COMPREPLY[@]}"
"""


class Completion(harness.Case):
    def setUp(self):
        super().setUp()
        self.env["PATH"] = f"{os.path.dirname(self.built('bin/gpctl'))}:{self.env['PATH']}"

    def bash(self, *words, **options):
        result = self.ok(self.execute(["bash", "--norc", "-c", BASH, "bash", *words], **options))
        self.assertEqual("", result.err)
        return [line for line in result.out.split("\n") if line]

    def cluster_with_a_job(self):
        cluster = self.local()
        cluster.submit(self.plugin("ticker"), "--name", "ticking")
        self.env["GEARPUMP_MASTERS"] = cluster.master
        return cluster


class Bash(Completion):
    def test_commands_flags_and_values(self):
        self.assertEqual(["submit"], self.bash("gpctl", "subm"))
        self.assertEqual(["--parallelism"], self.bash("gpctl", "submit", "--pa"))
        self.assertEqual(["table", "json"], self.bash("gpctl", "list", "-o", ""))
        self.assertEqual(["log.level=", "log.format="], self.bash("gpd", "local", "--set", "log."))
        self.assertEqual([], self.bash("gpctl", "nosuch", ""))

    def test_words_that_bash_cuts(self):
        self.assertEqual(["json"], self.bash("gpctl", "list", "--output", "=", "j"))
        self.assertEqual(["table", "json"], self.bash("gpctl", "list", "--output", "="))
        self.assertEqual(["debug"], self.bash("gpd", "local", "--set", "log.level", "=", "d"))
        self.assertEqual(["submit"], self.bash("gpctl", "-m", "127.0.0.1", ":", "1", "subm"))

    def test_files(self):
        for name in ("a job.so", "a job.c", "other.so"):
            self.file(os.path.join("work", name), "")
        self.folder("work/and a folder")
        self.assertEqual(["a job.so", "and a folder"], sorted(self.bash("gpctl", "submit", "a")))
        self.assertEqual(["a job.c", "a job.so"], sorted(self.bash("gpctl", "--config", "a j")))
        self.assertEqual(["other.so"], self.bash("gpctl", "--config", "=", "oth"))
        self.assertEqual(["and a folder"], self.bash("gpd", "local", "--data", "a"))

    def test_what_the_cluster_has(self):
        cluster = self.cluster_with_a_job()
        host, _, port = cluster.master.partition(":")
        self.assert_offers(["ticking", "1"], "gpctl", "kill", "")
        self.assert_offers(["ticking"], "gpctl", "logs", "-f", "ti")
        worker = cluster.json("workers")["workers"][0]
        self.assert_offers([worker["name"], "1"], "gpctl", "drain", "1", env={"COMP_WORDBREAKS": " \n"})
        self.assert_offers([worker["name"].partition(":")[2]], "gpctl", "drain", host, ":", "")
        self.assert_offers([port], "gpctl", "masters", "remove", host, ":", port[:2])

    def assert_offers(self, expected, *words, **options):
        """In the end: who is slow offers nothing, so that nobody waits at a prompt."""
        def offers():
            self.last = self.bash(*words, **options)
            return self.last == expected

        system.wait_until(offers, f"{words} offers {expected}", harness.JOB_S, pause_s=0.1)

    def test_what_a_job_can_be_told(self):
        job = self.example("wordcount")
        self.assert_offers(["input=", "output=", "count.output="], "gpctl", "submit", job, "--set", "")
        self.assert_offers(["count.output="], "gpctl", "validate", job, "--set", "input", "=", "x", "--set", "cou")
        self.assert_offers(["split="], "gpctl", "run", job, "--parallelism", "sp")
        self.assert_offers(["timer", "busy"], "gpctl", "submit", self.example("sol"), "--set", "source.pace", "=")
        # What is none, crashes or never ends offers nothing.
        for path in (self.plugin("faulty_init"), "/nowhere.so"):
            self.assertEqual([], self.bash("gpctl", "submit", path, "--set", ""))
        self.assertEqual([], self.bash("gpctl", "submit", self.plugin("faulty"), "--set", "how", "=", "hang", "--set",
                                       "where", "=", "build", "--set", ""))

    def test_where_tasks_may_be_and_whose_logs(self):
        cluster = self.local(env={"GEARPUMP_WORKER__LABELS": "disk=ssd", "GEARPUMP_WORKER__NAME": "left"})
        self.env["GEARPUMP_MASTERS"] = cluster.master
        job = self.plugin("ticker")
        self.assert_offers(["ticks=", "sink="], "gpctl", "submit", job, "--place", "")
        self.assert_offers(["left"], "gpctl", "submit", job, "--place", "sink", "=", "worker", ":", "l")
        self.assert_offers(["ssd"], "gpctl", "submit", job, "--place", "sink", "=", "label", ":", "disk", "=", "s")
        cluster.wait_for_state(cluster.submit(job), "running")
        self.assert_offers(["0", "1"], "gpctl", "logs", "ticker", "--executor", "")
        self.assertEqual([], self.bash("gpctl", "logs", "--executor", ""))

    def test_plugins(self):
        self.assertLessEqual({"console", "file", "tcp"}, set(self.bash("gpctl", "plugins", "")))

    def test_the_cluster_that_the_line_names(self):
        cluster = self.cluster_with_a_job()
        del self.env["GEARPUMP_MASTERS"]
        host, _, port = cluster.master.partition(":")
        self.assert_offers(["ticking"], "gpctl", "-m", host, ":", port, "describe", "t")

    def test_no_cluster(self):
        """Silent, soon, and nothing is made: where there was no secret there is none."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()  # connects, and never says a word
            masters = "127.0.0.1:1", f"127.0.0.1:{taken.getsockname()[1]}"
            for master in masters:
                self.assert_offers_nothing_soon(master)
            self.assertFalse(os.path.exists(self.secret))
            self.file("secret", "0123456789abcdef" * 4)
            os.chmod(self.secret, 0o600)
            for master in masters:
                self.assert_offers_nothing_soon(master)

    def assert_offers_nothing_soon(self, master):
        begin_s = time.monotonic()
        self.assertEqual([], self.bash("gpctl", "kill", "", env={"GEARPUMP_MASTERS": master}))
        self.assertLess(time.monotonic() - begin_s, 5.0 * harness.SLOWNESS)

    def test_a_broken_configuration_is_no_noise(self):
        self.assertEqual([], self.bash("gpctl", "kill", "", env={"GEARPUMP_CONFIG": self.file("bad", "]")}))


class Typed(Completion):
    """Lines with TAB in them, typed into a terminal; what they run tells what TAB made of them."""

    def type_into(self, argv, lines):
        """All that the shell shows once each (line, what it must print) was typed, again if need be: a
        cluster that is slow is not waited for."""
        terminal, slave = pty.openpty()
        process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                   env={**self.env, "TERM": "xterm"}, cwd=self.work)
        os.close(slave)
        shown = ""
        try:
            for line, expected in lines:
                before = len(shown)
                again_s = [time.monotonic() + 20 * i for i in range(5)]
                while expected not in shown[before:]:
                    if time.monotonic() >= again_s[0]:
                        self.assertGreater(len(again_s), 1, f"{expected} is not in: {shown[before:]!r}")
                        os.write(terminal, line.encode())
                        again_s.pop(0)
                    if select.select([terminal], [], [], 0.2)[0]:
                        shown += os.read(terminal, 4096).decode("utf-8", "replace")
            os.write(terminal, b"exit\n")
            process.wait(20)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            os.close(terminal)
        return shown

    def test_bash(self):
        self.cluster_with_a_job()
        self.type_into(["bash", "--norc", "--noprofile", "-i"], [
            ("PS1=; source <(gpctl completion bash); echo re''ady\n", "ready"),
            ("gpctl help desc\t\n", "gpctl describe: all about one application"),
            ("gpctl kill tic\t\n", "ticking (id 1): killed"),
        ])

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        self.cluster_with_a_job()
        self.file("work/ticker job.so", "")
        self.type_into(["zsh", "-f", "-i"], [
            ("PS1=; autoload -Uz compinit; compinit -u -D; source <(gpctl completion zsh); echo re''ady\n", "ready"),
            ("gpctl help desc\t\n", "gpctl describe: all about one application"),
            ("gpctl list --outp\tjs\t\n", '"applications"'),
            ("gpctl list --output=js\t\n", '"applications"'),
            ("gpctl inspect tick\t\n", "cannot inspect ticker job.so"),
            ("gpctl kill tic\t\n", "ticking (id 1): killed"),
        ])

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_fish(self):
        self.cluster_with_a_job()
        self.file("work/ticker job.so", "")

        def offered(line):
            text = self.ok(self.execute(["fish", "--no-config", "-c",
                                         f"gpctl completion fish | source; complete -C '{line}'"])).out
            return [row.split("\t")[0] for row in text.splitlines()]

        self.assertEqual(["describe"], offered("gpctl desc"))
        self.assertEqual(["table", "json"], offered("gpctl list -o "))
        self.assertEqual(["--output=json"], offered("gpctl list --output=j"))
        system.wait_until(lambda: offered("gpctl kill tic") == ["ticking"], "fish offers the job", harness.JOB_S)
        self.assertEqual(["ticker job.so"], [name.replace("\\", "") for name in offered("gpctl inspect tick")])
        self.assertEqual(["log.level=debug"], offered("gpd local --set log.level=d"))


class Installation(harness.Case):
    def test_says_how(self):
        self.assertIn("source <(gpctl completion bash)", self.ok(self.gpctl("completion", "--help")).out)

    def test_other_shells(self):
        self.assert_refused(self.gpctl("completion", "tcsh"), harness.USAGE, "tcsh", "bash, zsh and fish")


if __name__ == "__main__":
    harness.main()
