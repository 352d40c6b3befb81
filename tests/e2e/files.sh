#!/usr/bin/env bash
# Bad input is refused at its owner, by name, before anybody is connected: with nobody else there, the owner ends at once with
# its message and not with "cannot reach ...". Outputs that cannot be written are known before the run, too; runs leave each
# other's results alone.
#
#   files.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin files "$@"
cd "$top"

"$tfec" tests/e2e/rounds.tfe -D rows=2 -o "$work/party"
set_up tests/e2e/rounds.tfe
data=$work/data
mkdir "$data"

bad() { # CODE LINE [ARGUMENTS]: of provider.1
  refused "$1" "$2" "$work/party-provider" --index 1 --hosts "$work/hosts.toml" --wait 5 \
    --key "$work/provider.1/party-provider.1.key" --log log.txt "${@:3}"
  grep -q 'connect\|session' "$work/refused/log.txt" && fail "there was a connection" refused
  rm "$work/refused/log.txt"
}
csv() { # TEXT: a file with it
  printf "$1" >"$data/rows.csv"
}
file=rows=$data/rows.csv
told() { grep -qF -- "$1" "$work/refused/err.txt" || fail "it does not say \"$1\"" refused; }

csv '1,2,3\n4,5,6\n'
bad 65 'error[R0201]: input `rows` has shape [2, 3], the program needs [2, 2]' --input "$file"
told "from $data/rows.csv (--input $file), declared at rounds.tfe:10"
told 'the last axis must be 2'
csv '1,2\nnan,5\n'
bad 65 'error[R0202]: WORK/data/rows.csv:2:1: `nan` is not a finite number' --input "$file"
told "from $data/rows.csv (--input $file), declared at rounds.tfe:10"
bad 65 'error[R0202]: --input rows:1:11: `nan` is not a finite number' --input 'rows=[[1, 2], [nan, 5]]'
csv '1,2\n1.2e9,5\n'
bad 65 'error[R0202]: input `rows`: 1.2e+09 at [1, 0] does not fit the protocol' --input "$file"
told "from $data/rows.csv (--input $file), declared at rounds.tfe:10"
told 'whole = 14, which holds numbers below 16384'
csv '1,2\n3\n'
bad 65 'error[R0203]: WORK/data/rows.csv:2: 1 value, the first row has 2' --input "$file"
csv 'age,height\n1,2\n3,tall\n'
bad 65 'error[R0203]: WORK/data/rows.csv:3:2: `tall` is not a number' --input "$file"
told 'column `height`'
csv '1,2\n,3\n'
bad 65 'error[R0203]: WORK/data/rows.csv:2:1: no value here' --input "$file"
csv ''
bad 65 'error[R0203]: WORK/data/rows.csv is empty' --input "$file"
bad 66 'error[R0204]: no data for input `rows`: cannot open nothing.csv: No such file or directory' --input rows=nothing.csv
bad 66 'error[R0204]: no data for input `rows`'
told 'give --input rows=FILE, or put rows.npy into this directory'
bad 65 'error[R0203]: --input rows:1:14: this is not a number' --input 'rows=[[1, 2], [3, oops]]'
bad 64 'error[R0501]: provider.1 has no input `row`' --input 'row=[[1, 2], [3, 4]]'
told 'its inputs are `rows`'
csv "1,2\n3,4\n"
bad 64 'error[R0501]: rows can be chosen from IDX files only, and WORK/data/rows.csv is none' --input "${file}[0:2]"
bad 64 'error[R0501]: input `rows`: there are no rows [2:2]' --input "${file}[2:2]"
printf '\0\0\10\2\0\0\0\3\0\0\0\2%s' 123456 >"$data/rows.idx"
bad 65 'error[R0201]: input `rows` has shape [3, 2], the program needs [2, 2]' --input "rows=$data/rows.idx"
bad 65 'error[R0201]: WORK/data/rows.idx has no rows 2 to 3: it has 3' --input "rows=$data/rows.idx[2:4]"
mkdir "$data/stream"
bad 66 'error[R0204]: no data for input `rows`' --input "rows=$data/stream/"
printf '1,2\n3,4\n' >"$data/stream/0.csv"
printf '1,2\nx,4\n' >"$data/stream/1.csv"
bad 65 'error[R0203]: WORK/data/stream/1.csv:2:1: `x` is not a number' --input "rows=$data/stream/"
printf 'not a tensor' >"$data/rows.npy"
bad 65 'error[R0203]: WORK/data/rows.npy is not a .npy file that can be read: it does not begin as one' --input "rows=$data/rows.npy"
head -c 100 /dev/urandom >"$data/noise.npz"
bad 65 'error[R0203]: WORK/data/noise.npz is not a .npz file that can be read: it does not begin as a zip file' --input "rows=$data/noise.npz"

# ---- outputs
mkdir "$data/folder.csv"
client=("$work/party-client" --hosts "$work/hosts.toml" --key "$work/client/party-client.key" --input 'start=[0, 0]')
refused 73 'error[R0601]: cannot write output `model` to nowhere/model.csv: No such file or directory' "${client[@]}" \
  --output model=nowhere/model.csv
refused 73 'error[R0601]: cannot write output `model`: WORK/data/folder.csv exists and is not a file' "${client[@]}" --output "model=$data/folder.csv"
refused 64 'error[R0501]: cannot tell from the name `model` what to write' "${client[@]}" --output model=model
refused 64 'error[R0501]: client has no output `modl`' "${client[@]}" --output modl=model.csv

run() { # FILE VALUE OPTIONS: a whole run on this machine
  "$tfec" run tests/e2e/rounds.tfe -D rows=2 --input "rows=[[$2, $2], [$2, $2]]" --input "start=[$2, $2]" \
    --output "model=$1" "${@:3}" >/dev/null
}
holds() { # FILE VALUE: ten lines with about this value
  awk -v want="$2" '($1 - want) ^ 2 > 1e-4 { bad = 1 } END { exit bad || NR != 10 }' "$1"
}
results=$work/results
mkdir "$results"
run "$results/model.csv" 1
holds "$results/model.csv" 1
cp "$results/model.csv" "$work/kept.csv"
run "$results/model.csv" 5 --output size=/nowhere/size.csv && fail "an output to nowhere was written"
cmp "$results/model.csv" "$work/kept.csv" # a run that fails leaves the result of the one before

# Two runs at once, into one folder, then into one file: that is one of the two, and whole.
run "$results/a.csv" 2 &
run "$results/b.csv" 3
wait $!
holds "$results/a.csv" 2
holds "$results/b.csv" 3
run "$results/model.csv" 2 &
run "$results/model.csv" 3
wait $!
holds "$results/model.csv" 2 || holds "$results/model.csv" 3
[ "$(ls -A "$results" | sort | tr '\n' ' ')" = "a.csv b.csv model.csv " ]

echo "files: bad inputs are refused at their owner before anything is sent, outputs are whole or not there"
