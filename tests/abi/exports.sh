#!/bin/sh
# exports.sh FILE.so...: each plugin exports gp_entry and nothing else, needs nothing but libc, and
# carries the note by which it is known without being loaded.
set -eu
failed=0

complain() {
    echo "$1: $2" >&2
    failed=1
}

for file; do
    exported=$(nm -D --defined-only "$file" | awk '{ print $NF }')
    [ "$exported" = gp_entry ] || complain "$file" "exports $(echo "$exported" | head -n 5 | xargs), not just gp_entry"

    needed=$(readelf -dW "$file" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
    [ "$needed" = libc.so.6 ] || complain "$file" "needs $(echo "$needed" | xargs), not just libc.so.6"

    # What is undefined is weak, or has a version of glibc's.
    strange=$(nm -D --undefined-only "$file" | awk '$1 == "U" && $2 !~ /@GLIBC_/ { print $2 }')
    [ -z "$strange" ] || complain "$file" "undefined: $(echo "$strange" | head -n 5 | xargs)"

    note=$(readelf -nW "$file" | awk '$1 == "Gearpump" { print $2 }')
    [ "$note" = 0x00000100 ] || complain "$file" "has no note of ours, 256 bytes, but '$note'"
done
[ $# -gt 0 ] && [ "$failed" = 0 ] || exit 1
echo "$# plugins checked"
