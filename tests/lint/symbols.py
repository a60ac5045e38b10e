#!/usr/bin/env python3
"""symbols.py TABLES ROOM=ARCHIVE...: what the compiled rooms own and call.

No room has mutable objects of static storage but those in globals.txt, and none calls the world
(time, network, disk, threads, processes, randomness) past port: calls.txt.
"""

import fnmatch
import os
import re
import subprocess
import sys

from lint import report, table

WORLD = ("edge", "app")
WRITABLE = re.compile(r"\.t?(data|bss)(\.(?!rel\.ro).*)?$|\*COM\*$")
# "address flags section<TAB>size name" of objdump -t; flags hold O for an object.
SYMBOL = re.compile(r"[0-9a-f]+ (.{7}) (\S+)\t([0-9a-f]+)\s+(?:\.hidden )?(\S+)$")


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def mutable_objects(archive):
    for line in output_of("objdump", "-t", archive).splitlines():
        match = SYMBOL.match(line)
        if match and WRITABLE.match(match[2]) and int(match[3], 16) > 0 and "d" not in match[1]:
            yield match[4].split(".")[0]


def names(archive, option):
    """The names that nm lists with this option, without the lines that name members."""
    lines = output_of("nm", option, "--format=posix", archive).splitlines()
    return {words[0] for words in map(str.split, lines) if len(words) > 1}


def main(tables, rooms):
    allowed_globals = table(os.path.join(tables, "globals.txt"))
    allowed_calls = table(os.path.join(tables, "calls.txt"))
    archives = dict(argument.split("=", 1) for argument in rooms)
    ours = set().union(*(names(archive, "--defined-only") for archive in archives.values()))
    problems = set()
    for room, archive in archives.items():
        for name in mutable_objects(archive):
            if name not in allowed_globals.get(room, ()):
                problems.add(f"{room}: mutable global '{name}' (globals.txt)")
        if room in WORLD:
            continue
        for name in names(archive, "-u") - ours:
            for pattern, allowed in allowed_calls.items():
                if fnmatch.fnmatchcase(name, pattern) and room not in allowed:
                    problems.add(f"{room}: calls {name}() past port (calls.txt)")
    report(sorted(problems))


main(sys.argv[1], sys.argv[2:])
