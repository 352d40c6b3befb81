#!/usr/bin/env bash
# What crosses the network does not depend on what is secret: two runs with different inputs send messages of the same sizes
# in the same order, on every connection and in both directions; all of it TLS 1.3. Needs root, for a network namespace.
#
#   wire.sh TFEC CAPTURE
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin wire "$1"
capture=$(realpath "$2")
cd "$top"

# In a session the order of arrival decides who passes what on to whom. It ends on each link with a record of this size, and
# no other record of a session has it (session.c: READY): a header of 16 bytes, 1 byte, and the 17 that TLS adds.
ready=34

# The sizes of the records that a run sends behind that mark, a line for each direction of a connection, without the goodbye
# (who ends last has nobody to say it to). Together they are the bytes that the parties counted: nothing is missing.
sizes() { # OUT ARGUMENTS OF TFEC RUN
  local code=0 counted
  rm -rf "$work/stats"
  "$capture" --after "$ready" "$tfec" run "${@:2}" --stats "$work/stats" >"$work/raw" || code=$?
  [ "$code" -ne 77 ] || { cat "$work/raw"; exit 77; }
  [ "$code" -eq 0 ] || { cat "$work/shell.txt" >&3; fail "capture of $2 ended with code $code"; }
  sed -E 's/ *(33( 19)?)? *$//' "$work/raw" | sort >"$1"
  counted=$(cat "$work"/stats/*.json | grep -o '"bytes_sent": [0-9]*' | awk '{ n += $2 } END { print n }')
  awk -v counted="$counted" '{ for (i = 1; i <= NF; i++) n += $i - 17 } END { exit n != counted }' "$1" ||
    fail "$2: the records do not add up to the $counted bytes that were counted"
}

same() { # PROGRAM: its last two runs
  diff "$work/one" "$work/two" >&3 || fail "$1: the sizes depend on the inputs"
  [ "$(wc -l <"$work/one")" -eq $((2 * $("$tfec" connections "$1" | wc -l))) ] || fail "$1: not all connections were seen"
}

m=examples/millionaires/millionaires.tfe
sizes "$work/one" $m --input alice:wealth=5 --input bob:wealth=4
sizes "$work/two" $m --input alice:wealth=-5300000 --input bob:wealth=999999999999
same $m

h=examples/hospitals
for i in 0 1 2; do # other patients
  mkdir -p "$work/data/hospital.$i"
  awk -F, '{ printf "%.1f,%.1f\n", 90 - $1 / 2, $2 * 1.25 }' "$h/data/hospital.$i/patients.csv" \
    >"$work/data/hospital.$i/patients.csv"
done
sizes "$work/one" $h/hospitals.tfe --data $h/data
sizes "$work/two" $h/hospitals.tfe --data "$work/data"
same $h/hospitals.tfe

# The same training on other data: the seed of the providers' generators, and the query.
mkdir "$work/first" "$work/second"
cp examples/logistic/logistic.tfe "$work/first/logistic.tfe"
sed 's/seed(42 + me)/seed(4711 + me)/' examples/logistic/logistic.tfe >"$work/second/logistic.tfe"
cmp -s "$work"/*/logistic.tfe && fail "the example has another seed than this test replaces"
sizes "$work/one" "$work/first/logistic.tfe" -D epochs=1 --input client:x=examples/logistic/query.csv
sizes "$work/two" "$work/second/logistic.tfe" -D epochs=1 --input 'client:x=[[-3.25, 7.5]]'
same examples/logistic/logistic.tfe

echo "wire: TLS 1.3 and nothing else; sizes and order of messages do not depend on the inputs"
