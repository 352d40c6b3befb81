#!/usr/bin/env bash
# Trains a network on the MNIST digits of two owners, on shares and in the clear (kind clear computes with doubles), all
# parties as processes on this machine, and tests both on digits held by a third party.
#
#   mnist.sh TFEC DATA NETWORK [OPTIMIZER=sgd] [EPOCHS=5] [IMAGES=30000] [HELD=10000]
#
# DATA is the folder of the four files of MNIST (train-images-idx3-ubyte.gz and so on), NETWORK one of a b c d lr, OPTIMIZER
# sgd, adam or amsgrad, IMAGES how many each owner has, HELD how many are tested. One line for each way: the share of held-out
# digits that are read right, batches, seconds a batch (between two progress reports, so without compiling, input and
# tests), and on shares what one batch sends, as `tfec explain` says; every party of the run compares that with its wire.
# In the environment: ONLY=clear, not on shares; and but for lr START=N (1), what the first weights and the order of the
# images follow from, BITS=N (16), the fraction bits of private numbers, DECAY=F (1.0), what the learning rate of an epoch is
# of that of the one before, and SAVE=FILE.npz, where the network that was trained on shares goes.
set -euo pipefail

tfec=$(realpath "$1")
data=$(realpath "$2")
network=$3
optimizer=${4:-sgd}
epochs=${5:-5}
images=${6:-30000}
held=${7:-10000}
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
source "$here/../../sent.sh"
program=$here/$network.tfe
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

case $optimizer in
sgd) number=0 ;;
adam) number=1 ;;
amsgrad) number=2 ;;
*) echo "mnist.sh: no optimizer $optimizer; there are sgd, adam, amsgrad" >&2 && exit 2 ;;
esac
defines=(-D "held=$held" -D "epochs=$epochs")
if [ "$network" != lr ]; then defines+=(-D "optimizer=$number" -D "piece=$((held < 500 ? held : 500))" -D "start=${START:-1}" -D "bits=${BITS:-16}" -D "decay=${DECAY:-1.0}"); fi

inputs() { # PARTY SET FIRST LAST
  printf '%s\n' --input "$1:images=$data/$2-images-idx3-ubyte.gz[$3:$4]" --input "$1:labels=$data/$2-labels-idx1-ubyte.gz[$3:$4]"
}
mapfile -t options < <(
  inputs owner.0 train 0 "$images"
  inputs owner.1 train 30000 $((30000 + images))
  inputs examiner t10k 0 "$held"
)

# What server 0 sends in an epoch with so many images of each owner: messages, bytes.
costs() { # IMAGES
  sent server0 "$program" -D "n=$1" "${defines[@]}" -D epochs=1
}

run() { # NAME OPTIONS...
  local name=$1
  shift
  "$tfec" run "$program" -D "n=$images" "${defines[@]}" "${options[@]}" --progress json "$@" >"$work/out" 2>"$work/progress" ||
    { grep -v '^{' "$work/progress" >&2 && exit 1; }
  local right
  right=$(sed -n 's/.*right: //p' "$work/out")
  sed -n 's/.*"label":"\(batch\|epoch\)","done":\([0-9]*\),"total":\([0-9]*\),.*"seconds":\([0-9.]*\).*/\2 \3 \4/p' "$work/progress" |
    awk -v name="$name" -v right="$right" -v scale="$scale" '
      NR == 1 { first = $1; began = $3 }
      $1 > last { last = $1; ended = $3 }
      END {
        printf "%-7s %.2f %% right", name, 100 * right
        if (last > first) printf ", %d batches of %.4f s", $2 * scale, (ended - began) / (last - first) / scale
        print ""
      }'
}

per_epoch=$((2 * images / 128))
scale=1
if [ "$network" = lr ]; then scale=$per_epoch; fi # reports epochs
echo "network $network, $optimizer, $epochs epochs of $((2 * images)) images, batch 128, $held held out${START:+, start $START}${BITS:+, $BITS bits}${DECAY:+, decay $DECAY}:"
if [ "${ONLY:-}" != clear ]; then
  run shares ${SAVE:+-D save=true --output "examiner:net=$SAVE"}
  read -r rounds bytes < <(costs 128)
  read -r rounds3 bytes3 < <(costs 256)
  awk -v r="$rounds" -v b="$bytes" -v s="$rounds3" -v c="$bytes3" 'BEGIN { printf "        a batch: %d rounds, %.2f MB from each server\n", (s - r) / 2, (c - b) / 2e6 }' </dev/null
fi
run clear --clear
