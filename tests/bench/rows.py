"""The rows of the bench: for each, the limit program, the same work done by the system, what is read.

A limit and a system answer with figures under the same names; a ratio is system / limit.
"""

import functools
import time
from dataclasses import dataclass

import profile_cpu as profile
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


def cpu(unit="CPU ns/msg", bounds=()):
    return Measure("cpu_ns_per_msg", unit, 1, bounds)


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
    figures["cpu_ns_per_kib"] = cpu_s * 1e9 / (figures["messages"] * figures["bytes"] / 1024)
    return figures


def _sol_settings(plan, sources, sinks, more):
    settings = {"sources": sources, "sinks": sinks, "seconds": round(plan.seconds), **more}
    return {"stages": 2, "bytes": 100, **settings}


def _sol_alone(system, plan, sources=1, sinks=1, lanes=2, **more):
    settings = _sol_settings(plan, sources, sinks, more)
    output, _, cpu_s = system.run_alone("sol", settings, lanes)
    return _with_cpu(sol_figures(output, sinks, exact=sinks == 1), cpu_s)


def sol_alone(sources, sinks):
    return lambda system, plan: _sol_alone(system, plan, sources, sinks)


def sol_on_cluster(sources, sinks, edge, executors=2, **more):
    """more: settings of the job; one may be a function of (system, plan)."""
    def measure(system, plan):
        known = {k: v(system, plan) if callable(v) else v for k, v in more.items()}
        settings = _sol_settings(plan, sources, sinks, known)
        output, _, cpu_s = system.run_on_cluster("sol", settings, executors, edge)
        return _with_cpu(sol_figures(output, sinks, exact=sinks == 1), cpu_s)
    return measure


SKEWED_SINKS = 4


def skew(system, plan):
    """Four sinks that work, all alike and with one ten times slower: what is left of the rate, and
    what a slow one gets beside another."""
    def run(**more):
        return _sol_alone(system, plan, sinks=SKEWED_SINKS, work=500, **more)
    even, skewed = run(), run(skew=10)
    slow = skewed["first_share"]
    return {"even_rate": even["rate_msgs_per_s"], "skewed_rate": skewed["rate_msgs_per_s"],
            "kept": skewed["rate_msgs_per_s"] / even["rate_msgs_per_s"],
            "slow_share": slow * (SKEWED_SINKS - 1) / (1 - slow)}


def large_and_small(system, plan):
    """The latency of small messages, while large ones flow on the same link and without them."""
    def run(**more):
        return sol_on_cluster(1, 1, "tcp", rate=100000, pace="busy", **more)(system, plan)
    alone, beside = run(), run(large=2 ** 20, large_rate=500)
    return {**{f"{name}_{quantile}_us": figures[f"{quantile}_us"]
               for name, figures in (("alone", alone), ("beside", beside))
               for quantile in ("p50", "p99")}, "rate_msgs_per_s": beside["rate_msgs_per_s"]}


@functools.lru_cache(maxsize=1)
def half_rate(system, plan):
    """Half of what the system sends over TCP at most, measured once."""
    return round(sol_on_cluster(1, 1, "tcp")(system, plan)["rate_msgs_per_s"] / 2)


def sol_stages(system, plan):
    """CPU per message and stage, for chains whose stages shuffle to each other."""
    cost = {n: _sol_alone(system, plan, stages=n)["cpu_ns_per_msg"] / n for n in (3, 5, 8)}
    return {**{f"stage_ns_{n}": ns for n, ns in cost.items()}, "growth": cost[8] / cost[3]}


def sol_chain(system, plan):
    """What a stage more costs behind a forward edge on the same lane."""
    cost = {n: _sol_alone(system, plan, lanes=1, stages=n, edge="forward")["cpu_ns_per_msg"]
            for n in (2, 8)}
    return {"stage_ns": (cost[8] - cost[2]) / 6}


def sol_shares(system, plan):
    """Shares of CPU time over TCP by profile."""
    settings = _sol_settings(plan, 1, 1, {})
    argv = system.command_alone("sol", settings, lanes=1, executors=2)
    return profile.shares(argv + ["--set", "data.edge=tcp"], system.environment, {
        "checksums": profile.CHECKSUMS, "metrics": profile.METRICS, "credit": profile.CREDIT})


