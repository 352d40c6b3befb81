#!/usr/bin/env bash
# `tfec run` leaves no process and no directory behind, however it ends, and prints the cause of a failure only.
#
#   run_ends.sh TFEC
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin run_ends "$@"
cd "$top"

export TMPDIR=$work/tmp
mkdir "$TMPDIR"
long=(examples/logistic/logistic.tfe -D epochs=100000 --input client:x=examples/logistic/query.csv)
run=""
trap '[ -z "$run" ] || kill -KILL -- "-$run" 2>/dev/null || true; finish' EXIT

launch() { # ARGUMENTS: in a process group of its own, as a terminal does
  setsid "$tfec" run "$@" >"$work/out" 2>"$work/err" &
  run=$!
}

children_are() { # COUNT
  local -a list=()
  read -r -a list <"/proc/$run/task/$run/children" || true
  [ "${#list[@]}" -eq "$1" ]
}

child() { # PATTERN: the process whose command line matches
  local c
  for c in $(cat "/proc/$run/task/$run/children"); do
    if { tr '\0' ' ' <"/proc/$c/cmdline"; } 2>/dev/null | grep -q "$1"; then echo "$c"; fi
  done
}

# The client, which is started last, is there, and the five providers are done.
trains() { children_are 4 && [ -n "$(child 'party-client .*--hosts')" ]; }

training_begins() { until_true 20 trains || fail "the training does not begin"; }

# It ends with this code within so many seconds, and nothing is left: no process of its group, no file.
ends() { # SECONDS CODE
  local code=0 end=$((SECONDS + $1 + 1))
  while [ -e "/proc/$run" ]; do
    [ "$SECONDS" -lt "$end" ] || { complain "it does not end within $1 s"; return 1; }
    sleep 0.02
  done
  wait "$run" || code=$?
  kill -0 -- "-$run" 2>/dev/null && { complain "processes are left"; return 1; }
  run=""
  [ "$code" -eq "$2" ] || { complain "code $code instead of $2"; cat "$work/err" >&3; return 1; }
  [ -z "$(ls -A "$TMPDIR")" ] || { complain "left behind: $(ls "$TMPDIR")"; return 1; }
}

said() { # LINES...: all that is on standard error
  printf '%s\n' "$@" | diff - "$work/err" >&3
}

# ---- signals, at any moment: while it compiles, links, makes keys, connects, computes
for after in 0.05 0.2 0.4 0.8; do
  launch "${long[@]}"
  sleep "$after"
  kill -TERM "$run"
  ends 15 143
done
for signal in INT:130 HUP:129; do
  launch "${long[@]}"
  training_begins
  kill "-${signal%:*}" -- "-$run" # to all processes, as Ctrl-C in a terminal
  ends 15 "${signal#*:}"
  said "tfec: stopped"
done

# ---- nobody reads what it prints
printf 'party a\nfor i in 0..1000000 { print(i) }\n' >"$work/lines.tfe"
{ "$tfec" run "$work/lines.tfe" 2>"$work/err" || echo "$?" >"$work/code"; } | head -n 1 >/dev/null
[ "$(<"$work/code")" -eq 141 ] || fail "code $(<"$work/code") when the reader is gone: $(head -n 3 "$work/err")"
[ -z "$(ls -A "$TMPDIR")" ] || fail "left behind: $(ls "$TMPDIR")"

# ---- a party is killed, or hangs
launch "${long[@]}"
training_begins
kill -KILL "$(child 'party-server2 .*--listen-fd')"
ends 15 137
grep -q '^party-server2: ended by signal 9$' "$work/err"
[ ! -s "$work/out" ]
launch "${long[@]}" --timeout 2
training_begins
stopped=$(child 'party-producer .*--listen-fd')
kill -STOP "$stopped"
ends 15 69
grep -q 'error\[R0102\]: lost producer' "$work/err" || fail "$(head -n 4 "$work/err")"

# ---- a party that fails before it connects: its message, and no other, and soon
launch examples/logistic/logistic.tfe --input 'client:x=[[1, 2, 3]]'
ends 15 65
said 'party-client: error[R0201]: input `x` has shape [1, 3], the program needs [1, 2]' \
  '  = note: from --input x (--input x=[[1, 2, 3]]), declared at logistic.tfe:35' '  = help: the last axis must be 2'
launch examples/logistic/logistic.tfe
ends 15 66
said 'party-client: error[R0204]: no data for input `x`' '  = note: declared at logistic.tfe:35' \
  '  = help: give --input x=FILE, or put x.npy into this directory'
launch examples/millionaires/millionaires.tfe --input alice:wealth=x --input bob:wealth=1
ends 15 66
[ "$(grep -c 'error\[' "$work/err")" -eq 1 ]

# ---- an output that no party has is refused before anything starts
launch "${long[@]}" --output missing=none
ends 15 2
said 'tfec: error: no party has an output `missing`' '  = help: `tfec parties` lists them'

# ---- a build that is stopped
mkdir "$work/build"
begun() { [ -n "$(ls -A "$work/build")" ]; }
for signal in TERM HUP; do
  "$tfec" examples/logistic/logistic.tfe -o "$work/build/party" &
  run=$!
  until_true 10 begun || fail "nothing is built"
  kill -"$signal" "$run"
  code=0
  wait "$run" || code=$?
  run=""
  [ "$code" -eq $((128 + $(kill -l "$signal"))) ] || fail "a build that was stopped by $signal ended with $code"
  ! begun || fail "left by a build that was stopped: $(ls -A "$work/build")"
done

echo "tfec: signals at any moment, killed and hanging parties, parties that fail early; nothing is left behind"
