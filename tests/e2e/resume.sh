#!/usr/bin/env bash
# Checkpoints: a training run whose parties are killed at random moments is resumed again and again, and ends with the same
# shares, to the bit, as the run that went on from the first interruption undisturbed. What cannot be resumed is refused.
#
#   resume.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin resume "$@"
cd "$here"

"$tfec" resume.tfe -W no-W0611 -W no-W0606 -o "$work/party"
set_up resume.tfe
wait=3
parties=(owner server0 server1 producer client)
for i in {1..30}; do printf '[[%d.5e-3], [0], [-1.25e-3], [0.001]]\n' "$i"; done >"$work/noise"
lines=$work/noise

launch() { # OPTIONS
  local party
  for party in "${parties[@]}"; do
    local own=()
    [ "$party" = owner ] && own=(--input noise=-)
    [ "$party" = client ] && own=(--output w=w.csv)
    stdin=/dev/null
    [ "$party" = owner ] && stdin=$lines
    start "$party" --state "$work/$party/state" "${own[@]}" "$@"
  done
}

all_end_well() {
  local party
  for party in "${parties[@]}"; do expect "$party" 0 ""; done
}

# However each of them ends; 0: all well.
all_end() {
  local party code worst=0
  for party in "${!pid[@]}"; do
    until_true "$patience" ended "$party" || fail "$party does not end" "$party"
    code=0
    wait "${pid[$party]}" || code=$?
    unset "pid[$party]"
    [ "$code" -eq 0 ] || worst=$code
    case $code in 0 | 69 | 137) ;; *) fail "$party ended with $code" "$party" ;; esac
  done
  return "$worst"
}

keep() { # NAME: the folders as they are now
  local party
  mkdir -p "$work/kept/$1"
  for party in "${parties[@]}"; do cp -r "$work/$party/state" "$work/kept/$1/$party"; done
}

restore() { # NAME
  local party
  for party in "${parties[@]}"; do
    rm -rf "$work/$party/state"
    cp -r "$work/kept/$1/$party" "$work/$party/state"
  done
}

# The elements of all stored shares, without the heads (which tell the time) and the signatures; and the results.
results() {
  local file fields
  for file in "$work"/server?/state/w.*.shares; do
    fields=$(od -An -tu4 -j12 -N4 "$file" | tr -d ' ')
    printf '%s ' "$(basename "$file")"
    tail -c +$((16 + fields + 1)) "$file" | head -c -104 | sha256sum
  done
  sha256sum <"$work/client/w.csv"
  tail -n 1 "$work/client/out.txt"
}

# ---- nothing to resume, and nothing lost by asking: a run from the start
launch --resume
all_end_well
exact=$(tail -n 1 "$work/client/out.txt")
[ "$(wc -l <"$work/client/w.csv")" -eq 120 ] # 4 numbers in each of 30 epochs
[ -z "$(find "$work"/*/state -name '*.checkpoint-*' -o -name '*.sent-*' -o -name '*.finished')" ] || fail "checkpoints are left"
rm "$work/client/w.csv"

# ---- a party dies; the others say how to go on
launch --rtt 2ms
await_log server0 "kept checkpoint 9"
kill -KILL "${pid[server1]}"
all_end && fail "nobody noticed that server1 died"
has_note server0 "start all parties again with --resume"
[ "$(find "$work/server0/state" -name '*.checkpoint-*' -perm 600 | wc -l)" -ge 2 ]
[ ! -e "$work/client/w.csv" ] || fail "an interrupted run left an output"
keep first

# ---- undisturbed from there
launch --resume
all_end_well
results >"$work/undisturbed"
[ "$(tail -n 1 "$work/client/out.txt")" = "$exact" ] || fail "another result than without interruption"

# ---- killed again and again, whoever and whenever
restore first
RANDOM=${SEED:-17}
for ((kills = 0, tries = 0; ; tries++)); do
  [ "$tries" -lt 100 ] || fail "it does not come to an end"
  launch --resume --rtt 2ms # so that there is time to kill
  if [ "$kills" -lt "${KILLS:-6}" ]; then
    sleep "0.$(printf %03d $((RANDOM % 500 + 50)))"
    kill -KILL "${pid[${parties[RANDOM % 5]}]}" 2>/dev/null && kills=$((kills + 1))
  fi
  all_end && break
done
results >"$work/disturbed"
diff "$work/undisturbed" "$work/disturbed" >&3 || fail "resumed runs do not end alike"
echo "resume: $kills kills"
stop_all

