#!/usr/bin/env bash
# Stored shares: one program stores, another loads them, and everything that is wrong with what it finds is refused with its
# reason: nothing there, damaged, cut off, of another party, key, format or shape, of different runs.
#
#   stored.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin stored "$@"
cd "$here"

servers=(server0 server1)
"$tfec" stored_train.tfe -o "$work/train"
"$tfec" stored_serve.tfe -o "$work/serve"
# One hosts.toml for both programs, without those who are not in it.
set_up stored_serve.tfe serve
mkdir "$work/owner"
printf '[owner]\n%s\n' "$("$work/train-owner" keygen -o "$work/owner/party-owner.key" 2>/dev/null)" >"$work/owner.toml"
sed '/^\[client\]/,/^$/d' "$work/hosts.toml" | cat - "$work/owner.toml" >"$work/train.toml"
cp "$work/hosts.toml" "$work/serve.toml"
train() { # EXPONENT [SERVER CODE LINE]
  prefix=train hosts=$work/train.toml
  start owner --input "x=[[$1], [2], [3]]"
  start producer
  for server in "${servers[@]}"; do start "$server" --state "$work/$server/state"; done
  for party in owner producer "${servers[@]}"; do expect "$party" 0 ""; done
}

serve_start() {
  prefix=${1:-serve} hosts=$work/serve.toml wait=${wait:-20}
  start client --input 'x=[[1, 1, 1]]'
  start producer
  for server in "${servers[@]}"; do start "$server" --state "$work/$server/state"; done
}

answers() { # LINE
  serve_start
  for party in client producer "${servers[@]}"; do expect "$party" 0 ""; done
  [ "$(cat "$work/client/out.txt")" = "$1" ] || fail "the client got $(cat "$work/client/out.txt") instead of $1"
}

# Before anything is connected: server0 says so, and nobody else is asked.
server0_refuses() { # CODE LINE [PREFIX]
  refused "$1" "$2" "$work/${3:-serve}-server0" --hosts "$work/serve.toml" --key "$work/server0/party-server0.key" \
    --state "$work/server0/state"
}

# By the number in its head (runtime/stored.c): times of files can be equal.
newest() { # SERVER: its file of the newest generation
  local file
  for file in "$work/$1/state/"net."$1".*.shares; do
    printf '%s %s\n' "$(od -An -tu8 -j 40 -N 8 "$file" | tr -d ' ')" "$file"
  done | sort -n | tail -n 1 | cut -d ' ' -f 2-
}

# ---- what a program stores, another one loads
server0_refuses 66 "error[R0407]: there are no stored shares \`net\` of server0 in WORK/server0/state"
refused 64 "error[R0501]: stored_serve.tfe stores or loads shares: where?" "$work/serve-server0" --hosts "$work/serve.toml"
"$work/serve-server1" --about | grep -qF 'You keep      shares of `net` (Net[3]) of another run' || fail "--about does not say what is kept"
cat >"$work/test.tfe" <<'PROGRAM'
party a, b, c
test "a test may store" { protocol pond(a, b; c) { let x: private fixed = share at a { 1.5 }; store(x, "x") } }
PROGRAM
"$tfec" test "$work/test.tfe" -q >&3 || fail "a test cannot store"
train 1
answers '[[96.5]] 7 true'
[ "$(find "$work/server0/state" -name '*.shares' -perm 600 | wc -l)" -eq 4 ] # two of each name
TFE_STATE=$work/server0/state refused 69 "error[R0101]: client did not connect" \
  "$work/serve-server0" --hosts "$work/serve.toml" --key "$work/server0/party-server0.key" --wait 0.2
train -1
answers '[[64.5]] 7 false'

# ---- one server died before the last store: the generation before is taken, by both
cp -r "$work/server1/state" "$work/kept"
rm "$(newest server1)"
answers '[[64.5]] 7 false'
serve_start
for party in client producer "${servers[@]}"; do expect "$party" 0 ""; done
grep -qF 'of the stored shares `net` the newest that all have is number' "$work/server0/log.txt"

