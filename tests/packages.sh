#!/bin/sh
# packages.sh KIND...: installs those packages of packages.txt that are needed for one of the KINDs
# (build, test, all, bench) and that this machine lacks. Prints nothing if it lacks none.
# GP_SKIP_PACKAGES=1 skips all this, for machines that get their packages in another way.
set -eu

list=$(dirname "$0")/packages.txt
[ "${GP_SKIP_PACKAGES:-}" != 1 ] || exit 0

# fail WHAT WHY TRY
fail() {
    printf 'error: %s\n  why: %s\n  try: %s\n' "$1" "$2" "$3" >&2
    exit 1
}

wanted() {
    for kind in "$@"; do
        awk -v kind="$kind" '$1 == kind { print $2, $3 }' "$list"
    done | while read -r package command; do
        [ -n "$command" ] && command -v "$command" >/dev/null || echo "$package"
    done
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

command -v apt-get >/dev/null ||
    fail "cannot install packages" "this is not a Debian system" \
        "install what $list names, then set GP_SKIP_PACKAGES=1"

missing=
for package in $(wanted "$@"); do
    installed "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "cannot install:$missing" "neither root nor sudo is here" \
        "as root: apt-get install --no-install-recommends$missing"
    as_root=sudo
    [ -t 0 ] || as_root="sudo -n"
fi

apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null
}

# The package lists may be missing or too old: only then are they fetched.
echo "installing:$missing"
# shellcheck disable=SC2086  # $missing is a list of words
apt install -y --no-install-recommends $missing ||
    { apt update && apt install -y --no-install-recommends $missing; } ||
    fail "cannot install:$missing" "apt-get failed, as shown above" \
        "apt-get update && apt-get install --no-install-recommends$missing"
