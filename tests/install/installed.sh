#!/bin/sh
# The installed tree is enough to write jobs with: the examples build from it by find_package(),
# by pkg-config and by hand, each result needs nothing but libc, and a test links the testkit.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
prefix=$root/prefix

cmake --install "$GP_BUILD_DIR" --prefix "$prefix" >/dev/null
for file in ${GP_INSTALLED:?} etc/gearpump/gearpump.yaml share/doc/gearpump/LICENSE \
    lib/systemd/system/gpd-master.service lib/systemd/system/gpd-worker.service \
    share/zsh/site-functions/_gpctl; do
    [ -e "$prefix/$file" ] || { echo "not installed: $file" >&2; exit 1; }
done
# Debug information is stripped from packages, and the only thing that may say where it was built.
cmake --install "$GP_BUILD_DIR" --prefix "$root/stripped" --strip >/dev/null
for folder in "$GP_SOURCE_DIR" "$GP_BUILD_DIR" "$root"; do
    ! grep -rlF "$folder" "$root/stripped" || { echo "the files above name $folder" >&2; exit 1; }
done
# Completion is what the program prints; pages are without a fault.
for file in bash-completion/completions/gpctl:bash zsh/site-functions/_gpctl:zsh \
    fish/vendor_completions.d/gpd.fish:fish; do
    "$prefix/bin/gpctl" completion "${file#*:}" | cmp - "$prefix/share/${file%:*}"
done
for page in man1/gpctl.1 man8/gpd.8 man5/gearpump.yaml.5; do
    gzip -dc "$prefix/share/man/$page.gz" >"$root/page"
    if command -v man >/dev/null; then
        said=$(LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings -l "$root/page" 2>&1 >/dev/null)
        [ -z "$said" ] || { echo "$page: $said" >&2; exit 1; }
    fi
    ! command -v mandoc >/dev/null || mandoc -Tlint -Wstyle "$root/page"
done
# Moved elsewhere it still works.
mv "$prefix" "$root/moved"
prefix=$root/moved

# check_plugin FILE
check_plugin() {
    nm -D --defined-only "$1" | grep -q ' gp_entry$' || { echo "$1: no gp_entry" >&2; exit 1; }
    readelf -d "$1" | awk '/NEEDED/ && !/\[libc\.so\.6\]/ { print; bad = 1 } END { exit bad }' || {
        echo "$1: needs more than libc" >&2
        exit 1
    }
}

for example in wordcount sol; do
    [ -d "$GP_BUILD_DIR/examples" ] || continue # built with GP_BUILD_EXAMPLES=OFF
    # By find_package(): the example's own CMakeLists.txt does it.
    app=$root/$example
    cp -r "$prefix/share/gearpump/examples/$example" "$app"
    cmake -S "$app" -B "$app/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
    cmake --build "$app/build" >/dev/null
    check_plugin "$app/build/$example.so"
    [ "$(nm -D --defined-only "$app/build/$example.so" | wc -l)" = 1 ] || {
        echo "$example: gp_add_plugin() exports more than gp_entry" >&2
        exit 1
    }

    flags=$(PKG_CONFIG_PATH=$prefix/share/pkgconfig pkg-config --cflags gearpump-sdk)
    # shellcheck disable=SC2086  # a list of flags
    cc -shared -fPIC $flags "$app"/*.c -o "$app/by_pkg_config.so"
    check_plugin "$app/by_pkg_config.so"

    cc -shared -fPIC "$app"/*.c -o "$app/by_hand.so" -I"$prefix/include"
    check_plugin "$app/by_hand.so"
done

cat >"$root/kit.c" <<'END'
#include <gearpump/testkit.h>
int main(void)
{
    gp_kit_free(gp_kit_new(NULL, 0, 1));
    return 0;
}
END
cat >"$root/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(kit C)
find_package(gearpump 0.1 REQUIRED)
add_executable(kit kit.c)
target_link_libraries(kit gearpump::testkit)
END
cmake -S "$root" -B "$root/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$root/build" >/dev/null
"$root/build/kit"
echo "examples and a test build from the installed tree"
