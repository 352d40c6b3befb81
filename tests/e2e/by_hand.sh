#!/usr/bin/env bash
# The way of the README to run a program on several hosts, with all of them on this machine: build, a key for each party,
# hosts.toml from the template of `tfec hosts`, then every executable by itself, in a folder of its own.
#
#   by_hand.sh TFEC FREE_PORTS
set -euo pipefail

tfec=$(realpath "$1")
free_ports=$(realpath "$2")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
cd "$here/../.."
work=$(mktemp -d)
children=()
finish() {
  for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
  rm -rf "$work"
}
trap finish EXIT
trap 'echo "by_hand: failed at line $LINENO" >&2' ERR

"$tfec" examples/millionaires/millionaires.tfe -o "$work/party"
"$tfec" hosts examples/millionaires/millionaires.tfe >"$work/template.toml"

for party in alice bob helper; do
  mkdir "$work/$party"
  (cd "$work/$party" && "../party-$party" keygen >key.txt 2>/dev/null)
done

# The template has `address = "HOST:PORT"` where a party listens, and `key = "tfe1:..."`.
mapfile -t ports < <("$free_ports" 3)
next=0
party=""
while IFS= read -r line; do
  case $line in
  "["*"]"*) party=${line#[}; party=${party%%]*} ;;
  address*) line="address = \"127.0.0.1:${ports[$next]}\""; next=$((next + 1)) ;;
  key*) line=$(cat "$work/$party/key.txt") ;;
  esac
  printf '%s\n' "$line"
done <"$work/template.toml" >"$work/hosts.toml"
[ "$next" -ge 2 ]

start() { # PARTY ARGUMENTS
  local party=$1
  shift
  (cd "$work/$party" && exec "../party-$party" --hosts ../hosts.toml --wait 20 --timeout 20 --progress none "$@" \
    >out.txt 2>err.txt) &
  children+=($!)
}

start helper --stats stats.json
start bob --input wealth=4100000 --stats stats.json
start alice --input wealth=5300000 --stats stats.json
for child in "${children[@]}"; do
  wait "$child" || { cat "$work"/*/err.txt >&2; exit 1; }
done
children=()

for party in alice bob; do
  grep -qx 'alice is richer: true' "$work/$party/out.txt"
done
# One hash at all parties, and it is the one of the program.
hash=$("$tfec" hash examples/millionaires/millionaires.tfe)
for party in alice bob helper; do
  [ "$("$work/party-$party" --hash)" = "$hash" ]
  grep -q "\"program\": \"$hash\"" "$work/$party/stats.json"
done

# A party with another program than the one that was agreed on does not start.
code=0
"$work/party-alice" --program 00 --hosts "$work/hosts.toml" --key "$work/alice/party-alice.key" --input wealth=1 \
  2>"$work/refused.txt" || code=$?
[ "$code" -eq 76 ]
grep -q 'R0103' "$work/refused.txt"

# An input of the wrong shape is refused at its owner before anybody is connected.
"$tfec" examples/hospitals/hospitals.tfe -o "$work/h" --only hospital
code=0
(cd "$work" && ./h-hospital --index 1 --hosts hosts.toml --input 'patients=[[1, 2]]' 2>shape.txt) || code=$?
[ "$code" -eq 65 ]
grep -q 'R0201.*patients' "$work/shape.txt"
echo "by hand: three parties, keys, hosts.toml, results and refusals as expected"
