#!/bin/sh
# protocol.sh TABLES [--write]: the tables in PROTOCOL.md are those of the program. TABLES prints them;
# with --write the document is brought up to date.
set -eu
tables=$1
document=$GP_SOURCE_DIR/runtime/wire/PROTOCOL.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
    sed '/^<!-- tables -->$/q' "$document"
    echo
    "$tables"
    echo '<!-- end of tables -->'
    sed '1,/^<!-- end of tables -->$/d' "$document"
} >"$work/new"
if [ "${2:-}" = --write ]; then
    cp "$work/new" "$document"
elif ! diff -u "$document" "$work/new" >"$work/diff"; then
    head -40 "$work/diff"
    echo "PROTOCOL.md is behind the field tables; bring it up to date with:"
    echo "GP_SOURCE_DIR=$GP_SOURCE_DIR sh $0 $tables --write"
    exit 1
fi
