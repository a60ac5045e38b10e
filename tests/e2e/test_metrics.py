"""What is measured arrives: gpctl metrics says what describe says, a real Graphite and a real Prometheus store it, and
a Graphite that is away, slow or rude changes nothing for the job."""

import glob
import json
import os
import socket
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import harness
from stores import CARBON, PATIENCE_S, PROMETHEUS, Stores, wait_until

PROMTOOL = "/usr/bin/promtool"


class Metered(Stores, harness.Case):
    def metered(self, port):
        return self.local(workers=2, env={"GEARPUMP_METRICS__ENABLED": "true",
                                          "GEARPUMP_METRICS__GRAPHITE__HOST": "127.0.0.1",
                                          "GEARPUMP_METRICS__GRAPHITE__PORT": str(port),
                                          "GEARPUMP_METRICS__GRAPHITE__PREFIX": "test.gp"})

    @staticmethod
    def figures(cluster, app):
        metrics = cluster.json("metrics", str(app))
        return {p["name"]: (p["in"], p["out"]) for p in metrics["processors"]}

    def standing_still(self, cluster):
        """A job whose sinks take nothing: soon its counts move no more, and everybody must say the same."""
        app = cluster.submit(self.plugin("flood"), "--executors", "2")
        cluster.wait_for_state(app, "running")

        def stands():
            before = self.figures(cluster, app)
            if not before or sum(out for _, out in before.values()) == 0:
                return None
            time.sleep(2.5)
            return before if self.figures(cluster, app) == before else None

        return app, wait_until(stands, "counts that stand still")


