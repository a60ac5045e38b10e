"""Files and folders that fail a job: vanished, cut, forbidden, in the way, full.

One clear error that names the file, and a cluster as healthy as before. Jobs are plugins/chain.c.
"""

import os
import shutil
import signal
import socket
import threading

import disks
import harness
import system
from test_plugins import ChainCase, Peer

LINE = b"x" * 999 + b"\n"
# More than all buffers between a source and a peer that does not read.
MANY_LINES = 48 * 1024


class SlowPeer(Peer):
    """Takes what a tcp sink connects for, and reads nothing until it is told to."""

    def __init__(self, case):
        super().__init__(case)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    def read_on(self, connection):
        """Reads this one and all that come later, in a thread that ends with the listener."""
        threading.Thread(target=self._drain, args=(connection,), daemon=True).start()

    def _drain(self, connection):
        try:
            while True:
                while connection.recv(1 << 16):
                    pass
                connection.close()
                connection = self.accept()
        except OSError:
            pass


class BadFiles(ChainCase):
    def tearDown(self):
        if self.cluster.daemon.process.poll() is None:
            self.wait_until_free(self.cluster)
            self.cluster.is_healthy()
        super().tearDown()

    def what_happened(self, app):
        """How it ended, and all that was said of it: whoever begins anew may find what is left good enough."""
        self.cluster.wait_for_state(app, "failed", "finished")
        described = self.cluster.json("describe", str(app))
        return "\n".join([described["last_error"]] + [event["text"] for event in described["events"]])


class Input(BadFiles):
    def setUp(self):
        super().setUp()
        self.cluster = self.local()

    def held_up(self, path):
        """A job that has read the beginning of path and stands still: (its id, a function that lets it go on)."""
        peer = SlowPeer(self)
        app = self.cluster.submit(*self.chain(**{"from": "file/source", "from_path": path, "to": "tcp/sink",
                                                 "to_address": peer.address, "recovery_restarts": 1}))
        connection = peer.accept()
        self.assertTrue(connection.recv(1))
        return app, lambda: peer.read_on(connection)

    def test_a_file_that_is_cut_while_it_is_read(self):
        text = self.file("in", LINE * MANY_LINES)
        app, go_on = self.held_up(text)
        os.truncate(text, 5000)
        go_on()
        self.assertRegex(self.what_happened(app), r"processor 'from'.*'.*/in' is shorter than it was")

    def test_a_file_that_vanishes_before_its_turn(self):
        folder = self.folder("input")
        self.file("input/1", LINE * MANY_LINES)
        last = self.file("input/2", "last\n")
        app, go_on = self.held_up(folder)
        os.remove(last)
        go_on()
        self.assertRegex(self.what_happened(app), "processor 'from'.*cannot open '.*/input/2': No such file or directory")

    def test_a_file_that_vanishes_while_it_is_open_is_read_all_the_same(self):
        text = self.file("in", LINE * MANY_LINES)
        app, go_on = self.held_up(text)
        os.remove(text)
        go_on()
        self.cluster.wait_for_state(app, "finished")
        described = self.cluster.json("describe", str(app))
        self.assertEqual([MANY_LINES], [p["in"] for p in described["processors"] if p["name"] == "to"])
        self.assertEqual([], described["events"])


class Follow(ChainCase):
    def test_what_vanishes_is_waited_for(self):
        """The file, then its whole folder."""
        self.folder("logs")
        self.file("logs/log", "one\n")
        lines = Peer(self)
        run = self.start_chain(**{"from": "file/follow", "from_path": self.path("logs/log"), "to": "tcp/sink",
                                  "to_address": lines.address})
        with lines.accept() as connection, connection.makefile("r", encoding="ascii") as got:
            self.assertEqual("one\n", got.readline())
            os.remove(self.path("logs/log"))
            self.file("logs/log", "two\n")
            self.assertEqual("two\n", got.readline())
            shutil.rmtree(self.path("logs"))
            self.folder("logs")
            self.file("logs/log", "three\n")
            self.assertEqual("three\n", got.readline())
            with open(self.path("logs/log"), "w", encoding="ascii") as file:
                file.write("cut\n")
            self.assertEqual("cut\n", got.readline())
        run.send_signal(signal.SIGINT)
        self.assertEqual(130, run.wait(harness.STOP_S), self.said())

    def test_a_folder_is_no_file(self):
        result = self.run_chain(**{"from": "file/follow", "from_path": self.folder("logs"), "to": "console/sink"})
        self.assert_ends_with(result, harness.JOB_FAILED, "cannot follow '.*/logs': no regular file")


