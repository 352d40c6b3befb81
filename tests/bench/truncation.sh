#!/bin/sh
# Truncations of products near 2^62 in the ring of 64 bits: truncation.tfe, all parties as processes on this machine.
#
#   truncation.sh TFEC [VALUES=100000000]      VALUES of each sort, a multiple of 20 000
#
# One line for each sort: how many, the mean and the largest error in steps of the grid, how many errors are a step or
# more. Exit code 1 if there is one, or if the mean is further from 0 than 3 / sqrt(VALUES), seven standard deviations.
set -eu

tfec=$1
values=${2:-100000000}
here=$(cd "$(dirname "$0")" && pwd)

"$tfec" run "$here/truncation.tfe" -D values="$values" |
  awk -F ' *[|] *' -v values="$values" '
    BEGIN { printf "%-52s %10s %12s %12s %7s\n", "", "values", "mean error", "largest", "failed" }
    NF == 3 {
      split($3, v, " ")
      mean = v[2] / v[1]
      wrong = v[1] != values || v[4] != 0 || mean * mean > 9 / values
      printf "%-52s %10d %12.6f %12.6f %7d%s\n", $2, v[1], mean, v[3], v[4], (wrong ? "  <- WRONG" : "")
      bad = bad || wrong
      seen++
      next
    }
    { print; bad = 1 }
    END { exit bad || seen != 4 }'
