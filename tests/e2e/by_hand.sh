#!/usr/bin/env bash
# The way of the README to run a program on several hosts, with all of them on this machine: build, a key for each party,
# hosts.toml from the template of `tfec hosts`, then every executable by itself, in a folder of its own. And what an
# executable tells when it is asked.
#
#   by_hand.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin by_hand "$@"
cd "$top"

program=examples/millionaires/millionaires.tfe
"$tfec" "$program" -o "$work/party"
set_up "$program"
start helper --stats stats.json
start bob --input wealth=4100000 --stats stats.json
start alice --input wealth=5300000 --stats stats.json
for party in alice bob helper; do expect "$party" 0 ""; done
for party in alice bob; do
  grep -qx 'alice is richer: true' "$work/$party/out.txt"
done
[ ! -s "$work/helper/out.txt" ]
[ "$(stat -c %a "$work/alice/party-alice.key")" = 600 ]

# One hash at all parties, and it is the one of the program.
hash=$("$tfec" hash "$program")
for party in alice bob helper; do
  [ "$("$work/party-$party" --hash)" = "$hash" ]
  grep -q "\"program\": \"$hash\"" "$work/$party/stats.json"
done

# ---- what an executable tells
asked() { # LINE ARGUMENTS: the first line on standard output
  local line
  line=$("${@:2}" 2>"$work/asked.txt" | head -n 1)
  [ "$line" = "$1" ] || fail "${*:2}: \"$line\" instead of \"$1\""
  [ ! -s "$work/asked.txt" ] || fail "${*:2}: something on standard error"
}
asked "party-alice, millionaires.tfe, program $hash" "$work/party-alice" --version
asked "party-alice: alice of millionaires.tfe" "$work/party-alice" --help
asked "party-alice - millionaires.tfe, program $hash, $("$tfec" --version | head -n 1)" "$work/party-alice" --about
"$work/party-alice" --about >"$work/about.txt"
for text in 'Your data ' 'wealth' 'Sends to      bob' 'Revealed      to everybody: a > b' 'no two of the three' "--program $hash"; do
  grep -qF -- "$text" "$work/about.txt" || { cat "$work/about.txt" >&3; fail "--about does not say \"$text\""; }
done
"$work/party-alice" --help >"$work/help.txt"
for option in index hosts host listen key cert ca input output program seed progress log stats wait timeout allow-clear check \
  about hash version help deal deal-count dealt; do
  grep -q -- "--$option" "$work/help.txt" || fail "--help does not list --$option"
done

# ---- wrong usage
alice=("$work/party-alice" --hosts "$work/hosts.toml" --key "$work/alice/party-alice.key" --input wealth=1)
refused 64 'error[R0501]: option `--nonsense` is not known' "${alice[@]}" --nonsense
refused 64 'error[R0501]: argument `nonsense` is not known' "${alice[@]}" nonsense
refused 64 'error[R0501]: --wait soon: a number of seconds above 0 belongs here' "${alice[@]}" --wait soon
refused 64 'error[R0501]: --hosts needs a value: FILE' "$work/party-alice" --hosts
refused 64 'error[R0501]: --index 1: alice is a single party' "${alice[@]}" --index 1
refused 64 'error[R0501]: --cert and --ca go together' "${alice[@]}" --cert x.pem
refused 64 'error[R0501]: --input wealth is given twice' "${alice[@]}" --input wealth=2
refused 64 'error[R0501]: --host alise=@: millionaires.tfe has no party `alise`' "${alice[@]}" --host alise=127.0.0.1:1
refused 64 'error[R0501]: --listen nowhere: this is not an address' "${alice[@]}" --listen nowhere
refused 73 'error[R0601]: cannot write the log nowhere/log.txt: No such file or directory' "${alice[@]}" --log nowhere/log.txt
"$tfec" "$program" --clear -o "$work/clear" --only alice
refused 64 'error[R0504]: millionaires.tfe has a protocol of kind clear, which hides nothing' "$work/clear-alice" "${alice[@]:1}"
"$tfec" examples/hospitals/hospitals.tfe -o "$work/h" --only hospital
refused 64 'error[R0501]: which hospital is this?' "$work/h-hospital" --hosts "$work/hosts.toml"
grep -q 'give --index 0 to --index 2' "$work/refused/err.txt"
refused 64 'error[R0501]: --index 3: hospital has the members 0 to 2' "$work/h-hospital" --index 3

# ---- a signal: told to the others, and 128 and its number
start bob --input wealth=1
start helper
await_log bob "helper connected"
kill -TERM "${pid[bob]}"
expect bob 143 "error[R0701]: stopped by signal 15"
expect helper 75 "error[R0701]: bob was stopped before the computation began"
start bob --input wealth=1
start helper
await_log bob "helper connected"
kill -INT "${pid[helper]}"
expect helper 130 "error[R0701]: stopped by signal 2"
expect bob 75 "error[R0701]: helper was stopped before the computation began"

# ---- a port that is taken
start bob --input wealth=1
listening() { (: <"/dev/tcp/127.0.0.1/${port[$1]}") 2>/dev/null; }
until_true 5 listening bob
refused 78 "error[R0502]: cannot listen on @bob: Address already in use" "$work/party-bob" --hosts "$work/hosts.toml" \
  --key "$work/bob/party-bob.key" --input wealth=1

echo "by hand: three parties, keys, hosts.toml, results; what an executable tells; wrong usage; signals"
