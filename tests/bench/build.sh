#!/bin/sh
# build.sh BUILD: installs what is missing and builds a release with limits and peers in the folder
# BUILD. What is done is told on stderr.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)

exec >&2
sh "$root/tests/packages.sh" build bench
cmake -S "$root" -B "$1" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DGP_BUILD_TESTS=OFF -DGP_BUILD_BENCH=ON
cmake --build "$1"
