#!/usr/bin/env bash
# What the protocols are built to reach: rounds and bytes between the servers, for one more step, query or call. They are read
# off `tfec explain`, and one run of each program shows that they are what is counted on the wire: every party compares.
#
#   costs.sh TFEC
set -euo pipefail

tfec=$(realpath "$1")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/costs
source "$here/../../sent.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "costs: failed at line $LINENO: $BASH_COMMAND" >&2' ERR

# One more of what PARAMETER counts; of its messages `reveals` go to somebody else than the other server.
at_most() { # ROUNDS BYTES REVEALS PROGRAM PARAMETER OPTIONS...
  local rounds=$1 bytes=$2 reveals=$3 program=$here/$4.tfe parameter=$5 two three
  shift 5
  two=$(sent s0 "$program" "$@" -D "$parameter=2")
  three=$(sent s0 "$program" "$@" -D "$parameter=3")
  awk -v two="$two" -v three="$three" -v rounds="$rounds" -v bytes="$bytes" -v reveals="$reveals" -v what="$(basename "$program") $*" '
    BEGIN {
      split(two, a, " "); split(three, b, " ")
      r = b[1] - a[1] - reveals; n = b[2] - a[2]
      printf "%s: %d rounds, %d bytes (at most %d, %d)\n", what, r, n, rounds, bytes
      exit r > rounds || n > bytes
    }' </dev/null
  "$tfec" run "$program" "$@" -D "$parameter=2" >/dev/null
}

at_most 4 8500 0 logistic_step steps
at_most 39 2070000 0 training_step steps -D on=lan
at_most 35 2070000 0 training_step steps -D on=wan
at_most 4 4200 1 dense queries -D on=wan
at_most 6 4200 1 dense queries -D on=lan
at_most 10 250000 1 lenet queries -D on=wan
at_most 15 250000 1 lenet queries -D on=lan
# An input comes opened: sigmoid, tanh, exp and GELU of it need nothing, so the argument here is twice the input, opened anew:
# 32 bits of each of 1000 elements, and 31 for the reveal. Division: three more.
for which in 0 1 2 3; do at_most 1 8000 1 function times -D which=$which; done
at_most 5 42000 1 function times -D which=4

# The gradient of relu has no comparison of its own, whatever the method: what is computed bit by bit, or by keys, for the two
# hidden layers (128 x 128) is the same with and without it.
compared() { # OPTIONS...
  "$tfec" "$here/training_step.tfe" "$@" --emit-choreography | grep -cE 'ring[0-9]+\[128, 128(, [0-9]+)?\] at .* = (from_lanes|[a-z]+_key) '
}
forward=$(compared -D backward=false)
[ "$forward" -gt 0 ]
[ "$(compared)" -eq "$forward" ]

# What was chosen, and why, is there for people and for programs.
"$tfec" explain "$here/dense.tfe" -D on=auto | grep -q '^dense.tfe:22  relu of 128: dpf, '
"$tfec" explain --format json "$here/dense.tfe" | grep -q '"elements": 128, "where": "dense.tfe:22", "operation": "relu", "method": "dcf"'
