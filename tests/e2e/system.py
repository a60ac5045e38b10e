"""What the kernel says of processes: who descends from us, who listens where.

The test process is a "child subreaper": whatever a daemon leaves behind becomes our child, so that
nothing can escape the search for descendants.
"""

import collections
import ctypes
import os
import signal
import socket
import struct
import time

PR_SET_CHILD_SUBREAPER = 36
TCP_LISTEN = "0A"
UNIX_ACCEPTS = 0x10000  # __SO_ACCEPTCON

Process = collections.namedtuple("Process", "pid parent state command")


def become_subreaper():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""  # it has ended meanwhile


def processes():
    """All processes by pid. Zombies are among them, in state Z."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        stat = _read(f"/proc/{name}/stat").decode("latin-1")
        if not stat:
            continue
        # The name in parentheses may hold anything, so fields count from the last one.
        state, parent = stat.rpartition(")")[2].split()[:2]
        command = _read(f"/proc/{name}/cmdline").decode("utf-8", "replace").split("\0")[:-1]
        found[int(name)] = Process(int(name), int(parent), state, command)
    return found


def descendants(ancestor):
    """Live processes below `ancestor`, parents before children."""
    everyone = processes()
    children = collections.defaultdict(list)
    for process in everyone.values():
        children[process.parent].append(process)
    found, queue = [], [ancestor]
    while queue:
        for process in children[queue.pop(0)]:
            queue.append(process.pid)
            if process.state not in "ZX":
                found.append(process)
    return found


def is_alive(pid):
    process = processes().get(pid)
    return process is not None and process.state not in "ZX"


def reap_orphans(known):
    """Collects ended children that became ours; `known` are left to their Popen."""
    for process in processes().values():
        if process.parent == os.getpid() and process.state == "Z" and process.pid not in known:
            try:
                os.waitpid(process.pid, os.WNOHANG)
            except ChildProcessError:
                pass


def kill_quietly(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _socket_inodes(pid):
    inodes = set()
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return inodes
    for name in names:
        try:
            target = os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:["):-1])
    return inodes


def tcp_listeners(pid):
    """(host, port) of each IPv4 socket the process listens on."""
    inodes = _socket_inodes(pid)
    found = []
    for line in _read(f"/proc/{pid}/net/tcp").decode().splitlines()[1:]:
        fields = line.split()
        if fields[3] == TCP_LISTEN and fields[9] in inodes:
            host, port = fields[1].split(":")
            packed = struct.pack("<I", int(host, 16))
            found.append((socket.inet_ntoa(packed), int(port, 16)))
    return sorted(found)


def unix_listeners(pid):
    """The path of each Unix socket the process listens on."""
    inodes = _socket_inodes(pid)
    found = []
    for line in _read(f"/proc/{pid}/net/unix").decode("utf-8", "replace").splitlines()[1:]:
        fields = line.split(None, 7)
        if len(fields) == 8 and fields[6] in inodes and int(fields[3], 16) & UNIX_ACCEPTS:
            found.append(fields[7])
    return sorted(found)


def descriptors(pid):
    """How many it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory_bytes(pid):
    """Its proportional set size."""
    for line in _read(f"/proc/{pid}/smaps_rollup").decode().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) << 10
    return 0


def free_port(host="127.0.0.1"):
    """A port that was free a moment ago: only for what needs to know one beforehand."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def peak_kb(pid):
    """The most memory that a process ever had resident."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def wait_until(condition, what, seconds, pause_s=0.01):
    """The first true answer of condition(), or AssertionError after `seconds`."""
    deadline_s = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() >= deadline_s:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(pause_s)
