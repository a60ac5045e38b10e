"""gpctl top: in a real terminal (tmux) with keys pressed and the screen read back, and what it prints when piped."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import unittest

import harness
import system

PATIENCE_S = 60 * harness.SLOWNESS
ROWS, COLUMNS = 24, 80


class Terminal:
    """A shell in a tmux server of its own: what is typed, and what stands on the screen."""

    def __init__(self, case, env=None):
        self.case = case
        self.name = f"top-{id(self)}"
        self.env = {**case.env, "TMUX_TMPDIR": case.folder("tmux", mode=0o700), "SHELL": "/bin/sh", **(env or {})}
        case.addCleanup(self.close)
        # Keys that begin with an escape come in one piece here: an escape alone need not be waited for.
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS),
                  "exec env PS1='$ ' /bin/sh")
        self.tmux("set-option", "-s", "escape-time", "0")
        self.wait(r"(?m)^\$")

    def tmux(self, *arguments):
        done = subprocess.run(["tmux", "-L", self.name, *arguments], env=self.env, cwd=self.case.work, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=harness.COMMAND_S, check=True)
        return done.stdout

    def close(self):
        try:
            self.tmux("kill-server")
        except subprocess.CalledProcessError:
            pass  # its shell has ended, and so has it
        socket = os.path.join(self.env["TMUX_TMPDIR"], f"tmux-{os.getuid()}", self.name)
        if os.path.exists(socket):
            os.unlink(socket)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.press("Enter")

    def screen(self):
        return self.tmux("capture-pane", "-p")

    def wait(self, pattern):
        """The screen, as soon as it shows this."""
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            screen = self.screen()
            if re.search(pattern, screen):
                return screen
            time.sleep(0.1)
        raise AssertionError(f"never on the screen: {pattern}\n{screen}")

    def wait_for_shell(self):
        """The command ends and the terminal is as it was: its exit code. A prompt is there already, of the line that
        began it, so what is typed may come before the next one, and its answer behind that."""
        self.wait(r"(?m)^\$")  # the full screen has none; what is typed before is meant for that
        self.type("echo ended with $?")
        screen = self.wait(r"(?m)^(\$ )?ended with \d")
        self.type("clear; stty -a | tr ' ' '\\n' | grep -E '^-?(icanon|echo);?$' | sort; echo seen")
        seen = self.wait(r"(?m)^(\$ )?seen")
        self.case.assertRegex(seen, r"(?m)^echo$")
        self.case.assertRegex(seen, r"(?m)^icanon$")
        return int(re.search(r"(?m)^(?:\$ )?ended with (\d+)", screen).group(1))


class Top(harness.Case):
    def busy(self):
        cluster = self.local(workers=2)
        app = cluster.submit(self.plugin("steady"), "--set", "rate=2000", "--executors", "2")
        cluster.wait_for_state(app, "running")
        return cluster

    def command(self, cluster, *arguments):
        return " ".join([self.built("bin/gpctl"), "--master", cluster.master, "top", *arguments])


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed: apt-get install tmux")
class Screen(Top):
    def test_applications_processors_tasks_and_back(self):
        cluster = self.busy()
        terminal = Terminal(self)
        terminal.type(self.command(cluster))
        shown = terminal.wait(r"(?m)^> +1 +steady +running .*/s .*/s")
        lines = shown.splitlines()
        self.assertTrue(lines[0].startswith(f"gpctl top  {cluster.master}"), shown)
        self.assertEqual("applications: 1 running", lines[1])
        self.assertRegex(lines[ROWS - 1], r"^q quit .* enter open .* r order$")
        terminal.press("Enter")
        shown = terminal.wait(r"(?m)^> +numbers .*\n +relay .* [.#!]{10} .*\n +sink ")
        self.assertRegex(shown.splitlines()[1], r"^applications > steady \(1\)  running")
        terminal.press("Down")
        terminal.wait(r"(?m)^> +relay ")
        terminal.press("Enter")
        shown = terminal.wait(r"(?m)^ +TASK +EXECUTOR ")
        self.assertRegex(shown, r"steady \(1\) > relay")
        terminal.wait(r"(?m)^> +\d+ +[12] .*/s")
        terminal.press("Escape")
        terminal.wait(r"(?m)^> +relay ")
        terminal.press("Escape")
        terminal.wait(r"(?m)^> +1 +steady ")
        terminal.press("q")
        self.assertEqual(0, terminal.wait_for_shell())

    def test_sorts_helps_and_follows_the_size(self):
        cluster = self.busy()
        terminal = Terminal(self)
        terminal.type(self.command(cluster, "steady"))
        terminal.wait(r"(?m)^> +numbers ")
        terminal.press("Right")
        terminal.wait(r"PROCESSOR \^[^\n]*\n> +numbers .*\n +relay ")
        terminal.press("r")
        terminal.wait(r"PROCESSOR v[^\n]*\n +sink .*\n +relay .*\n> +numbers ")
        terminal.press("?")
        terminal.wait(r"escape, backspace +back")
        terminal.press("?")
        shown = terminal.wait(r"(?m)^> +numbers ")
        self.assertNotIn("REJECTED", shown)
        terminal.tmux("resize-window", "-x", "160", "-y", "12")
        shown = terminal.wait("REJECTED")
        self.assertEqual(12, len(shown.splitlines()), shown)
        terminal.tmux("resize-window", "-x", "40", "-y", "8")
        shown = terminal.wait(r"(?s)\A(?!.*REJECTED).*\n> +numbers ")
        self.assertLessEqual(max(map(len, shown.splitlines())), 40)
        terminal.press("C-c")
        self.assertEqual(0, terminal.wait_for_shell())

    def test_the_terminal_outlives_whatever_happens(self):
        cluster = self.busy()
        terminal = Terminal(self)
        for number, code in ((signal.SIGTERM, 0), (signal.SIGKILL, 128 + signal.SIGKILL)):
            terminal.type(self.command(cluster, "steady"))
            terminal.wait(r"(?m)^> +numbers ")
            os.kill(self.drawing_process(cluster), number)
            self.assertEqual(code, terminal.wait_for_shell(), number)
            terminal.type("clear")
        terminal.type(self.command(cluster, "steady"))
        terminal.wait(r"(?m)^> +numbers ")
        terminal.press("C-z")
        terminal.wait("Stopped")
        terminal.type("fg")
        terminal.wait(r"(?m)^> +numbers ")
        terminal.press("q")
        self.assertEqual(0, terminal.wait_for_shell())

    def drawing_process(self, cluster):
        """The youngest: it draws, and its parent guards the terminal."""
        return max(p.pid for p in system.processes().values() if {cluster.master, "top"} <= set(p.command))

    def test_a_master_that_is_gone_is_told_and_waited_for(self):
        cluster = self.busy()
        terminal = Terminal(self)
        terminal.type(self.command(cluster))
        terminal.wait(r"(?m)^> +1 +steady ")
        cluster.daemon.stop()
        shown = terminal.wait(r"(?m)^no answer: ")
        self.assertIn("steady", shown)
        terminal.press("q")
        self.assertEqual(0, terminal.wait_for_shell())

    def test_an_error_stands_on_the_terminal_afterwards(self):
        cluster = self.local()
        terminal = Terminal(self)
        terminal.type(self.command(cluster, "nosuch"))
        shown = terminal.wait("hint: ")
        self.assertIn("cause: no application 'nosuch'", shown)
        self.assertEqual(harness.NOT_FOUND, terminal.wait_for_shell())

    def test_obeys_no_color(self):
        cluster = self.busy()
        coloured, plain = Terminal(self), Terminal(self, {"NO_COLOR": "1"})
        for terminal in (coloured, plain):
            terminal.type(self.command(cluster))
            terminal.wait(r"(?m)^> +1 +steady ")
        cluster.daemon.stop()
        red = r"\x1b\[([0-9]+;)*31m[^\n]*no answer: "
        for terminal, claim in ((coloured, self.assertRegex), (plain, self.assertNotRegex)):
            terminal.wait(r"(?m)^no answer: ")
            claim(terminal.tmux("capture-pane", "-p", "-e"), red)
            # What is selected is no matter of colour.
            self.assertRegex(terminal.tmux("capture-pane", "-p", "-e"), r"\x1b\[([0-9]+;)*7m[^\n]*> +1 +steady ")


class Piped(Top):
    def test_a_table_each_interval(self):
        cluster = self.busy()
        result = self.ok(cluster.gpctl("top", "--count", "2"))
        self.assertNotIn("\x1b", result.out)
        first, second = result.out.split("\n\n")
        for table in (first, second):
            titles, line = table.splitlines()
            self.assertEqual(["ID", "NAME", "STATE"], titles.split()[:3])
            self.assertEqual(["1", "steady", "running"], line.split()[:3])
        self.assertLessEqual(1, result.seconds)
        titles, *lines = self.ok(cluster.gpctl("top", "steady", "--count", "1")).out.splitlines()
        self.assertEqual(["PROCESSOR", "TASKS", "IN/S", "OUT/S", "TIME", "BUSY", "BLOCKED"], titles.split()[:7])
        self.assertEqual(["numbers", "relay", "sink"], [line.split()[0] for line in lines])

    def test_an_object_each_interval(self):
        cluster = self.busy()
        result = self.ok(cluster.gpctl("top", "-o", "json", "--count", "2"))
        first, second = map(json.loads, result.out.splitlines())
        (app,) = second["applications"]
        self.assertLess(first["time_ms"], second["time_ms"])
        self.assertEqual((1, "steady", "running"), (app["id"], app["name"], app["state"]))
        system.wait_until(lambda: self.ok(cluster.gpctl("top", "steady", "-o", "json", "--count", "1")).json
                          ["source_rate"] > 0, "a rate", PATIENCE_S)

    def test_ends_with_the_application(self):
        cluster = self.busy()
        process = subprocess.Popen([self.built("bin/gpctl"), "--master", cluster.master, "top", "steady"], env=self.env,
                                   cwd=self.work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.assertIn("PROCESSOR", process.stdout.readline())
        self.ok(cluster.gpctl("kill", "steady"))
        _, err = process.communicate(timeout=PATIENCE_S)
        self.assertEqual((0, "it has ended\n"), (process.returncode, err.replace("nothing was told yet\n", "")))

    def test_mistakes(self):
        cluster = self.local()
        self.assert_refused(cluster.gpctl("top", "--interval", "10ms"), harness.USAGE, "--interval", "second")
        self.assert_refused(cluster.gpctl("top", "--count", "0"), harness.USAGE, "--count")
        self.assert_refused(cluster.gpctl("top", "nosuch", "--count", "1"), harness.NOT_FOUND, "nosuch")
        cluster.daemon.stop()
        self.assert_refused(cluster.gpctl("top", "--count", "1"), harness.UNREACHABLE)


if __name__ == "__main__":
    harness.main()
