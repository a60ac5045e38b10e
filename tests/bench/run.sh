#!/bin/sh
# run.sh [--quick] [--only ROW]... [--json FILE]: installs what is missing, builds a release and
# measures it against the bare machine and its peers, interleaved in one run. README.md says how to
# read the table; --help lists the rows.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${GP_BENCH_BUILD:-$root/build-bench}

{
    sh "$root/tests/packages.sh" build bench
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
        -DGP_BUILD_TESTS=OFF -DGP_BUILD_BENCH=ON
    cmake --build "$build"
} >&2
exec python3 -B "$root/tests/bench/bench.py" --build "$build" "$@"
