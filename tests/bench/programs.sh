#!/bin/sh
# Whole programs on this machine, all parties as processes over loopback TLS: the median of several runs.
#
#   programs.sh TFEC [RUNS=5]
#
# build    tfec FILE -o PREFIX, seconds
# run      the slowest party, connected to finished, seconds (input of its own data included, building not)
# passes/s training batches (or what the program loops over) a second in that time
# rounds, server bytes: exact, of one server
set -eu

tfec=$1
runs=${2:-5}
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# name, passes, file under examples/, arguments of run
bench() {
  name=$1
  passes=$2
  file=$root/examples/$3
  shift 3
  : > "$work/build"
  : > "$work/run"
  for _ in $(seq "$runs"); do
    start=$(date +%s%N)
    "$tfec" "$file" -o "$work/party"
    echo "$start $(date +%s%N)" | awk '{ print ($2 - $1) / 1e9 }' >> "$work/build"
    "$tfec" run "$file" --stats "$work/stats" "$@" > /dev/null
    sed 's/.*"seconds": \([0-9.]*\).*/\1/' "$work"/stats/*.json | sort -n | tail -n 1 >> "$work/run"
  done
  seconds=$(median < "$work/run")
  server=$(ls "$work"/stats/server*.json | head -n 1)
  rounds=$(sed 's/.*"rounds": \([0-9]*\).*/\1/' "$server")
  bytes=$(sed 's/.*"bytes_sent": \([0-9]*\).*/\1/' "$server")
  printf '%-10s build %6.3f s   run %7.3f s   %8.0f passes/s   %7d rounds   %9d bytes\n' "$name" \
    "$(median < "$work/build")" "$seconds" "$(awk "BEGIN { print $passes / $seconds }")" "$rounds" "$bytes"
  rm -rf "$work/stats"
}

bench logistic 1660 logistic/logistic.tfe --input "client:x=$root/examples/logistic/query.csv"
bench clinics 65 clinics/clinics.tfe --data "$root/examples/clinics/data"
bench hospitals 1 hospitals/hospitals.tfe --data "$root/examples/hospitals/data"
