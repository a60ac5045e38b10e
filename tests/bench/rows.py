"""The rows of the bench: for each, the limit program, the same work done by the system, what is read.

A limit and a system answer with figures under the same names; a ratio is system / limit.
"""

import time
from dataclasses import dataclass

import machine
from machine import CommandError
from system import Cluster, sol_figures, words_counted


@dataclass(frozen=True)
class Measure:
    key: str
    unit: str
    scale: float       # from the figure to the unit
    bounds: tuple = () # of the ratio or, without a limit, of the figure: one for each of GRADES
    more_is_better: bool = False


# What reaching a bound is called, worst first. Below the first something is structurally wrong.
GRADES = ("sound", "floor", "aim")


def rate(*bounds, unit="M msg/s"):
    return Measure("rate_msgs_per_s", unit, 1e-6, bounds, more_is_better=True)


def cpu(unit="CPU ns/msg"):
    return Measure("cpu_ns_per_msg", unit, 1)


@dataclass(frozen=True)
class Row:
    name: str
    title: str
    measures: tuple
    limit: tuple = ()      # program and options; () where the figure stands for itself
    system: object = None  # System, Plan -> figures; None where a limit is shown for comparison


@dataclass(frozen=True)
class Plan:
    """What one invocation measures with."""
    seconds: float
    text: str
    words: int


# ---- the system's side ----

def _with_cpu(figures, cpu_s):
    figures["cpu_ns_per_msg"] = cpu_s * 1e9 / figures["messages"]
    return figures


def sol_alone(sources, sinks):
    def measure(system, plan):
        settings = {"sources": sources, "sinks": sinks, "stages": 2, "bytes": 100,
                    "seconds": round(plan.seconds)}
        output, _, cpu_s = system.run_alone("sol", settings)
        return _with_cpu(sol_figures(output, sinks, exact=sinks == 1), cpu_s)
    return measure


def sol_on_cluster(sources, sinks, edge, **more):
    def measure(system, plan):
        settings = {"sources": sources, "sinks": sinks, "stages": 2, "bytes": 100,
                    "seconds": round(plan.seconds), **more}
        output, _, cpu_s = system.run_on_cluster("sol", settings, 2, edge)
        return _with_cpu(sol_figures(output, sinks, exact=sinks == 1), cpu_s)
    return measure


def _wordcount_figures(plan, folder, seconds, cpu_s):
    words, distinct = words_counted(folder)
    if words != plan.words:
        raise CommandError(f"counted {words} of {plan.words} words")
    return _with_cpu({"messages": words, "distinct": distinct, "rate_msgs_per_s": words / seconds},
                     cpu_s)


def wordcount_alone(system, plan):
    folder = system.folder()
    _, seconds, cpu_s = system.run_alone("wordcount", {"input": plan.text, "output": folder})
    return _wordcount_figures(plan, folder, seconds, cpu_s)


def wordcount_on_cluster(system, plan):
    folder = system.folder()
    settings = {"input": plan.text, "output": folder}
    _, seconds, cpu_s = system.run_on_cluster("wordcount", settings, 2, "tcp")
    return _wordcount_figures(plan, folder, seconds, cpu_s)


def start_to_result(system, _plan):
    """From nothing running to the counts of a few words on disk."""
    folder = system.folder()
    text = f"{folder}/in.txt"
    with open(text, "w", encoding="ascii") as file:
        file.write("to be or not to be\n")
    begin_s = time.monotonic()
    with Cluster(system, workers=4) as cluster:
        ready_s = time.monotonic()
        cluster.submit("wordcount", {"input": text, "output": folder}, None)
        end_s = time.monotonic()
    if words_counted(folder) != (6, 4):
        raise CommandError("wrong counts")
    return {"ready_ms": (ready_s - begin_s) * 1e3, "submit_ms": (end_s - ready_s) * 1e3,
            "result_ms": (end_s - begin_s) * 1e3}


def _while_running(system, example, settings, seconds, read):
    """Reads a figure of a local cluster of the default size with a job on it that does not end,
    spread as the cluster thinks best."""
    with Cluster(system, workers=4) as cluster:
        cluster.submit(example, settings, None, wait=False)
        cluster.wait_until_job_runs()
        time.sleep(seconds)
        return read(cluster)


def memory(system, plan):
    return _while_running(system, "wordcount", {}, plan.seconds,
                          lambda cluster: {"pss_bytes": cluster.pss_bytes()})


def idle_cpu(system, plan):
    def read(cluster):
        run_s = cluster.run_s()
        begin_s = time.monotonic()
        time.sleep(max(3, plan.seconds))
        return {"cpu_share": (cluster.run_s() - run_s) / (time.monotonic() - begin_s)}
    return _while_running(system, "sol", {"rate": 1}, 0.5, read)


# ---- the table ----

LATENCY = (Measure("p50_us", "p50 us", 1, (4.0, 2.0, 1.1)),
           Measure("p99_us", "p99 us", 1, (4.0, 2.0, 1.5)),
           Measure("p999_us", "p99.9 us", 1))

ROWS = (
    Row("sol-ring", "SOL in one process, source and sink on different threads",
        (rate(0.20, 0.35, 0.60), cpu()), ("limit_ring",), sol_alone(1, 1)),
    Row("sol-ring-bound", "the ring when a batch of slots is claimed at once",
        (rate(), cpu()), ("limit_ring", "--claim", "batch")),
    Row("sol-sym", "SOL in one process, two threads, each source and sink",
        (rate(), cpu()), ("limit_sym",), sol_alone(2, 2)),
    Row("sol-tcp", "SOL between two executors over TCP",
        (rate(0.40, 0.60, 0.85), cpu()), ("limit_tcp",), sol_on_cluster(1, 1, "tcp")),
    Row("sol-tcp-crc", "raw TCP with checksums",
        (rate(), cpu()), ("limit_tcp", "--check", "crc")),
    Row("sol-tcp-sym", "SOL on two executors over TCP, each source and sink",
        (rate(0.30, 0.45, 0.70), cpu()), ("limit_tcp", "--shape", "sym"), sol_on_cluster(2, 2, "tcp")),
    Row("sol-unix", "SOL between two executors over a Unix socket",
        (rate(), cpu()), ("limit_tcp", "--transport", "unix"), sol_on_cluster(1, 1, "unix")),
    Row("latency", "one way over TCP at 100,000 msg/s, from the due time",
        LATENCY + (cpu(),), ("limit_latency", "--rate", "100000"),
        sol_on_cluster(1, 1, "tcp", rate=100000, pace="busy")),
    Row("wordcount", "keyed WordCount in one process",
        (rate(0.40, 0.60, 0.90, unit="M words/s"), cpu("CPU ns/word")), ("limit_wordcount",),
        wordcount_alone),
    Row("wordcount-tcp", "keyed WordCount on two executors over TCP, beside C in one process",
        (rate(unit="M words/s"), cpu("CPU ns/word")), ("limit_wordcount", "--shape", "sym"),
        wordcount_on_cluster),
    Row("start", "`gpd local` to the first counts on disk",
        (Measure("ready_ms", "ms to ready", 1), Measure("submit_ms", "ms to run", 1, (500, 200, 50)),
         Measure("result_ms", "ms in all", 1, (500, 200, 50))), (), start_to_result),
    Row("memory", "sum of PSS of a local cluster running WordCount",
        (Measure("pss_bytes", "MiB", 2 ** -20, (96, 64, 24)),), (), memory),
    Row("idle", "CPU of a local cluster with an idle job",
        (Measure("cpu_share", "% of a core", 100, (2,)),), (), idle_cpu),
)
