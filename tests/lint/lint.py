"""What the lints share: finding files, reading the tables, reporting."""

import os
import sys

CPP_FILES = (".cpp", ".hpp")
C_FILES = (".c", ".h", *CPP_FILES)
SKIPPED = ("build", "install", "_CPack", ".git", "corpus", "__pycache__")


def files(root, suffixes=None):
    """Paths below root, relative to it, sorted; neither build directories nor fuzz corpora."""
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith(SKIPPED)]
        for name in names:
            if suffixes is None or name.endswith(suffixes):
                found.append(os.path.relpath(os.path.join(folder, name), root))
    return sorted(found)


def table(path):
    """A file of "key: word word" lines as a dict of lists; '#' begins a comment."""
    rows = {}
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            line = line.split("#")[0].strip()
            if not line:
                continue
            key, colon, words = line.partition(":")
            if not colon or key in rows:
                sys.exit(f"{path}:{number}: expected one line 'key: words' for each key")
            rows[key] = words.split()
    return rows


def report(problems):
    for problem in problems:
        print(problem)
    sys.exit(1 if problems else 0)
