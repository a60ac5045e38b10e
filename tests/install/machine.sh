#!/bin/sh
# The packages on a clean Debian, which debootstrap makes: installed with what they depend on and
# nothing else, used, upgraded, removed, purged; the tarball likewise. Then nothing of them is left.
#
# Needs root, debootstrap and Debian's archive; is skipped with the reason (exit code 77) without.
# The tree is kept beside the build, as a tarball, and each run begins with a fresh copy.
set -eu

cache=${GP_MACHINE_CACHE:-$GP_BUILD_DIR/tests/machine}
mirror=${GP_MACHINE_MIRROR:-http://deb.debian.org/debian}
suite=bookworm

skip() {
    echo "skipped: $*"
    exit 77
}

fail() {
    echo "$*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || skip "only root can make a Debian in a folder"
for command in debootstrap unshare chroot dpkg-deb; do
    command -v "$command" >/dev/null || skip "$command is not installed"
done
# In a mount and pid namespace of its own: whatever happens, nothing stays mounted or runs on.
if [ "${1:-}" != inside ]; then
    unshare --mount --pid --fork true 2>/dev/null || skip "no namespaces can be made here"
    unshare --mount --pid --fork --kill-child sh "$0" inside && exit 0
    exit $?
fi

root=$(mktemp -d)
trap 'umount -R "$root/tree/proc" "$root/tree/dev/shm" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
tree=$root/tree

(cd "$GP_BUILD_DIR" && cpack -B "$root/packages" >"$root/log" 2>&1) || { cat "$root/log" >&2; exit 1; }
rm -rf "$root/packages/_CPack_Packages"
runtime=$(echo "$root"/packages/gearpump_*.deb)
dev=$(echo "$root"/packages/gearpump-dev_*.deb)
tarball=$(echo "$root"/packages/gearpump-*.tar.gz)
# The libraries that the package asks for are in the tree from the start; adduser is in any.
needed=$(dpkg-deb -f "$runtime" Depends | tr ',' '\n' | sed 's/(.*//; s/ //g' | sort | paste -sd,)

mkdir -p "$cache"
base=$cache/$suite-$(echo "$needed" | cksum | cut -d' ' -f1).tar
if [ ! -e "$base" ]; then
    debootstrap --variant=minbase --include="$needed" "$suite" "$root/base" "$mirror" >"$root/log" 2>&1 || {
        tail -n 5 "$root/log" "$root/base/debootstrap/debootstrap.log" >&2 2>/dev/null || true
        skip "debootstrap could not make $suite from $mirror"
    }
    rm -rf "$root"/base/var/cache/apt/archives/*.deb
    tar -C "$root/base" -cf "$base.new" .
    mv "$base.new" "$base"
    rm -rf "$root/base"
fi

# in_tree COMMAND...: as root of the clean machine, with an environment of its own.
in_tree() {
    env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
        DEBIAN_FRONTEND=noninteractive chroot "$tree" "$@"
}

fresh() {
    mkdir "$tree"
    tar -C "$tree" -xf "$base"
    # dpkg in minimal images is told to leave manuals out.
    rm -f "$tree"/etc/dpkg/dpkg.cfg.d/*
    mount -t proc proc "$tree/proc"
    mkdir -p "$tree/dev/shm"
    mount -t tmpfs tmpfs "$tree/dev/shm"
    # Daemons of this machine listen on the same loopback: all ports are free ones.
    cat >"$tree/tmp/use.sh" <<'END'
set -eu
gpd local --port 0 --workers 1 --set http.port=0 --ready-file /root/ready 2>/root/gpd.err &
gpd=$!
for try in $(seq 600); do
    [ ! -e /root/ready ] || break
    sleep 0.1
done
[ -e /root/ready ] || { cat /root/gpd.err >&2; exit 1; }
GEARPUMP_MASTERS=$(sed -n 's/.*"master": *"\([^"]*\)".*/\1/p' /root/ready)
export GEARPUMP_MASTERS
printf 'the gear turns the pump\nthe pump turns\n' >/root/input
mkdir /root/counts
gpctl submit "$1/lib/gearpump/examples/wordcount.so" --name words \
    --set input=/root/input --set output=/root/counts --wait
gpctl list -a | grep words | grep finished
sort /root/counts/part-* | tr '\t\n' '= '
echo
gpctl submit "$1/lib/gearpump/examples/wordcount.so" --name forever
gpctl list | grep forever
[ "$(gpctl __complete kill fore | cut -f1 | head -n 1)" = forever ]
gpctl kill forever
kill "$gpd"
wait "$gpd"
END
}

clean_up() {
    umount "$tree/proc" "$tree/dev/shm"
    rm -rf --one-file-system "$tree"
}

# use_it PREFIX: a cluster, a job that ends and is right, one that is killed.
use_it() {
    in_tree sh /tmp/use.sh "$1" >"$root/used" 2>&1 || { cat "$root/used" >&2; fail "it does not work in $1"; }
    grep -qx 'gear=1 pump=2 the=3 turns=2 ' "$root/used" || { cat "$root/used" >&2; fail "wrong counts"; }
    rm -rf "$tree/root"
    mkdir -m 700 "$tree/root"
}

# Files, users and states of packages; what only dpkg and adduser write of themselves is left out.
inventory() {
    (cd "$tree" && find . \( -path ./proc -o -path ./dev -o -path ./root -o -path ./tmp -o -path ./run \) -prune -o -print |
        grep -vE '^./var/(log|lib/dpkg|cache)/|^./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' | sort)
    cut -d: -f1 "$tree/etc/passwd" "$tree/etc/group"
    in_tree dpkg-query -W -f '${Package} ${db:Status-Status}\n' | grep -v not-installed
}

fresh
inventory >"$root/before"
cp "$runtime" "$dev" "$tree/tmp/"
in_tree sh -c 'dpkg -i /tmp/gearpump_*.deb' >"$root/log" 2>&1 || { cat "$root/log" >&2; fail "cannot be installed"; }
for file in ${GP_INSTALLED:?}; do
    case $file in
    include/* | lib/cmake/* | share/pkgconfig/*) ;;
    *) [ -e "$tree/usr/$file" ] || fail "not installed: /usr/$file" ;;
    esac
done
[ -e "$tree/usr/share/man/man1/gpctl.1.gz" ] || fail "no manual page"
in_tree getent passwd gearpump | grep -q ':/var/lib/gearpump:' || fail "no user for the daemons"
[ -z "$(find "$tree/etc/systemd" -name 'gpd-*')" ] || fail "a daemon is enabled unasked"
in_tree gpd check-config /etc/gearpump/gearpump.yaml >/dev/null
use_it /usr

# What was edited stays when it is upgraded and removed, and goes when it is purged.
echo '# ours' >>"$tree/etc/gearpump/gearpump.yaml"
mkdir -p "$tree/var/lib/gearpump/master"
in_tree sh -c 'dpkg -i /tmp/gearpump_*.deb' >"$root/log" 2>&1 || { cat "$root/log" >&2; fail "cannot be upgraded"; }
grep -qx '# ours' "$tree/etc/gearpump/gearpump.yaml" || fail "upgrading took the settings"
in_tree dpkg -r gearpump >"$root/log" 2>&1 || { cat "$root/log" >&2; fail "cannot be removed"; }
[ ! -e "$tree/usr/bin/gpd" ] || fail "removing left gpd"
[ -d "$tree/var/lib/gearpump/master" ] || fail "removing took the data"
in_tree dpkg -P gearpump >"$root/log" 2>&1 || { cat "$root/log" >&2; fail "cannot be purged"; }
rm "$tree"/tmp/*.deb
inventory >"$root/after"
diff "$root/before" "$root/after" || fail "purging left what stands above"

# The tarball, where people put such things.
tar -C "$tree/usr/local" --strip-components=1 -xf "$tarball"
use_it /usr/local
clean_up
echo "the packages are fine on a clean $suite"
