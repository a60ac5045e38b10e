#!/bin/sh
# run.sh [--quick] [--only ROW]... [--json FILE]: builds a release (in build-bench, or in
# $GP_BENCH_BUILD) and measures it against the bare machine and its peers, interleaved in one run.
# README.md says how to read the table; --help lists the rows.
exec python3 -B "$(dirname "$0")/bench.py" "$@"
