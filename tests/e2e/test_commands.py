"""Every command of gpctl and gpd: what it prints for people and for programs, and its exit code."""

import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading
import time

import harness
import system

APPLICATION = {"id", "name", "state", "executors", "tasks", "submitted_ms", "started_ms", "finished_ms", "error", "priority"}
WORKER = {"id", "name", "address", "host", "pid", "slots", "slots_used", "executors", "cpus", "up_ms", "state", "tasks",
          "load_1m", "memory_total", "memory_free", "labels"}
EDGE = {"from", "from_port", "to", "to_port", "partitioner", "kinds", "messages", "bytes", "rate"}
EXECUTOR = {"id", "worker", "host", "pid", "lanes", "tasks", "state"}
COMMANDS = ["submit", "run", "simulate", "list", "describe", "metrics", "top", "kill", "restart", "events", "logs",
            "masters", "workers", "drain", "rebalance", "inspect", "validate", "plugins", "config", "explain", "version"]
ROLES = ["local", "master", "worker", "check-config", "version"]


def rows(table):
    """The cells of each line of a table, the titles first."""
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines()]


class Submit(harness.Case):
    def test_prints_the_id_and_does_not_wait(self):
        cluster = self.local()
        result = self.ok(cluster.gpctl("submit", self.plugin("ticker")))
        self.assertEqual("1\n", result.out)
        self.assertEqual({"id": 2, "name": "again"},
                         cluster.json("submit", self.plugin("ticker"), "--name", "again"))

    def test_wait_reports_the_end(self):
        cluster = self.local()
        report = cluster.json("submit", self.plugin("faulty"), "--wait", "--name", "fine")
        self.assertEqual({"id", "name", "state", "error", "started_ms", "finished_ms", "processors", "lost",
                          "figures"}, report.keys())
        self.assertEqual(("fine", "finished", ""), (report["name"], report["state"], report["error"]))
        self.assertLess(0, report["started_ms"])
        self.assertLessEqual(report["started_ms"], report["finished_ms"])
        numbers, worker = report["processors"]
        self.assertEqual({"name", "tasks", "in", "out", "rejected", "late", "counters"}, worker.keys())
        self.assertEqual(("numbers", 1, 0, 1000), tuple(numbers[k] for k in ("name", "tasks", "in", "out")))
        self.assertEqual(("worker", 1, 1000, 0), tuple(worker[k] for k in ("name", "tasks", "in", "out")))

    def test_wait_shows_people_what_was_done(self):
        cluster = self.local()
        result = self.ok(cluster.gpctl("submit", self.plugin("faulty"), "--wait"))
        self.assertRegex(result.err, r"faulty \(id 1\) finished in")
        titles, *lines = rows(result.out)
        self.assertEqual(["PROCESSOR", "TASKS", "IN", "OUT"], titles[:4])
        self.assertEqual([["numbers", "1", "0", "1000"], ["worker", "1", "1000", "0"]], [line[:4] for line in lines])

    def test_timeout_ends_the_wait_and_not_the_job(self):
        cluster = self.local()
        begin_s = time.monotonic()
        result = cluster.gpctl("submit", self.plugin("ticker"), "--wait", "--timeout", "500ms")
        self.assertLess(time.monotonic() - begin_s, 5 * harness.SLOWNESS)
        self.assert_ends_with(result, harness.TIMEOUT, "500")
        self.assertIn(cluster.state(1), ("starting", "running"))

    def test_parameters_reach_build_and_processors(self):
        cluster = self.local()
        # Of the graph and of one processor: row is what `worker` reads.
        self.assert_job_failed(cluster, "told to fail", submit=[
            self.plugin("faulty"), "--set", "how=fail", "--set", "where=process", "--set", "worker.row=3"])
        cluster.json("submit", self.plugin("faulty"), "--set", "how=fail", "--set", "where=process", "--set",
                     "worker.row=5000", "--wait")

    def test_parallelism_and_executors_are_obeyed(self):
        cluster = self.local(workers=3)
        app = cluster.submit(self.plugin("ticker"), "--parallelism", "ticks=5", "--parallelism", "sink=7",
                             "--executors", "3")
        cluster.wait_for_state(app, "running")
        described = cluster.json("describe", str(app))
        self.assertEqual({"ticks": 5, "sink": 7}, {p["name"]: p["parallelism"] for p in described["processors"]})
        self.assertEqual(3, len({e["worker"] for e in described["executors"] if e["id"] > 0}))
        self.assertEqual(12, sum(e["tasks"] for e in described["executors"]))
        self.assertEqual((3, 12), (described["application"]["executors"], described["application"]["tasks"]))

    def test_twice_the_same_file_is_uploaded_once(self):
        cluster = self.local()
        cluster.submit(self.plugin("ticker"))
        cluster.submit(self.plugin("ticker"), "--name", "two")
        stored = []
        for folder, _, names in os.walk(self.path("data-0")):
            with_size = [(n, os.path.getsize(os.path.join(folder, n))) for n in names]
            stored += [n for n, size in with_size if size == os.path.getsize(self.plugin("ticker"))]
        self.assertEqual(len(set(stored)), 1, stored)

    def test_shows_progress_on_a_terminal_only(self):
        cluster = self.local()
        self.assertNotRegex(self.ok(cluster.gpctl("submit", self.plugin("ticker"))).err, r"\r|%")
        terminal, slave = pty.openpty()
        argv = [self.built("bin/gpctl"), "--master", cluster.master, "submit", self.example("wordcount")]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=slave,
                                   env={**self.env, "TERM": "xterm"}, cwd=self.work)
        os.close(slave)
        shown = self.read_terminal(terminal, harness.COMMAND_S)
        self.assertEqual(0, process.wait(harness.COMMAND_S))
        self.assertEqual(b"2\n", process.stdout.read())
        process.stdout.close()
        self.assertRegex(shown, rb"100\s?%|\d KiB|\d MiB")

    def read_terminal(self, terminal, seconds):
        shown, deadline_s = b"", time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # the last writer has closed it
                break
        os.close(terminal)
        return shown


