"""The shipped plugins by real use: against sockets, programs and files of these tests.

Jobs are tests/e2e/plugins/chain.c: processors from, via and to, of any plugin.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading

import harness
import system


class Peer:
    """A Python peer on a free port: takes one connection after the other and keeps what each sent."""

    def __init__(self, case):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(harness.JOB_S)
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        case.addCleanup(self.listener.close)

    def accept(self):
        connection, _ = self.listener.accept()
        connection.settimeout(harness.JOB_S)
        return connection


def read_all(connection):
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


class ChainCase(harness.Case):
    def chain(self, **parameters):
        """Arguments of a job: via_line_max stands for via.line.max."""
        arguments = [self.plugin("chain")]
        for key, value in parameters.items():
            arguments += ["--set", f"{key.replace('_', '.')}={value}"]
        return arguments

    def run_chain(self, **parameters):
        return self.gpctl("run", *self.chain(**parameters), timeout=harness.JOB_S)

    def start_chain(self, **parameters):
        """gpctl run, not waited for."""
        with open(self.path("run.out"), "wb") as out, open(self.path("run.err"), "wb") as err:
            run = subprocess.Popen([self.built("bin/gpctl"), "run", *self.chain(**parameters)],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=self.env, cwd=self.work)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        return run

    def said(self):
        return harness.read_text(self.path("run.out")) + harness.read_text(self.path("run.err"))

    def port_said(self):
        """Where the tcp plugin of start_chain() listens."""
        pattern = r"listening at 127\.0\.0\.1:(\d+)"
        system.wait_until(lambda: re.search(pattern, self.said()), "it listens", harness.READY_S)
        return int(re.search(pattern, self.said()).group(1))


class Parameters(ChainCase):
    def test_all_mistakes_are_told_at_once(self):
        result = self.run_chain(**{"from": "generator/source", "to": "console/sink", "from_rate": "fast",
                                   "from_sede": 1, "to_to": "printer"})
        self.assertEqual(harness.JOB_FAILED, result.code, result)
        for text in ("3 mistakes", r"'from' \(generator/source\): parameter rate is 'fast', not a number from 0 on",
                     r"there is no parameter 'sede' \(did you mean 'seed'\?\)",
                     r"'to' \(console/sink\): parameter to is 'printer', not one of stdout\|stderr\|log"):
            self.assertRegex(result.err, text)

    def test_one_that_is_required_is_missed(self):
        cluster = self.local()
        self.assert_job_failed(cluster, r"'from' \(tcp/source\): parameter address is missing",
                               submit=self.chain(**{"from": "tcp/source", "to": "console/sink"}))
        cluster.is_healthy()


class Generator(ChainCase):
    def test_numbers_come_once_and_in_order(self):
        result = self.ok(self.run_chain(**{"from": "generator/source", "to": "console/sink", "from_count": 3000,
                                           "from_keys": 5, "to_key": "yes"}))
        lines = [line.split("\t") for line in result.out.splitlines() if line.startswith("key-")]
        self.assertEqual(list(range(3000)), [int(value.split(" ")[0]) for _, value in lines])
        self.assertEqual({f"key-{i}" for i in range(5)}, {key for key, _ in lines})

    def test_a_rate_is_kept(self):
        result = self.ok(self.run_chain(**{"from": "generator/source", "to": "console/sink", "from_count": 200,
                                           "from_rate": 200, "to_limit": 1}))
        self.assertGreater(result.seconds, 0.9)


class Tcp(ChainCase):
    def test_words_are_counted_from_a_socket_to_a_socket(self):
        """As with nc on both sides, and awk in between."""
        words, counts = Peer(self), Peer(self)
        count = r"awk '{ for (i = 1; i <= NF; i++) n[$i]++ } END { for (w in n) print w, n[w] }'"
        run = self.start_chain(**{"from": "tcp/source", "from_mode": "connect", "from_address": words.address,
                                  "from_end": "closed", "via": "exec/process", "via_command": count,
                                  "to": "tcp/sink", "to_address": counts.address})
        with words.accept() as connection:
            connection.sendall(b"the gear turns the pump\n" * 1000 + b"the end")  # no newline behind it
        with counts.accept() as connection:
            got = dict(line.split() for line in read_all(connection).splitlines())
        self.assertEqual({b"the": b"2001", b"gear": b"1000", b"turns": b"1000", b"pump": b"1000", b"end": b"1"}, got)
        self.assertEqual(0, run.wait(harness.JOB_S), self.said())

    def test_many_connections_send_at_once(self):
        run = self.start_chain(**{"from": "tcp/source", "from_address": "127.0.0.1:0", "from_end": "closed",
                                  "from_connections": 20, "to": "file/sink", "to_path": self.path("lines")})
        port = self.port_said()
        # One stays until all the others are done, so that the source does not end between two.
        with socket.create_connection(("127.0.0.1", port)) as first:
            def send(number):
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    for i in range(100):
                        connection.sendall(b"%d %d " % (number, i))
                        connection.sendall(b"x" * 5000 + b"\n")

            senders = [threading.Thread(target=send, args=(number,)) for number in range(50)]
            for sender in senders:
                sender.start()
            for sender in senders:
                sender.join(harness.JOB_S)
            first.sendall(b"last\n")
        self.assertEqual(0, run.wait(harness.JOB_S), self.said())
        with open(self.path("lines/part-0"), encoding="ascii") as part:
            lines = part.read().splitlines()
        self.assertEqual(5001, len(lines))
        for number in range(50):
            mine = [int(line.split()[1]) for line in lines if line.startswith(f"{number} ")]
            self.assertEqual(list(range(100)), mine)

    def test_a_line_that_is_too_long_ends_its_connection_only(self):
        run = self.start_chain(**{"from": "tcp/source", "from_address": "127.0.0.1:0", "from_end": "closed",
                                  "from_line_max": "1KiB", "to": "console/sink"})
        port = self.port_said()
        with socket.create_connection(("127.0.0.1", port)) as good:
            with socket.create_connection(("127.0.0.1", port)) as bad:
                bad.settimeout(harness.JOB_S)
                try:
                    for _ in range(1600):  # 100 MiB, had anybody taken them
                        bad.sendall(b"x" * (1 << 16))
                except OSError:
                    pass
            good.sendall(b"still here\n")
        self.assertEqual(0, run.wait(harness.JOB_S), self.said())
        self.assertIn("a line is longer than line.max", self.said())
        self.assertIn("still here", self.said())

    def test_both_ends_find_each_other_again(self):
        words, lines = Peer(self), Peer(self)
        run = self.start_chain(**{"from": "tcp/source", "from_mode": "connect", "from_address": words.address,
                                  "to": "tcp/sink", "to_address": lines.address})
        with words.accept() as source, lines.accept() as sink:
            source.sendall(b"one\n")
            self.assertEqual(b"one\n", sink.recv(100))
        with words.accept() as source, lines.accept() as sink:
            source.sendall(b"two\n")
            self.assertEqual(b"two\n", sink.recv(100))
        run.send_signal(signal.SIGINT)
        self.assertEqual(130, run.wait(harness.STOP_S))

    def test_the_sink_serves_all_who_come(self):
        run = self.start_chain(**{"from": "generator/source", "from_count": 20000, "to": "tcp/sink",
                                  "to_mode": "listen", "to_address": "127.0.0.1:0", "to_connections": 1})
        with socket.create_connection(("127.0.0.1", self.port_said())) as guest:
            guest.settimeout(harness.JOB_S)
            got = read_all(guest)
        self.assertEqual(list(range(20000)), [int(line.split()[0]) for line in got.splitlines()])
        self.assertEqual(0, run.wait(harness.JOB_S), self.said())

    def test_a_port_in_use_is_told(self):
        peer = Peer(self)
        result = self.run_chain(**{"from": "tcp/source", "from_address": peer.address, "to": "console/sink"})
        self.assertEqual(harness.JOB_FAILED, result.code, result)
        self.assertRegex(result.err, f"cannot listen at '{peer.address}': Address already in use")

    def test_an_address_that_is_none_is_told(self):
        result = self.run_chain(**{"from": "tcp/source", "from_address": "nonsense", "to": "console/sink"})
        self.assertRegex(result.err, "address 'nonsense' is not HOST:PORT")


class Follow(ChainCase):
    def append(self, name, text):
        with open(self.path(name), "a", encoding="ascii") as file:
            file.write(text)

    def test_a_growing_and_rotated_file_is_read_to_its_last_line(self):
        lines = Peer(self)
        run = self.start_chain(**{"from": "file/follow", "from_path": self.path("log"), "to": "tcp/sink",
                                  "to_address": lines.address})
        with lines.accept() as connection, connection.makefile("r", encoding="ascii") as got:
            for rotation in range(5):
                for i in range(200):
                    self.append("log", f"{rotation} {i}\n")
                if rotation % 2:
                    os.rename(self.path("log"), self.path(f"log.{rotation}"))
                    self.append(f"log.{rotation}", f"{rotation} 200\n")  # whoever had it open
                else:
                    self.append("log", f"{rotation} 200\n")
                # All of it before the next rotation: two within one look hide the file in between.
                for i in range(201):
                    self.assertEqual(f"{rotation} {i}\n", got.readline())
            with open(self.path("log"), "w", encoding="ascii") as file:
                file.write("truncated\n")
            self.assertEqual("truncated\n", got.readline())
        run.send_signal(signal.SIGINT)
        self.assertEqual(130, run.wait(harness.STOP_S))


class BadFiles(ChainCase):
    def fails(self, *said, **parameters):
        result = self.run_chain(**{"from": "file/source", "to": "file/sink", "to_path": self.path("out"), **parameters})
        self.assertEqual(harness.JOB_FAILED, result.code, result)
        for text in said:
            self.assertRegex(result.err, text)

    def test_a_line_of_100_mib(self):
        with open(self.path("long"), "wb") as file:
            file.write(b"short\n")
            for _ in range(100):
                file.write(b"x" * (1 << 20))
        self.fails("the line at offset 6 of '.*/long' is longer than line.max, 1048576 bytes",
                   from_path=self.path("long"))
        self.assertEqual([], os.listdir(self.path("out")))

    def test_a_folder_that_may_not_be_read(self):
        if os.geteuid() == 0:
            self.skipTest("nothing is forbidden to root")
        folder = self.folder("closed", mode=0o000)
        try:
            self.fails("cannot read directory '.*/closed': Permission denied", from_path=folder)
        finally:
            os.chmod(folder, 0o755)

    def test_an_output_that_is_no_folder(self):
        text = self.file("in", "line\n")
        self.fails("cannot create '.*/in/.part-0.tmp': Not a directory", from_path=text, to_path=text)

    def what_happened(self, cluster, app):
        """Of an application whose sink failed once, and did its work in its next life."""
        cluster.wait_for_state(app, "finished")
        return "\n".join(event["text"] for event in cluster.json("describe", str(app))["events"])

    def test_an_output_that_is_full(self):
        cluster = self.local()
        os.symlink("/dev/full", os.path.join(self.folder("out"), ".part-0.tmp"))
        app = cluster.submit(*self.chain(**{"from": "generator/source", "from_count": 10000, "to": "file/sink",
                                            "to_path": self.path("out")}))
        self.assertRegex(self.what_happened(cluster, app),
                         "cannot write '.*/out/.part-0.tmp': No space left on device")
        cluster.is_healthy()

    def test_an_output_that_is_removed(self):
        words, cluster = Peer(self), self.local()
        app = cluster.submit(*self.chain(**{"from": "tcp/source", "from_mode": "connect", "from_address": words.address,
                                            "from_end": "closed", "to": "file/sink", "to_path": self.path("out")}))
        with words.accept() as connection:
            connection.sendall(b"line\n")
            system.wait_until(lambda: os.path.exists(self.path("out/.part-0.tmp")), "it writes", harness.READY_S)
            shutil.rmtree(self.path("out"))
        self.assertRegex(self.what_happened(cluster, app),
                         "cannot rename '.*/out/.part-0.tmp' to '.*/out/part-0': No such file")


class Exec(ChainCase):
    def words(self, **parameters):
        return self.run_chain(**{"from": "generator/source", "from_size": 30, "via": "exec/process",
                                 "to": "file/sink", "to_path": self.path("out"), **parameters})

    def out(self):
        with open(self.path("out/part-0"), "rb") as part:
            return part.read().splitlines()

    def test_back_pressure_goes_through_a_child(self):
        """More than all buffers hold; the child writes much for each line that it reads."""
        self.ok(self.words(**{"from_count": 20000, "via_command": "awk '{ print $1; print $1 \" again\"; fflush() }'"}))
        self.assertEqual([b"%d" % i for i in range(20000)], self.out()[::2])

    def test_python_with_lengths_passes_any_bytes(self):
        script = self.file("double.py", """
