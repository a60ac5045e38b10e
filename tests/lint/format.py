#!/usr/bin/env python3
"""format.py CLANG_FORMAT ROOT: every C file is as .clang-format says."""

import os
import subprocess
import sys

from lint import files, report


def main(clang_format, root):
    paths = [os.path.join(root, path) for path in files(root, (".c", ".h"))]
    if not paths:
        report([])
    result = subprocess.run([clang_format, "--dry-run", "-Werror", *paths], capture_output=True, text=True)
    wrong = {line.split(":")[0] for line in result.stderr.splitlines() if ": error:" in line}
    report([f"{os.path.relpath(path, root)}: run clang-format" for path in sorted(wrong)])


main(sys.argv[1], sys.argv[2])