class Repeat(harness.Case):
    """A request that is made again, by whoever got no answer."""

    def test_the_same_request_id_makes_one_application(self):
        cluster = self.local()
        again = [cluster.json("submit", self.plugin("ticker"), "--request-id", "nightly-1")["id"] for _ in range(2)]
        self.assertEqual([1, 1], again)
        self.assertEqual(1, len(cluster.json("list", "-a")["applications"]))
        self.assert_refused(cluster.gpctl("submit", self.plugin("faulty"), "--request-id", "nightly-1"),
                            harness.CONFLICT, "nightly-1.*application 1")
        for wrong in ("", "x" * 65):
            self.assert_refused(cluster.gpctl("submit", self.plugin("ticker"), "--request-id", wrong), harness.USAGE,
                                "--request-id")

    def test_a_lost_answer_makes_no_second_application(self):
        """Between them stands one that passes all on and breaks the connection once a submit has got through."""
        cluster = self.local()
        self.ok(cluster.gpctl("submit", self.plugin("ticker"), "--name", "first"))  # the file is there now
        with Severing(cluster.master, lambda: len(cluster.json("list")["applications"]) == 2) as proxy:
            result = self.gpctl("--master", proxy.address, "submit", self.plugin("ticker"), "--name", "second")
        self.assertTrue(proxy.has_severed)
        self.assertEqual("2\n", self.ok(result).out)
        self.assertEqual(["first", "second"], [a["name"] for a in cluster.json("list", "-a")["applications"]])


class Severing:
    """Passes connections on to an address; on the first it loses what comes back, and breaks it once is_done()."""

    def __init__(self, address, is_done):
        host, _, port = address.rpartition(":")
        self.target, self.is_done = (host, int(port)), is_done
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.has_severed = False
        self.threads = [threading.Thread(target=self.serve, daemon=True)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_one, args=(client,), daemon=True).start()

    def serve_one(self, client):
        server = socket.create_connection(self.target)
        ends = {client: server, server: client}
        asked = 0  # bytes of the client so far: HELLO, the offer, the submit
        with client, server:
            while True:
                for end in select.select(list(ends), [], [])[0]:
                    try:
                        data = end.recv(1 << 16)
                    except OSError:
                        return
                    if not data:
                        return
                    asked += len(data) if end is client else 0
                    if end is server and not self.has_severed and self.is_done():
                        self.has_severed = True
                        return
                    ends[end].sendall(data)


class Pin(harness.Case):
    """Executors of different workers take the cores in turn; describe says which."""

    def cores_of(self, pid):
        """What the threads named lane-N may run on, by N."""
        cores = {}
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/comm", encoding="ascii") as comm:
                name = comm.read().strip()
            if name.startswith("lane-"):
                cores[int(name[5:])] = os.sched_getaffinity(int(task))
        return cores

    def described(self, *settings):
        cluster = self.local("--lanes", "2", *settings, workers=2)
        app = cluster.submit(self.plugin("ticker"), "--executors", "2", "--parallelism", "sink=4")
        cluster.wait_for_state(app, "running")
        text = self.ok(cluster.gpctl("describe", "ticker")).out
        executors = [e for e in cluster.json("describe", "ticker")["executors"] if e["id"] > 0]
        self.assertEqual(2, len(executors))
        return text, executors

    def test_lanes_go_to_cores_in_turn(self):
        may = sorted(os.sched_getaffinity(0))
        text, executors = self.described("--set", "worker.pin_lanes=true")
        self.assertEqual({0, 2 % len(may)}, {e["first_core"] for e in executors})
        for executor in executors:
            self.assertIn(f"2, core {executor['first_core']} on", text)
            expected = {lane: {may[(executor["first_core"] + lane) % len(may)]} for lane in range(2)}
            self.assertEqual(expected, self.cores_of(executor["pid"]))

    def test_by_default_the_system_chooses(self):
        text, executors = self.described()
        self.assertNotIn(", core", text)
        for executor in executors:
            self.assertNotIn("first_core", executor)
            self.assertEqual([os.sched_getaffinity(0)] * 2, list(self.cores_of(executor["pid"]).values()))


