#!/bin/sh
# The installed tree is enough to write jobs with: the examples build from it by find_package(), by
# pkg-config and by hand, a job in C++17 does too, each result needs nothing but libc and runs with
# the installed programs, and a test links the testkit. The tree is complete, names no folder of the
# build, and may be moved; DESTDIR is obeyed.
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
# With the prefix /usr some places are others, and none of them is on this machine.
DESTDIR=$root/dest cmake --install "$GP_BUILD_DIR" --prefix /usr >"$root/log"
! sed -n 's/^-- \(Installing\|Up-to-date\): //p' "$root/log" | grep -v "^$root/dest/" || {
    echo "installed in spite of DESTDIR" >&2
    exit 1
}
for file in etc/gearpump/gearpump.yaml lib/systemd/system/gpd-worker.service \
    usr/share/zsh/vendor-completions/_gpctl usr/bin/gpd; do
    [ -e "$root/dest/$file" ] || { echo "not installed: $file" >&2; exit 1; }
done
# Completion is what the program prints; pages are without a fault.
for file in bash-completion/completions/gpctl:bash zsh/site-functions/_gpctl:zsh \
    fish/vendor_completions.d/gpd.fish:fish; do
    "$prefix/bin/gpctl" completion "${file#*:}" | cmp - "$prefix/share/${file%:*}"
done
for page in man1/gpctl.1 man8/gpd.8 man5/gearpump.yaml.5; do
    text=$root/${page#*/} # its name must end with its section
    gzip -dc "$prefix/share/man/$page.gz" >"$text"
    if command -v man >/dev/null; then
        said=$(LC_ALL=C.UTF-8 MANROFFSEQ= man --warnings -l "$text" 2>&1 >/dev/null)
        [ -z "$said" ] || { echo "$page: $said" >&2; exit 1; }
    fi
    ! command -v mandoc >/dev/null || mandoc -Tlint -Wstyle "$text"
done
# Units are without a fault; what is said of others is not ours.
if command -v systemd-analyze >/dev/null; then
    mkdir "$root/units"
    for unit in gpd-master gpd-worker; do
        sed "s|/usr/local/bin|$prefix/bin|" "$prefix/lib/systemd/system/$unit.service" >"$root/units/$unit.service"
    done
    systemd-analyze verify --man=no "$root"/units/*.service >"$root/said" 2>&1 || echo "gpd-*: refused" >>"$root/said"
    ! grep 'gpd-' "$root/said" >&2 || exit 1
fi
# No page links to what is not there.
find "$prefix/share" -name '*.md' >"$root/pages"
while read -r page; do
    grep -oE '\]\([^):#]+' "$page" | cut -c3- | sort -u | while read -r link; do
        [ -e "${page%/*}/$link" ] || echo "${page#"$prefix/"}: $link is not installed"
    done
done <"$root/pages" >"$root/broken"
[ ! -s "$root/broken" ] || { cat "$root/broken" >&2; exit 1; }
# Moved elsewhere it still works.
mv "$prefix" "$root/moved"
prefix=$root/moved

# check_plugin FILE
check_plugin() {
    nm -D --defined-only "$1" | grep -q ' gp_entry$' || { echo "$1: no gp_entry" >&2; exit 1; }
    readelf -d "$1" | awk '/NEEDED/ && !/\[(libc\.so\.6|ld-linux.*)\]/ { print; bad = 1 } END { exit bad }' || {
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

    cc -std=c11 -Wall -Wextra -Werror -D_GNU_SOURCE -shared -fPIC "$app"/*.c \
        -o "$app/by_hand.so" -I"$prefix/include"
    check_plugin "$app/by_hand.so"
done
if [ -d "$GP_BUILD_DIR/examples" ]; then
    # With the installed plugin of files, which a moved tree finds beside itself.
    printf 'the gear turns the pump\n' >"$root/input"
    mkdir "$root/counts"
    "$prefix/bin/gpctl" run "$root/wordcount/build/wordcount.so" --set input="$root/input" \
        --set output="$root/counts" >"$root/log" 2>&1 || { cat "$root/log" >&2; exit 1; }
    [ "$(sort "$root"/counts/part-* | tr '\t\n' '= ')" = 'gear=1 pump=1 the=2 turns=1 ' ]
fi

# The same in C++17, in a project that knows no other language.
mkdir "$root/cpp"
cat >"$root/cpp/job.cpp" <<'END'
#include <gearpump/gearpump.h>

#include <map>
#include <new>
#include <string>

static int32_t numbers_poll(void *self, struct gp_out *out, uint32_t)
{
    for (int i = 0; i < 1000; i++) {
        const std::string text = std::to_string(i % 10);
        if (gp_emit(out, gp_now_ns(static_cast<const gp_task *>(self)), text.data(), text.size()) != GP_OK) {
            return GP_FAIL;
        }
    }
    return GP_END;
}

static int32_t numbers_open(const gp_task *task, void **ret_self)
{
    *ret_self = const_cast<gp_task *>(task);
    return GP_OK;
}

struct tally {
    const gp_task *task;
    std::map<std::string, int> counts;
};

static int32_t tally_open(const gp_task *task, void **ret_self)
{
    *ret_self = new (std::nothrow) tally{task, {}};
    return *ret_self ? GP_OK : gp_fail(task, "no memory");
}

static int32_t tally_process(void *self, uint32_t, const gp_batch *in, uint32_t *consumed, struct gp_out *out)
{
    GP_EACH (row, in, consumed, out) {
        static_cast<tally *>(self)->counts[std::string(static_cast<const char *>(row->value), row->value_len)]++;
    }
    return GP_OK;
}

static int32_t tally_on_end(void *self, struct gp_out *)
{
    const tally *t = static_cast<tally *>(self);
    gp_logf(t->task, GP_LOG_INFO, "%d of %d", t->counts.at("7"), static_cast<int>(t->counts.size()));
    return GP_OK;
}

static void tally_close(void *self, uint32_t)
{
    delete static_cast<tally *>(self);
}

static constexpr gp_processor numbers = [] {
    gp_processor p{};
    p.size = sizeof p;
    p.kind = GP_KIND_PROCESSOR;
    p.type = "numbers";
    p.open = numbers_open;
    p.poll = numbers_poll;
    return p;
}();

static constexpr gp_processor tallies = [] {
    gp_processor p{};
    p.size = sizeof p;
    p.kind = GP_KIND_PROCESSOR;
    p.type = "tally";
    p.open = tally_open;
    p.process = tally_process;
    p.on_end = tally_on_end;
    p.close = tally_close;
    return p;
}();

static int32_t build(const gp_build *b)
{
    gp_connect(b, gp_add(b, "numbers", &numbers, 1), gp_add(b, "tally", &tallies, 1), GP_SHUFFLE);
    return GP_OK;
}

GP_APP("cpp", "1.0.0", build, &numbers, &tallies)
END
cat >"$root/cpp/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.16)
project(cpp CXX)
find_package(gearpump 0.1 REQUIRED)
gp_add_plugin(cpp SOURCES job.cpp)
target_compile_options(cpp PRIVATE -Wall -Wextra -pedantic -Werror)
END
cmake -S "$root/cpp" -B "$root/cpp/build" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null
cmake --build "$root/cpp/build" >"$root/log" || { cat "$root/log" >&2; exit 1; }
check_plugin "$root/cpp/build/cpp.so"
"$prefix/bin/gpctl" run "$root/cpp/build/cpp.so" >"$root/log" 2>&1 || { cat "$root/log" >&2; exit 1; }
grep -q '100 of 10' "$root/log" || { cat "$root/log" >&2; exit 1; }

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
