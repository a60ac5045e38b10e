#!/bin/sh
# cpack makes a tarball and two Debian packages with the same files, each in its place, and twice the
# same bytes of them. lintian, where it is, finds no error and no warning.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

fail() {
    echo "$*" >&2
    exit 1
}

for turn in 1 2; do
    (cd "$GP_BUILD_DIR" && cpack -B "$root/$turn" >"$root/log" 2>&1) || { cat "$root/log" >&2; exit 1; }
    rm -rf "$root/$turn/_CPack_Packages"
done
diff -r "$root/1" "$root/2" || fail "packed twice, the packages differ"

# expect LISTING PREFIX FILE...
expect() {
    listing=$1 prefix=$2
    shift 2
    for file in "$@"; do
        grep -qxF "$prefix$file" "$listing" || fail "not in ${listing##*/}: $prefix$file"
    done
}

tarball=$(echo "$root"/1/gearpump-*.tar.gz)
top=${tarball##*/}
tar -tzf "$tarball" >"$root/tar.list"
# shellcheck disable=SC2086  # a list of files
expect "$root/tar.list" "${top%.tar.gz}/" ${GP_INSTALLED:?} etc/gearpump/gearpump.yaml \
    share/doc/gearpump/LICENSE lib/systemd/system/gpd-master.service

command -v dpkg-deb >/dev/null || exit 0
runtime=$(echo "$root"/1/gearpump_*.deb)
dev=$(echo "$root"/1/gearpump-dev_*.deb)
for deb in "$runtime" "$dev"; do
    dpkg-deb --fsys-tarfile "$deb" | tar -t >"$deb.list"
done
! sort "$runtime.list" "$dev.list" | grep -v '/$' | uniq -d | grep . || fail "is in both packages"
sort -u "$runtime.list" "$dev.list" >"$root/deb.list"
# shellcheck disable=SC2086  # a list of files
expect "$root/deb.list" ./usr/ ${GP_INSTALLED:?} share/zsh/vendor-completions/_gpctl \
    share/doc/gearpump-dev/copyright
expect "$root/deb.list" ./ etc/gearpump/gearpump.yaml lib/systemd/system/gpd-master.service \
    lib/systemd/system/gpd-worker.service
! grep -E '^./usr/(include|lib/cmake|share/pkgconfig)' "$runtime.list" || fail "belongs into gearpump-dev"
[ "$(dpkg-deb -f "$runtime" Package)" = gearpump ] || fail "not called gearpump"
dpkg-deb -f "$runtime" Depends | grep -q 'libuv1' || fail "libuv1 is no dependency"
dpkg-deb --fsys-tarfile "$runtime" | tar -xO ./lib/systemd/system/gpd-master.service |
    grep -q '^ExecStart=/usr/bin/gpd ' || fail "the unit starts another gpd"
if command -v lintian >/dev/null; then
    lintian --fail-on error,warning --suppress-tags bad-distribution-in-changes-file "$runtime" "$dev"
fi
echo "tarball and Debian packages are complete"
