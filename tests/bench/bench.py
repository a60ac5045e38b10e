#!/usr/bin/env python3
"""Measures the system against the bare machine; see README.md. Builds it first."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile

import machine
from machine import CommandError
from rows import GRADES, ROWS, Plan
from system import NotBuilt, System, objects_in

MOVED = 1.5         # two probes that differ by more were taken on differently placed CPUs
SPREAD = 1.5        # max / min of a limit over the rounds: a noisy row
OTHERS_SHARE = 0.05
STEAL_SHARE = 0.03
LIMIT_TIMEOUT_S = 60
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
HERE = os.path.dirname(os.path.abspath(__file__))


# ---- measuring ----

def check_same(sample, key):
    """Limit and system must have found the same, where both say what they found."""
    limit, system = figure_of(sample, "limit", key), figure_of(sample, "system", key)
    if None not in (limit, system) and limit != system:
        sample["failed"] = f"{key}: {system}, the limit program says {limit}"


class Bench:
    def __init__(self, build, plan, scratch):
        self.build = build
        self.plan = plan
        self.system = System(build, scratch)

    def program(self, name, *options):
        """Runs a program of build/bench; returns the figures of its line."""
        done = machine.run([self.system.path("bench", name), *options], LIMIT_TIMEOUT_S)
        return next(objects_in(done.output))

    def probe(self):
        return self.program("probe")["one_way_ns"]

    def limit(self, row):
        options = ["--seconds", str(self.plan.seconds)]
        options += [str(o(self.system, self.plan) if callable(o) else o) for o in row.limit[1:]]
        if row.limit[0] == "limit_wordcount":
            options += ["--input", self.plan.text]
        return self.program(row.limit[0], *options)

    def sample(self, row):
        """Limit and system once, one right after the other, with a probe before, between, behind."""
        watch = machine.Watch()
        sample = {"probes_ns": [self.probe()]}
        try:
            if row.limit:
                sample["limit"] = self.limit(row)
                sample["probes_ns"].append(self.probe())
            if row.system:
                sample["system"] = row.system(self.system, self.plan)
                sample["probes_ns"].append(self.probe())
                check_same(sample, "distinct")
        except NotBuilt as missing:
            sample["not_built"] = str(missing)
        except CommandError as error:
            sample["failed"] = str(error)
        sample["moved"] = max(sample["probes_ns"]) > MOVED * min(sample["probes_ns"])
        sample.update(watch.read())
        return sample


# ---- summing up ----

def spread_of(values):
    """Median, least and most of some numbers, or None of none."""
    values = [v for v in values if v is not None]
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def figure_of(sample, side, key):
    return sample.get(side, {}).get(key)


def ratio_of(sample, key):
    limit, system = figure_of(sample, "limit", key), figure_of(sample, "system", key)
    return system / limit if limit and system is not None else None


def judge(measure, value):
    """The best grade that a ratio (or a figure without a limit) reaches."""
    if not measure.bounds or value is None:
        return ""

    def reaches(bound):
        return value >= bound if measure.more_is_better else value <= bound

    reached = [grade for grade, bound in zip(GRADES, measure.bounds) if reaches(bound)]
    return reached[-1] if reached else "BELOW"


def sum_up(row, samples):
    """Per measure: limit, system and ratio. Ratios are of pairs; pairs during which the CPUs moved are
    left out while more than half of them stay."""
    still = [s for s in samples if not s["moved"]]
    pairs = still if 2 * len(still) > len(samples) else samples
    summary = []
    for measure in row.measures:
        one = {"key": measure.key}
        for side in ("limit", "system"):
            one[side] = spread_of(figure_of(s, side, measure.key) for s in samples)
        one["ratio"] = spread_of(ratio_of(s, measure.key) for s in pairs)
        judged = one["ratio"] if row.limit else one["system"]
        scale = 1 if row.limit else measure.scale
        one["verdict"] = judge(measure, judged["median"] * scale) if judged else ""
        summary.append(one)
    return summary


def noise_of(results):
    """What a reader must know before believing a figure."""
    samples = [s for result in results for s in result["samples"]]
    probes = [p for s in samples for p in s["probes_ns"]]
    warnings = []
    if max(probes) > MOVED * min(probes):
        moved = sum(s["moved"] for s in samples)
        warnings.append(f"the CPUs moved: probes {min(probes):.0f} to {max(probes):.0f} ns, "
                        f"{moved} of {len(samples)} samples across a move")
    for share, bound, who in (("others_share", OTHERS_SHARE, "other processes used"),
                              ("steal_share", STEAL_SHARE, "the host took")):
        worst = max(s[share] for s in samples)
        if worst > bound:
            median = statistics.median(s[share] for s in samples)
            warnings.append(f"{who} {100 * median:.0f} % of the CPUs, at worst {100 * worst:.0f} %")
    for result in results:
        limit = result["summary"][0]["limit"]
        if limit and limit["max"] > SPREAD * limit["min"]:
            warnings.append(f"{result['name']}: its limit spreads {limit['max'] / limit['min']:.1f}-fold")
    return warnings


# ---- showing ----

def number_text(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread_text(spread, scale=1.0, sign=""):
    if not spread:
        return "-"
    median, least, most = (number_text(spread[k] * scale) for k in ("median", "min", "max"))
    return f"{median}{sign} ({least}-{most})"


def ratio_text(measure, ratio):
    return spread_text(ratio, 100, " %") if measure.more_is_better else spread_text(ratio, 1, " x")


def bounds_text(row, measure):
    share = row.limit and measure.more_is_better
    sign = " %" if share else " x" if row.limit else ""
    text = " / ".join(f"{bound * (100 if share else 1):g}" for bound in measure.bounds)
    return text and text + sign


def table_lines(results):
    rows = {row.name: row for row in ROWS}
    cells = [("row", "figure", "limit", "system", "ratio", " / ".join(GRADES), "")]
    for result in results:
        row = rows[result["name"]]
        name = row.name
        for measure, one in zip(row.measures, result["summary"]):
            cells.append((name, measure.unit, spread_text(one["limit"], measure.scale),
                          spread_text(one["system"], measure.scale), ratio_text(measure, one["ratio"]),
                          bounds_text(row, measure), one["verdict"]))
            name = ""
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    for line in cells:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()


def troubles_of(results):
    for result in results:
        for kind in ("not_built", "failed"):
            what = [s[kind] for s in result["samples"] if kind in s]
            if what:
                yield kind, f"{result['name']}: {kind.replace('_', ' ')}: {what[0]}"


def about_lines(about, results):
    """What was measured, and where."""
    yield f"{about['cpus']} x {about['cpu']}, Linux {about['kernel']}, load {about['load']:.1f}"
    peers = {s["limit"]["version"] for result in results for s in result["samples"]
             if "version" in s.get("limit", {})}
    yield ", ".join([about["program"], *sorted(peers)])


def show(about, results, warnings):
    print()
    for line in about_lines(about, results):
        print(line)
    print()
    for line in table_lines(results):
        print(line)
    probes = spread_of(p for result in results for s in result["samples"] for p in s["probes_ns"])
    print(f"probe: {spread_text(probes)} ns for a cache line from CPU to CPU")
    for warning in warnings:
        print(f"noisy: {warning}")
    for _, text in troubles_of(results):
        print(text)


# ---- the run ----

def at_least_one(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a whole number from 1: '{text}'")
    return int(text)


def check_writable(path):
    """Raises OSError now rather than when all has been measured. What stands there stays."""
    is_new = not os.path.exists(path)
    with open(path, "a", encoding="utf-8"):
        pass
    if is_new:
        os.unlink(path)


def make_build():
    """Builds what is measured; returns where it is."""
    build = os.environ.get("GP_BENCH_BUILD") or os.path.join(HERE, "../../build-bench")
    if subprocess.run(["sh", os.path.join(HERE, "build.sh"), build], check=False).returncode != 0:
        raise CommandError("nothing to measure: the build failed, as shown above")
    return build


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="tests/bench/run.sh", description=__doc__)
    parser.add_argument("--build", help=argparse.SUPPRESS)  # this one, as it is
    parser.add_argument("--quick", action="store_true", help="three short rounds: does it work at all?")
    parser.add_argument("--only", action="append", metavar="NAME", default=[],
                        help="this row alone (may be repeated): " + ", ".join(r.name for r in ROWS))
    parser.add_argument("--json", metavar="FILE", help="write every sample and the summary there")
    parser.add_argument("--rounds", type=at_least_one, help="default 5, or 3 with --quick")
    parser.add_argument("--seconds", type=at_least_one,
                        help="of one measurement; default 2, or 1 with --quick")
    arguments = parser.parse_args(argv)
    unknown = set(arguments.only) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    try:
        if arguments.json:
            check_writable(arguments.json)
    except OSError as error:
        parser.error(f"--json {arguments.json}: {error.strerror}")
    arguments.rounds = arguments.rounds or (3 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (1 if arguments.quick else 2)
    return arguments


def version_of(build):
    """The program that is measured, and of which commit of the tree it is."""
    try:
        version = machine.run([os.path.join(build, "bin", "gpctl"), "version"], 10).output
        commit = machine.run(["git", "-C", HERE, "describe", "--always", "--dirty"], 10).output
    except (CommandError, OSError):
        return "version unknown"
    return f"{version.splitlines()[0]}, commit {commit.strip()}"


def make_plan(bench_dir, arguments):
    """The text is made once for a size; its name says which."""
    mib = 64 if arguments.quick else 512
    text = os.path.join(bench_dir, f"text-{mib}.txt")
    note = text + ".json"
    if not os.path.exists(note):
        done = machine.run([os.path.join(bench_dir, "text"), "--mib", str(mib), "--output", text],
                           LIMIT_TIMEOUT_S)
        with open(note, "w", encoding="utf-8") as file:
            file.write(done.output)
    with open(note, encoding="utf-8") as file:
        return Plan(arguments.seconds, text, json.load(file)["words"])


def measure_all(bench, rows, rounds):
    """Round by round, so that whatever the machine does meets all rows alike."""
    samples = {row.name: [] for row in rows}
    for turn in range(rounds):
        for row in rows:
            print(f"\rround {turn + 1} of {rounds}: {row.name:20}", end="", file=sys.stderr, flush=True)
            samples[row.name].append(bench.sample(row))
    print("\r" + " " * 50 + "\r", end="", file=sys.stderr, flush=True)
    return [{"name": row.name, "title": row.title, "summary": sum_up(row, samples[row.name]),
             "samples": samples[row.name]} for row in rows]


def main(argv):
    arguments = parse_arguments(argv)
    build = os.path.abspath(arguments.build or make_build())  # the jobs run elsewhere
    rows = [row for row in ROWS if not arguments.only or row.name in arguments.only]
    about = {**machine.describe(), "program": version_of(build)}
    with tempfile.TemporaryDirectory(prefix="gearpump-bench-") as scratch:
        plan = make_plan(os.path.join(build, "bench"), arguments)
        results = measure_all(Bench(build, plan, scratch), rows, arguments.rounds)
    warnings = noise_of(results)
    show(about, results, warnings)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"machine": about, "rounds": arguments.rounds, "seconds": arguments.seconds,
                       "noise": warnings, "rows": results}, file, indent=1)
    return 1 if any(kind == "failed" for kind, _ in troubles_of(results)) else 0


def on_signal(number, _frame):
    """What is being measured ends here, and its files are removed on the way out."""
    for each in ENDINGS:
        signal.signal(each, signal.SIG_IGN)
    machine.stop_descendants()
    sys.stderr.write("\nbench: interrupted\n")
    sys.exit(128 + number)


if __name__ == "__main__":
    for ending in ENDINGS:
        signal.signal(ending, on_signal)
    try:
        sys.exit(main(sys.argv[1:]))
    except (CommandError, OSError) as problem:
        sys.exit(f"bench: {problem}")
