"""The dashboards of conf/grafana: Grafana can import them, and each query of each panel gives numbers, asked of a real
Prometheus and of the files of a real Graphite while a job runs."""

import glob
import json
import math
import os
import re
import subprocess
import unittest
import urllib.parse

import harness
from stores import CARBON, PROMETHEUS, Stores, wait_until

COLUMNS = 24  # of Grafana's grid
BUILT_IN = {"__rate_interval", "__interval", "__range"}
VARIABLE = re.compile(r"\$\{?(\w+)")


def dashboard(store):
    path = os.path.join(harness.SOURCE, "conf", "grafana", f"gearpump-{store}.json")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def queries(board):
    """(title of the panel, query, labels that its legend names)"""
    for panel in board["panels"]:
        for target in panel["targets"]:
            query = target.get("expr") or target["target"]
            yield panel["title"], query, re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))


class Import(unittest.TestCase):
    """What Grafana's import looks at."""

    def check_sources(self, board):
        inputs = {i["name"]: i for i in board["__inputs"]}
        for i in inputs.values():
            self.assertEqual("datasource", i["type"])
            self.assertTrue(i["label"] and i["pluginName"])
        used = [part["datasource"] for panel in board["panels"] for part in (panel, *panel["targets"])]
        used += [v["datasource"] for v in board["templating"]["list"] if v["type"] == "query"]
        for source in used:
            name = re.fullmatch(r"\$\{(\w+)\}", source["uid"]).group(1)
            self.assertEqual(inputs[name]["pluginId"], source["type"])

    def check_places(self, panels):
        taken = set()
        for panel in panels:
            at = panel["gridPos"]
            cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
            self.assertFalse(taken & cells, panel["title"])
            self.assertLessEqual(at["x"] + at["w"], COLUMNS)
            taken |= cells

    def check(self, store):
        board = dashboard(store)
        panels = board["panels"]
        self.assertTrue(board["uid"] and board["title"])
        self.assertNotIn("id", board)  # else it would replace another
        self.assertGreaterEqual(board["schemaVersion"], 36)
        self.assertEqual(len(panels), len({p["id"] for p in panels}))
        self.assertEqual(len(panels), len({p["title"] for p in panels}))
        required = {(r["type"], r["id"]) for r in board["__requires"]}
        self.assertIn(("grafana", "grafana"), required)
        self.assertIn(("datasource", store), required)
        self.assertLessEqual({("panel", p["type"]) for p in panels}, required)
        self.check_sources(board)
        self.check_places(panels)
        known = BUILT_IN | {v["name"] for v in board["templating"]["list"]}
        for panel in panels:
            self.assertEqual(len(panel["targets"]), len({t["refId"] for t in panel["targets"]}), panel["title"])
        for title, query, _ in queries(board):
            self.assertLessEqual(set(VARIABLE.findall(query)), known, title)

    def test_prometheus(self):
        self.check("prometheus")

    def test_graphite(self):
        self.check("graphite")


class Shown(Stores, harness.Case):
    def begin(self, **settings):
        return self.local(workers=2, env={"GEARPUMP_METRICS__ENABLED": "true",
                                          **{f"GEARPUMP_METRICS__{k}": str(v) for k, v in settings.items()}})

    def submit(self, cluster):
        app = cluster.submit(self.plugin("steady"), "--executors", "2")
        cluster.wait_for_state(app, "running")
        return cluster.json("metrics", str(app))["name"]

    def gives(self, query, labels):
        found = [(metric, value) for metric, value in self.query(query) if not math.isnan(value)]
        for metric, _ in found:
            self.assertLessEqual(set(labels), set(metric), query)
        return bool(found)

    def test_each_query_of_prometheus(self):
        if not os.path.exists(PROMETHEUS):
            self.skipTest("no prometheus here")
        cluster = self.begin()
        self.prometheus(urllib.parse.urlsplit(cluster.daemon.ready()["http"]).netloc)
        wait_until(lambda: self.query("gearpump_raft_term"), "a first look")
        name = self.submit(cluster)
        wait_until(lambda: name in [m["app"] for m, _ in self.query("gearpump_processor_messages_in_total")],
                   "the values of $app")
        for title, query, labels in queries(dashboard("prometheus")):
            asked = query.replace("$app", name).replace("$__rate_interval", "1m")
            wait_until(lambda: self.gives(asked, labels), f"numbers for {title}: {asked}")

    def test_each_query_of_graphite(self):
        if not os.path.exists(CARBON):
            self.skipTest("no graphite-carbon here")
        folder, port = self.carbon()
        cluster = self.begin(GRAPHITE__HOST="127.0.0.1", GRAPHITE__PORT=port)
        name = self.submit(cluster)

        def gives(pattern):
            """Some number in the files of these names, of which Graphite's functions make their lines."""
            for path in glob.glob(f"{folder}/whisper/{pattern.replace('.', '/')}.wsp"):
                fetched = subprocess.run(["/usr/bin/whisper-fetch", "--drop=nulls", path], capture_output=True,
                                         text=True, check=False)
                if fetched.stdout.split():
                    return True
            return False

        for title, target, _ in queries(dashboard("graphite")):
            patterns = re.findall(r"\$prefix[\w.$*-]+", target)
            self.assertEqual(1, len(patterns), target)
            pattern = patterns[0].replace("$prefix", "gearpump").replace("$app", name)
            wait_until(lambda: gives(pattern), f"numbers for {title}: {pattern}")
            nodes = [int(n) for n in re.findall(r"-\d+(?=[,)])", target)]
            self.assertTrue(all(-n <= pattern.count(".") + 1 for n in nodes), target)


if __name__ == "__main__":
    harness.main()
