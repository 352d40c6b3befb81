#!/usr/bin/env bash
# `tfec run --rtt --bandwidth`: a run takes as long as its rounds and bytes say, and its results and counters are those of a
# run without. `tfec explain` gives the same time.
#
#   link.sh TFEC
set -euo pipefail

tfec=$(realpath "$1")
cd "$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "link: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

program=examples/logistic/logistic.tfe
arguments=(-D epochs=2 -D samples=20 --seed 1 --input client:x=examples/logistic/query.csv)

run() { # NAME OPTIONS: what is printed, the counters without the time, and the longest time
  local name=$1
  shift
  "$tfec" run "$program" "${arguments[@]}" --stats "$work/$name.stats" "$@" >"$work/$name.out"
  sed 's/, "seconds".*//' "$work/$name.stats"/*.json >"$work/$name.counts"
  sed 's/.*"seconds": \([0-9.]*\)}/\1/' "$work/$name.stats"/*.json | sort -n | tail -n 1
}

holds() { # CONDITION of awk
  awk "BEGIN { exit !($1) }" </dev/null || {
    echo "link: $1 does not hold" >&2
    exit 1
  }
}

run plain >/dev/null
rounds=$(sed 's/.*"rounds": \([0-9]*\).*/\1/' "$work/plain.counts" | sort -n | tail -n 1)
bytes=$(sed 's/.*"bytes_sent": \([0-9]*\).*/\1/' "$work/plain.counts" | sort -n | tail -n 1)
[ "$rounds" -ge 20 ]

# A party's time begins when it knows that the others are ready, which is up to one delay after the first of them.
far=$(run far --rtt 20ms)
holds "$far >= ($rounds - 1) * 0.010"
diff "$work/plain.counts" "$work/far.counts" >&2
awk -v tolerance=0.02 -f tests/e2e/compare.awk "$work/plain.out" "$work/far.out"
"$tfec" explain "$program" "${arguments[@]:0:4}" --rtt 20ms >"$work/explained"
about=$(sed -n 's/.*about \([0-9]*\) ms.*/\1/p' "$work/explained")
holds "$about >= $rounds * 10 && $about <= $rounds * 10 + 5"

narrow=$(run narrow --bandwidth 1Mbit)
holds "$narrow >= $bytes * 8 / 1e6"
diff "$work/plain.counts" "$work/narrow.counts" >&2

for wrong in "--rtt 40" "--rtt soon" "--bandwidth 100" "--bandwidth -1Mbit"; do
  code=0
  # shellcheck disable=SC2086
  "$tfec" run "$program" $wrong 2>"$work/err" || code=$?
  [ "$code" -eq 2 ]
  grep -q "takes a r" "$work/err"
done
echo "link: $rounds rounds at 20 ms in $far s (explain: $about ms), $bytes bytes at 1 Mbit/s in $narrow s"
