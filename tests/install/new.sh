#!/bin/sh
# What `gpctl new` writes builds from the installed tree alone, passes its test and runs on a cluster
# as it is, in each language that this machine has a compiler for.
set -eu
root=$(mktemp -d)
cluster=
trap '[ -z "$cluster" ] || kill "$cluster"; wait; rm -rf "$root"' EXIT
prefix=$root/prefix

cmake --install "$GP_BUILD_DIR" --prefix "$prefix" >/dev/null
PATH=$prefix/bin:$PATH
export PATH XDG_CONFIG_HOME="$root/config" XDG_STATE_HOME="$root/state"
export CMAKE_PREFIX_PATH="$prefix" PKG_CONFIG_PATH="$prefix/share/pkgconfig"
export GOCACHE="$GP_BUILD_DIR/go-cache" GOFLAGS=-mod=mod # the library of go takes long to compile
mkdir "$root/config"
cd "$root"

# die WHAT
die() {
    echo "$1" >&2
    exit 1
}

cat >"$root/gpd.yaml" <<'END'
http:
  enabled: false
END
gpd local --config "$root/gpd.yaml" --port 0 --workers 2 --data "$root/data" >"$root/gpd.out" 2>&1 &
cluster=$!
tries=0
until grep -q '^gpd ready' "$root/gpd.out"; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || die "no cluster: $(cat "$root/gpd.out")"
    sleep 0.1
done
master=$(sed -n 's/^gpd ready .*master=\([^ ]*\).*/\1/p' "$root/gpd.out")

# check NAME FILE: it runs on the cluster and says what it found.
check() {
    gpctl validate "$2" >/dev/null 2>&1 || gpctl inspect "$2" >/dev/null || die "$2 is no plugin"
    gpctl --master "$master" submit "$2" --executors 2 --wait >/dev/null 2>told || die "$1 failed: $(cat told)"
    grep -Eq ', each [0-9.]+ [num]?s of CPU$' told || die "$1 took: $(cat told)"
    [ "$(gpctl --master "$master" logs "$1" | grep -c 'sensor-[0-7] 49.50 (12500 readings)')" = 8 ] ||
        die "$1 said: $(gpctl --master "$master" logs "$1")"
}

for language in c c++; do
    name=in-c
    [ "$language" = c ] || name=in-cpp
    gpctl new "$name" --lang $language >/dev/null
    cmake -S "$name" -B "$name/build" >/dev/null
    cmake --build "$name/build" >/dev/null
    (cd "$name/build" && ctest >test.out) || die "$name: $(cat "$name/build/test.out")"
    [ "$(nm -D --defined-only "$name/build/$name.so" | wc -l)" = 1 ] || die "$name exports more than gp_entry"
    check "$name" "$name/build/$name.so"
done

tried="c c++"
if cargo --version >/dev/null 2>&1; then
    gpctl new in-rust --lang rust >/dev/null
    (cd in-rust && cargo build --offline --quiet --release && cargo test --offline --quiet >/dev/null) || die "in-rust"
    check in-rust in-rust/target/release/libjob.so
    tried="$tried rust"
fi
if go version >/dev/null 2>&1; then
    gpctl new in-go --lang go >/dev/null
    (cd in-go && go vet ./... && go build -buildmode=c-shared -o in-go.so && go test >/dev/null) || die "in-go"
    check in-go in-go/in-go.so
    tried="$tried go"
fi

[ -z "$(find in-* -perm /022 ! -type l)" ] || die "others may write: $(find in-* -perm /022 ! -type l)"

# A folder is written as shells complete it, too.
mkdir slashed
gpctl new slashed --dir slashed/ >/dev/null || die "a slash behind the folder"
[ -f slashed/README.md ] || die "not in the folder that was named"
# So is the one where somebody stands.
mkdir here
(cd here && gpctl new here --lang rust --dir . >/dev/null && [ -f README.md ]) || die "not in this folder"
! (cd here && gpctl new here --dir .) >/dev/null 2>&1 || die "this folder was overwritten"

# What cannot be is refused, and leaves nothing.
ls >before
! gpctl new in-c >out 2>&1 || die "a folder was overwritten"
! gpctl new Sensors >>out 2>&1 || die "a bad name was taken"
! gpctl new x --lang cobol >>out 2>&1 || die "an unknown language was taken"
! gpctl new x --dir "$root/gpd.yaml/x" >>out 2>&1 || die "a file was taken for a folder"
[ "$(grep -c '^hint: ' out)" -ge 3 ] || die "$(cat out)"
rm out
ls | diff before - || die "something was left"
echo "built, tested and ran: $tried"