class Forbidden(BadFiles):
    """By somebody who is not root, for whom nothing is forbidden."""

    NOBODY = 65534

    def setUp(self):
        super().setUp()
        self.prefix = []
        if os.geteuid() == 0:
            if not shutil.which("setpriv"):
                self.skipTest("nothing is forbidden to root, and there is no setpriv to become somebody else")
            self.prefix = ["setpriv", f"--reuid={self.NOBODY}", f"--regid={self.NOBODY}", "--clear-groups"]
            for folder in ("", "work", "home", "tmp", "run"):
                os.chown(os.path.join(self.root, folder), self.NOBODY, self.NOBODY)
        for program in ("bin/gpctl", "bin/gpd"):
            if self.execute([*self.prefix, "test", "-x", self.built(program)]).code != 0:
                self.skipTest(f"{self.built(program)} is closed to others")
        daemon = self.start("local", "--port", "0", "--workers", "1", "--data", self.path("data"), prefix=self.prefix)
        self.cluster = harness.Cluster(self, daemon, daemon.ready()["master"])

    def gpctl(self, *arguments, **options):
        return self.execute([*self.prefix, self.built("bin/gpctl"), *arguments], **options)

    def tearDown(self):
        for name in ("closed", "read-only"):
            if os.path.isdir(self.path(name)):
                os.chmod(self.path(name), 0o755)
        super().tearDown()

    def count_words(self, cluster, inputs=None, *arguments):
        """Where it can write. See harness.Case."""
        result = self.ok(cluster.gpctl("submit", self.example("wordcount"), "--wait", "--set",
                                       f"input={self.readable()}", "--set", f"output={self.path('work/counts')}",
                                       timeout=harness.JOB_S))
        self.assert_same_counts([self.readable()], self.path("work/counts"))
        return result

    def readable(self):
        text = self.file("in", "a b a\n")
        os.chmod(text, 0o644)
        return text

    def fails(self, *said, **parameters):
        self.assert_job_failed(self.cluster, *said, submit=self.chain(
            **{"from": "file/source", "from_path": self.readable(), "to": "file/sink", "to_path": self.path("work/out"),
               "recovery_restarts": 1, **parameters}))

    def test_what_may_not_be_read(self):
        self.folder("closed")
        os.chmod(self.file("secret-text", "x\n"), 0o000)
        self.file("closed/text", "x\n")
        os.chmod(self.path("closed"), 0o000)
        denied = "Permission denied"
        self.fails(f"cannot read directory '.*/closed': {denied}", from_path=self.path("closed"))
        self.fails(f"cannot open '.*/closed/text': {denied}", from_path=self.path("closed/text"))
        self.fails(f"cannot open '.*/secret-text': {denied}", from_path=self.path("secret-text"))
        self.fails(f"cannot open '.*/closed/text': {denied}", **{"from": "file/follow",
                                                                 "from_path": self.path("closed/text")})

    def test_what_may_not_be_written(self):
        os.chmod(self.folder("read-only"), 0o555)
        self.fails("cannot create '.*/read-only/.part-0.tmp': Permission denied", to_path=self.path("read-only"))
        self.fails("cannot make directory '.*/read-only/deep': Permission denied",
                   to_path=self.path("read-only/deep/down"))


class Output(BadFiles):
    def setUp(self):
        super().setUp()
        self.cluster = self.local()

    def generate(self, path, count=10000):
        return self.chain(**{"from": "generator/source", "from_count": count, "from_size": 100, "to": "file/sink",
                             "to_path": path, "recovery_restarts": 1})

    def test_a_folder_that_is_there_already(self):
        """Parts are replaced and others left alone; what a larger run left is told, for who reads part-* would mix."""
        self.folder("out")
        for name in ("part-0", "part-1", "notes"):
            self.file(f"out/{name}", "old\n")
        self.assert_job_failed(self.cluster, "'.*/out/part-1' is left from a run with more tasks: remove it",
                               submit=self.generate(self.path("out"), 10))
        self.assertEqual("old\n", harness.read_text(self.path("out/part-0")))
        os.remove(self.path("out/part-1"))
        self.ok(self.cluster.gpctl("submit", *self.generate(self.path("out"), 10), "--wait", timeout=harness.JOB_S))
        self.assertEqual(["notes", "part-0"], sorted(os.listdir(self.path("out"))))
        self.assertEqual(10, len(harness.read_text(self.path("out/part-0")).splitlines()))
        self.assertEqual("old\n", harness.read_text(self.path("out/notes")))

    def test_a_full_disk(self):
        disk = disks.Disk(self.path("disk"), 4096)
        self.addCleanup(disk.close)
        out = os.path.join(disk.path, "out")
        os.mkdir(out)
        disk.fill()
        self.assert_job_failed(self.cluster, "processor 'to'.*cannot (write|create) '.*/disk/out/.part-0.tmp': "
                               "No space left on device", submit=self.generate(out))
        self.assertEqual([], os.listdir(out), "nothing half done is left")
        disk.free()
        self.ok(self.cluster.gpctl("submit", *self.generate(out), "--wait", timeout=harness.JOB_S))
        self.assertEqual(["part-0"], os.listdir(out))


if __name__ == "__main__":
    harness.main()