def _wordcount_figures(plan, folder, seconds, cpu_s):
    words, distinct = words_counted(folder)
    if words != plan.words:
        raise CommandError(f"counted {words} of {plan.words} words")
    return {"messages": words, "distinct": distinct, "rate_msgs_per_s": words / seconds,
            "cpu_ns_per_msg": cpu_s * 1e9 / words}


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


def many_tasks(tasks, rate=0):
    """Half of them sources, half sinks, all to all, on a process for each of two CPUs. rate: messages
    a second of each source, 0: as many as go."""
    def measure(system, plan):
        settings = {"sources": tasks // 2, "sinks": tasks // 2, "rate": rate}
        with Cluster(system, 2, {"worker.slots": tasks}) as cluster:
            empty = cluster.pss_bytes()
            begin_s = time.time()
            cluster.submit("sol", settings, 2, wait=False)
            run_ms = (cluster.wait_until_job_runs() - begin_s) * 1e3
            time.sleep(max(3, plan.seconds))
            figures = {"run_ms": run_ms, "task_bytes": (cluster.pss_bytes() - empty) / tasks}
            return {**figures, **cluster.progress(1)}
    return measure


# ---- the table ----

def latency(per_second):
    return {"measures": (Measure("p50_us", "p50 us", 1, (4, 2, 1.1)),
                         Measure("p99_us", "p99 us", 1, (4, 2, 1.5)),
                         Measure("p999_us", "p99.9 us", 1), Measure("p9999_us", "p99.99 us", 1),
                         cpu(bounds=(4, 2, 1.3)), rate()),
            "limit": ("limit_latency", "--rate", per_second),
            "system": sol_on_cluster(1, 1, "tcp", rate=per_second, pace="busy")}


def sized(name, program, message_bytes, *bounds):
    return Row(name, f"messages of {message_bytes:,} bytes over TCP",
               (Measure("bytes_per_s", "MB/s", 1e-6, bounds, more_is_better=True),
                Measure("cpu_ns_per_kib", "CPU ns/KiB", 1)),
               (program,), sol_on_cluster(1, 1, "tcp", bytes=message_bytes))


TASKS = (Measure("run_ms", "ms to run", 1), Measure("task_bytes", "KiB a task", 2 ** -10),
         Measure("still", "tasks that did nothing", 1), rate())

ROWS = (
    Row("sol-ring", "SOL in one process, source and sink on different threads",
        (rate(0.20, 0.35, 0.60), cpu()), ("limit_ring",), sol_alone(1, 1)),
    Row("sol-ring-bound", "the ring when a batch of slots is claimed at once",
        (rate(), cpu()), ("limit_ring", "--claim", "batch")),
    Row("sol-sym", "SOL in one process, two threads, each source and sink",
        (rate(0.25, 0.40, 0.65), cpu()), ("limit_sym",), sol_alone(2, 2)),
    Row("sol-tcp", "SOL between two executors over TCP",
        (rate(0.40, 0.60, 0.85), cpu()), ("limit_tcp",), sol_on_cluster(1, 1, "tcp")),
    Row("sol-tcp-crc", "raw TCP with checksums",
        (rate(), cpu()), ("limit_tcp", "--check", "crc")),
    Row("sol-tcp-sym", "SOL on two executors over TCP, each source and sink",
        (rate(0.30, 0.45, 0.70), cpu()), ("limit_tcp", "--shape", "sym"), sol_on_cluster(2, 2, "tcp")),
    Row("sol-tcp-four", "SOL on four executors over TCP, two with a source, two with a sink",
        (rate(0.35, 0.55, 0.75), cpu()), ("limit_mesh",), sol_on_cluster(2, 2, "tcp", executors=4)),
    Row("sol-unix", "SOL between two executors over a Unix socket",
        (rate(0.35, 0.55, 0.80), cpu()), ("limit_tcp", "--transport", "unix"),
        sol_on_cluster(1, 1, "unix")),
    Row("sol-host", "SOL between two executors of one host, beside a ring in shared memory",
        (rate(0.35, 0.55, 0.80), cpu()), ("limit_ring", "--between", "processes"),
        sol_on_cluster(1, 1, "auto")),
    Row("sol-host-unix", "the same beside a raw Unix socket",
        (rate(0.35, 0.55, 0.80), cpu()), ("limit_tcp", "--transport", "unix"),
        sol_on_cluster(1, 1, "auto")),
    Row("stages", "SOL in one process with more stages",
        (Measure("stage_ns_3", "CPU ns/msg and stage of 3", 1),
         Measure("stage_ns_5", "... of 5", 1), Measure("stage_ns_8", "... of 8", 1),
         Measure("growth", "x, 8 over 3", 1, (1.3, 1.05, 0.8))), (), sol_stages),
    Row("chain", "a stage more behind a forward edge",
        (Measure("stage_ns", "CPU ns/msg", 1, (12, 6, 4)),), (), sol_chain),
    sized("bytes-16", "limit_tcp_16", 16),
    sized("bytes-1k", "limit_tcp_1024", 1024, 0.3, 0.5, 0.8),
    sized("bytes-16k", "limit_tcp_16384", 16384, 0.3, 0.5, 0.8),
    sized("bytes-1m", "limit_tcp_65376", 2 ** 20, 0.3, 0.5, 0.8),
    Row("large-and-small", "100,000 msg/s, alone and beside 500 of 1 MiB a second on the same link",
        (Measure("alone_p50_us", "alone: p50 us", 1), Measure("alone_p99_us", "p99 us", 1),
         Measure("beside_p50_us", "beside: p50 us", 1), Measure("beside_p99_us", "p99 us", 1),
         rate()), (), large_and_small),
    Row("skew", "four sinks that work 0.5 us a message behind a shuffle; then one of them ten times as long",
        (Measure("even_rate", "alike: M msg/s", 1e-6), Measure("skewed_rate", "one slow: M msg/s", 1e-6),
         Measure("kept", "% of the rate is kept", 100),
         Measure("slow_share", "% of another's messages go to the slow one", 100)), (), skew),
    Row("latency-100k", "one way over TCP at 100,000 msg/s, from the due time", **latency(100000)),
    Row("latency-1m", "the same at 1,000,000 msg/s", **latency(1000000)),
    Row("latency-half", "the same at half of what the system can send", **latency(half_rate)),
    Row("shares", "CPU in checksums, metrics and credit over TCP, by profile",
        (Measure("checksums", "% checksums", 100), Measure("metrics", "% metrics", 100),
         Measure("credit", "% credit", 100), Measure("all", "% in all", 100, (40, 25, 18))), (),
        sol_shares),
    Row("wordcount", "keyed WordCount in one process",
        (rate(0.40, 0.60, 0.90, unit="M words/s"), cpu("CPU ns/word")), ("limit_wordcount",),
        wordcount_alone),
    Row("peer-zeromq", "SOL between two executors over TCP, beside ZeroMQ",
        (rate(), cpu()), ("peer_zeromq",), sol_on_cluster(1, 1, "tcp")),
    Row("peer-erlang", "SOL in one process, beside two processes in one Erlang VM",
        (rate(), cpu()), ("peer_erlang.escript",), sol_alone(1, 1)),
    Row("wordcount-tcp", "keyed WordCount on two executors over TCP, beside C in one process",
        (rate(unit="M words/s"), cpu("CPU ns/word")), ("limit_wordcount", "--shape", "sym"),
        wordcount_on_cluster),
    Row("start", "`gpd local` to the first counts on disk",
        (Measure("ready_ms", "ms to ready", 1), Measure("submit_ms", "ms to run", 1, (500, 200, 50)),
         Measure("result_ms", "ms in all", 1, (500, 200, 50))), (), start_to_result),
    Row("memory", "sum of PSS of a local cluster running WordCount",
        (Measure("pss_bytes", "MiB", 2 ** -20, (96, 64, 24)),), (), memory),
    Row("idle", "CPU of a local cluster with an idle job",
        (Measure("cpu_share", "% of a core", 100, (2, 1, 0.2)),), (), idle_cpu),
    Row("tasks-1000", "submit to the running of 1,000 tasks",
        (Measure("run_ms", "ms to run", 1, (2000, 1000, 200)), *TASKS[1:]), (), many_tasks(1000, 1)),
    Row("tasks-2000", "2,000 tasks, all to all, flat out", TASKS, (), many_tasks(2000)),
    Row("tasks-10000", "10,000 tasks, all to all, flat out",
        (TASKS[0], Measure("task_bytes", "KiB a task", 2 ** -10, (128, 64, 16)), *TASKS[2:]), (),
        many_tasks(10000)),
    Row("tasks-10000-idle", "10,000 tasks, a message a second from each source",
        (TASKS[0], Measure("task_bytes", "KiB a task", 2 ** -10, (128, 64, 16)), *TASKS[2:]), (),
        many_tasks(10000, 1)),
)
