#!/bin/sh
# run_target.sh KIND TARGET CORPUS: one fuzz target as ctest runs it, in the folder that it may fill.
# KIND is libfuzzer or driver (driver.c, where libFuzzer is absent).
#
# Without knobs a run is the same each time: it begins with the corpus, goes on from one seed, and is
# over after a number of inputs or, on a slow machine, of seconds, which only cuts it short. With
# GP_FUZZ_SECONDS it is a campaign: that many seconds, from a seed of its own unless GP_FUZZ_SEED says
# which, and what it found worth keeping stays in found/ for the next. tests/README.md names the knobs.
set -eu
kind=$1
target=$2
corpus=$3

runs=${GP_FUZZ_RUNS:-100000}
seed=${GP_FUZZ_SEED:-1}
limit_s=200 # before ctest ends us, so that a target that hangs is told apart

libfuzzer() {
    # exact_artifact_path: whatever is found, under the one name that is printed below.
    # reload=0: looking into its folder once a second would make a run depend on the clock.
    set -- -timeout=25 -rss_limit_mb=1024 -reload=0 -print_final_stats=1 \
        -exact_artifact_path=crash-input "$@"
    if [ -z "${GP_FUZZ_SECONDS:-}" ]; then
        folder=run
        rm -rf run
        set -- "$@" "-seed=$seed" "-runs=$runs" -max_total_time=20
    else
        folder=found
        seed=${GP_FUZZ_SEED:-$(date +%s)}
        limit_s=$((GP_FUZZ_SECONDS + 200))
        set -- "$@" "-seed=$seed" "-max_total_time=$GP_FUZZ_SECONDS"
    fi
    mkdir -p "$folder"
    # libFuzzer learns from what is compared, addresses too.
    no_aslr=
    setarch -R true 2>/dev/null && no_aslr="setarch -R"
    # shellcheck disable=SC2086  # they are several words, or none
    timeout -k 10 "$limit_s" $no_aslr "$target" "$@" ${GP_FUZZ_ARGS:-} "$folder" "$corpus"
}

rm -f crash-input
status=0
case $kind in
libfuzzer) libfuzzer || status=$? ;;
*) timeout -k 10 "$limit_s" "$target" "$corpus" || status=$? ;;
esac
[ "$status" != 0 ] || exit 0

[ "$status" != 124 ] || echo "fuzz: stopped after $limit_s s" >&2
echo "fuzz: failed, seed $seed" >&2
if [ -s crash-input ]; then
    echo "fuzz: the input again: GP_FUZZ_RUNS=0 $target $PWD/crash-input" >&2
    echo "fuzz: in a line: echo $(base64 -w 0 crash-input) | base64 -d > crash-input" >&2
fi
exit 1
