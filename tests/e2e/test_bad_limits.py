"""Too little of everything: descriptors, memory, room for connections. Jobs fail with a reason, daemons live on."""

import contextlib
import os
import re
import resource
import socket
import time

import harness
import protocol
import system
from protocol import Connection

CROWD = 5000


class Cluster(harness.Case):
    """A master, and a worker that can be held short apart from it."""

    def begin(self, prefix=()):
        master = self.start("master", "--host", "127.0.0.1", "--port", "0", "--data", self.path("master"))
        self.cluster = harness.Cluster(self, master, master.ready()["master"])
        self.worker = self.start("worker", "--masters", self.cluster.master, "--data", self.path("worker"),
                                 prefix=prefix)
        self.worker.ready()
        system.wait_until(lambda: self.cluster.json("workers")["workers"], "it is registered", harness.READY_S)

    def limited(self, flag, value):
        """The worker has this limit, and so have its children."""
        self.begin(prefix=("sh", "-c", f'ulimit {flag} {value} && exec "$@"', "sh"))

    def as_before(self):
        """The worker has not been replaced, nothing of the job is left, and jobs run."""
        self.assertIsNone(self.worker.process.poll())
        self.wait_until_free(self.cluster)
        self.cluster.is_healthy()


class Descriptors(Cluster):
    @contextlib.contextmanager
    def nearly_none(self, pid, left):
        """The process can open as many more as `left`."""
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        taken = {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        free = [number for number in range(max(taken) + 1 + left) if number not in taken][:left]
        limit = free[-1] + 1 if free else min(set(range(max(taken) + 2)) - taken)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, before[1]))
        try:
            yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    def test_a_worker_that_has_none_left_says_so_and_goes_on_when_it_has(self):
        self.begin()
        self.cluster.is_healthy()  # what it opens at the first use, it has
        self.wait_until_free(self.cluster)
        with self.nearly_none(self.worker.pid, 2):
            app = self.cluster.submit(self.plugin("ticker"), "--detach")
            said = r"its appmaster could not be started on worker \d+: .*too many open files"
            described = self.described_with(app, said)
            self.assertIn(described["application"]["state"], ("submitted", "starting"))
            self.assertRegex(self.ok(self.cluster.gpctl("events")).out, f"ticker: {said}")
        self.cluster.wait_for_state(app, "running")
        self.assertEqual("", self.cluster.json("describe", str(app))["last_error"])
        self.ok(self.cluster.gpctl("kill", str(app)))
        self.as_before()

    def described_with(self, app, said):
        def check():
            self.last = self.cluster.json("describe", str(app))
            return re.search(said, self.last["last_error"])

        system.wait_until(check, f"its last error is {said}", harness.JOB_S, pause_s=0.05)
        return self.last

    def test_an_executor_that_has_none_left(self):
        self.limited("-n", 64)
        self.assert_job_failed(self.cluster, r"processor 'to', task \d+ on executor \d+, in its open\(\): cannot create "
                               "'.*/out/.part-.*': Too many open files", submit=[
                                   self.plugin("chain"), "--set", "from=generator/source", "--set", "from.count=10",
                                   "--set", "to=file/sink", "--set", f"to.path={self.path('out')}", "--parallelism",
                                   "to=80"])
        self.as_before()


class Memory(Cluster):
    """What user code takes is limited for the process, as by a control group."""

    def setUp(self):
        super().setUp()
        if harness.SANITIZED:
            self.skipTest("a sanitizer needs more memory than any limit here, and ends the process without it")
        self.limited("-d", 400 << 10)

    def faulty(self, how, where, *more):
        return [self.plugin("faulty"), "--set", f"how={how}", "--set", f"where={where}", "--set",
                "recovery.restarts=1", *more]

    def test_code_that_says_it_has_none_fails_its_job(self):
        self.assert_job_failed(self.cluster, r"processor 'worker', task 0 on executor 1, in its process\(\): no memory left "
                               r"\(it was restarted 1 time within", submit=self.faulty("eat", "process", "--set", "worker.row=3"))
        self.as_before()

    def test_the_executor_that_has_it_is_replaced(self):
        """Once: at a row that the next life does not meet."""
        result = self.cluster.gpctl("-o", "json", "submit", *self.faulty("eat", "process"), "--wait", timeout=harness.JOB_S)
        self.assertEqual(harness.LOSSES, result.code, str(result))
        self.assertEqual("finished", result.json["state"])
        self.assertRegex("\n".join(e["text"] for e in self.cluster.json("describe", "faulty")["events"]), "no memory left")
        self.as_before()

    def test_code_that_leaves_nothing_to_others(self):
        """It says nothing, so what needs memory next is what fails."""
        for where in ("open", "process"):
            with self.subTest(where=where):
                result = self.cluster.gpctl("submit", *self.faulty("hoard", where, "--set", "worker.row=3"), "--wait",
                                            timeout=harness.JOB_S)
                if result.code not in (harness.OK, harness.LOSSES):  # it had what it needed already, or did it again
                    self.assert_ends_with(result, harness.JOB_FAILED, "out of memory|no memory|SIG|exit code")
                self.as_before()