# ---- different runs are never mixed
train 1
train 1 # the generation that all had at the start of the first one is forgotten in the second one
rm -r "$work/server1/state"
cp -r "$work/kept" "$work/server1/state"
serve_start
for server in "${servers[@]}"; do
  until_true "$patience" ended "$server" || fail "$server does not end" "$server"
done
grep -hq 'error\[R0401\]: stored shares `net` do not belong together: server0 has runs [0-9a-f]\{8\}… and .*, server1 has runs' \
  "$work"/server?/err.txt || fail "nobody says that the runs differ"
grep -hq 'help: copy the --state folders of the same run back' "$work"/server?/err.txt
stop_all
train 1
answers '[[96.5]] 7 true'

# ---- damage
file=$(newest server0)
cp -p "$file" "$work/good"
restore() { cp -p "$work/good" "$file"; }
shown=${file//"$work"/WORK}
printf x | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") - 200)) conv=notrunc status=none
server0_refuses 76 "error[R0408]: $shown is damaged: its check value does not fit its contents"
restore
truncate -s 200 "$file"
server0_refuses 76 "error[R0408]: $shown is damaged: it is not whole"
truncate -s 0 "$file"
server0_refuses 76 "error[R0408]: $shown is damaged: it does not begin as a state file"
restore
chmod 644 "$file"
server0_refuses 78 "error[R0502]: $shown can be read by others (mode 0644)"
chmod 600 "$file"

# ---- of something else
cp "$(newest server1)" "$file"
server0_refuses 76 "error[R0409]: $shown was not written with the key of server0"
restore
"$tfec" stored_serve.tfe -D frac=12 -o "$work/frac"
"$tfec" stored_serve.tfe -D d=4 -o "$work/shape"
sed 's/votes: int/votes: fixed/' stored_serve.tfe >"$work/type.tfe"
"$tfec" "$work/type.tfe" -o "$work/type"
sed 's/pond(server0, server1; producer)/clear(server0)/' stored_serve.tfe >"$work/clear.tfe"
"$tfec" "$work/clear.tfe" -o "$work/clear"
sed 's/server1/server2/' stored_serve.tfe >"$work/parties.tfe"
"$tfec" "$work/parties.tfe" -o "$work/parties"
server0_refuses 76 "error[R0409]: the stored shares \`net\` are of a protocol with frac = 16, whole = 14, ring = 64, and here frac = 12, whole = 14, ring = 64 is needed" frac
server0_refuses 76 "error[R0409]: the stored shares \`net\` are a Net[3], and here Net[4] is needed" shape
server0_refuses 76 "error[R0409]: the stored shares \`net\` are a Net[3], and here Net[3] is needed" type
refused 76 "error[R0409]: the stored shares \`net\` are of protocol kind pond, and here clear is needed" "$work/clear-server0" \
  --hosts "$work/serve.toml" --key "$work/server0/party-server0.key" --state "$work/server0/state" --allow-clear
sed 's/server1/server2/' "$work/serve.toml" >"$work/other.toml"
refused 76 "error[R0409]: the stored shares \`net\` are held by server1, and here server2 is needed" "$work/parties-server0" \
  --hosts "$work/other.toml" --key "$work/server0/party-server0.key" --state "$work/server0/state"
"$work/serve-server1" keygen -o "$work/new.key" >"$work/new.txt" 2>/dev/null
awk -v line="$(cat "$work/new.txt")" '/^\[/ { in_it = /server1/ } in_it && /^key/ { $0 = line } { print }' "$work/serve.toml" >"$work/other.toml"
refused 76 "error[R0409]: the stored shares \`net\` are held by another server1 than this one" "$work/serve-server0" \
  --hosts "$work/other.toml" --key "$work/server0/party-server0.key" --state "$work/server0/state"

# ---- nowhere to write, and two at once
touch "$work/plain"
refused 73 "error[R0601]: cannot write into the state folder: WORK/plain/.server0.lock: Not a directory" "$work/serve-server0" \
  --hosts "$work/serve.toml" --key "$work/server0/party-server0.key" --state "$work/plain"
(
  exec 9>"$work/server0/state/.server0.lock"
  flock 9
  server0_refuses 73 "error[R0601]: another process of server0 uses the state folder WORK/server0/state"
)
answers '[[96.5]] 7 true'