class Query(harness.Case):
    def setUp(self):
        super().setUp()
        self.cluster = self.local(workers=2)

    def test_list(self):
        self.assertEqual({"applications": []}, self.cluster.json("list"))
        self.ok(self.cluster.gpctl("submit", self.plugin("faulty"), "--wait"))
        app = self.cluster.submit(self.plugin("ticker"))
        self.cluster.wait_for_state(app, "running")
        running = self.cluster.json("list")["applications"]
        self.assertEqual(["ticker"], [a["name"] for a in running])
        self.assertEqual(APPLICATION, running[0].keys())
        self.assertEqual([("faulty", "finished"), ("ticker", "running")],
                         [(a["name"], a["state"]) for a in self.cluster.json("list", "-a")["applications"]])
        titles, line = rows(self.ok(self.cluster.gpctl("list")).out)
        self.assertEqual(["ID", "NAME", "STATE"], titles[:3])
        self.assertEqual(["2", "ticker", "running"], line[:3])
        self.assertEqual(3, len(rows(self.ok(self.cluster.gpctl("list", "-a")).out)))

    def test_describe(self):
        app = self.cluster.submit(self.plugin("ticker"), "--executors", "2", "--parallelism", "sink=2",
                                  "--parallelism", "ticks=2")
        self.cluster.wait_for_state(app, "running")
        system.wait_until(lambda: sum(e["messages"] for e in self.cluster.json("describe", "ticker")["edges"]) > 5,
                          "messages are counted", 10 * harness.SLOWNESS, pause_s=0.1)
        described = self.cluster.json("describe", "ticker")
        self.assertEqual({"application", "processors", "edges", "executors", "tasks", "events", "lost", "restarts",
                          "moves", "last_error", "guarantee"}, described.keys())
        self.assertEqual(APPLICATION, described["application"].keys())
        ticks, sink = described["processors"]
        self.assertLessEqual({"name", "parallelism", "plugin", "type", "in", "out", "rate_in", "rate_out"}, sink.keys())
        self.assertEqual(("ticks", 2, "ticker", "ticks"),
                         tuple(ticks[k] for k in ("name", "parallelism", "plugin", "type")))
        self.assertLess(0, ticks["out"])
        self.assertLess(0, sink["in"])
        (edge,) = described["edges"]
        self.assertEqual(EDGE, edge.keys())
        self.assertEqual(("ticks", 0, "sink", 0, "shuffle"),
                         tuple(edge[k] for k in ("from", "from_port", "to", "to_port", "partitioner")))
        self.check_where_things_run(described)
        for name in ("ticker", str(app)):
            text = self.ok(self.cluster.gpctl("describe", name)).out
            for word in ("ticker", "running", "ticks", "sink", "shuffle"):
                self.assertIn(word, text)

    def check_where_things_run(self, described):
        executors = [e for e in described["executors"] if e["id"] > 0]
        for executor in executors:
            self.assertEqual(EXECUTOR, executor.keys())
        running = {p.pid for p in self.cluster.children("executor")}
        self.assertEqual(running, {e["pid"] for e in executors})
        placed = {(t["processor"], i) for t in described["tasks"] for i in range(t["first"], t["first"] + t["count"])}
        self.assertEqual({("ticks", 0), ("ticks", 1), ("sink", 0), ("sink", 1)}, placed)
        for task in described["tasks"]:
            self.assertEqual({"processor", "first", "count", "executor", "lane"}, task.keys())
            self.assertIn(task["executor"], {e["id"] for e in executors})

    def test_masters(self):
        (master,) = self.cluster.json("masters")["masters"]
        self.assertLessEqual({"address", "role", "term", "lag"}, master.keys())
        self.assertEqual((self.cluster.master, "leader"), (master["address"], master["role"]))
        titles, line = rows(self.ok(self.cluster.gpctl("masters")).out)
        self.assertEqual(["ADDRESS", "ROLE"], titles[:2])
        self.assertEqual([self.cluster.master, "leader"], line[:2])

    def test_workers(self):
        workers = self.cluster.json("workers")["workers"]
        self.assertEqual(2, len(workers))
        for worker in workers:
            self.assertEqual(WORKER, worker.keys())
            self.assertEqual((100, 0, 0), (worker["slots"], worker["slots_used"], worker["executors"]))
            self.assertEqual(("serving", 0), (worker["state"], worker["tasks"]))
            self.assertEqual(self.cluster.daemon.pid, worker["pid"])
            self.assertLessEqual(0, worker["up_ms"])
        self.assertEqual(2, len({w["id"] for w in workers}))
        self.assertEqual(2, len({w["address"] for w in workers}))
        lines = rows(self.ok(self.cluster.gpctl("workers")).out)
        self.assertEqual(3, len(lines))
        self.assertEqual(["ID", "NAME"], lines[0][:2])

    def test_slots_are_booked_and_given_back(self):
        app = self.cluster.submit(self.plugin("ticker"), "--parallelism", "sink=9")
        self.cluster.wait_for_state(app, "running")
        # Ten tasks and the appmaster.
        self.assertEqual(11, sum(w["slots_used"] for w in self.cluster.json("workers")["workers"]))
        self.cluster.json("kill", "ticker")
        self.wait_until_free(self.cluster)

    def test_a_table_can_be_cut_by_column(self):
        app = self.cluster.submit(self.plugin("ticker"))
        self.cluster.wait_for_state(app, "running")
        for command in ("list", "workers", "masters"):
            titles, *lines = rows(self.ok(self.cluster.gpctl(command)).out)
            for line in lines:
                self.assertEqual(len(titles), len(line), (titles, line))


class Restart(harness.Case):
    def setUp(self):
        super().setUp()
        self.cluster = self.local()

    def test_ends_when_it_runs(self):
        app = self.cluster.submit(self.plugin("ticker"))
        self.cluster.wait_for_state(app, "running")
        self.assertEqual("2\n", self.ok(self.cluster.gpctl("restart", "ticker")).out)
        self.assertEqual(("killed", "running"), (self.cluster.state(app), self.cluster.state(2)))
        self.assertEqual({"id": 3}, self.cluster.json("restart", "2"))
        self.assertEqual("4\n", self.ok(self.cluster.gpctl("restart", "3", "--detach")).out)

    def test_says_the_mistakes_as_submit_does(self):
        bad = [self.plugin("bad_graph"), "--set", "mistakes=cycle"]
        self.ok(self.cluster.gpctl("submit", *bad, "--detach"))
        self.cluster.wait_for_state(1, "failed")
        result = self.cluster.gpctl("restart", "1")
        self.assert_ends_with(result, harness.JOB_FAILED, r"bad_graph \(id 2\) failed", "cycle", "gpctl logs 2")
        self.assertEqual("2\n", result.out)
        self.assertEqual("3\n", self.ok(self.cluster.gpctl("restart", "1", "--detach")).out)

    def test_a_plugin_that_is_nearly_called_so(self):
        self.assert_ends_with(self.cluster.gpctl("submit", self.plugin("chain"), "--set", "from=generater/numbers",
                                                 "--set", "to=console/lines"),
                              harness.JOB_FAILED, r"no plugin 'generater' on the master \(did you mean 'generator'\?\)")


