#!/usr/bin/env bash
# A party that is killed in the middle of a run ends the run: at once, with its name, and no process stays behind.
#
#   lost_peer.sh TFEC
set -euo pipefail

tfec=$(realpath "$1")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
cd "$here/../.."
work=$(mktemp -d)
run=""
finish() {
  [ -z "$run" ] || kill "$run" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
trap 'echo "lost_peer: failed at line $LINENO" >&2; cat "$work/err" >&2' ERR

"$tfec" run examples/logistic/logistic.tfe -D epochs=100000 --input client:x=examples/logistic/query.csv \
  --output missing=none >"$work/out" 2>"$work/err" && exit 1
grep -q 'missing' "$work/err" # an output that no party has is refused before anything starts

"$tfec" run examples/logistic/logistic.tfe -D epochs=100000 --input client:x=examples/logistic/query.csv \
  >"$work/out" 2>"$work/err" &
run=$!

victim=""
for _ in $(seq 100); do
  for child in $(cat "/proc/$run/task/$run/children" 2>/dev/null || true); do
    if { tr '\0' ' ' <"/proc/$child/cmdline"; } 2>/dev/null | grep -q 'party-server2 .*--listen-fd'; then victim=$child; fi
  done
  [ -z "$victim" ] || break
  sleep 0.1
done
[ -n "$victim" ]
sleep 1 # into the training
others=$(cat "/proc/$run/task/$run/children")
kill -KILL "$victim"

started=$(date +%s)
code=0
wait "$run" || code=$?
run=""
[ "$code" -ne 0 ]
[ $(($(date +%s) - started)) -le 30 ]
grep -q server2 "$work/err"
[ ! -s "$work/out" ]
for child in $others; do
  [ ! -e "/proc/$child" ]
done
echo "a killed server: the run ended with code $code, named it, and left nothing behind"
