"""Where CPU time goes, by the functions of the source, inlined ones too: perf and the debug information.

    python3 tests/bench/profile_cpu.py [--event instructions:u] build-bench/bin/gpctl run ...

prints the shares of the functions, as they were called and as they were written (inlined ones by
themselves); with an event of the CPU that perf knows, of that.

A sample belongs to the first class of names that one of the functions it is in matches, from the
innermost out: a counter that was inlined into a function of the data plane is a counter.
"""

import argparse
import collections
import os
import re
import subprocess
import tempfile

import machine
from machine import CommandError
from system import NotBuilt

CHECKSUMS = re.compile(r"crc32|checksum")
METRICS = re.compile(r"^(counter_add|count_run|count_sent|stats_|report_)")
CREDIT = re.compile(r"credit|^(inbox_owe|out_edge_(draw|refill|is_ready)|neighbour_settle|grant|"
                    r"begin|sum_rows|consume_entry)")
SAMPLE = re.compile(r"^\s*([0-9a-f]+) (\S+?)(?:\+0x([0-9a-f]+))? \((.*)\)\s*$")


def _require_perf(event):
    """It is not everywhere, and where it is not everybody may use it."""
    try:
        machine.run(["perf", "record", "-q", "-e", event, "-o", "/dev/null", "true"], 10)
    except CommandError as error:
        raise NotBuilt(f"no profile: {error}") from error


def _perf(*arguments):
    return subprocess.run(["perf", *arguments], capture_output=True, text=True, check=False).stdout


def record(argv, environment, event="cycles"):
    """Runs a command; returns its samples: a counter of (object, symbol, offset)."""
    _require_perf(event)
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "perf.data")
        machine.run(["perf", "record", "-q", "-F", "4999", "-e", event, "-o", data, *argv], 120, environment)
        lines = _perf("script", "-i", data, "-F", "ip,sym,symoff,dso").splitlines()
    samples = collections.Counter()
    for line in lines:
        match = SAMPLE.match(line)
        if match:
            samples[match[4], match[2], int(match[3] or "0", 16)] += 1
    if not samples:
        raise CommandError("perf took no samples")
    return samples


def _symbols(path):
    done = subprocess.run(["nm", "--defined-only", path], capture_output=True, text=True, check=False)
    found = (line.split() for line in done.stdout.splitlines())
    return {f[2]: int(f[0], 16) for f in found if len(f) == 3}


def _functions(path, addresses):
    """For each address the functions it is in, innermost first."""
    done = subprocess.run(["addr2line", "-i", "-f", "-a", "-e", path], text=True, check=False,
                          input="\n".join(map(hex, addresses)), capture_output=True)
    found, at = {}, None
    lines = iter(done.stdout.splitlines())
    for line in lines:
        if line.startswith("0x"):
            at = int(line, 16)
            found[at] = []
        else:
            found[at].append(line)
            next(lines)  # its file and line
    return found


def by_functions(samples):
    """Pairs of (functions, innermost first; samples)."""
    places = collections.defaultdict(collections.Counter)
    for (path, symbol, offset), count in samples.items():
        places[path][symbol, offset] += count
    for path, counts in places.items():
        symbols = _symbols(path) if os.path.isfile(path) else {}
        addresses = {symbols[s] + o for s, o in counts if s in symbols}
        functions = _functions(path, addresses) if addresses else {}
        for (symbol, offset), count in counts.items():
            yield functions.get(symbols.get(symbol, 0) + offset) or [symbol], count


def shares(argv, environment, classes):
    """The share of samples in each class, and in all of them together."""
    found = collections.Counter()
    total = 0
    for functions, count in by_functions(record(argv, environment)):
        total += count
        name = next((c for f in functions for c, names in classes.items() if names.search(f)), None)
        if name:
            found[name] += count
    return {**{c: found[c] / total for c in classes}, "all": sum(found.values()) / total}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--event", default="cycles")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    called, written = collections.Counter(), collections.Counter()
    for functions, count in by_functions(record(arguments.command, {}, arguments.event)):
        called[functions[-1]] += count
        written[functions[0]] += count
    total = sum(called.values())
    for title, names in (("as called", called), ("as written", written)):
        print(title)
        for name, count in names.most_common(40):
            if count * 200 > total:
                print(f"  {100 * count / total:5.1f} %  {name}")


if __name__ == "__main__":
    main()
