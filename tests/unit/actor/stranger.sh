#!/bin/sh
# stranger.sh SERVER: the client printed in PROTOCOL.md talks to a real server; with the secret it is
# answered, without it is told why not.
set -eu
server=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
sed '1,/^```python$/d; /^```$/,$d' "$GP_SOURCE_DIR/runtime/wire/PROTOCOL.md" >"$work/client.py"
mkfifo "$work/port"

# Starts a server, then the client with this secret; the client's output is left in out and err.
talk()
{
    printf '%s\n' "$1" >"$work/secret"
    "$server" 'open sesame' >"$work/port" &
    pid=$!
    read -r port <"$work/port"
    status=0
    python3 "$work/client.py" 127.0.0.1 "$port" "$work/secret" >"$work/out" 2>"$work/err" || status=$?
}

talk 'open sesame'
wait "$pid"
[ "$status" -eq 0 ] && grep -q '"cluster": "stranger.s"' "$work/out" || {
    cat "$work/out" "$work/err"
    exit 1
}
talk 'open barley'
kill "$pid" # it waits for a client that gets in
[ "$status" -ne 0 ] && grep -q 'refused: .*-10.*secret_file' "$work/err" || {
    cat "$work/out" "$work/err"
    exit 1
}
