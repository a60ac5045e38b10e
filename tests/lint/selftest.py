#!/usr/bin/env python3
"""selftest.py CC [CLANG_FORMAT]: each lint accepts a good tree and refuses each bad one.

A bad tree is the good one with one file replaced; the lint must fail and name the reason.
"""

import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MARK = "TO" "DO"

GOOD = {
    "tests/lint/layers.txt": "sdk:\nbase: sdk\nwire: sdk base\n",
    "tests/lint/headers.txt": "stdint.h: *\nuv.h: base\n",
    "tests/lint/globals.txt": "base: log_sink\n",
    "tests/lint/calls.txt": "clock_*:\nabort: base\n",
    "sdk/include/gearpump/types.h": "#include <stdint.h>\n",
    "runtime/base/a.h": "#include <gearpump/types.h>\n",
    "runtime/base/a.c": (
        '#include "base/a.h"\n\nint *log_sink;\nconst char *const names[] = {"a", "b"};\n'
    ),
    "runtime/wire/b.h": '#include "base/a.h"\n',
}

LAYERS = [
    ("runtime/base/a.h", '#include "wire/b.h"\n', "base must not include wire"),
    ("runtime/wire/b.h", '#include "../base/a.h"\n', "is not rooted"),
    ("runtime/wire/b.h", '#include "c.h"\n', "is not rooted"),
    ("runtime/wire/b.h", "#include <uv.h>\n", "wire must not include <uv.h>"),
    ("runtime/wire/b.h", "#  include <sys/new.h>\n", "is not listed in headers.txt"),
    ("runtime/wire/b.h", "#include <vector>\n", "must not include <vector>"),
    ("runtime/base/a.cpp", '#include <vector>\n#include "../a.h"\n', "is not rooted"),
    ("runtime/base/a.h", '#include "base/a.h"\n', "cycle of includes"),
    ("runtime/attic/c.h", "", "'attic' is not listed"),
    ("tests/lint/layers.txt", "sdk:\nbase: wire sdk\nwire: base\n", "cycle of rooms"),
]
TEXT = [
    ("runtime/base/a.h", "int a; \n", "white space"),
    ("runtime/base/a.h", "int a;", "no newline"),
    ("runtime/base/a.h", "int a;\n\n", "empty lines"),
    ("runtime/base/a.h", "\tint a;\n", "tab"),
    ("runtime/base/a.h", "/*" + "-" * 120 + "*/\n", "longer than"),
    ("sdk/a.hpp", "\tint a;\n", "tab"),
    ("README.md", "a\r\n", "white space"),
    ("README.md", b"\xff\n", "not UTF-8"),
    ("runtime/base/a.h", f"/* {MARK}: later */\n", "unfinished"),
]
SYMBOLS = [
    ("runtime/base/a.c", "int count = 1;\n", "mutable global 'count'"),
    ("runtime/base/a.c", "int count;\n", "mutable global 'count'"),
    ("runtime/base/a.c", "_Thread_local int count;\n", "mutable global 'count'"),
    ("runtime/base/a.c", "int f(void) { static int n; return n++; }\n", "mutable global 'n'"),
    ("runtime/base/a.c", "int clock_x(void); int f(void) { return clock_x(); }\n", "clock_x() past port"),
]
FORMAT = [("runtime/base/a.h", "int  a;\n", "runtime/base/a.h: run clang-format")]


def write(root, path, content):
    full = os.path.join(root, path)
    os.makedirs(os.path.dirname(full), exist_ok=True)
    with open(full, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())


def build(cc, root):
    """The room base as an archive, compiled as the runtime is: position independent."""
    parts = [os.path.join(root, "build", name) for name in ("a.o", "libgp_base.a")]
    os.makedirs(os.path.dirname(parts[0]), exist_ok=True)
    source = os.path.join(root, "runtime/base/a.c")
    include = [f"-I{root}/runtime", f"-I{root}/sdk/include"]
    subprocess.run([cc, "-fPIC", "-O2", *include, "-c", source, "-o", parts[0]], check=True)
    subprocess.run(["ar", "rc", parts[1], parts[0]], check=True)
    return "base=" + parts[1]


def outcome(make_command, change):
    with tempfile.TemporaryDirectory() as root:
        for path, content in {**GOOD, **change}.items():
            write(root, path, content)
        result = subprocess.run(make_command(root), capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr


def check(lint, make_command, cases):
    failures = 0
    code, text = outcome(make_command, {})
    if code != 0:
        print(f"{lint}: refuses the good tree:\n{text}")
        failures += 1
    for path, content, expected in cases:
        code, text = outcome(make_command, {path: content})
        if code != 1 or expected not in text:
            print(f"{lint}: {path} = {content!r}: expected '{expected}', got {code}:\n{text}")
            failures += 1
    return failures


def main(cc, clang_format=None):
    def script(name):
        return [sys.executable, os.path.join(HERE, name)]

    failures = check("layers", lambda root: script("layers.py") + [root], LAYERS)
    failures += check("text", lambda root: script("text.py") + [root], TEXT)
    failures += check(
        "symbols",
        lambda root: script("symbols.py") + [os.path.join(root, "tests/lint"), build(cc, root)],
        SYMBOLS,
    )
    if clang_format:
        failures += check("format", lambda root: script("format.py") + [clang_format, root], FORMAT)
    sys.exit(1 if failures else 0)


main(*sys.argv[1:])
