#!/bin/sh
# cpack makes a tarball and a Debian package with the same programs in the right places.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

(cd "$GP_BUILD_DIR" && cpack -B "$root" >"$root/log" 2>&1) || { cat "$root/log" >&2; exit 1; }

# expect LISTING PREFIX FILE...
expect() {
    listing=$1 prefix=$2
    shift 2
    for file in "$@"; do
        grep -qxF "$prefix$file" "$listing" || { echo "not in ${listing##*/}: $prefix$file" >&2; exit 1; }
    done
}

tarball=$(echo "$root"/gearpump-*.tar.gz)
top=${tarball##*/}
tar -tzf "$tarball" >"$root/tar.list"
# shellcheck disable=SC2086  # a list of files
expect "$root/tar.list" "${top%.tar.gz}/" include/gearpump/gearpump.h share/doc/gearpump/LICENSE \
    ${GP_INSTALLED:-}

command -v dpkg-deb >/dev/null || exit 0
deb=$(echo "$root"/gearpump_*.deb)
dpkg-deb --fsys-tarfile "$deb" | tar -t >"$root/deb.list"
expect "$root/deb.list" ./usr/ include/gearpump/gearpump.h share/doc/gearpump/copyright
for file in ${GP_INSTALLED:-}; do
    case $file in
    etc/*) expect "$root/deb.list" ./ "$file" ;;
    *) expect "$root/deb.list" ./usr/ "$file" ;;
    esac
done
[ "$(dpkg-deb -f "$deb" Package)" = gearpump ]
if command -v lintian >/dev/null; then
    lintian --fail-on error --suppress-tags bad-distribution-in-changes-file "$deb"
fi
echo "tarball and Debian package are complete"
