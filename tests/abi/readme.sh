#!/bin/sh
# readme.sh TESTKIT.a: the programs in sdk/README.md compile as it says, and the test in it passes.
# A block of code is a file if its fence names one: ```c app.c
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
sdk=$GP_SOURCE_DIR/sdk

awk -v folder="$folder" '
    /^```/ { file = NF == 2 && file == "" ? folder "/" $2 : ""; next }
    file != "" { print > file }
' "$sdk/README.md"
cd "$folder"
cc -Wall -Wextra -Werror -shared -fPIC app.c -o app.so "-I$sdk/include"
sh "$GP_SOURCE_DIR/tests/abi/exports.sh" app.so
cc -Wall -Wextra -Werror -g app.c app_test.c "$1" -o app_test "-I$sdk/include"
./app_test
