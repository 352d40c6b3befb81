#!/usr/bin/env bash
# Producers that deal ahead: the same results without the producer, and everything that is wrong with a batch is refused with
# its reason: used, damaged, of another program, producer or party, and not the one that the others have.
#
#   dealt.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin dealt "$@"
cd "$top"

deal() { # PARTY FOLDER OPTIONS
  (cd "$work/$1" && "$work/${prefix:-party}-$1" --deal "$2" "${@:3}" >deal.txt 2>deal.err) || {
    cat "$work/$1/deal.err" >&3
    fail "$1 does not deal"
  }
}

# ---- logistic: nine parties, eight processes
"$tfec" examples/logistic/logistic.tfe -o "$work/logistic"
set_up examples/logistic/logistic.tfe logistic
cp examples/logistic/query.csv "$work/client/x.csv"
prefix=logistic
mv "$work/hosts.toml" "$work/hosts.later" # the producer needs its key and nothing else
deal producer "$work/ahead" --deal-count 2 --stats stats.json
mv "$work/hosts.later" "$work/hosts.toml"
parties=(server1 server2 client provider.0 provider.1 provider.2 provider.3 provider.4) # all share a key with the producer
[ "$(find "$work/ahead" -type f -name '*.dealt' -perm 600 | wc -l)" -eq $((2 * ${#parties[@]})) ]
grep -qx "party-producer: dealt $work/ahead/batch-000002" "$work/producer/deal.txt"
for party in "${parties[@]}"; do # each gets its own files
  mkdir "$work/$party/batches"
  (cd "$work/ahead" && cp --parents batch-*/"$party.dealt" "$work/$party/batches")
done

answer() {
  local party
  for party in "${parties[@]}"; do start "$party" --dealt batches --stats stats.json; done
  for party in "${parties[@]}"; do expect "$party" 0 ""; done
}
answer
sed '1,/^---$/d; s/^client: //' examples/logistic/expected.txt >"$work/expected"
awk -v tolerance=0.005 -f "$here/compare.awk" "$work/expected" "$work/client/out.txt" >&3 || fail "another answer with a dealt batch"
# What was counted is what `tfec explain` computes, at the producer (long before) and at the servers.
for party in producer server1 server2; do
  counted=$(grep -o '"rounds.*bytes_received": [0-9]*' "$work/$party/stats.json")
  grep -q "\"$party\": {$counted}" "$work/logistic.manifest.json" || fail "$party counted otherwise: $counted"
done

# The second batch serves a second run; then none is left. What is missing now is known before anybody is connected.
for party in "${parties[@]}"; do start "$party" --dealt batches --check; done
for party in "${parties[@]}"; do expect "$party" 0 ""; done # --check uses nothing up
answer
server1=("$work/logistic-server1" --hosts "$work/hosts.toml" --key "$work/server1/party-server1.key")
refused 66 "error[R0406]: there is no batch for server1 in WORK/server1/batches" "${server1[@]}" --dealt "$work/server1/batches"
refused 66 "error[R0406]: cannot read the folder nowhere: No such file or directory" "${server1[@]}" --dealt nowhere
refused 76 "error[R0402]: every batch for server1 in WORK/ahead was used already" "${server1[@]}" --dealt "$work/ahead"
"$tfec" examples/hospitals/hospitals.tfe -o "$work/hospitals"
refused 64 "error[R0501]: --dealt: nobody whom analyst is connected to can deal ahead" "$work/hospitals-analyst" \
  --hosts "$work/hosts.toml" --dealt "$work/ahead"
prefix=party
port=()

# ---- a small program, whose producer depends on public randomness
"$tfec" tests/e2e/dealt.tfe -o "$work/party"
"$tfec" tests/e2e/dealt.tfe -D n=9 -o "$work/other"
set_up tests/e2e/dealt.tfe
echo '[1, 2, 3, 4, 0.5, 1.5, 2.5, -1]' >"$work/x.json"
alice=(--input "x=$(<"$work/x.json")")
wait=10 timeout=10

both() { # ALICE'S BATCHES, BOB'S
  start alice "${alice[@]}" --dealt "$1"
  start bob --dealt "$2"
}
expect_both() {
  expect alice "$@"
  expect bob "$@"
}
right() { # products[i] = x[order[i]] x[i]
  sed 's/[^0-9. -]//g' "$work/bob/out.txt" >"$work/numbers"
  tr -d '[],' <"$work/x.json" | cat - "$work/numbers" | awk '
    NR == 1 { n = split($0, x, " ") } NR == 2 { split($0, order, " ") } NR == 4 { split($0, y, " ") }
    END { for (i = 1; i <= n; i++) { e = y[i] - x[order[i] + 1] * x[i]; if (e > 0.001 || e < -0.001) exit 1 } exit NR != 4 }' ||
    { cat "$work/bob/out.txt" >&3; fail "wrong results with a dealt batch"; }
}
deal helper "$work/batches" --deal-count 6
cp -r "$work/batches" "$work/copy"
both "$work/batches" "$work/batches"
expect_both 0 ""
right
cmp -s "$work/alice/out.txt" "$work/bob/out.txt" || fail "the parties print different lines"

# A batch is used when a run with it was killed, or ended in whatever way: also its copies are.
both "$work/batches" "$work/batches"
await_log bob "is marked as used"
kill -KILL "${pid[bob]}" 2>/dev/null || true
stop_all
[ ! -e "$work/batches/batch-000002/bob.dealt" ]
id=$(tail -n 1 "$work/bob/party-bob.key.used")
refused 76 "error[R0402]: batch 2 (${id:0:8}) was used already" "$work/party-bob" --hosts "$work/hosts.toml" \
  --key "$work/bob/party-bob.key" --dealt "$work/copy/batch-000002"
grep -q "WORK/copy/batch-000002/bob.dealt, says WORK/bob/party-bob.key.used:2" <(sed "s|$work|WORK|g" "$work/refused/err.txt")

# ---- not the same batch, and not everybody
both "$work/copy/batch-000003" "$work/copy/batch-000004"
expect_both 76 "error[R0405]: alice and bob have different batches"
has_note alice "name the batch: --dealt DIR/batch-000004 at alice"
start alice "${alice[@]}" --dealt "$work/copy/batch-000003"
start bob
expect bob 76 "error[R0405]: alice has a dealt batch of helper, and bob waits for helper itself"
has_note bob "give --dealt DIR to every party that is connected to helper, or to none"
stopped="stopped before the computation began: parties have different dealt batches, or one of them has none (R0405)"
expect alice 76 "error[R0405]: bob $stopped" "error[R0405]: alice has a dealt batch of helper, and bob waits for helper itself"
start alice "${alice[@]}" --dealt "$work/copy/batch-000003"
start helper
expect helper 76 "error[R0405]: alice (@alice) refused this party: alice has a dealt batch in its place"
stop_all

# ---- damaged, and of something else
judge() { # CODE LINE OPTIONS: what alice says of WORK/bad; she is alone
  refused "$1" "$2" "$work/${prefix:-party}-alice" --hosts "${hosts:-$work/hosts.toml}" --key "$work/alice/party-alice.key" \
    "${alice[@]}" --dealt "$work/bad" "${@:3}"
}
fresh() {
  rm -rf "$work/bad"
  cp -r "$work/copy/batch-000005" "$work/bad"
}
file=WORK/bad/alice.dealt
bytes=$(stat -c %s "$work/copy/batch-000005/alice.dealt")
for length in 0 5 40 300 $((bytes / 2)) $((bytes - 105)) $((bytes - 50)) $((bytes - 1)); do
  fresh
  truncate -s "$length" "$work/bad/alice.dealt"
  lacks="its end is missing"
  [ "$length" -ge 16 ] || lacks="it does not begin as a dealt batch"
  or="error[R0403]: the batch $file is damaged: its head is not whole" judge 76 "error[R0403]: the batch $file is damaged: $lacks"
done
flip() { # AT: the lowest bit of one byte
  local byte
  byte=$(dd if="$work/bad/alice.dealt" bs=1 skip="$1" count=1 status=none | od -An -tu1)
  # shellcheck disable=SC2059
  printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$work/bad/alice.dealt" bs=1 seek="$1" conv=notrunc status=none
}
for at in 60 $((bytes / 2)) $((bytes - 105)) $((bytes - 70)); do
  fresh
  flip "$at"
  judge 76 "error[R0403]: the batch $file is damaged: its check value does not fit its contents"
done
fresh
flip $((bytes - 1))
judge 76 "error[R0404]: the batch $file has a wrong signature: helper did not deal it like this"
fresh
alice=(--input 'x=[1, 2, 3, 4, 5, 6, 7, 8, 9]')
prefix=other judge 76 "error[R0404]: the batch $file is for another program"
alice=(--input "x=$(<"$work/x.json")")
mv "$work/bad/bob.dealt" "$work/bad/alice.dealt"
judge 76 "error[R0404]: the batch $file is for bob, and this is alice"
fresh
judge 76 "error[R0404]: the batch $file was dealt with no --seed, and this party has --seed 3" --seed 3
chmod 644 "$work/bad/alice.dealt"
judge 78 "error[R0502]: the batch $file can be read by others (mode 0644)"
mkdir "$work/mallory"
"$work/party-helper" keygen -o "$work/mallory/helper.key" >/dev/null 2>&1
(cd "$work/mallory" && "$work/party-helper" --key helper.key --deal . >/dev/null)
rm -rf "$work/bad"
cp -r "$work/mallory/batch-000001" "$work/bad"
judge 76 "error[R0404]: the batch $file was not dealt by the helper of hosts.toml"

# ---- at the producer
"$tfec" tests/e2e/queries.tfe -o "$work/queries"
refused 64 "error[R0501]: --deal: producer receives messages from client, so it cannot run ahead" "$work/queries-producer" --deal dir
grep -q "a condition or a loop that depends on a revealed value" "$work/refused/err.txt"
helper=("$work/party-helper" --key "$work/helper/party-helper.key")
refused 64 "error[R0501]: --deal: alice receives messages from bob, so it cannot run ahead" "$work/party-alice" --deal dir
refused 64 "error[R0501]: --deal writes batches and --dealt reads one: give one of them" "${helper[@]}" --deal dir --dealt dir
refused 64 "error[R0501]: --deal-count belongs to --deal" "${helper[@]}" --deal-count 3
refused 64 "error[R0501]: --deal-count 0: a number from 1 belongs here" "${helper[@]}" --deal dir --deal-count 0
refused 64 "error[R0501]: --deal is a run of its own, and does not go with other commands" "${helper[@]}" --deal dir --check
refused 64 "error[R0501]: --deal signs with a pinned key: --cert and --ca have no use" "${helper[@]}" --deal dir --cert a --ca b
refused 78 "error[R0503]: cannot read the key file party-helper.key: No such file or directory" "$work/party-helper" --deal dir
refused 73 "error[R0601]: cannot write nowhere/dir: No such file or directory" "${helper[@]}" --deal nowhere/dir
[ ! -e "$work/refused/dir" ]

# Stopped in the middle, it leaves nothing; killed, what it leaves is removed next time.
"$tfec" tests/e2e/ahead.tfe -D n=100000 -D passes=2000 -o "$work/long"
written() { [ -n "$(find "$work/stopped" -name '*.dealt' -size +1000k 2>/dev/null)" ]; }
stopped() { # SIGNAL CODE LINE
  prefix=long start helper --deal "$work/stopped"
  until_true "$patience" written || fail "nothing is dealt"
  kill -"$1" "${pid[helper]}"
  expect helper "$2" "$3"
}
stopped TERM 143 "error[R0701]: stopped by signal 15"
[ -z "$(ls -A "$work/stopped")" ]
stopped KILL 137 ""
[ -d "$work/stopped/.dealing" ]
(cd "$work/helper" && "$work/party-helper" --deal "$work/stopped" >/dev/null)
[ "$(ls -A "$work/stopped")" = batch-000001 ]

echo "dealt: the same results without the producer; used, damaged and foreign batches, and parties that do not agree, are refused"