class Crowd(Cluster):
    """Connections that say nothing, or stop saying anything."""

    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < CROWD + 1000:
            self.skipTest(f"{CROWD} connections need more descriptors than the {hard} that are allowed here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.env["GEARPUMP_LIMITS__HANDSHAKE_TIMEOUT"] = f"{int(1000 * harness.SLOWNESS)}ms"
        self.begin()
        self.app = self.cluster.submit(self.plugin("ticker"))
        self.cluster.wait_for_state(self.app, "running")
        self.processes = {p.pid for role in ("appmaster", "executor") for p in self.cluster.children(role)}

    def goes_on(self):
        """The job, in the same processes; and others start."""
        def ticks():
            return sum(e["messages"] for e in self.cluster.json("describe", str(self.app))["edges"])

        before = ticks()
        system.wait_until(lambda: ticks() > before, "the job goes on", harness.JOB_S, pause_s=0.1)
        self.assertEqual(self.processes, {p.pid for r in ("appmaster", "executor") for p in self.cluster.children(r)})
        self.cluster.is_healthy()

    def closed_by_peer(self, sock):
        sock.settimeout(harness.JOB_S)
        try:
            while sock.recv(4096):
                pass
        except ConnectionError:
            pass

    def test_five_thousand_that_say_nothing(self):
        """At the master's port, then at the worker's: what is too much is turned away, the rest is in time."""
        worker = self.cluster.json("workers")["workers"][0]["address"]
        for pid, where in ((self.cluster.daemon.pid, self.cluster.master), (self.worker.pid, worker)):
            with self.subTest(where=where), contextlib.ExitStack() as stack:
                host, _, port = where.rpartition(":")
                crowd = []
                for i in range(CROWD):  # of many addresses, so that no bound of one does it
                    crowd.append(stack.enter_context(socket.create_connection(
                        (host, int(port)), timeout=harness.JOB_S, source_address=(f"127.0.0.{1 + i % 200}", 0))))
                    if i % 1000 == 999:
                        self.ok(self.cluster.gpctl("list"))
                self.goes_on()
                for sock in crowd:
                    self.closed_by_peer(sock)
                self.assertLess(system.descriptors(pid), 200)

    def test_greetings_that_never_end(self):
        """A byte now and then does not buy more time."""
        host, _, port = self.cluster.master.rpartition(":")
        hello = protocol.frame(protocol.HELLO, Connection.hello())
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(Connection((host, int(port)), harness.JOB_S)) for _ in range(100)]
            begin_s = time.monotonic()
            for at in range(len(hello) - 1):
                for peer in crowd:
                    peer.send(hello[at:at + 1])
                if time.monotonic() - begin_s > harness.SLOWNESS / 2:
                    break
            self.ok(self.cluster.gpctl("list"))
            for peer in crowd:
                self.closed_by_peer(peer.socket)
        self.goes_on()

    def test_peers_that_fall_silent(self):
        """Known ones, whose host is gone: no FIN ever comes, and no answer to a ping."""
        with open(self.secret, "rb") as file:
            secret = file.read().strip()
        host, _, port = self.cluster.master.rpartition(":")
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(Connection((host, int(port)), harness.JOB_S)) for _ in range(20)]
            for peer in crowd:
                peer.greet(secret)
            for peer in crowd:
                self.closed_by_peer(peer.socket)
        self.goes_on()


if __name__ == "__main__":
    harness.main()
