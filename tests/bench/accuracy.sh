#!/bin/sh
# How exact kind pond is: accuracy.tfe, all parties as processes on this machine.
#
#   accuracy.sh TFEC [VALUES=1000000]      VALUES for each function, a multiple of 10 000
#
# One line for each function: how many values, the largest error, the error that is allowed, and how many errors lie from
# 2^-18 up to 2^-17, 2^-17 up to 2^-16 (a step of the grid) and so on; the last column has all from 2^-10 up. Exit code 1 if
# a single error is larger than allowed.
set -eu

tfec=$1
values=${2:-1000000}
here=$(cd "$(dirname "$0")" && pwd)

"$tfec" run -W no-W0611 "$here/accuracy.tfe" -D values="$values" -D piece=$((values < 10000 ? values : 10000)) |
  awk -F ' *[|] *' -v values="$values" '
    BEGIN {
      printf "%-52s %9s %11s %8s ", "", "values", "largest", "allowed"
      for (k = -18; k < -10; k++) printf " %8s", "2^" k
      print "  2^-10.."
    }
    NF == 2 { print $2; next }
    NF == 3 {
      gsub(/[][]/, "", $3)
      split($3, v, " ")
      printf "%-52s %9d %11.3g %8s ", $2, v[2], v[3] / 65536, v[1] ? sprintf("2^%d", log(v[1] / 65536) / log(2) - 0.5) : "0"
      for (k = 4; k < 12; k++) printf " %8d", v[k] - v[k + 1]
      printf " %8d", v[12]
      wrong = v[2] % values != 0 || v[3] + 0 > v[1] + 0
      print (wrong ? "  <- WRONG" : "")
      bad = bad || wrong
      seen++
      next
    }
    { print; bad = 1 }
    END { exit bad || seen < 29 }'
