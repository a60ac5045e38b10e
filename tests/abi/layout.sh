#!/bin/sh
# layout.sh INCLUDE_DIR: the layout of the ABI is what layout.c says, in both languages, under the
# compilers that are here.
set -eu
include=$1
here=$(dirname "$0")
checked=0

# check COMPILER STANDARD LANGUAGE
check() {
    command -v "$1" >/dev/null || return 0
    "$1" "-std=$2" -x "$3" -fsyntax-only -pedantic -Wall -Wextra -Werror -I"$include" "$here/layout.c"
    checked=$((checked + 1))
}

check gcc c11 c
check clang c11 c
check g++ c++17 c++
check clang++ c++17 c++
echo "layout checked by $checked compilers"
[ "$checked" -gt 0 ]