class Shown(Metered):
    def test_as_describe_says(self):
        cluster = self.local(workers=2)
        app, figures = self.standing_still(cluster)
        described = cluster.json("describe", str(app))
        self.assertEqual({p["name"]: (p["in"], p["out"]) for p in described["processors"]}, figures)
        table = self.ok(cluster.gpctl("metrics", str(app))).out
        for name, (taken, given) in figures.items():
            self.assertRegex(table, rf"(?m)^{name} .* {taken} .* {given} ")

    def test_with_its_past(self):
        cluster = self.local(workers=2)
        app = cluster.submit(self.plugin("steady"), "--executors", "2")
        cluster.wait_for_state(app, "running")

        def rates():
            history = cluster.json("metrics", str(app), "--window", "5m").get("history")
            values = [s["values"] for s in history["series"] if (s["processor"], s["metric"]) == ("", "source_rate")]
            return [v for v in values[0] if v] if values else []

        wait_until(lambda: len(rates()) >= 3, "three seconds of history")
        day = cluster.json("metrics", str(app), "--window", "24h")["history"]
        self.assertEqual(60000, day["step_ms"])
        self.assertEqual({1440}, {len(s["values"]) for s in day["series"]})
        table = self.ok(cluster.gpctl("metrics", str(app), "--window", "5m")).out
        self.assertRegex(table, r"^PROCESSOR +FIGURE +LATEST +LEAST +MEAN +MOST +LAST 5 MINUTES\n")
        self.assertRegex(table, r"(?m)^sink +rate_in +[\d.]+ ?k?/s .*[▁▂▃▄▅▆▇█]")
        self.assertRegex(table, r"(?m)^executor 0 +rss_bytes +[\d.]+ MiB")

    def test_from_before_its_first_report_until_after_its_end(self):
        """Who it is and what is awaited is said at once; what has ended has counts, and no rates."""
        cluster = self.local(workers=1)
        app = cluster.submit(self.plugin("steady"))
        first = cluster.json("metrics", str(app))
        self.assertEqual((app, "steady"), (first["app"], first["name"]))
        self.assertEqual(first["awaits"] is None, bool(first["processors"]))
        wait_until(lambda: cluster.json("metrics", str(app))["source_rate"] > 0, "a rate")
        running = cluster.json("metrics", str(app))
        self.assertEqual(("running", None), (running["state"], running["awaits"]))
        self.ok(cluster.gpctl("kill", str(app)))
        wait_until(lambda: cluster.state(app) == "killed", "killed")
        ended = cluster.json("metrics", str(app))
        self.assertEqual("killed", ended["state"])
        self.assertEqual((0, 0), (ended["source_rate"], ended["sink_rate"]))
        for p in ended["processors"]:
            self.assertEqual([0] * 5, [p[k] for k in ("rate_in", "rate_out", "busy", "idle", "blocked")])
            self.assertIsNone(p["latency"]["p99_us"])
        self.assertGreater(sum(p["out"] for p in ended["processors"]), 0)
        self.assertIn("is killed", self.ok(cluster.gpctl("metrics", str(app))).err)

    def test_what_a_job_did_in_all(self):
        """Who waits for the end is told what a benchmark would print, and none of it is the share of one report."""
        cluster = self.local(workers=2, env={"GEARPUMP_METRICS__ENABLED": "true",
                                             "GEARPUMP_METRICS__SAMPLE_RATE": "1"})
        flags = ("--executors", "2", "--wait", "--set", "seconds=1", "--set", "rate=10000")
        end = cluster.json("submit", self.example("sol"), *flags)
        figures = end["figures"]
        latency = [figures[f"latency_{q}_us"] for q in ("p50", "p99", "p999", "p9999")]
        self.assertNotIn(None, latency)
        self.assertEqual(sorted(latency), latency)
        self.assertGreater(latency[0], 0)
        self.assertGreater(figures["rate"], 0)
        self.assertGreater(figures["cpu_ns"], 0)
        told = self.ok(cluster.gpctl("submit", self.example("sol"), *flags)).err
        self.assertRegex(told, r"\d+(\.\d+)? k?/s into its last processors, each \d+(\.\d+)? [num]?s of CPU; "
                               r"from source to sink \S+ us, 99 % below .*, 99\.99 % below ")

    def test_survives_the_death_of_an_executor(self):
        """Counts never go back, whoever dies."""
        self.expected_noise = r"gearpump: crash |process\.crashed|app\.recovering|executor_lost|SIGSEGV"
        cluster = self.local(workers=2)
        crash = self.path("crash")
        app = cluster.submit(self.plugin("steady"), "--executors", "2", "--set", f"crash={crash}")
        cluster.wait_for_state(app, "running")
        wait_until(lambda: sum(out for _, out in self.figures(cluster, app).values()) > 10000, "rows")
        last = self.figures(cluster, app)
        open(crash, "w").close()
        wait_until(lambda: not os.path.exists(crash), "the crash")
        grown = 0
        while grown < 5:
            now = self.figures(cluster, app)
            for name in last:
                self.assertGreaterEqual(now[name][0], last[name][0], name)
                self.assertGreaterEqual(now[name][1], last[name][1], name)
            grown += now != last and cluster.state(app) == "running"
            last = now
            time.sleep(0.5)
        wait_until(lambda: sum(p["restarts"] for p in cluster.json("metrics", str(app))["processors"]) > 0, "restarts")

    def test_all_that_is_measured_of_a_job_that_runs(self):
        """A number that is always 0 would be a mistake."""
        cluster = self.local(workers=2, env={"GEARPUMP_METRICS__ENABLED": "true"})
        app = cluster.submit(self.plugin("steady"), "--executors", "2")

        def missing():
            m = cluster.json("metrics", str(app))
            said = {name: m[name] for name in ("clock_ms", "source_rate", "sink_rate")}
            said.update({f"latency {k}": v for k, v in m["latency"].items()})
            for p in m["processors"]:
                keys = ["tasks", "busy", "idle", "watermark_ms", "watermark_lag_ms"]
                keys += ["out", "bytes_out", "rate_out"] if p["name"] != "sink" else []
                keys += ["in", "bytes_in", "rate_in"] if p["name"] != "numbers" else []
                said.update({f"{p['name']} {k}": p[k] for k in keys})
                if p["name"] != "numbers":
                    said.update({f"{p['name']} {k} {part}": v for k in ("latency", "processing")
                                 for part, v in p[k].items()})
                    said[f"{p['name']} latency of some task"] = max([t["latency_p99_us"] or 0 for t in p["slowest"]],
                                                                default=0)
                said.update({f"{p['name']} task {t['task']} {k}": t[k] for t in p["slowest"]
                             for k in ("executor", "busy", "watermark_ms")})
            for e in m["edges"]:
                said.update({f"{e['from']}-{e['kind']} {k}": e[k] for k in ("messages", "bytes", "batches", "fill")})
            for x in m["executors"]:
                said.update({f"executor {x['id']} {k}": x[k] for k in (
                    "worker", "host", "pid", "cpu", "rss_bytes", "fds", "loop_lag_ms", "connections", "frames_in",
                    "frames_out")})
            path = m["critical_path"] == ["numbers", "relay", "sink"]
            kinds = [e["from"] for e in m["edges"]]
            whole = len(m["executors"]) == 3 and {"numbers", "relay"} == set(kinds) and path and m["stalled"] == []
            return [name for name, value in said.items() if not value] if whole else ["some of it"]

        latest = []

        def is_there():
            latest[:] = missing()
            return not latest

        try:
            wait_until(is_there, "all that is measured")
        except AssertionError:
            self.fail(f"nothing of {latest}")

    def test_names_who_is_stalled(self):
        """Its sinks take nothing: the queue before them is full, its source waits for credit."""
        cluster = self.local(workers=2, env={"GEARPUMP_METRICS__STALL_TIMEOUT": "1s"})
        app = cluster.submit(self.plugin("flood"), "--executors", "2")
        wait_until(lambda: cluster.json("metrics", str(app))["stalled"], "somebody is stalled")
        wait_until(lambda: cluster.json("metrics", str(app))["processors"][0]["blocked"] > 0.9, "its source waits")
        metrics = cluster.json("metrics", str(app))
        self.assertEqual(["sink"], [s["processor"] for s in metrics["stalled"]])
        self.assertGreater(metrics["processors"][1]["queue"], 0)
        self.assertGreater(sum(e["credit_waits"] for e in metrics["edges"]), 0)
        self.assertRegex(self.ok(cluster.gpctl("metrics", str(app))).err, "waited for sink since 20")
        with urllib.request.urlopen(cluster.daemon.ready()["http"] + "/metrics", timeout=PATIENCE_S) as page:
            text = page.read().decode()
        self.assertIn('gearpump_processor_stalled{app="flood",processor="sink"} 1\n', text)
        self.assertIn('gearpump_processor_stalled{app="flood",processor="source"} 0\n', text)


