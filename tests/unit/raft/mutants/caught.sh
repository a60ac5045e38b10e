#!/bin/sh
# caught.sh PROGRAM: its tests must find the mistake that was made in it: by a rule, or by a crash.
set -u
out=$("$1" 2>&1)
code=$?
printf '%s\n' "$out" | grep -E 'GP_RAFT_SEED=|not true|: left is|CRASH|rash' | head -3
if [ "$code" -eq 0 ]; then
    echo "$1: nothing was found"
    exit 1
fi
printf '%s\n' "$out" | grep -qE 'GP_RAFT_SEED=|not true|: left is|rash'
