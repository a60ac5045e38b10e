"""The examples do what their pages say, on a cluster of two executors."""

import os
import random

import harness

MASK = (1 << 64) - 1


def mixed(n):
    """As in examples/windows/windows.c."""
    n = (n + 0x9E3779B97F4A7C15) & MASK
    n = ((n ^ (n >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    n = ((n ^ (n >> 27)) * 0x94D049BB133111EB) & MASK
    return n ^ (n >> 31)


def windows(count, meters=16, disorder_s=5, length_s=60):
    """What the job must say of readings of which none comes too late."""
    second = 10**9
    sums = {}
    for i in range(count):
        number = mixed(i)
        time = i * second - number % (disorder_s * second + 1)
        total = sums.setdefault(((time - time % (length_s * second)) // second, i % meters), [0, 0])
        total[0] += (number >> 32) % 100
        total[1] += 1
    return sorted(f"{start} meter-{meter} {total / n:.2f} {n}" for (start, meter), (total, n) in sums.items())


class Examples(harness.Case):
    def lines(self, *folders):
        found = []
        for folder in folders:
            for name in sorted(os.listdir(folder), key=lambda name: int(name.rpartition("-")[2])):
                with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape") as part:
                    found += part.read().split("\n")[:-1]
        return found

    def submit(self, cluster, example, *arguments):
        self.ok(cluster.gpctl("submit", self.example(example), "--executors", "2", "--wait", *arguments,
                              timeout=harness.JOB_S))

    def test_windows(self):
        cluster = self.local(workers=2)
        self.submit(cluster, "windows", "--set", "count=50000", "--set", "late=0", "--set",
                    "output=" + self.path("found"))
        self.assertEqual(windows(50000), sorted(self.lines(self.path("found"))))

    def test_late_readings(self):
        """Each reading is in one window, or late."""
        cluster = self.local(workers=2)
        self.submit(cluster, "windows", "--set", "count=300000", "--set", "late=10", "--set",
                    "output=" + self.path("found"))
        found = [line.split() for line in self.lines(self.path("found"))]
        self.assertEqual(len(found), len({(start, meter) for start, meter, _, _ in found}))
        counters = {p["name"]: p["counters"] for p in cluster.json("describe", "windows")["processors"]}
        late = counters["late"].get("late_readings", 0)
        self.assertEqual(300000, sum(int(count) for _, _, _, count in found) + late)
        self.assertGreater(late, 0)

    def test_sort(self):
        rng = random.Random(3)
        text = ["".join(chr(rng.randint(32, 126)) for _ in range(rng.randint(0, 30))) for _ in range(20000)]
        path = self.file("text", "\n".join(text) + "\n")
        cluster = self.local(workers=2)
        self.submit(cluster, "sort", "--set", "input=" + path, "--set", "output=" + self.path("sorted"),
                    "--parallelism", "sort=7")
        self.assertEqual(7, len(os.listdir(self.path("sorted"))))
        self.assertEqual(sorted(text), self.lines(self.path("sorted")))
        self.assert_refused(cluster.gpctl("submit", self.example("sort"), "--wait"), harness.JOB_FAILED,
                            "input is missing", "output")
        self.assert_refused(cluster.gpctl("submit", self.example("sort"), "--wait", "--set", "input=" + path, "--set",
                                          "output=" + self.path("more"), "--set", "memory=lots"),
                            harness.JOB_FAILED, "memory", "lots")
        self.assert_refused(cluster.gpctl("submit", self.example("sort"), "--wait", "--set", "input=" + path, "--set",
                                          "output=" + path), harness.JOB_FAILED, "cannot write to")

    def test_join(self):
        rng = random.Random(5)
        left = [f"{rng.randint(0, 999)},left {i}" for i in range(1500)]
        right = [f"{rng.randint(500, 1500)},right {i}" for i in range(1500)]
        paths = {"left": self.file("left", "\n".join(left + ["no key"]) + "\n"),
                 "right": self.file("right", "\n".join(right) + "\n"),
                 "joined": self.path("joined"), "alone": self.path("alone")}
        cluster = self.local(workers=2)
        self.submit(cluster, "join", *(word for k, v in paths.items() for word in ("--set", f"{k}={v}")))
        split = [[line.split(",", 1) for line in side] for side in (left, right)]
        keys = [{key for key, _ in side} for side in split]
        pairs = [f"{key},{rest},{other}" for key, rest in split[0] for same, other in split[1] if key == same]
        alone = [f"{key},{rest}" for i in (0, 1) for key, rest in split[i] if key not in keys[1 - i]]
        self.assertEqual(sorted(pairs), sorted(self.lines(self.path("joined"))))
        self.assertEqual(sorted(alone), sorted(self.lines(self.path("alone"))))
        rejected = {p["name"]: p["rejected"] for p in cluster.json("describe", "join")["processors"]}
        self.assertEqual((1, 0), (rejected["left-key"], rejected["right-key"]))

    def test_trends(self):
        if not os.path.exists(self.built("examples", "trends.so")):
            self.skipTest("built without a C++ compiler")
        path = self.file("text", "gear gear pump, gear; stream.\npump!\n")
        cluster = self.local(workers=2)
        self.submit(cluster, "trends", "--set", "input=" + path)
        self.assertIn("gear 3, pump 2, stream 1", cluster.gpctl("logs", "trends").out)


if __name__ == "__main__":
    harness.main()