class Drain(harness.Case):
    """What needs no task to move; see test_moves.py for those that do."""

    DRAINED = {"worker", "name", "state", "tasks", "force", "apps"}

    def setUp(self):
        super().setUp()
        self.cluster = self.local(workers=2)
        self.workers = self.cluster.json("workers")["workers"]

    def test_an_idle_worker_is_drained_at_once(self):
        result = self.ok(self.cluster.gpctl("drain", str(self.workers[0]["id"])))
        self.assertRegex(result.out, r"^worker 1 \(.*\) is drained and may stop\n$")
        self.assertEqual(["drained", "serving"], [w["state"] for w in self.cluster.json("workers")["workers"]])

    def test_by_name_address_and_again(self):
        for name in (self.workers[1]["address"], self.workers[1]["name"], "worker/2", "2"):
            report = self.cluster.json("drain", name, "--wait")
            self.assertEqual(self.DRAINED, report.keys())
            self.assertEqual((2, "drained", 0, []), tuple(report[k] for k in ("worker", "state", "tasks", "apps")))
        self.assertEqual("serving", self.cluster.json("drain", "2", "--undo")["state"])
        self.assertEqual("serving", self.cluster.json("drain", "2", "--undo")["state"])

    def test_new_tasks_go_elsewhere(self):
        self.ok(self.cluster.gpctl("drain", "1"))
        app = self.cluster.submit(self.plugin("ticker"), "--parallelism", "sink=4")
        self.cluster.wait_for_state(app, "running")
        self.assertEqual([0, 5], [w["tasks"] for w in self.cluster.json("workers")["workers"]])
        self.assertEqual({2}, {e["worker"] for e in self.cluster.json("describe", str(app))["executors"]})

    def test_what_cannot_be(self):
        self.assert_refused(self.cluster.gpctl("drain", "9"), harness.NOT_FOUND, "no worker '9'", "gpctl workers")
        self.assert_refused(self.cluster.gpctl("drain", self.workers[0]["name"] + "0"), harness.NOT_FOUND,
                            "did you mean")
        for wrong in (["1", "--undo", "--wait"], ["1", "--undo", "--force"], ["1", "--timeout", "3s"], [""], []):
            self.assert_refused(self.cluster.gpctl("drain", *wrong), harness.USAGE)
        self.assert_refused(self.cluster.gpctl("rebalance", "nobody"), harness.NOT_FOUND, "no application 'nobody'")
        self.assert_refused(self.cluster.gpctl("rebalance", "nobody", "--timeout", "3s"), harness.USAGE)
        self.ok(self.cluster.gpctl("submit", self.plugin("faulty"), "--wait"))
        self.assert_refused(self.cluster.gpctl("rebalance", "faulty"), harness.CONFLICT, "is finished", "gpctl list")


class Kill(harness.Case):
    def test_ends_the_processes_and_keeps_the_record(self):
        cluster = self.local(workers=2)
        app = cluster.submit(self.plugin("ticker"), "--executors", "2")
        cluster.wait_for_state(app, "running")
        begin_s = time.monotonic()
        killed = cluster.json("kill", "ticker")
        self.assertEqual({"id": app, "name": "ticker", "state": "killed"}, killed)
        self.wait_until_free(cluster)
        self.assertLess(time.monotonic() - begin_s, 3 * harness.SLOWNESS)
        self.assertEqual("killed", cluster.state(app))
        self.assertEqual(["killed"], [a["state"] for a in cluster.json("list", "-a")["applications"]])

    def test_by_id_and_a_second_time(self):
        cluster = self.local()
        app = cluster.submit(self.plugin("ticker"))
        self.ok(cluster.gpctl("kill", str(app)))
        again = cluster.gpctl("kill", str(app))
        self.assertIn(again.code, (harness.OK, harness.CONFLICT), str(again))

    def test_just_after_submit(self):
        cluster = self.local()
        for i in range(5):
            app = cluster.submit(self.plugin("ticker"), "--name", f"short{i}", "--detach")
            self.assertEqual("killed", cluster.json("kill", str(app))["state"])
        self.wait_until_free(cluster)
        cluster.is_healthy()

    def test_a_waiting_submit_ends_with_8(self):
        cluster = self.local()
        argv = [self.built("bin/gpctl"), "--master", cluster.master, "submit", self.plugin("ticker"), "--wait"]
        waiting = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=self.env, cwd=self.work)
        system.wait_until(lambda: cluster.json("list")["applications"], "it is listed", harness.READY_S)
        self.ok(cluster.gpctl("kill", "ticker"))
        _, err = waiting.communicate(timeout=harness.COMMAND_S)
        self.assertEqual(harness.JOB_FAILED, waiting.returncode)
        self.assertIn(b"killed", err)

    def test_user_code_that_hangs(self):
        cluster = self.local()
        app = cluster.submit(self.plugin("faulty"), "--set", "how=hang", "--set", "where=process")
        cluster.wait_for_state(app, "running")
        self.assertEqual("killed", cluster.json("kill", str(app), timeout=harness.COMMAND_S)["state"])
        self.wait_until_free(cluster)
        cluster.is_healthy()


