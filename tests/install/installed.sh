#!/bin/sh
# The installed tree is enough to write jobs with: an example builds from it by find_package(), by
# pkg-config and by hand, and each result needs nothing but libc.
set -eu
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
prefix=$root/prefix
example=$GP_SOURCE_DIR/examples/wordcount

cmake --install "$GP_BUILD_DIR" --prefix "$prefix" >/dev/null
for file in include/gearpump/gearpump.h lib/cmake/gearpump/gearpump-config.cmake \
    lib/pkgconfig/gearpump-sdk.pc share/doc/gearpump/LICENSE ${GP_INSTALLED:-}; do
    [ -e "$prefix/$file" ] || { echo "not installed: $file" >&2; exit 1; }
done
! grep -rl "$GP_SOURCE_DIR" "$prefix/lib/cmake" "$prefix/lib/pkgconfig" || {
    echo "the files above name the source folder" >&2
    exit 1
}
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

[ -d "$example" ] || { echo "no example yet"; exit 0; }
mkdir "$root/app"
cp "$example"/*.[ch] "$root/app" 2>/dev/null || cp "$example"/*.c "$root/app"
cat >"$root/app/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(app C)
find_package(gearpump 0.1 REQUIRED)
file(GLOB sources *.c)
gp_add_plugin(app SOURCES ${sources})
END
cmake -S "$root/app" -B "$root/app/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$root/app/build" >/dev/null
check_plugin "$root/app/build/app.so"
[ "$(nm -D --defined-only "$root/app/build/app.so" | wc -l)" = 1 ] || {
    echo "gp_add_plugin() exports more than gp_entry" >&2
    exit 1
}

flags=$(PKG_CONFIG_PATH=$prefix/lib/pkgconfig pkg-config --cflags gearpump-sdk)
# shellcheck disable=SC2086  # a list of flags
cc -shared -fPIC $flags "$root"/app/*.c -o "$root/app/by_pkg_config.so"
check_plugin "$root/app/by_pkg_config.so"

cc -shared -fPIC "$root"/app/*.c -o "$root/app/by_hand.so" -I"$prefix/include"
check_plugin "$root/app/by_hand.so"
echo "an example builds from the installed tree in three ways"
