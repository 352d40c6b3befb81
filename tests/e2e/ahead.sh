#!/usr/bin/env bash
# The producer does not wait for the servers. If they are held up, it goes on, and for a small program ends, before they do;
# what a server takes in advance is bounded.
#
#   ahead.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin ahead "$@"
cd "$top"

"$tfec" tests/e2e/ahead.tfe -o "$work/party"
"$tfec" tests/e2e/ahead.tfe -D n=100000 -D passes=100 -o "$work/long"
set_up tests/e2e/ahead.tfe

mkfifo "$work/late"

start_held() { # alice has the first item of her input, and reads the second from a pipe that stays empty until `release`
  stdin=$work/late start alice --input x=-
  exec {late}>"$work/late"
  echo 0.5 >&"$late"
  start bob
  start helper
  await_log bob "session begins"
}
release() {
  echo 0.5 >&"$late"
  exec {late}>&-
}

start_held
kill -STOP "${pid[alice]}" "${pid[bob]}"
expect helper 0
sleep 0.5
if ended alice || ended bob; then fail "the servers were not held up"; fi
kill -CONT "${pid[alice]}" "${pid[bob]}"
release
expect alice 0
expect bob 0
grep -qx 'x: \[1 1\]' "$work/bob/out.txt"

# 100 MB, and a server that takes in advance what it may (64 MiB, chan.c) and then leaves the producer waiting.
prefix=long
start_held
sleep 2
taken=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/${pid[bob]}/status")
if ended helper || ended bob; then fail "the program is too small for this test"; fi
release
for party in alice bob helper; do expect "$party" 0; done
[ "$taken" -gt 60000 ] && [ "$taken" -lt 300000 ] || fail "a server that waits holds $taken kB"

echo "ahead: the producer does not wait for the servers, and is held back in time ($((taken / 1024)) MiB)"