class Logs(harness.Case):
    def test_what_tasks_log_and_print(self):
        cluster = self.local()
        app = cluster.submit(self.plugin("ticker"))
        cluster.wait_for_state(app, "running")

        def logged():
            text = self.ok(cluster.gpctl("logs", "ticker")).out
            return all(word + " tick 2" in text for word in ("logged", "printed", "complained")) and text

        text = system.wait_until(logged, "ticks in the log", 10 * harness.SLOWNESS, pause_s=0.1)
        self.assertEqual(1, text.count("printed tick 2\n"), text)

    def test_follow_ends_with_the_job(self):
        cluster = self.local()
        app = cluster.submit(self.plugin("ticker"))
        cluster.wait_for_state(app, "running")
        argv = [self.built("bin/gpctl"), "--master", cluster.master, "logs", "-f", str(app)]
        following = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     env=self.env, cwd=self.work)
        text = b""
        while b"printed tick 8" not in text:
            self.assertTrue(select.select([following.stdout], [], [], harness.COMMAND_S)[0], text)
            text += os.read(following.stdout.fileno(), 65536)
        self.ok(cluster.gpctl("kill", str(app)))
        rest, err = following.communicate(timeout=harness.COMMAND_S)
        self.assertEqual(0, following.returncode, err)
        ticks = [int(n) for n in re.findall(rb"printed tick (\d+)\n", text + rest)]
        self.assertEqual(list(range(len(ticks))), ticks)

    def test_follow_ends_at_ctrl_c(self):
        cluster = self.local()
        cluster.wait_for_state(cluster.submit(self.plugin("ticker")), "running")
        argv = [self.built("bin/gpctl"), "--master", cluster.master, "logs", "-f", "ticker"]
        following = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                     env=self.env, cwd=self.work)
        self.assertTrue(select.select([following.stdout], [], [], harness.COMMAND_S)[0])
        following.send_signal(signal.SIGINT)
        following.communicate(timeout=harness.COMMAND_S)
        self.assertIn(following.returncode, (130, -signal.SIGINT))

    def test_one_executor(self):
        cluster = self.local(workers=2)
        app = cluster.submit(self.plugin("ticker"), "--executors", "2", "--parallelism", "ticks=2", "--parallelism",
                             "sink=2")
        cluster.wait_for_state(app, "running")
        for executor in [e["id"] for e in cluster.json("describe", str(app))["executors"]]:
            system.wait_until(lambda: self.ok(cluster.gpctl("logs", str(app), "--executor", str(executor))).out,
                              f"a log of executor {executor}", 10 * harness.SLOWNESS, pause_s=0.1)
        self.assert_refused(cluster.gpctl("logs", str(app), "--executor", "99"), harness.NOT_FOUND, "99")

    def test_of_a_job_that_ended(self):
        cluster = self.local()
        cluster.gpctl("submit", self.plugin("faulty"), "--wait", "--set", "how=fail", "--set", "where=process",
                      timeout=harness.JOB_S)
        self.assertIn("told to fail", self.ok(cluster.gpctl("logs", "1")).out)


class Inspect(harness.Case):
    def test_says_what_a_plugin_is(self):
        info = self.ok(self.gpctl("-o", "json", "inspect", self.example("wordcount"))).json
        self.assertEqual({"name", "version", "abi", "app", "services", "machine", "glibc", "needed", "sha256", "size"},
                         info.keys())
        self.assertEqual(("wordcount", "1.0.0", True), (info["name"], info["version"], info["app"]))
        self.assertRegex(info["abi"], r"^\d+\.\d+$")
        self.assertEqual(os.path.getsize(self.example("wordcount")), info["size"])
        sha256 = subprocess.run(["sha256sum", self.example("wordcount")], stdout=subprocess.PIPE, check=True).stdout
        self.assertEqual(sha256.split()[0].decode(), info["sha256"])
        self.assertIn("libc.so.6", info["needed"])
        text = self.ok(self.gpctl("inspect", self.example("wordcount"))).out
        for word in ("wordcount", "1.0.0", info["abi"], info["sha256"], info["machine"]):
            self.assertIn(word, text)

    def test_a_plugin_that_is_no_application(self):
        info = self.ok(self.gpctl("-o", "json", "inspect", self.built("plugins/file.so"))).json
        self.assertEqual(("file", False), (info["name"], info["app"]))

    def test_runs_none_of_its_code(self):
        self.assertEqual("faulty", self.ok(self.gpctl("-o", "json", "inspect", self.plugin("faulty_init"))).json["name"])


class Validate(harness.Case):
    """Whatever user code does, it is a finding."""

    def findings(self, *arguments, code=harness.FAILED):
        result = self.gpctl("-o", "json", "validate", *arguments)
        self.assertEqual(code, result.code, str(result))
        answer = result.json
        self.assertEqual({"file", "valid", "findings", "plugin", "plan", "parameters"}, answer.keys())
        self.assertEqual(code == harness.OK, answer["valid"])
        for finding in answer["findings"]:
            self.assertEqual({"place", "what", "try"}, finding.keys())
            self.assertTrue(all(finding.values()), finding)
        return answer

    def test_what_is_right(self):
        answer = self.findings(self.example("wordcount"), "--parallelism", "count=3", code=harness.OK)
        self.assertEqual(["input", "output", "count.output"], [p["name"] for p in answer["parameters"]])
        self.assertEqual([], answer["findings"])
        self.assertEqual({"source": 1, "split": 2, "count": 3},
                         {p["name"]: p["parallelism"] for p in answer["plan"]["processors"]})
        self.assertIn("OK", self.ok(self.gpctl("validate", self.built("plugins/file.so"))).out)

    def test_code_that_crashes_exits_or_does_not_return(self):
        for how, said in (("segv", "SIGSEGV.*build"), ("abort", "SIGABRT"), ("exit", "exit code 7"),
                          ("hang", "does not return within 1 s")):
            with self.subTest(how=how):
                (finding,) = self.findings(self.plugin("faulty"), "--set", "how=" + how, "--set", "where=build",
                                           "--timeout", "1s" if how == "hang" else "60s")["findings"]
                self.assertEqual("build", finding["place"])
                self.assertRegex(finding["what"], said)
        (finding,) = self.findings(self.plugin("faulty_init"))["findings"]
        self.assertEqual("load", finding["place"])
        self.assertRegex(finding["what"], "SIGSEGV.*init")

    def test_code_that_leaves_a_process_behind(self):
        self.findings(self.plugin("faulty"), "--set", "how=leave", "--set", "where=build", code=harness.OK)

    def test_files_that_are_none(self):
        for file, said in ((self.file("text", "no plugin"), "ELF"), (self.built("bin/gpctl"), "not a Gearpump plugin"),
                           (self.plugin("unresolved"), "undefined symbol: e2e_missing_function"),
                           (self.plugin("needy"), "gp.nonsense/9")):
            with self.subTest(file=file):
                (finding,) = self.findings(file)["findings"]
                self.assertRegex(finding["what"], said)
        self.assert_refused(self.gpctl("validate", "/nowhere.so"), harness.NOT_FOUND, "nowhere")

    def test_all_mistakes_of_a_graph(self):
        found = self.findings(self.example("wordcount"), "--parallelism", "cuont=3", "--parallelism", "splitt=2")
        said = " ".join(f["what"] for f in found["findings"])
        self.assertEqual(2, len(found["findings"]), found)
        self.assertRegex(said, "did you mean 'count'.*did you mean 'split'")

    def test_for_people(self):
        result = self.gpctl("validate", self.plugin("faulty"), "--set", "how=segv", "--set", "where=build")
        self.assertEqual(harness.FAILED, result.code)
        self.assertRegex(result.out, r"(?s)1\. build: it crashes.*try: .*1 finding\n$")