# ---- what cannot be resumed is refused, and what a run has sent is never sent otherwise
"$tfec" resume_stops.tfe -W no-W0610 -o "$work/stops"
"$tfec" resume_stops.tfe -W no-W0610 -O 0 -o "$work/other"
set_up resume_stops.tfe stops
prefix=stops
printf '%s\n' 1 2 40 4 >"$work/items"
together() { # OPTIONS: of all parties; except=PARTY without="WORD..."
  local party
  for party in "${parties[@]}"; do
    local own=() words=("$@")
    [ "$party" = owner ] && own=(--input x=-)
    [ "$party" = owner ] && stdin=$work/items || stdin=/dev/null
    [ "$party" != "${except:-}" ] || read -r -a words <<<"${instead:-}"
    start "$party" "${own[@]}" "${words[@]}"
  done
}
state=(--state state2)
stopped() { # PARTY CODE LINE: this party says so, and all others follow
  expect "$1" "$2" "$3"
  local party
  for party in "${!pid[@]}"; do
    until_true "$patience" ended "$party" || fail "$party does not end" "$party"
    wait "${pid[$party]}" && fail "$party ended well" "$party"
    unset "pid[$party]"
  done
}
assertion='error[R0305]: assertion failed: now < 1000'

together "${state[@]}"
stopped client 65 "$assertion"
refused 64 "error[R0501]: WORK/owner/state2 holds checkpoints of a run that was interrupted" "$work/stops-owner" \
  --hosts "$work/hosts.toml" --key "$work/owner/party-owner.key" --state "$work/owner/state2" --input x=1
refused 64 "error[R0501]: --resume: --state DIR says where the checkpoints are" "$work/stops-owner" --hosts "$work/hosts.toml" --resume
for party in "${parties[@]}"; do cp -r "$work/$party/state2" "$work/$party/good"; done
back() { for party in "${parties[@]}"; do rm -rf "$work/$party/state2" && cp -r "$work/$party/good" "$work/$party/state2"; done; }

together "${state[@]}" --resume # the same inputs, the same end
stopped client 65 "$assertion"
printf '%s\n' 1 2 3 4 >"$work/items" # the third one was sent
together "${state[@]}" --resume
stopped owner 76 "error[R0410]: the next message to server0 is not the one of the interrupted run"
has_note owner "nothing of it was sent: its masks would have hidden two values, and so neither"
printf '%s\n' 5 2 40 4 >"$work/items" # the first one was read before the checkpoint
together "${state[@]}" --resume
stopped owner 76 "error[R0409]: the inputs of owner are not those of the interrupted run"
printf '%s\n' 1 2 40 4 >"$work/items"

except=client instead="--state state2" together "${state[@]}" --resume
stopped client 64 "error[R0501]: state2 holds checkpoints of a run that was interrupted"
except=client instead="" together "${state[@]}" --resume
for party in "${parties[@]}"; do until_true "$patience" ended "$party" || fail "$party does not end" "$party"; done
grep -hqF 'error[R0104]: owner keeps checkpoints (--state DIR), and client does not' "$work"/*/err.txt || fail "nobody misses the client's --state"
stop_all

# A party without its folder; with one of another run; with a damaged file, and without that file.
rm -r "$work/client/state2"
together "${state[@]}" --resume
for party in "${parties[@]}"; do until_true "$patience" ended "$party" || fail "$party does not end" "$party"; done
grep -hqF 'error[R0401]: there is no checkpoint that all parties have' "$work"/*/err.txt || fail "nobody misses the client's checkpoints"
grep -hqF 'client has none' "$work"/*/err.txt || fail "nobody says who has none"
stop_all
back
file=$(ls "$work/server0/state2/"*.checkpoint-000002)
printf x | dd of="$file" bs=1 seek=400 conv=notrunc status=none
refused 76 "error[R0408]: ${file//"$work"/WORK} is damaged: its check value does not fit its contents" "$work/stops-server0" \
  --hosts "$work/hosts.toml" --key "$work/server0/party-server0.key" --state "$work/server0/state2" --resume
rm "$file"
together "${state[@]}" --resume # from the first one
stopped client 65 "$assertion"
logged server0 "goes on from checkpoint 1 of run" || fail "it does not go on from checkpoint 1" server0
file=${file/000002/000001}
refused 76 "error[R0409]: the checkpoint ${file//"$work"/WORK} is of another executable" "$work/other-server0" \
  --hosts "$work/hosts.toml" --key "$work/server0/party-server0.key" --state "$work/server0/state2" --resume

