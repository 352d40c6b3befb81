#!/usr/bin/env bash
# The programs of tests/bench/mnist on a few real digits: a training of each network gets on shares to where it gets in the
# clear, and LeNet-5 reads the same digits as in the clear.
#
#   mnist.sh TFEC        data: the folder MNIST of the environment, else ../shared/data/mnist beside the project
set -euo pipefail

tfec=$1
bench=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../bench/mnist
root=$(realpath "$bench/../../..")
data=${MNIST:-$root/../shared/data/mnist}
if [ ! -e "$data/train-images-idx3-ubyte.gz" ]; then
  echo "mnist: skipped, there is no $data/train-images-idx3-ubyte.gz; set MNIST to the folder of the four files of MNIST" >&2
  exit 77
fi

compare() { # NETWORK OPTIMIZER IMAGES LEAST: share of 400 held-out digits that must be read right at least
  "$bench/mnist.sh" "$tfec" "$data" "$1" "$2" 1 "$3" 400 | tee /dev/stderr |
    awk -v least="$4" '/right/ { if ($2 < least) bad = 1; right[seen++] = $2 } END { d = right[0] - right[1]; exit bad || seen != 2 || d > 4 || d < -4 }'
}

compare a adam 2560 75
compare b sgd 1280 30
compare d amsgrad 1280 60
compare lr sgd 2560 60
"$bench/infer.sh" "$tfec" "$data" lenet "$root/examples/lenet-inference/data/model_owner/lenet.npz" 200