class Plugins(harness.Case):
    def test_those_that_are_shipped(self):
        plugins = {p["name"]: p for p in self.ok(self.gpctl("-o", "json", "plugins")).json["plugins"]}
        file = plugins["file"]
        self.assertEqual(("ok", self.built("plugins/file.so")), (file["state"], file["file"]))
        processors = {p["type"]: p for p in file["processors"]}
        self.assertLessEqual({"source", "sink"}, processors.keys())
        self.assertIn("path", [p["name"] for p in processors["source"]["parameters"]])
        text = self.ok(self.gpctl("plugins", "file")).out
        self.assertRegex(text, r"(?s)source source.*PARAMETER.*line\.max .*1MiB")
        self.assertIn("file\n", self.ok(self.gpctl("-q", "plugins")).out)

    def test_a_broken_one_is_a_row(self):
        folder = self.folder("plugins")
        os.symlink(self.plugin("faulty_init"), os.path.join(folder, "faulty_init.so"))
        self.file("plugins/text.so", "no plugin")
        plugins = self.ok(self.gpctl("-o", "json", "plugins", "--dir", folder)).json["plugins"]
        self.assertEqual([("faulty", "broken"), ("text", "broken")], [(p["name"], p["state"]) for p in plugins[:2]])
        self.assertRegex(plugins[0]["why"], "SIGSEGV")

    def test_one_that_is_not_there(self):
        self.assert_refused(self.gpctl("plugins", "fiel"), harness.NOT_FOUND, "did you mean 'file'")
        self.assert_refused(self.gpctl("plugins", "--dir", "/nowhere"), harness.NOT_FOUND, "/nowhere")


class Config(harness.Case):
    def settings(self, *arguments, **more):
        found = self.ok(self.gpctl("-o", "json", "config", *arguments, **more)).json["settings"]
        return {s["key"]: s for s in found}

    def test_says_who_said_it(self):
        file = self.file("c.yaml", "log:\n  level: warn\nworker:\n  slots: 7\n")
        settings = self.settings("--config", file, "--master", "a:1", env={"GEARPUMP_WORKER__SLOTS": "8"})
        for key, value, origin in (("log.level", "warn", file + ":2"), ("worker.slots", 8, "GEARPUMP_WORKER__SLOTS"),
                                   ("cluster.masters", ["a:1"], "--master"), ("data.linger", "1ms", "default")):
            self.assertEqual((value, origin), (settings[key]["value"], settings[key]["origin"]))

    def test_one_key_and_one_section(self):
        self.assertEqual({"log.level", "log.format"}, set(self.settings("log")))
        text = self.ok(self.gpctl("config", "data.linger")).out
        self.assertRegex(text, "(?s)data.linger: 1ms.*default.*GEARPUMP_DATA__LINGER")
        self.assertEqual("1ms\n", self.ok(self.gpctl("-q", "config", "data.linger")).out)
        self.assert_refused(self.gpctl("config", "data.lingre"), harness.NOT_FOUND, "did you mean 'data.linger'")

    def test_of_a_daemon_that_runs(self):
        cluster = self.local("--slots", "7", workers=1, env={"GEARPUMP_RECOVERY__WINDOW": "17s"})
        (worker,) = cluster.json("workers")["workers"]
        for address in ("master", cluster.master, worker["address"]):
            there = {s["key"]: s for s in cluster.json("config", "--from", address)["settings"]}
            for key, value, origin in (("worker.slots", 7, "--slots"), ("data.linger", "1ms", "default"),
                                       ("recovery.window", "17s", "GEARPUMP_RECOVERY__WINDOW")):
                self.assertEqual((value, origin), (there[key]["value"], there[key]["origin"]))
        self.assertEqual(self.settings().keys(), there.keys())
        self.assertEqual("17s\n", self.ok(cluster.gpctl("-q", "config", "recovery.window", "--from", "master")).out)
        self.assert_refused(cluster.gpctl("config", "recovery.widow", "--from", "master"), harness.NOT_FOUND,
                            "did you mean 'recovery.window'")
        self.assert_refused(cluster.gpctl("config", "--from", f"127.0.0.1:{system.free_port()}"), harness.UNREACHABLE)
        self.assert_refused(cluster.gpctl("config", "--from", "nowhere"), harness.USAGE, "nowhere")


