#!/usr/bin/env bash
# Reads 1000 held-out MNIST digits of a client with a model owner's network, on shares and in the clear (kind clear computes
# with doubles), one image a query and 100, all parties as processes on this machine.
#
#   infer.sh TFEC DATA NETWORK WEIGHTS [IMAGES=1000]
#
# NETWORK is a (weights: `mnist.sh` with SAVE=FILE) or lenet (examples/lenet-inference/data/model_owner/lenet.npz). For each
# size of a query: seconds (of each beyond the first: without compiling, connecting and the masking of the weights), rounds
# and bytes that server 0 sends, and what differs from the clear: the largest difference of a score, and
# every image that is read differently, with the distance of its two best scores in the clear. Exit code 1 if that distance
# is more than twice the largest difference: then it was no tie.
set -euo pipefail

tfec=$(realpath "$1")
data=$(realpath "$2")
network=$3
weights=$(realpath "$4")
images=${5:-1000}
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
source "$here/../../sent.sh"
program=$here/infer_$network.tfe
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run() { # SCORES QUERIES BATCH OPTIONS...
  local scores=$1 queries=$2 batch=$3
  shift 3
  "$tfec" run "$program" -D "queries=$queries" -D "batch=$batch" --input "model_owner:net=$weights" \
    --input "client:images=$data/t10k-images-idx3-ubyte.gz[0:$((queries * batch))]" \
    --output "client:scores=$scores" --stats "$work/stats" "$@"
}

seconds() { # of the last run, from connected to finished
  sed -n 's/.*"seconds": \([0-9.]*\).*/\1/p' "$work/stats/server0.json"
}

run "$work/clear.csv" 1 "$images" --clear
status=0
for batch in 1 100; do
  run "$work/one.csv" 1 $batch
  one=$(seconds)
  run "$work/shares.csv" $((images / batch)) $batch
  all=$(seconds)
  read -r rounds bytes < <(sent server0 "$program" -D queries=2 -D "batch=$batch")
  read -r rounds3 bytes3 < <(sent server0 "$program" -D queries=3 -D "batch=$batch")
  awk -v one="$one" -v all="$all" -v more=$((images / batch - 1)) -v rounds=$((rounds3 - rounds)) -v bytes=$((bytes3 - bytes)) \
    -v what="network $network, $batch images a query" 'BEGIN {
      printf "%s: %.4f s, %d rounds, %d bytes from server 0, the answer with it\n", what, (all - one) / more, rounds, bytes
    }' </dev/null
  paste -d, "$work/clear.csv" "$work/shares.csv" | awk -F, '
    NF < 20 { next }
    {
      images++
      best = one = 1
      second = -1e9
      for (k = 2; k <= 10; k++) {
        if ($k + 0 > $best + 0) best = k
        if ($(10 + k) + 0 > $(10 + one) + 0) one = k
      }
      for (k = 1; k <= 10; k++) {
        d = $k - $(10 + k)
        if (d < 0) d = -d
        if (d > most) most = d
        if (k != best && $k + 0 > second) second = $k + 0
      }
      if (one != best) listed[images] = sprintf("  image %d: %d, in the clear %d; the two are %.6f apart there", images, one - 1, best - 1, apart[images] = $best - second)
    }
    END {
      printf "  %d images, largest difference of a score %.6f\n", images, most
      for (i in listed) {
        print listed[i]
        if (apart[i] > 2 * most) bad = 1
      }
      exit bad || images == 0
    }' || status=1
done
exit $status
