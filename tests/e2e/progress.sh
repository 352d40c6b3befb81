#!/usr/bin/env bash
# What people see while a program runs: lines, JSON, the log, nothing; and that nothing of it goes to standard output.
#
#   progress.sh TFEC
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin progress "$@"
cd "$here"

run() { "$tfec" run progress.tfe --input x='[1, 1, 1, 1, 1, 1, 1, 1]' "$@" >"$work/out.txt" 2>"$work/err.txt"; }
seen() { grep -qE "$1" "$work/err.txt" || fail "not seen: $1 in $(cat "$work/err.txt")"; }

run
[ ! -s "$work/err.txt" ] || fail "something is shown without a terminal: $(cat "$work/err.txt")"
printed=$(cat "$work/out.txt")
run --progress lines
[ "$(cat "$work/out.txt")" = "$printed" ] || fail "progress changes what is printed"
seen '^server0  epoch 3/3  batch 0/5  loss 0\.00[0-9]*  +[0-9]+ %  .*[0-9]+/[0-9]+ rounds  [0-9.]+ MB$'
run --progress json
seen '^\{"party":"server0","label":"epoch","done":3,"total":3,"inner":\[\{"label":"batch","done":0,"total":5\}\],"shown":"loss 0\.00'
if command -v python3 >/dev/null; then python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <"$work/err.txt" || fail "this is not JSON"; fi
run --progress none
[ ! -s "$work/err.txt" ] || fail "--progress none shows something"

# The log has it without being asked, with the line of the program.
"$tfec" progress.tfe -o "$work/party"
set_up progress.tfe
for party in server0 server1 producer; do start "$party"; done
start owner --input x='[1, 1, 1, 1, 1, 1, 1, 1]'
for party in server0 server1 producer owner; do expect "$party" 0 ""; done
grep -qE 'Z server0 [0-9a-f]{16} .*epoch 3/3  batch 0/5  loss 0\.00' "$work/server0/log.txt" || fail "the log does not say how far it is" server0