class Explain(harness.Case):
    def test_what_errors_print(self):
        refused = self.gpctl("validate", "/nowhere.so")
        word = refused.err.partition(":")[0]
        for name in (word, "not_found", "GP_ENOENT", "ENOENT"):
            self.assertRegex(self.ok(self.gpctl("explain", name)).out, r"(?s)^not_found \(GP_ENOENT, exit code 3\).*causes")
        everything = self.ok(self.gpctl("-o", "json", "explain")).json
        self.assertIn("not_found", [e["word"] for e in everything["errors"]])
        self.assertLessEqual({0, 1, 2, 3, 4, 5, 6, 7, 8, 130}, {e["exit"] for e in everything["exit_codes"]})
        self.assertIn("unreachable", self.ok(self.gpctl("explain", "5")).out)
        self.assert_refused(self.gpctl("explain", "nto_found"), harness.NOT_FOUND, "did you mean 'not_found'")


class Interrupted(harness.Case):
    """Who waits may go; the job runs on."""

    def started(self, cluster, *more, **options):
        argv = [self.built("bin/gpctl"), "--master", cluster.master, *more]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=self.env, cwd=self.work,
                                **options)

    def interrupted(self, cluster, name, number):
        """Once `submit --wait` waits: its exit code, and what it says on a terminal."""
        terminal, slave = pty.openpty()
        submit = self.started(cluster, "submit", self.plugin("ticker"), "--wait", "--name", name, stderr=slave)
        os.close(slave)
        shown = b""
        while b"runs as application" not in shown:
            self.assertTrue(select.select([terminal], [], [], harness.COMMAND_S)[0], shown)
            shown += os.read(terminal, 4096)
        submit.send_signal(number)
        submit.communicate(timeout=harness.COMMAND_S)
        shown += os.read(terminal, 65536)
        os.close(terminal)
        return submit.returncode, shown.decode()

    def test_leaves_the_job_running_and_says_how_to_follow_it(self):
        cluster = self.local()
        for app, (number, code) in enumerate(((signal.SIGINT, 130), (signal.SIGTERM, 143)), 1):
            ended, shown = self.interrupted(cluster, f"long{app}", number)
            self.assertEqual(code, ended, shown)
            self.assertRegex(shown, rf"(?s)error\[interrupted\].*long{app}.*runs on.*gpctl logs -f {app}")
            cluster.wait_for_state(app, "running")

    def test_a_second_one_ends_it_at_once(self):
        """Though it cannot even say goodbye, for what it writes to stands still. 130 in a shell."""
        cluster = self.local()
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        try:
            while True:
                os.write(writer, bytes(4096))
        except BlockingIOError:
            os.set_blocking(writer, True)
        submit = self.started(cluster, "submit", self.plugin("ticker"), "--wait", stderr=writer)
        system.wait_until(lambda: cluster.json("list")["applications"], "it is listed", harness.READY_S, pause_s=0.03)

        def insist():  # two of a kind that wait to be delivered are one
            submit.send_signal(signal.SIGINT)
            return submit.poll() is not None

        system.wait_until(insist, "it has ended", harness.COMMAND_S, pause_s=0.1)
        self.assertEqual(-signal.SIGINT, submit.wait())
        submit.stdout.close()
        for end in (reader, writer):
            os.close(end)
        cluster.wait_for_state("ticker", "running")

    def test_goes_though_the_cluster_is_frozen(self):
        cluster = self.local()
        cluster.wait_for_state(cluster.submit(self.plugin("ticker")), "running")
        following = self.started(cluster, "logs", "-f", "ticker", stderr=subprocess.PIPE)
        self.assertTrue(select.select([following.stdout], [], [], harness.COMMAND_S)[0])
        cluster.daemon.process.send_signal(signal.SIGSTOP)
        try:
            following.send_signal(signal.SIGINT)
            following.communicate(timeout=harness.COMMAND_S)
            self.assertIn(following.returncode, (130, -signal.SIGINT))
        finally:
            cluster.daemon.process.send_signal(signal.SIGCONT)

    def test_watching_repeats_until_then(self):
        cluster = self.local()
        for command in (["list"], ["workers"], ["masters"]):
            watching = self.started(cluster, *command, "--watch=100ms", stderr=subprocess.PIPE)
            text = b""
            while text.count(b"\n\n") < 2:
                self.assertTrue(select.select([watching.stdout], [], [], harness.COMMAND_S)[0], text)
                text += os.read(watching.stdout.fileno(), 65536)
            watching.send_signal(signal.SIGINT)
            _, err = watching.communicate(timeout=harness.COMMAND_S)
            self.assertEqual((0, b""), (watching.returncode, err))
            self.assertNotIn(b"\x1b", text)

    def test_watching_ends_with_the_job(self):
        cluster = self.local()
        app = cluster.submit(self.plugin("ticker"))
        cluster.wait_for_state(app, "running")
        for command in (["describe"], ["metrics"], ["metrics", "--window=5m"]):
            watching = self.started(cluster, *command, str(app), "--watch=100ms", stderr=subprocess.DEVNULL)
            self.assertTrue(select.select([watching.stdout], [], [], harness.COMMAND_S)[0], command)
            if cluster.state(app) == "running":
                self.ok(cluster.gpctl("kill", str(app)))
            watching.communicate(timeout=harness.COMMAND_S)
            self.assertEqual(0, watching.returncode, command)


