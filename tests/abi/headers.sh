#!/bin/sh
# headers.sh INCLUDE_DIR: every SDK header stands alone, may be included twice, and is clean as C11 and
# as C++17 under the compilers that are here.
set -eu
include=$1
failed=0
checked=0

# check COMPILER STANDARD LANGUAGE FLAGS...
check() {
    compiler=$1 standard=$2 language=$3
    shift 3
    command -v "$compiler" >/dev/null || return 0
    for header in "$include"/gearpump/*.h; do
        name=gearpump/${header##*/}
        checked=$((checked + 1))
        printf '#include <%s>\n#include <%s>\nint gp_not_empty;\n' "$name" "$name" |
            "$compiler" "-std=$standard" -x "$language" -I"$include" -fsyntax-only -pedantic -Wall -Wextra \
                -Werror "$@" - || { echo "$name: not clean as $standard with $compiler" >&2; failed=1; }
    done
}

c_flags="-Wshadow -Wconversion -Wstrict-prototypes -Wundef"
cxx_flags="-Wshadow -Wconversion -Wundef"
# What -Weverything says of any C header: padding, old standards, C casts, the views into byte buffers.
clang_flags="-Weverything -Wno-padded -Wno-cast-align -Wno-declaration-after-statement
    -Wno-missing-variable-declarations"
clang_cxx_flags="$clang_flags -Wno-c++98-compat -Wno-c++98-compat-pedantic -Wno-old-style-cast
    -Wno-zero-as-null-pointer-constant"

# shellcheck disable=SC2086  # the flags are lists of words
{
    check gcc c11 c $c_flags
    check clang c11 c $clang_flags
    check g++ c++17 c++ $cxx_flags
    check clang++ c++17 c++ $clang_cxx_flags
}
echo "$checked headers checked"
[ "$checked" -gt 0 ] || failed=1
exit "$failed"
