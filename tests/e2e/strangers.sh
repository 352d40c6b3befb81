#!/usr/bin/env bash
# Whoever is no party cannot stall or crash one: random bytes, silence, HTTP, other kinds of TLS, and 200 connections at once,
# at every party that listens, before the run and during it.
#
#   strangers.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin strangers "$@"
cd "$top"

"$tfec" tests/e2e/queries.tfe -o "$work/party"
set_up tests/e2e/queries.tfe
held=()

noise() { # PORT
  local fd
  (
    trap '' PIPE
    head -c 100000 /dev/urandom >"/dev/tcp/127.0.0.1/$1"
    printf 'GET / HTTP/1.1\r\nHost: server1\r\n\r\n' >"/dev/tcp/127.0.0.1/$1"
    printf '\x16\x03\x01\xff\xff\x01' >"/dev/tcp/127.0.0.1/$1" # a record that claims more than it brings
  ) 2>/dev/null || true
  exec {fd}<>"/dev/tcp/127.0.0.1/$1" # silent
  held+=("$fd")
  if command -v openssl >/dev/null; then
    timeout 10 openssl s_client -connect "127.0.0.1:$1" -tls1_2 </dev/null >"$work/tls12.txt" 2>&1 || true
    grep -q 'no protocols available\|protocol version\|Cipher is (NONE)' "$work/tls12.txt"
    timeout 10 openssl s_client -connect "127.0.0.1:$1" -tls1_3 </dev/null >"$work/tls13.txt" 2>&1 || true
  fi
}

crowd() { # PORT
  local fd
  for _ in {1..200}; do
    exec {fd}<>"/dev/tcp/127.0.0.1/$1"
    held+=("$fd")
  done 2>/dev/null
}

let_go() {
  local fd
  for fd in "${held[@]}"; do exec {fd}>&-; done
  held=()
}

# Before the run: only the servers are there, one after the other.
start server1
start server2
await_log server2 "connected to server1"
for party in server1 server2; do
  noise "${port[$party]}"
  crowd "${port[$party]}"
  grep -q "no TLS handshake" "$work/$party/log.txt"
done
grep -q "too many connections that have not said who they are" "$work/server1/log.txt"

# The others come while all these connections still stand.
mkfifo "$work/queries"
start producer
stdin=$work/queries start client --input x=- --output y=y.csv
exec {queries}>"$work/queries"
ask() { printf '[%d, %d]\n' "$1" "$1" >&"$queries"; }
answered() { [ "$(cat "$work"/client/.y.csv*.tmp | wc -l)" -ge "$1" ]; }
ask 1
until_true "$patience" answered 2 || fail "the first query was not answered" # two numbers each

# During the run: while it computes, and while it waits for the next query.
let_go
for i in {2..400}; do ask "$i"; done
for party in server1 server2; do
  noise "${port[$party]}"
  crowd "${port[$party]}"
done
ask 401
until_true "$patience" answered 802 || fail "the last query was not answered"
exec {queries}>&-
for party in server1 server2 producer client; do expect "$party" 0; done
let_go
[ "$(wc -l <"$work/client/y.csv")" -eq 802 ]

echo "strangers: a run among random bytes, silent connections, HTTP, other TLS and crowds ends as it should"