class Help(harness.Case):
    def test_every_command_has_help_with_examples(self):
        for command in COMMANDS:
            with self.subTest(command=command):
                text = self.ok(self.gpctl(command, "--help")).out
                self.assertIn("gpctl " + command, text)
                self.assertRegex(text, r"(?i)example")
                self.assertEqual(text, self.ok(self.gpctl("help", command)).out)

    def test_every_role_has_help_with_examples(self):
        for role in ROLES:
            with self.subTest(role=role):
                text = self.ok(self.gpd(role, "--help")).out
                self.assertIn("gpd " + role, text)
                self.assertRegex(text, r"(?i)example")
                self.assertEqual(text, self.ok(self.gpd("help", role)).out)

    def test_overviews_name_all(self):
        for program, names in ((self.gpctl, COMMANDS), (self.gpd, ROLES)):
            for arguments in (["help"], ["--help"]):
                text = self.ok(program(*arguments)).out
                for name in names:
                    self.assertRegex(text, rf"(?m)^\s*{name}\b")

    def test_version(self):
        for program in (self.gpctl, self.gpd):
            self.assertRegex(self.ok(program("version")).out, r"\d+\.\d+\.\d+")
        version = self.ok(self.gpctl("-o", "json", "version")).json
        self.assertEqual({"version", "abi"}, version.keys())


class Usage(harness.Case):
    """Mistakes on the command line: exit code 2 and what was meant."""

    def test_of_gpctl(self):
        for arguments, said in (
                (["sumbit"], "submit"),
                (["submit"], "APP"),
                (["submit", "a.so", "b.so"], "b.so"),
                (["submit", "a.so", "--nmae", "x"], "--name"),
                (["submit", "a.so", "--name"], "--name"),
                (["submit", "a.so", "--executors", "many"], "many"),
                (["submit", "a.so", "--parallelism", "count"], "count"),
                (["submit", "a.so", "--parallelism", "count=0"], "count=0|0"),
                (["submit", "a.so", "--set", "novalue"], "novalue"),
                (["submit", "a.so", "--timeout", "soon"], "soon"),
                (["describe"], "ID"),
                (["kill"], "ID"),
                (["-o", "xml", "list"], "xml"),
                (["--master", "nowhere", "list"], "nowhere"),
                (["--master", "127.0.0.1:99999", "list"], "99999"),
                (["list", "surplus"], "surplus"),
                (["help", "sumbit"], "submit")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.gpctl(*arguments), harness.USAGE, said)

    def test_of_gpd(self):
        for arguments, said in (
                (["locale"], "local"),
                (["local", "--prot", "1"], "--port"),
                (["local", "--port", "99999"], "99999"),
                (["local", "--workers", "0"], "0"),
                (["local", "--workers", "x"], "x"),
                (["master", "surplus"], "surplus"),
                (["check-config"], "FILE")):
            with self.subTest(arguments=arguments):
                self.assert_refused(self.gpd(*arguments), harness.USAGE, said)

    def test_without_a_command(self):
        for program, name in ((self.gpctl, "gpctl help"), (self.gpd, "gpd help")):
            self.assert_refused(program(), harness.USAGE, name)

    def test_hints_lead_to_the_command_or_the_code(self):
        config = os.path.abspath(self.file("no.yaml", "{}\n"))
        for arguments, hint in (
                (["submit", "absent.so"], "gpctl submit --help"),
                (["run", "absent.so"], "gpctl run --help"),
                (["inspect", "absent.so"], "gpctl inspect --help"),
                (["submit", config], "gpctl explain not_runnable"),
                (["top", "--interval", "soon"], "gpctl top --help")):
            with self.subTest(arguments=arguments):
                self.assertIn(f"hint: {hint}\n", self.gpctl(*arguments).err)

    def test_errors_as_json(self):
        result = self.gpctl("-o", "json", "--master", f"127.0.0.1:{system.free_port()}", "list")
        self.assertEqual((harness.UNREACHABLE, ""), (result.code, result.out))
        error = harness.Result([], 0, result.err, "", 0).json["error"]
        self.assertEqual({"code", "what", "why", "hint"}, error.keys())
        self.assertEqual("GP_EUNREACH", error["code"])


class Masters(harness.Case):
    """Where gpctl looks for the cluster."""

    def test_environment_configuration_and_default(self):
        cluster = self.local()
        self.ok(self.gpctl("list", env={"GEARPUMP_MASTERS": cluster.master}))
        config = self.file("c.yaml", f'cluster:\n  masters: ["{cluster.master}"]\n')
        self.ok(self.gpctl("--config", config, "list"))
        self.ok(self.gpctl("list", env={"GEARPUMP_CONFIG": config}))

    def test_the_first_that_answers(self):
        cluster = self.local()
        nobody = f"127.0.0.1:{system.free_port()}"
        self.ok(self.gpctl("--master", f"{nobody},{cluster.master}", "list"))

    def test_colours_if_they_are_wanted(self):
        cluster = self.local()
        for arguments in (["list"], ["workers"], ["describe", "x"]):
            result = cluster.gpctl("--color", "always", *arguments)
            self.assertIn("\x1b[", result.out + result.err)
        self.assert_refused(cluster.gpctl("--color", "red", "list"), harness.USAGE, "always")

    def test_quiet_lists_are_ids(self):
        cluster = self.local(workers=2)
        self.assertEqual("1\n2\n", self.ok(cluster.gpctl("-q", "workers")).out)
        self.assertEqual(cluster.master + "\n", self.ok(cluster.gpctl("-q", "masters")).out)
        result = self.ok(cluster.gpctl("-q", "submit", self.plugin("faulty"), "--wait"))
        self.assertEqual("", result.err)

    def test_output_has_no_colour_in_a_pipe(self):
        cluster = self.local()
        for arguments in (["list"], ["workers"], ["describe", "x"]):
            result = cluster.gpctl(*arguments)
            self.assertNotIn("\x1b", result.out + result.err)


if __name__ == "__main__":
    harness.main()
