"""What the bench knows of the machine: who uses its CPUs, and what a tree of processes uses."""

import glob
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
CPUS = os.cpu_count()
STOP_TIMEOUT_S = 10


# ---- the machine ----

def _cpu_ticks():
    """Busy, stolen and all ticks of all CPUs since boot."""
    with open("/proc/stat", encoding="ascii") as stat:
        user, nice, system, idle, iowait, irq, softirq, steal = map(int, stat.readline().split()[1:9])
    busy = user + nice + system + irq + softirq
    return busy, steal, busy + steal + idle + iowait


def _own_cpu_s():
    """CPU time of this process and of every descendant that has been waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


class Watch:
    """Shares of the machine's CPU time that others took since the watch was made."""

    def __init__(self):
        self._ticks = _cpu_ticks()
        self._own_s = _own_cpu_s()

    def read(self):
        busy, steal, total = (now - then for now, then in zip(_cpu_ticks(), self._ticks))
        own = (_own_cpu_s() - self._own_s) / TICK_S
        total = max(total, 1)
        return {"others_share": max(0.0, busy - own) / total, "steal_share": steal / total}


def describe():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": CPUS, "kernel": os.uname().release, "load": os.getloadavg()[0]}


# ---- a tree of processes ----

def _stat_fields(pid):
    """The fields of /proc/PID/stat behind the name, or None once the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()
    except OSError:
        return None


def tree(root):
    """The process and all its living descendants."""
    children = {}
    for name in os.listdir("/proc"):
        fields = _stat_fields(name) if name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def tree_cpu_s(root):
    """CPU time of a tree, with that of its members who have died and been waited for."""
    ticks = 0
    for pid in tree(root):
        fields = _stat_fields(pid)
        ticks += sum(map(int, fields[11:15])) if fields else 0
    return ticks * TICK_S


def tree_run_s(root):
    """CPU time of the living threads of a tree: to the nanosecond, but not of those who are gone."""
    run_ns = 0
    for pid in tree(root):
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(path, encoding="ascii") as stat:
                    run_ns += int(stat.read().split()[0])
            except OSError:
                pass  # gone meanwhile
    return run_ns / 1e9


def tree_pss_bytes(root):
    """Memory of a tree, each shared page split among those who share it."""
    kib = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                kib += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        except OSError:
            pass  # gone meanwhile
    return kib * 1024


# ---- commands ----

@dataclass
class Finished:
    status: int
    output: str  # stdout, then stderr
    seconds: float
    cpu_s: float


class CommandError(Exception):
    """A command that failed, hung, or did not say what it should."""


def start(argv, environment=None, **options):
    """In a process group of its own, so that all of it can be stopped. environment: additions."""
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True,
                                env={**os.environ, **(environment or {})}, **options)
    except OSError as error:
        raise CommandError(f"{argv[0]}: {error.strerror}") from error


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def stop_descendants():
    """Ends whatever this process has started; who can tidy up is given time to do so."""
    for number, patience_s in ((signal.SIGTERM, STOP_TIMEOUT_S), (signal.SIGKILL, 1)):
        deadline_s = time.monotonic() + patience_s
        for pid in tree(os.getpid())[1:]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        while len(tree(os.getpid())) > 1 and time.monotonic() < deadline_s:
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            time.sleep(0.01)


def run(argv, timeout_s, environment=None):
    """Runs a command to its end; what is left of its group is killed then."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin_s = time.monotonic()
        process = start(argv, environment, stdout=out, stderr=err)
        timer = threading.Timer(timeout_s, signal_group, (process, signal.SIGKILL))
        timer.daemon = True
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.monotonic() - begin_s
        timed_out = timer.finished.is_set()
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        signal_group(process, signal.SIGKILL)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    if process.returncode != 0:
        why = f"no end within {timeout_s} s" if timed_out else f"exit status {process.returncode}"
        last = texts[1].strip().splitlines()[-3:]
        raise CommandError(f"{' '.join(argv)}: {why}" + "".join(f"\n    {line}" for line in last))
    return Finished(process.returncode, "".join(texts), seconds, used.ru_utime + used.ru_stime)