class Graphite(Metered):
    def test_stores_what_is_said(self):
        if not os.path.exists(CARBON):
            self.skipTest("no graphite-carbon here")
        folder, port = self.carbon()
        cluster = self.metered(port)
        _, figures = self.standing_still(cluster)
        root = f"{folder}/whisper/test/gp/apps/flood/processors"

        def stored(name, what):
            path = f"{root}/{name}/{what}.wsp"
            if not os.path.exists(path):
                return None
            fetched = subprocess.run(["/usr/bin/whisper-fetch", "--drop=nulls", path], capture_output=True, text=True,
                                     check=False).stdout.split()
            return int(float(fetched[-1])) if fetched else None

        for name, (taken, given) in figures.items():
            wait_until(lambda: stored(name, "in") == taken, f"{name}.in is {taken}")
            wait_until(lambda: stored(name, "out") == given, f"{name}.out is {given}")
        self.assertTrue(glob.glob(f"{root}/*/queue.wsp"))
        wait_until(lambda: glob.glob(f"{folder}/whisper/test/gp/daemons/*/rss_bytes.wsp"), "vitals of the daemon")
        wait_until(lambda: glob.glob(f"{root}/../executors/0/rss_bytes.wsp"), "vitals of the appmaster")


class Prometheus(Metered):
    COUNTERS = {"in": "messages_in_total", "out": "messages_out_total", "bytes_in": "received_bytes_total",
                "bytes_out": "sent_bytes_total", "dead_letters": "dead_letters_total", "late": "late_messages_total",
                "restarts": "task_restarts_total"}
    OF_EDGES = {"messages": "messages_total", "bytes": "bytes_total", "batches": "batches_total",
                "credit_waits": "credit_waits_total"}

    def stored(self, metrics):
        """What differs between what Prometheus has and what gpctl says."""
        differences = []

        def compare(series, labels, said):
            text = ",".join(f'{k}="{v}"' for k, v in labels.items())
            values = [v for _, v in self.query(f"{series}{{{text}}}")]
            if values != [said]:
                differences.append((series, labels, said, values))

        for p in metrics["processors"]:
            for key, series in self.COUNTERS.items():
                compare(f"gearpump_processor_{series}", {"app": metrics["name"], "processor": p["name"]}, p[key])
        for e in metrics["edges"]:
            for key, series in self.OF_EDGES.items():
                compare(f"gearpump_edge_{series}", {k: e[k] for k in ("from", "to", "kind")}, e[key])
        return differences

    def look_at_one_that_runs(self, cluster, page):
        app = cluster.submit(self.plugin("steady"), "--executors", "2")
        for what in ('gearpump_processor_latency_seconds_count{processor="sink"} > 0',
                     'gearpump_processor_processing_seconds_count{processor="sink"} > 0',
                     'gearpump_app_latency_seconds_count > 0', 'gearpump_executor_open_fds{executor="0",host!=""} > 0',
                     'count(gearpump_executor_resident_memory_bytes > 0) == 3',
                     'rate(gearpump_processor_messages_in_total{processor="sink"}[10s]) > 0'):
            wait_until(lambda: self.query(what), what)
        with urllib.request.urlopen(page, timeout=PATIENCE_S) as answer:
            text = answer.read()
        lint = subprocess.run([PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False)
        self.assertEqual((0, b"", b""), (lint.returncode, lint.stdout, lint.stderr))
        self.ok(cluster.gpctl("kill", str(app)))

    def test_stores_what_is_said(self):
        if not os.path.exists(PROMETHEUS):
            self.skipTest("no prometheus here")
        cluster = self.local(workers=2, env={"GEARPUMP_METRICS__ENABLED": "true"})
        page = cluster.daemon.ready()["http"] + "/metrics"
        self.prometheus(urllib.parse.urlsplit(page).netloc)
        self.look_at_one_that_runs(cluster, page)
        app = cluster.submit(self.example("sol"), "--executors", "2", "--set", "seconds=3", "--set", "rate=20000",
                             "--set", "sources=2", "--set", "sinks=2", "--set", "stages=3")
        cluster.wait_for_state(app, "finished")
        metrics = cluster.json("metrics", str(app))
        out = {p["name"]: p["out"] for p in metrics["processors"]}
        self.assertEqual(out["source"], out["relay-2"])
        self.assertEqual(out["source"], {p["name"]: p["in"] for p in metrics["processors"]}["sink"])
        with urllib.request.urlopen(page.replace("/metrics", f"/api/v1/apps/{app}/metrics"), timeout=PATIENCE_S) as rest:
            self.assertEqual(metrics, json.load(rest))
        wait_until(lambda: not self.stored(metrics), "the last counts, exactly")

        master = cluster.json("masters")["masters"][0]
        for name, series in (("term", "term"), ("elections", "elections_total")):
            self.assertEqual([master[name]], [value for _, value in self.query(f"gearpump_raft_{series}")])
        self.assertEqual(1, master["elections"])
        self.assertTrue(0 < master["applied"] <= master["committed"] <= master["last"])
        self.assertTrue(master["apply"]["count"] > 0 and 0 < master["apply"]["p50_us"] <= master["apply"]["max_us"])
        self.assertTrue(self.query("gearpump_daemon_connections > 0"))
        self.assertTrue(self.query("gearpump_daemon_frames_received_total > 0"))
        self.assertEqual([], self.query("resets(gearpump_processor_messages_in_total[5m]) > 0"))


class BadGraphites(Metered):
    def flows(self, cluster, app):
        before = sum(out for _, out in self.figures(cluster, app).values())
        wait_until(lambda: sum(out for _, out in self.figures(cluster, app).values()) > before + 10000, "rows flow")

    def check(self, port):
        cluster = self.metered(port)
        app = cluster.submit(self.plugin("steady"), "--executors", "2")
        cluster.wait_for_state(app, "running")
        self.flows(cluster, app)
        self.assertEqual("running", cluster.state(app))
        return cluster, app

    def test_none_is_there(self):
        with socket.socket() as taken:  # nobody listens, and nobody else can
            taken.bind(("127.0.0.1", 0))
            self.check(taken.getsockname()[1])

    def test_one_that_does_not_read(self):
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            self.check(deaf.getsockname()[1])

    def test_one_that_closes_in_the_middle_of_a_line(self):
        """Each connection is ended after 100 bytes; what comes on the next begins with a whole line."""
        begun = []
        with socket.create_server(("127.0.0.1", 0)) as rude:
            def serve():
                while True:
                    try:
                        peer, _ = rude.accept()
                    except OSError:
                        return
                    with peer:
                        begun.append(peer.recv(100))

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            cluster, app = self.check(rude.getsockname()[1])
            wait_until(lambda: len(begun) >= 3, "three connections")
            self.flows(cluster, app)
            rude.shutdown(socket.SHUT_RDWR)
            thread.join()
        for first in begun:
            self.assertRegex(first, rb"^test\.gp\.(apps\.steady|daemons)\.")


if __name__ == "__main__":
    harness.main()
