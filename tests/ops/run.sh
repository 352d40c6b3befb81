#!/usr/bin/env bash
# Runs one program under its own protocols and under kind clear, and compares what the two print.
#
#   run.sh TFEC PROGRAM        the first line of PROGRAM: `# within T: what it is about`; T: by how much numbers may differ
set -euo pipefail

tfec=$(realpath "$1")
program=$(realpath "$2")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
tolerance=$(sed -n '1s/^# within \([0-9.]*\):.*/\1/p' "$program")
[ -n "$tolerance" ] || { echo "$program: the first line does not say \`# within T:\`" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for kind in real clear; do
  [ "$kind" = clear ] && flag=--clear || flag=
  "$tfec" run $flag "$program" >"$work/$kind" 2>"$work/$kind.err" || {
    cat "$work/$kind.err" "$work/$kind" >&2
    exit 1
  }
done
# a tensor may be printed on one line or row by row, as its digits will have it
joined() { awk '/^ +\[/ { line = line " " $0; next } NR > 1 { print line } { line = $0 } END { print line }' "$1"; }
# joint lines in their order, then those of each party: parties print when they come to it
for kind in real clear; do
  { joined "$work/$kind" | grep -v '^[a-z][a-z0-9_.]*: ' || true; grep '^[a-z][a-z0-9_.]*: ' "$work/$kind" | sort -s -t: -k1,1 || true; } >"$work/$kind.sorted"
done
awk -v tolerance="$tolerance" -f "$here/../e2e/compare.awk" "$work/clear.sorted" "$work/real.sorted" >&2
echo "$(basename "$program"): $(wc -w <"$work/real") words agree within $tolerance"
