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

# build_and_test PRESET WRAPPER LABELS [-E TESTS]: ctest runs within WRAPPER; LABELS and TESTS are regular
# expressions, of what is run and of what is left out.
build_and_test() {
    preset=$1
    wrapper=$2
    labels=$3
    shift 3
    stage 3 "$preset: configure" cmake --preset "$preset"
    stage 10 "$preset: build" cmake --build --preset "$preset" -j "$jobs"
    # shellcheck disable=SC2086  # $wrapper is a command and its options
    stage 20 "$preset: test" $wrapper ctest --preset "$preset" -j "$jobs" -L "$labels" -LE "browser|machine" "$@"
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
    # Simulations are one thread; of the long ones, that show nothing new here, seeds and jobs are enough.
    build_and_test tsan "$no_aslr" "unit|sim|e2e" -E '^sim[.](famine|growth|scale)$'
    build_and_test fuzz "" fuzz
fi

printf '\n%s%5d s  in all: passed\n' "$report" $(($(date +%s) - begin_s))
