#!/usr/bin/env bash
# A party that never comes, is killed, or hangs ends every other party that still needs it: in time, with its name. Parties
# that are done are not disturbed, no file is half written, and a second process for a party disturbs nobody.
#
#   lost_peer.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin lost_peer "$@"
cd "$top"

middle="in the middle of the computation"
before="before the computation began"

no_files() { # nothing but what was there before the run, in any folder
  local left
  left=$(find "$work" \( -name '*.tmp' -o -name '*model.csv' -o -name '*size.csv' \))
  [ -z "$left" ] || fail "left behind: $left"
}

# ---- the nine parties of the logistic regression; training that would take hours
"$tfec" examples/logistic/logistic.tfe -D epochs=100000 -o "$work/party"
set_up examples/logistic/logistic.tfe
providers=(provider.0 provider.1 provider.2 provider.3 provider.4)
cp examples/logistic/query.csv "$work/client/x.csv"

start_all() { # OPTIONS
  local party
  for party in server1 server2 producer client "${providers[@]}"; do start "$party" "$@"; done
}

into_the_training() {
  local party
  for party in "${providers[@]}"; do expect "$party" 0; done # they have shared, and are done
  sleep 0.3
}

# 1 a party that never comes
wait=1
start server1
wait=20 start provider.0 # waits longer, so that it is server1 that gives up first
expect server1 69 "error[R0101]: server2 did not connect"
expect provider.0 69 "error[R0101]: cannot reach server2 at @server2: Connection refused" \
  "error[R0101]: server2 cannot be reached by server1"
start client
expect client 69 "error[R0101]: cannot reach server1 at @server1: Connection refused"
has_note client "tried "
has_note client " times in 1 s (--wait 1)"
has_note client "is party-server1 running there?"
wait=20

# 2 a provider is killed before it has shared: all others wait for the client
for party in server1 server2 producer "${providers[@]}"; do start "$party"; done
for party in "${providers[@]}"; do
  await_log server1 "$party connected"
  await_log server2 "$party connected"
done
kill -KILL "${pid[provider.3]}"
expect provider.3 137
for party in server1 server2 producer; do expect "$party" 69 "error[R0102]: lost provider.3 (@) $before"; done
for party in provider.0 provider.1 provider.2 provider.4; do
  expect "$party" 69 "error[R0102]: lost provider.3 $before"
done

# ... and each other role in the middle of the training
killed() { # PARTY [ADDRESS]: who was dialled by it knows another one; who has no connection to it, none
  local party
  start_all
  into_the_training
  kill -KILL "${pid[$1]}"
  expect "$1" 137
  for party in "${!pid[@]}"; do
    expect "$party" 69 "error[R0102]: lost $1 (@) $middle" "error[R0102]: lost $1${2:-} $middle"
    has_note "$party" "start all parties again"
  done
}
killed server2 " (@server2)"
killed producer " (@producer)"
killed client

# 3 a party that hangs
start_all --timeout 2
into_the_training
kill -STOP "${pid[server1]}"
for party in server2 producer client; do
  expect "$party" 69 "error[R0102]: lost server1 (@server1) $middle"
done
grep -q "it .* nothing for 2 s (--timeout 2)" "$work"/{server2,producer,client}/err.txt # at least one saw it itself
kill -CONT "${pid[server1]}"
because="stopped because of this party: a peer was lost in the middle of the computation, or said nothing for too long (R0102)"
expect server1 69 "error[R0102]: server2 $because" "error[R0102]: client $because" "error[R0102]: producer $because" \
  "error[R0102]: lost server2 (@) $middle" "error[R0102]: lost client (@) $middle" "error[R0102]: lost producer (@) $middle"

# 4 a party that computes for longer than that without a message is not taken for one that hangs
"$tfec" run tests/e2e/alone.tfe -D steps=1000 --timeout 0.3 >"$work/alone" || fail "a party that computes was given up"
[ "$(cat "$work/alone")" = "bob: sum: 400" ] || fail "it computed: $(cat "$work/alone")"

# ... and hears meanwhile that another one is lost
"$tfec" tests/e2e/alone.tfe -D steps=1000000000 -o "$work/long"
port=()
set_up tests/e2e/alone.tfe long
prefix=long
start alice
start bob
await_log alice "session begins"
sleep 0.3
kill -KILL "${pid[bob]}"
expect bob 137
expect alice 69 "error[R0102]: lost bob (@bob) $middle" "error[R0102]: lost bob (@) $middle"
prefix=party

# ---- outputs, and a second process
"$tfec" tests/e2e/rounds.tfe -D passes=20000 -o "$work/long"
"$tfec" tests/e2e/rounds.tfe -D passes=2000 -o "$work/party"
port=()
set_up tests/e2e/rounds.tfe
rows='[[1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2]]'
start_rounds() {
  start server1 --output size=size.csv
  start server2
  start producer
  start client --input 'start=[0, 0]' --output model=model.csv
  for party in provider.0 provider.1; do start "$party" --input "rows=$rows"; done
}

grown() { # a file is being written
  [ -n "$(find "$work/client" "$work/server1" -name '.*.tmp' -size +8k)" ]
}

prefix=long
for victim in server2 client; do
  start_rounds
  until_true "$patience" grown || fail "no output is being written"
  kill -KILL "${pid[$victim]}"
  expect "$victim" 137
  for party in server1 server2 client; do
    [ "$party" = "$victim" ] || expect "$party" 69 "error[R0102]: lost $victim (@$victim) $middle" \
      "error[R0102]: lost $victim (@) $middle"
  done
  stop_all
  rm -f "$work/$victim"/.*.tmp # who is killed cannot tidy up
  no_files
done
prefix=party

# 7 a second process for a party that is connected
start_rounds
await_log server1 "session begins"
first=${pid[client]}
mkdir "$work/second"
or="error[R0107]: server2 (@server2) refused this party: client is connected to server2 already, from @" \
  refused 76 "error[R0107]: server1 (@server1) refused this party: client is connected to server1 already, from @" \
  "$work/party-client" --hosts "$work/hosts.toml" --key "$work/client/party-client.key" --input 'start=[0, 0]' --wait 5
grep -q 'another party-client runs already' "$work/refused/err.txt"
kill -0 "$first"
for party in server1 server2 producer client provider.0 provider.1; do expect "$party" 0; done
[ "$(wc -l <"$work/client/model.csv")" -eq 4000 ] # two numbers a pass
[ "$(wc -l <"$work/server1/size.csv")" -eq 2000 ]

echo "lost peers: every role, before and in the middle of a run; hanging; long work alone; outputs whole or not there; a second process"
