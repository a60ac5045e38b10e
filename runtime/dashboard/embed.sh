#!/bin/sh
# embed.sh FOLDER OUT: compresses the files in FOLDER and writes OUT/page_bytes.s and OUT/page_assets.c,
# which make them part of the program (runtime/app/page_asset.h). Needs nothing but sh, gzip and
# coreutils, so that a machine without node can embed the plain page.
set -eu
folder=$1
out=$2

content_type() {
    case "$1" in
    *.html) echo "text/html; charset=utf-8" ;;
    *.js) echo "text/javascript; charset=utf-8" ;;
    *.css) echo "text/css; charset=utf-8" ;;
    *.svg) echo "image/svg+xml" ;;
    *.json) echo "application/json" ;;
    *) echo "text/plain; charset=utf-8" ;;
    esac
}

# The path it is asked for by: /licences, not /licences.txt.
path() {
    case "$1" in
    index.html) echo / ;;
    *.txt) echo "/${1%.txt}" ;;
    *) echo "/$1" ;;
    esac
}

mkdir -p "$out/gzip"
bytes=$out/page_bytes.s
table=$out/page_assets.c
printf '/* Made by embed.sh. */\n    .section .rodata\n' >"$bytes"
: >"$table.externs"
: >"$table.rows"
count=0
for file in "$folder"/*; do
    name=${file##*/}
    packed=$out/gzip/$name.gz
    gzip -9nc "$file" >"$packed"
    sum=$(sha256sum <"$packed")
    symbol=page_bytes_$count
    printf '    .balign 16\n    .global %s\n    .hidden %s\n%s:\n    .incbin "%s"\n' \
        $symbol $symbol $symbol "$packed" >>"$bytes"
    printf 'extern const unsigned char %s[];\n' $symbol >>"$table.externs"
    printf '    {"%s", "%s", "\\"%.32s\\"", %s, %d},\n' "$(path "$name")" \
        "$(content_type "$name")" "$sum" $symbol "$(wc -c <"$packed")" >>"$table.rows"
    count=$((count + 1))
done
printf '    .section .note.GNU-stack,"",%%progbits\n' >>"$bytes"
{
    printf '/* Made by embed.sh. */\n#include "app/page_asset.h"\n\n'
    cat "$table.externs"
    printf '\nconst struct page_asset page_assets[] = {\n'
    cat "$table.rows"
    printf '};\nconst size_t page_assets_count = %d;\n' $count
} >"$table"
rm -f "$table.externs" "$table.rows"