import struct, sys
read, write = sys.stdin.buffer.read, sys.stdout.buffer.write
while head := read(4):
    value = read(struct.unpack("<I", head)[0])
    value = value.split(b" ")[0] + b"\\0" + value[:1]
    write(struct.pack("<I", len(value)) + value)
""")
        self.ok(self.words(**{"from_count": 1000, "via_format": "length", "via_command": f"{sys.executable} {script}"}))
        self.assertEqual([b"%d\0" % i + b"%d" % i for i in range(10)], self.out()[:10])
        self.assertEqual(1000, len(self.out()))

    def test_the_death_of_a_child_fails_the_task_and_says_what_it_said(self):
        cluster = self.local()
        chain = self.chain(**{"from": "generator/source", "from_rate": 1000, "via": "exec/process",
                              "to": "console/sink", "to_limit": 1,
                              "via_command": "head -n 20; echo out of cheese >&2; exit 7"})
        self.assert_job_failed(cluster, "exited with 7: out of cheese", submit=chain)
        cluster.is_healthy()

    def test_a_signal_is_named(self):
        result = self.words(**{"from_count": 10, "via_command": "kill -SEGV $$"})
        self.assertEqual(harness.JOB_FAILED, result.code, result)
        self.assertIn("was killed by signal 11 (Segmentation fault)", result.err)

    def test_too_much_at_once_is_refused(self):
        result = self.words(**{"from_count": 10, "via_command": "cat >/dev/null; head -c 100000000 /dev/zero"})
        self.assertEqual(harness.JOB_FAILED, result.code, result)
        self.assertIn("wrote more than line.max, 1048576 bytes, at once", result.err)

    def test_no_child_outlives_its_executor(self):
        cluster = self.local()
        chain = self.chain(**{"from": "generator/source", "from_rate": 100, "via": "exec/process",
                              "to": "console/sink", "via_command": "exec cat"})
        app = cluster.submit(*chain)
        cluster.wait_for_state(app, "running")

        def cats():
            return [p for p in system.descendants(os.getpid()) if p.command and p.command[-1] == "cat"]

        system.wait_until(cats, "the child runs", harness.READY_S)
        before = {p.pid for p in cats()}
        for executor in cluster.children("executor"):
            system.kill_quietly(executor.pid, signal.SIGKILL)
        system.wait_until(lambda: not before & {p.pid for p in cats()}, "the child is gone", harness.GONE_S * 5)
        system.wait_until(cats, "another one runs", harness.READY_S)
        self.ok(cluster.gpctl("kill", str(app)))
        self.wait_until_free(cluster)
        self.assertEqual([], cats())


if __name__ == "__main__":
    harness.main()
