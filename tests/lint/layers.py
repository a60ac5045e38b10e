#!/usr/bin/env python3
"""layers.py ROOT: every #include keeps the direction of the rooms.

layers.txt says which rooms a room may include, headers.txt who may include which header of others; those
of the C++ library, which have no dot, are for files of C++.
Our own includes are rooted (never "../" or a bare name), and no chain of them comes back.
"""

import os
import re
import sys

from lint import C_FILES, CPP_FILES, files, report, table

INCLUDE = re.compile(r'\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    """The room a file belongs to; None for tests, which may include anything rooted, and for the
    templates of projects, which are users' own."""
    parts = path.split(os.sep)
    if parts[0] == "runtime" and len(parts) > 2:
        return parts[1]
    if parts[:2] == ["sdk", "templates"]:
        return None
    if parts[0] == "sdk":
        return "testkit" if parts[1] == "testkit" else "sdk"
    if parts[0] in ("plugins", "examples"):
        return "plugin"
    return None


def includes(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match[1] == "<", match[2]


def cycle(edges):
    """One cycle of the graph {node: [node]} as a list of nodes, or None."""
    done, path = set(), []

    def visit(node):
        if node in path:
            return path[path.index(node):] + [node]
        if node in done:
            return None
        path.append(node)
        for target in edges.get(node, ()):
            found = visit(target)
            if found:
                return found
        path.pop()
        done.add(node)
        return None

    for start in edges:
        found = visit(start)
        if found:
            return found
    return None


def check_include(root, path, room, system, name, layers, headers):
    """What is wrong with one include, or None."""
    if ".." in name.split("/") or name.startswith("./"):
        return f'"{name}" is not rooted'
    if room is None:
        return None
    if name.startswith("gearpump/"):
        target = "sdk"
    elif system:
        if "." not in name:
            return None if path.endswith(CPP_FILES) else f"{path} is C: it must not include <{name}>"
        allowed = headers.get(name)
        if allowed is None:
            return f"<{name}> is not listed in headers.txt"
        if "*" not in allowed and room not in allowed:
            return f"{room} must not include <{name}> (headers.txt)"
        return None
    elif room in ("plugin", "testkit") and "/" not in name:
        here = os.path.join(root, os.path.dirname(path), name)
        return None if os.path.exists(here) else f'"{name}" is not in this folder'
    elif "/" not in name:
        return f'"{name}" is not rooted: write "{room}/{name}"'
    else:
        target = name.split("/")[0]
    if target == room or target in layers[room]:
        return None
    return f"{room} must not include {target} (layers.txt)"


def main(root):
    here = os.path.join(root, "tests", "lint")
    layers = table(os.path.join(here, "layers.txt"))
    headers = table(os.path.join(here, "headers.txt"))
    problems = []
    ours = {}
    for path in files(root, C_FILES):
        room = room_of(path)
        if room is not None and room not in layers:
            problems.append(f"{path}: room '{room}' is not listed in layers.txt")
            continue
        for number, system, name in includes(root, path):
            wrong = check_include(root, path, room, system, name, layers, headers)
            if wrong:
                problems.append(f"{path}:{number}: {wrong}")
            base = "sdk/include" if system else "runtime"
            ours.setdefault(path, []).append(os.path.join(base, name))
    for what, graph in (("rooms", layers), ("includes", ours)):
        found = cycle(graph)
        if found:
            problems.append(f"cycle of {what}: {' -> '.join(found)}")
    report(problems)


main(sys.argv[1])
