"""Hosts of their own on one machine: network namespaces, joined by a switch, with links that can be cut.

    net = network.Network("10.77.0", 3)       # raises unittest.SkipTest where this is not allowed
    net.prefix(0)                             # argv prefix that runs a program on host 0
    net.cut(0, 1); net.cut_one_way(0, 1)      # nothing from 0 reaches 1 any more
    net.heal(); net.close()

Only iproute2 is needed. A cut is a blackhole route on the sending host, so what was sent is gone
without a word, as with a broken switch: neither side's kernel learns of it.
"""

import os
import subprocess
import unittest


def _run(*argv):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(argv)}: {done.stdout.decode('utf-8', 'replace').strip()}")


class Network:
    def __init__(self, subnet, count):
        self.subnet, self.count = subnet, count
        self.name = f"gp{os.getpid()}"
        self.blackholes = set()
        self.made = []
        try:
            self._make()
        except OSError as error:
            self.close()
            raise unittest.SkipTest(f"no network namespaces here: {error}") from None

    def _make(self):
        switch = self._add_namespace("switch")
        _run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        _run("ip", "-n", switch, "link", "set", "br0", "up")
        for i in range(self.count):
            host = self._add_namespace(str(i))
            _run("ip", "-n", switch, "link", "add", f"port{i}", "type", "veth", "peer", "name", "eth0", "netns", host)
            _run("ip", "-n", switch, "link", "set", f"port{i}", "master", "br0", "up")
            _run("ip", "-n", host, "address", "add", f"{self.address(i)}/24", "dev", "eth0")
            _run("ip", "-n", host, "link", "set", "eth0", "up")
            _run("ip", "-n", host, "link", "set", "lo", "up")

    def _add_namespace(self, suffix):
        name = f"{self.name}-{suffix}"
        _run("ip", "netns", "add", name)
        self.made.append(name)
        return name

    def address(self, host):
        return f"{self.subnet}.{host + 1}"

    def prefix(self, host):
        return ["ip", "netns", "exec", f"{self.name}-{host}"]

    def cut_one_way(self, sender, receiver):
        _run("ip", "-n", f"{self.name}-{sender}", "route", "add", "blackhole", f"{self.address(receiver)}/32")
        self.blackholes.add((sender, receiver))

    def cut(self, one, other):
        self.cut_one_way(one, other)
        self.cut_one_way(other, one)

    def isolate(self, host):
        for other in range(self.count):
            if other != host:
                self.cut(host, other)

    def heal(self):
        for sender, receiver in sorted(self.blackholes):
            _run("ip", "-n", f"{self.name}-{sender}", "route", "del", "blackhole", f"{self.address(receiver)}/32")
        self.blackholes.clear()

    def close(self):
        """Processes on the hosts must have ended."""
        for name in reversed(self.made):
            subprocess.run(["ip", "netns", "del", name], stderr=subprocess.DEVNULL, check=False)
        self.made.clear()
