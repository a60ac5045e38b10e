#!/usr/bin/env python3
"""mutate.py MUTANTS NAME SOURCE_DIR OUT: writes the source file of a mutant with its one change made."""

import os
import sys


def read_mutants(path):
    """Blocks of `name`, `file`, then lines that begin with - (as it is) and + (as it becomes)."""
    mutants = {}
    current = None
    with open(path, encoding="utf-8") as file:
        for line in file.read().split("\n"):
            if line.startswith(("#", " ")) or not line:
                continue
            if line[0] == "-":
                current["old"].append(line[1:])
            elif line[0] == "+":
                current["new"].append(line[1:])
            else:
                name, path = line.split()
                current = mutants[name] = {"file": path, "old": [], "new": []}
    return mutants


def main(mutants_path, name, source_dir, out):
    mutant = read_mutants(mutants_path)[name]
    with open(os.path.join(source_dir, mutant["file"]), encoding="utf-8") as file:
        text = file.read()
    old = "\n".join(mutant["old"])
    new = "\n".join(mutant["new"])
    if text.count(old) != 1:
        sys.exit(f"{name}: {mutant['file']} has {text.count(old)} times:\n{old}")
    with open(out, "w", encoding="utf-8") as file:
        file.write(text.replace(old, new))


main(*sys.argv[1:])
