"""WordCount counts what coreutils count: with 1, 2 and 4 executors, over every kind of edge, alone and on a cluster."""

import os
import random

import harness

LICENSES = "/usr/share/common-licenses"
EVERYWHERE = ["--parallelism", "source=4", "--parallelism", "split=4", "--parallelism", "count=4"]


def make_text(size_bytes, seed=1):
    """Text with what real files have: rare and frequent words, odd white space, bytes that are no UTF-8."""
    rng = random.Random(seed)
    rare = [bytes(rng.choices(b"abcdefghijklmnopqrstuvwxyz\xc3\xa9\xff-.,", k=rng.randint(1, 20))) for _ in range(20000)]
    frequent = rare[:50]
    blanks = [b" "] * 20 + [b"  ", b"\t", b"\n", b"\n", b"\r\n", b"\n\n", b"\v", b"\f", b" \n "]
    pieces, size = [], 0
    while size < size_bytes:
        word = rng.choice(frequent if rng.random() < 0.7 else rare)
        pieces += [word, rng.choice(blanks)]
        size += len(pieces[-2]) + len(pieces[-1])
    return b"".join(pieces) + b" last_word_without_newline"


class OnACluster(harness.Case):
    """Executors have two lanes each, so that every kind of edge there is between two tasks is in use."""

    # What is used within a lane, between the lanes of a process, and between processes.
    KINDS = {"auto": ("pointer", "ring", "shm"), "shm": ("pointer", "shm", "shm"), "unix": ("pointer", "unix", "unix"),
             "tcp": ("pointer", "tcp", "tcp")}

    def check(self, edge, inputs, *arguments, is_short=True):
        cluster = self.local(workers=4, env={"GEARPUMP_DATA__EDGE": edge, "GEARPUMP_WORKER__LANES": "2"})
        for executors in (1, 2, 4):
            with self.subTest(edge=edge, executors=executors):
                report = self.count_words(cluster, inputs, "--executors", str(executors), *arguments)
                self.assertEqual("finished", report["state"])
                described = cluster.json("describe", str(report["id"]))
                self.check_what_is_said(report, described, executors, inputs)
                expected = set(self.KINDS[edge][:2 if executors == 1 else 3])
                if executors == 4:
                    expected.discard("ring")  # one task of each processor an executor: the lanes share them
                self.check_kinds(expected, described, is_short)

    def check_kinds(self, expected, described, is_short=True):
        used = {kind for e in described["edges"] for kind in e["kinds"]}
        needed = expected - {"shm"} if is_short and "unix" in used else expected
        self.assertLessEqual(needed, used | {"pointer"})
        allowed = expected | {"pointer", "fused"}
        if "tcp" not in expected:
            allowed.add("ring")
        if "shm" in expected:
            allowed.add("unix")  # until the memory is handed over, before which a short job may be done
        self.assertLessEqual(used, allowed)

    def check_what_is_said(self, report, described, executors, inputs):
        words = sum(harness.words_by_coreutils(inputs).values())
        figures = {p["name"]: p for p in report["processors"]}
        self.assertEqual(words, figures["split"]["out"])
        self.assertEqual(words, figures["count"]["in"])
        self.assertEqual(figures["source"]["out"], figures["split"]["in"])
        for processor in report["processors"]:
            self.assertEqual((0, 0), (processor["rejected"], processor["late"]))
        edges = {(e["from"], e["to"]): e["messages"] for e in described["edges"]}
        self.assertEqual({("source", "split"): figures["split"]["in"], ("split", "count"): words}, edges)
        self.assertEqual(executors, described["application"]["executors"])
        run_s = (report["finished_ms"] - report["started_ms"]) / 1000
        if run_s > 0.05:  # times are in whole milliseconds
            self.assertAlmostEqual(1, report["figures"]["rate"] * run_s / words, delta=0.05)

    def test_auto_edges(self):
        self.check("auto", [LICENSES], *EVERYWHERE)

    def test_shared_memory_edges(self):
        text = self.file("larger.txt", make_text(4 << 20))  # more rows than windows hold
        self.check("shm", [text], *EVERYWHERE, is_short=False)

    def test_no_memory_to_share(self):
        cluster = self.local(workers=2, env={"GEARPUMP_DATA__SHM_LANE_BYTES": "0B", "GEARPUMP_WORKER__LANES": "1"})
        report = self.count_words(cluster, [LICENSES], "--executors", "2", *EVERYWHERE)
        self.check_kinds({"pointer", "unix"}, cluster.json("describe", str(report["id"])))
        self.assertIn("link.not_shared", self.ok(cluster.gpctl("logs", str(report["id"]))).out)

    def test_unix_edges(self):
        self.check("unix", [LICENSES], *EVERYWHERE)

    def test_tcp_edges(self):
        self.check("tcp", [LICENSES], *EVERYWHERE)

    def test_larger_text(self):
        text = self.file("larger.txt", make_text(4 << 20))
        self.check("auto", [text], *EVERYWHERE, is_short=False)

    def test_larger_text_over_tcp(self):
        text = self.file("larger.txt", make_text(2 << 20, seed=2))
        self.check("tcp", [text])

    def test_lines_and_words_longer_than_a_batch(self):
        line = b" ".join(b"%d" % (i % 999) for i in range(200000))
        text = b"before\n" + line + b"\nbetween\n" + b"w" * 60000 + b" " + b"w" * 60000 + b"\n" + line + b"\nafter"
        for edge in ("auto", "tcp"):
            self.check(edge, [self.file("long.txt", text)])

    def test_an_application_chooses_its_edge_itself(self):
        cluster = self.local(workers=2)
        report = self.count_words(cluster, [LICENSES], "--executors", "2", "--set", "data.edge=tcp")
        kinds = {k for e in cluster.json("describe", str(report["id"]))["edges"] for k in e["kinds"]}
        self.assertIn("tcp", kinds)
        self.assertLessEqual(kinds, {"pointer", "fused", "tcp"})

    def test_tiny_batches_and_windows_change_nothing(self):
        small = {"GEARPUMP_DATA__BATCH_BYTES": "4KiB", "GEARPUMP_DATA__WINDOW_BYTES": "4KiB"}
        for edge in ("auto", "tcp"):
            with self.subTest(edge=edge):
                cluster = self.local(workers=2, env={**small, "GEARPUMP_DATA__EDGE": edge})
                self.count_words(cluster, [LICENSES], "--executors", "2", *EVERYWHERE)

    def test_more_tasks_than_lines(self):
        cluster = self.local(workers=3)
        text = self.file("one.txt", "one line\n")
        self.count_words(cluster, [text], "--executors", "3", "--parallelism", "source=20", "--parallelism",
                         "split=30", "--parallelism", "count=40")

    def test_empty_and_blank_input(self):
        cluster = self.local(workers=2)
        self.count_words(cluster, [self.file("empty.txt", "")])
        self.count_words(cluster, [self.file("blank.txt", " \n\t\n\n")])

    def test_several_jobs_at_once(self):
        cluster = self.local(workers=2)
        output = [self.folder(f"counts{i}") for i in range(4)]
        apps = [cluster.submit(self.example("wordcount"), "--name", f"wc{i}", "--set", f"input={LICENSES}", "--set",
                               f"output={output[i]}") for i in range(4)]
        for i, app in enumerate(apps):
            cluster.wait_for_state(app, "finished")
            self.assert_same_counts([LICENSES], output[i])


