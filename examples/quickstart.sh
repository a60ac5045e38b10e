#!/bin/sh
# quickstart.sh [FILE...]: from a fresh Debian 12 machine to counted words.
#
# Installs what is missing, builds into build/, starts a cluster on this machine, submits WordCount over the files or
# folders given (the texts in /usr/share/common-licenses if none is), shows the ten most frequent words, stops everything.
# Everything but build/ lives in a temporary folder that is removed at the end.
set -eu

case ${1:-} in
-h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac

# absolute FILE: its name from anywhere.
absolute() {
    case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
    esac
}

input=
for file in "$@"; do
    if [ ! -r "$file" ]; then
        printf 'error: cannot read %s\n  why: it is not there, or not yours to read\n  try: ls -l %s\n' "$file" "$file" >&2
        exit 1
    fi
    case $file in
    *,*)
        printf 'error: cannot take %s\n  why: commas separate files\n  try: rename or link it\n' "$file" >&2
        exit 1
        ;;
    esac
    input=${input:+$input,}$(absolute "$file")
done
input=${input:-/usr/share/common-licenses}

cd "$(dirname "$0")/.."
set --
work=$(mktemp -d)
cluster=

finish() {
    status=$?
    trap - EXIT INT TERM
    if [ -n "$cluster" ]; then
        kill "$cluster" 2>/dev/null || true
        wait "$cluster" 2>/dev/null || true
    fi
    if [ "$status" != 0 ] && [ -s "$work/cluster.log" ]; then
        printf '\nthe last lines of the cluster:\n' >&2
        tail -n 20 "$work/cluster.log" >&2
    fi
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

now_ms() {
    date +%s%3N
}

steps=
began_ms=$(now_ms)
# done_with STEP: notes how long it took since the step before.
done_with() {
    at_ms=$(now_ms)
    steps="$steps$(printf '  %-28s %7d ms' "$1" $((at_ms - began_ms)))
"
    began_ms=$at_ms
}

sh tests/packages.sh build
done_with "packages"

# A build/ that is there keeps the generator that it was made with.
[ -f build/CMakeCache.txt ] || set -- -G Ninja
if ! { cmake -S . -B build "$@" -DGP_BUILD_TESTS=OFF && cmake --build build; } >"$work/build.log" 2>&1; then
    cat "$work/build.log" >&2
    printf 'error: the build failed\n  why: as above\n  try: cmake --build build\n' >&2
    exit 1
fi
done_with "build"

# A secret of its own: nothing is left in the home folder.
export GEARPUMP_CLUSTER__SECRET_FILE="$work/secret"
build/bin/gpd local --port 0 --data "$work/data" --ready-file "$work/ready.json" 2>"$work/cluster.log" >&2 &
cluster=$!
while [ ! -s "$work/ready.json" ]; do
    kill -0 "$cluster" 2>/dev/null || { cluster= && exit 1; }
    sleep 0.01
done
GEARPUMP_MASTERS=$(sed -n 's/.*"master": *"\([^"]*\)".*/\1/p' "$work/ready.json")
export GEARPUMP_MASTERS
done_with "start of a local cluster"

mkdir "$work/counts"
build/bin/gpctl submit build/examples/wordcount.so --set input="$input" --set output="$work/counts" --wait
done_with "WordCount, from submit to end"

printf '\nThe ten most frequent of %d different words in %s:\n' "$(cat "$work"/counts/part-* | wc -l)" "$input"
tab=$(printf '\t')
cat "$work"/counts/part-* | LC_ALL=C sort -t "$tab" -k2,2nr -k1,1 | head -n 10 | awk -F '\t' '{ printf "%10d  %s\n", $2, $1 }'

kill "$cluster"
wait "$cluster" || true
cluster=
done_with "stop"
printf '\nHow long each step took:\n%s' "$steps"
