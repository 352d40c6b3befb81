#!/usr/bin/env bash
# Builds and runs one example as its README says, and checks what it prints and what it costs.
#
#   run_example.sh TFEC EXAMPLE        EXAMPLE: folder with NAME.tfe and expected.txt
#
# expected.txt: lines beginning with # are comments; `run ARGUMENTS` of `tfec run`, file names from the top of the
# repository; `within T`: numbers of a run may differ from the expected ones by T; `clear T`: and from those of a run under
# kind clear by T; then --- and the lines that a run prints.
#
# Costs: the rounds, messages and bytes that every party counted are the numbers that the compiler put into the manifest.
set -euo pipefail

tfec=$(realpath "$1")
example=$(realpath "$2")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
cd "$here/../.."

name=$(basename "$example")
program=${example#"$PWD/"}/$name.tfe
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "$name: failed at line $LINENO" >&2' ERR

setting() { sed -n "/^---\$/q; s/^$1 \(.*\)/\1/p" "$example/expected.txt"; }

read -r -a arguments <<<"$(setting run)"
sed '1,/^---$/d' "$example/expected.txt" >"$work/expected"

# joint lines in their order, then those of each party: parties print when they come to it
ordered() {
  grep -v "^[a-z][a-z0-9_.]*: " "$1" || true
  grep "^[a-z][a-z0-9_.]*: " "$1" | sort -s -t: -k1,1 || true
}

compare() { # TOLERANCE EXPECTED FOUND WHAT
  awk -v tolerance="$1" -f "$here/compare.awk" <(ordered "$2") <(ordered "$3") || {
    echo "$name: $4" >&2
    exit 1
  }
}

"$tfec" run "$program" "${arguments[@]}" --stats "$work/stats" >"$work/found"
compare "$(setting within)" "$work/expected" "$work/found" "the result is not the expected one"

"$tfec" run --clear "$program" "${arguments[@]}" >"$work/clear"
compare "$(setting clear)" "$work/clear" "$work/found" "pond and clear do not agree"

# "server1": {"rounds": 1, ..., "bytes_received": 2}  of the manifest, the same of the counters
counts='"rounds": [0-9]*, "messages_sent": [0-9]*, "bytes_sent": [0-9]*, "messages_received": [0-9]*, "bytes_received": [0-9]*'
"$tfec" "$program" -o "$work/party"
sed -n "/\"totals\"/,\$ s/.*\"\([a-zA-Z0-9_.]*\)\": {\($counts\)}.*/\1 \2/p" "$work/party.manifest.json" | sort >"$work/costs"
for file in "$work"/stats/*.json; do
  sed -n "s/.*\"party\": \"\([^\"]*\)\".*\($counts\).*/\1 \2/p" "$file"
done | sort >"$work/counted"
[ -s "$work/costs" ]
diff "$work/costs" "$work/counted" >&2 || {
  echo "$name: a party did not send and receive what the manifest says (left: manifest, right: counted)" >&2
  exit 1
}
grep -q '"exact": true' "$work/party.manifest.json"
echo "$name: $(wc -l <"$work/costs") parties, results, kind clear and costs agree"