class Alone(harness.Case):
    def count(self, inputs, *arguments):
        output = self.folder(f"counts-{len(os.listdir(self.root))}")
        result = self.ok(self.gpctl("run", self.example("wordcount"), "--set", f"input={','.join(inputs)}", "--set",
                                    f"output={output}", *arguments, timeout=harness.JOB_S))
        self.assert_same_counts(inputs, output)
        return result

    def test_one_lane_by_pointer(self):
        self.count([LICENSES], "--lanes", "1", *EVERYWHERE)

    def test_two_lanes_by_ring(self):
        self.count([LICENSES], "--lanes", "2", *EVERYWHERE)

    def test_larger_text(self):
        self.count([self.file("larger.txt", make_text(8 << 20, seed=3))], "--lanes", "2", *EVERYWHERE)

    def test_as_between_processes_within_one(self):
        for edge in ("shm", "unix", "tcp"):
            with self.subTest(edge=edge):
                self.count([LICENSES], "--lanes", "2", "--set", f"data.edge={edge}")

    def test_needs_no_secret_and_leaves_nothing(self):
        self.count([LICENSES])
        self.assertFalse(os.path.exists(self.secret))
        self.assertEqual([], os.listdir(self.env["HOME"]))
        self.assertEqual([], os.listdir(self.env["XDG_RUNTIME_DIR"]))


if __name__ == "__main__":
    harness.main()
