#!/bin/sh
# run.sh [--all]: installs what is missing, builds everything, runs every test; stops at the first
# stage that fails. With --all also under the address, undefined and thread sanitizers, and the
# fuzz targets with clang. One stage needs no other: `ctest --preset asan -L unit` and the like do
# the same by hand (CMakePresets.json).
set -eu
cd "$(dirname "$0")/.."

minutes_max=15
case "$*" in
'') ;;
--all) minutes_max=60 ;;
*)
    echo "usage: tests/run.sh [--all]" >&2
    exit 2
    ;;
esac

jobs=$(nproc)
begin_s=$(date +%s)
deadline_s=$((begin_s + minutes_max * 60))
report=

# stage MINUTES NAME COMMAND...: no stage outlives its own limit or that of the whole run.
stage() {
    limit_s=$(($1 * 60))
    name=$2
    shift 2
    stage_begin_s=$(date +%s)
    [ $((deadline_s - stage_begin_s)) -ge "$limit_s" ] || limit_s=$((deadline_s - stage_begin_s))
    [ "$limit_s" -gt 0 ] || { echo "run.sh: no time left for: $name" >&2; exit 1; }
    echo
    echo "=== $name"
    status=0
    timeout -k 20 "$limit_s" "$@" </dev/null || status=$?
    took_s=$(($(date +%s) - stage_begin_s))
    report="$report$(printf '%5d s  %s' "$took_s" "$name")
"
    [ "$status" != 124 ] || echo "run.sh: stopped after $limit_s s" >&2
    [ "$status" = 0 ] || { printf '\n%sFAILED: %s\n' "$report" "$name" >&2; exit 1; }
    echo "=== $name: ok, $took_s s"
}

# build_and_test PRESET WRAPPER LABELS: ctest runs within WRAPPER; LABELS is a regular expression.
build_and_test() {
    stage 3 "$1: configure" cmake --preset "$1"
    stage 10 "$1: build" cmake --build --preset "$1" -j "$jobs"
    # shellcheck disable=SC2086  # $2 is a command and its options
    stage 15 "$1: test" $2 ctest --preset "$1" -j "$jobs" -L "$3" -LE "browser|machine"
}

# gcc 12's thread sanitizer cannot place its shadow where recent kernels randomise addresses widely.
no_aslr=
setarch -R true 2>/dev/null && no_aslr="setarch -R"

stage 10 "packages" sh tests/packages.sh build test
build_and_test ci "" .
if [ "$minutes_max" = 60 ]; then
    stage 12 "ci: 20 deaths of each kind" env GP_E2E_DEATHS=20 ctest --preset ci -R '^e2e[.]deaths$'
    stage 8 "ci: memory refused at more calls" env GP_FAMINE_STRIDE=97 GP_FAMINE_FIRST=7 ctest --preset ci -R '^sim[.]famine$'
    stage 10 "packages for --all" sh tests/packages.sh all
    stage 8 "ci: packages, on a clean machine too" ctest --preset ci -L "install|machine"
    stage 10 "ci: the dashboard in a browser" ctest --preset ci -L browser
    build_and_test asan "" "unit|sim|e2e|fuzz"
    build_and_test tsan "$no_aslr" "unit|sim|e2e"
    build_and_test fuzz "" fuzz
fi

printf '\n%s%5d s  in all: passed\n' "$report" $(($(date +%s) - begin_s))
