#!/usr/bin/env bash
# Damaged .npz files in a run of all parties: the owner says which file and which array, and everybody ends.
#
#   npz.sh TFEC
set -euo pipefail

tfec=$(realpath "$1")
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'echo "npz: failed at line $LINENO: $BASH_COMMAND" >&2' ERR
cd "$work"

bytes() { # NUMBER COUNT: little-endian
  local i byte
  for ((i = 0; i < $2; i++)); do
    printf -v byte '\\x%02x' $(($1 >> 8 * i & 255))
    printf "$byte"
  done
}

npy() { # TYPE SHAPE NUMBER...: 8 bytes for each number
  local type=$1 shape=$2 number
  shift 2
  printf '\x93NUMPY\1\0'
  bytes 118 2
  printf '%-117s\n' "{'descr': '$type', 'fortran_order': False, 'shape': $shape, }"
  for number; do bytes "$number" 8; done
}

crc() { # FILE
  gzip -c "$1" | tail -c 8 | head -c 4
}

pack() { # ARCHIVE FILE...: a zip file (APPNOTE 4.3) of the files as they are
  local archive=$1 directory=$1.directory file size at
  shift
  : >"$archive" && : >"$directory"
  for file; do
    size=$(stat -c %s "$file") at=$(stat -c %s "$archive")
    entry() { bytes 20 2 && bytes 0 8 && crc "$file" && bytes "$size" 4 && bytes "$size" 4 && bytes ${#file} 2 && bytes 0 2; }
    { printf 'PK\3\4' && entry && printf %s "$file" && cat "$file"; } >>"$archive"
    { printf 'PK\1\2' && bytes 20 2 && entry && bytes 0 10 && bytes "$at" 4 && printf %s "$file"; } >>"$directory"
  done
  size=$(stat -c %s "$directory") at=$(stat -c %s "$archive")
  { cat "$directory" && printf 'PK\5\6' && bytes 0 4 && bytes $# 2 && bytes $# 2 && bytes "$size" 4 && bytes "$at" 4 && bytes 0 2; } >>"$archive"
}

run() { # FILE: what the run prints
  timeout 20 "$tfec" run "$here/npz.tfe" --input "net=$1" 2>&1
}

refused() { # FILE CODE LINE [NOTE]
  local code=0 said
  said=$(run "$1") || code=$?
  [ "$code" -eq "$2" ] || { echo "npz: $1: exit code $code instead of $2" && echo "$said" && exit 1; } >&2
  for part in "error[$3" "${4:-}"; do
    [[ "${said//"$work/"/}" == *"$part"* ]] || { echo "npz: $1: it does not say \"$part\"" && echo "$said" && exit 1; } >&2
  done
}

npy '<i8' '(2, 3)' 1 2 3 4 5 6 >w.npy
npy '<i8' '(3,)' 7 8 9 >b.npy
pack good.npz w.npy b.npy
[ "$(run good.npz)" = "client: 6" ]

head -c -40 good.npz >cut.npz
refused cut.npz 65 'R0203]: cut.npz is not a .npz file that can be read: it has no directory at its end (is the file complete?)'
cp good.npz crc.npz
printf x | dd of=crc.npz bs=1 seek=180 conv=notrunc status=none # among the numbers of w
refused crc.npz 65 "R0203]: crc.npz is not a .npz file that can be read: an entry's checksum does not hold" 'field `w`, from crc.npz'
printf 'not a zip file' >text.npz
refused text.npz 65 'R0203]: text.npz is not a .npz file that can be read: it does not begin as a zip file'
: >empty.npz
refused empty.npz 65 'R0203]: empty.npz is not a .npz file that can be read: it does not begin as a zip file'

cp w.npy weight.npy
pack names.npz weight.npy b.npy
refused names.npz 66 'R0204]: no data for input `net`: names.npz has no entry `w.npy`' 'it has `weight.npy`, `b.npy`'
npy '<i8' '(3, 2)' 1 2 3 4 5 6 >w.npy
pack shape.npz w.npy b.npy
refused shape.npz 65 'R0201]: input `net`, field `w`, has shape [3, 2], the program needs [2, 3]' 'from shape.npz'
npy '<U2' '(2, 3)' 1 2 3 4 5 6 >w.npy
pack type.npz w.npy b.npy
refused type.npz 65 'R0203]: type.npz holds elements of type `<U2`, which cannot be read' 'field `w`, from type.npz'
npy '<i8' '(2, 3)' 1 2 3 4 5 >w.npy
pack short.npz w.npy b.npy
refused short.npz 65 'R0203]: short.npz is not a .npy file that can be read: it ends inside the data' 'field `w`, from short.npz'
echo "npz: damaged files are refused by file and array"
