# What `tfec explain` says that a party sends in a run; for the scripts of the tests and of the benchmarks, which source this
# file and have set $tfec.
# shellcheck shell=bash disable=SC2154

sent() { # PARTY PROGRAM OPTIONS...: messages and bytes
  local party=$1
  shift
  "$tfec" explain --format json "$@" |
    sed -n 's/.*"'"$party"'": {.*"messages_sent": \([0-9]*\), "bytes_sent": \([0-9]*\),.*/\1 \2/p' | head -n 1
}
