#!/usr/bin/env python3
"""mutate.py MUTANT.txt RUNTIME OUT: writes the mutated copies of files to OUT, prints their names.

A mutant is a text: what it is about in lines with '#'; `scenario`, `seeds` and `says` (a regular expression
that the campaign must print); then for each edit `file PATH`, lines with '-' that stand there once, one
after the other, and lines with '+' that stand there instead. One blank after the sign is not part of the line;
what follows counts as it is, but for blanks at the beginning of the first line."""

import os
import sys


def edits_of(path):
    edits = []
    with open(path, encoding="utf-8") as lines:
        for line in lines.read().splitlines():
            if line.startswith("file "):
                name = line[5:]
            elif line.startswith("-"):
                if not edits or edits[-1][2] is not None:
                    edits.append([name, [], None])
                edits[-1][1].append(line[2:])
            elif line.startswith("+"):
                edits[-1][2] = (edits[-1][2] or []) + [line[2:]]
    return edits


def main(mutant, runtime, out):
    texts = {}
    for name, old, new in edits_of(mutant):
        if name not in texts:
            with open(os.path.join(runtime, name), encoding="utf-8") as source:
                texts[name] = source.read()
        old, new = "\n".join(old), "\n".join(new or [])
        if texts[name].count(old) != 1:
            sys.exit(f"{mutant}: this stands {texts[name].count(old)} times in runtime/{name}, not once; "
                     f"what enforces the invariant now?\n{old}")
        texts[name] = texts[name].replace(old, new)
    for name, text in texts.items():
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(path, encoding="utf-8") as before:
                is_same = before.read() == text
        except OSError:
            is_same = False
        if not is_same:
            with open(path, "w", encoding="utf-8") as to:
                to.write(text)
    print(";".join(texts), end="")


main(*sys.argv[1:])
