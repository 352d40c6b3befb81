#!/usr/bin/env bash
# Runs one program that must fail, and checks the exit code and what it says.
#
#   expect_error.sh TFEC PROGRAM    first line of PROGRAM: `# exit CODE: ARGUMENTS of tfec before the program's name`;
#                                   then lines `# says TEXT`: each text must be part of what is printed, `never TEXT`: must not
set -euo pipefail

tfec=$(realpath "$1")
cd "$(dirname "$2")"
program=$(basename "$2")
found=$(mktemp)
trap 'rm -f "$found"' EXIT

code=$(sed -n '1s/^# exit \([0-9]*\):.*/\1/p' "$program")
read -r -a arguments <<<"$(sed -n '1s/^# exit [0-9]*: *//p' "$program")"
status=0
"$tfec" "${arguments[@]}" "$program" >"$found" 2>&1 || status=$?
fail() { echo "$program: $1" >&2; cat "$found" >&2; exit 1; }
[ "$status" = "$code" ] || fail "exit code $status, expected $code"
while read -r text; do
  grep -qF -- "$text" "$found" || fail "it does not say: $text"
done < <(sed -n 's/^# says //p' "$program")
while read -r text; do
  ! grep -qF -- "$text" "$found" || fail "it says: $text"
done < <(sed -n 's/^# never //p' "$program")
