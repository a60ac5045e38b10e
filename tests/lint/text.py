#!/usr/bin/env python3
"""text.py ROOT: white space, line ends and lengths, and no marks of unfinished work in any text file."""

import os
import re
import sys

from lint import C_FILES, files, report

# Written apart, so that this file passes its own check.
MARK = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
LINE_LENGTH_MAX = 120
BINARY = (".png", ".gz", ".so", ".o", ".pyc")


def problems_of(path, data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        yield f"{path}: not UTF-8"
        return
    if text and not text.endswith("\n"):
        yield f"{path}: no newline at the end"
    if text.endswith("\n\n"):
        yield f"{path}: empty lines at the end"
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith(("\r", " ", "\t")):
            yield f"{path}:{number}: white space at the end of the line"
        if "\t" in line and path.endswith((*C_FILES, ".py", ".cmake", ".yaml")):
            yield f"{path}:{number}: tab"
        if len(line) > LINE_LENGTH_MAX and path.endswith(C_FILES):
            yield f"{path}:{number}: longer than {LINE_LENGTH_MAX} characters"
        if MARK.search(line):
            yield f"{path}:{number}: unfinished work: {line.strip()}"


def main(root):
    problems = []
    for path in files(root):
        if path != "LICENSE" and not path.endswith(BINARY):
            with open(os.path.join(root, path), "rb") as file:
                problems += problems_of(path, file.read())
    report(problems)


main(sys.argv[1])
