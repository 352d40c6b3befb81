# Party executables of one program on loopback, for the scripts of this folder (which source this file): keys, hosts.toml,
# starting, and judging how each of them ended. Every party has a folder of its own, $work/PARTY, with out.txt, err.txt,
# log.txt. Everything that was started has ended when the script ends, whatever happens.
#
#   source parties.sh; begin NAME TFEC FREE_PORTS
# shellcheck shell=bash

declare -A pid=() port=()
patience=15 # seconds until a party that should end must have ended

begin() { # NAME TFEC [FREE_PORTS]
  set -E
  what=$1
  tfec=$(realpath "$2")
  free_ports=$(realpath "${3:-/dev/null}")
  here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
  top=$(realpath "$here/../..")
  work=$(mktemp -d)
  exec 3>&2 2>"$work/shell.txt" # bash reports every process that is killed
  trap finish EXIT
  trap 'complain "failed at line $LINENO: $BASH_COMMAND"; cat "$work/shell.txt" >&3' ERR
  trap 'exit 143' TERM INT
}

complain() {
  printf '%s: %s\n' "$what" "$1" >&3
}

fail() { # TEXT [PARTY]
  complain "$1"
  local party
  for party in ${2:-"${!pid[@]}"}; do
    sed "s/^/  $party: /" "$work/$party/err.txt" "$work/$party/log.txt" >&3 || true
  done
  exit 1
}

finish() {
  stop_all
  chmod -R u+w "$work"
  rm -rf "$work"
}

stop_all() {
  local party
  for party in "${!pid[@]}"; do
    kill -KILL "${pid[$party]}" 2>/dev/null || true
    wait "${pid[$party]}" 2>/dev/null || true
  done
  pid=()
}

# Keys for the parties of a program whose executables are $work/PREFIX-*, and $work/hosts.toml from the template of `tfec
# hosts`, which has `address = "HOST:PORT"` where a party listens, and `key = "tfe1:..."`.
set_up() { # PROGRAM [PREFIX]
  local line party="" key member
  "$tfec" hosts "$1" >"$work/template.toml"
  mapfile -t free < <("$free_ports" "$(grep -c '^address' "$work/template.toml")")
  while IFS= read -r line; do
    case $line in
    "["*"]"*)
      party=${line#[}
      party=${party%%]*}
      ;;
    address*)
      port[$party]=${free[0]}
      free=("${free[@]:1}")
      line="address = \"127.0.0.1:${port[$party]}\""
      ;;
    key*)
      mkdir -p "$work/$party"
      member=$(member_of "$party")
      # shellcheck disable=SC2086  # no words, or two
      key=$("$work/${2:-party}-${party%%.*}" keygen $member --renew -o "$work/$party/party-$party.key" 2>/dev/null)
      line=$key
      ;;
    esac
    printf '%s\n' "$line"
  done <"$work/template.toml" >"$work/hosts.toml"
}

member_of() { # PARTY: the options that say which member of its family it is
  case $1 in *.*) printf -- '--index %s' "${1#*.}" ;; esac
}

# Starts a party of $work/${prefix:-party}-* in its folder; further variables: hosts, wait, timeout, stdin.
start() { # PARTY ARGUMENTS
  local party=$1 member
  shift
  member=$(member_of "$party")
  rm -f "$work/$party/log.txt"
  # shellcheck disable=SC2086
  (cd "$work/$party" && exec "$work/${prefix:-party}-${party%%.*}" $member --hosts "${hosts:-$work/hosts.toml}" \
    --wait "${wait:-20}" --timeout "${timeout:-20}" --progress none --log log.txt "$@" >out.txt 2>err.txt <"${stdin:-/dev/null}") &
  pid[$party]=$!
}

ended() { # PARTY
  [ ! -e "/proc/${pid[$1]}" ]
}

until_true() { # SECONDS COMMAND: false if it did not come true in time
  local end=$((SECONDS + $1 + 1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.02
  done
}

logged() { # PARTY TEXT
  grep -qF -- "$2" "$work/$1/log.txt" 2>/dev/null
}

await_log() { # PARTY TEXT
  until_true "$patience" logged "$1" "$2" || fail "$1 does not log \"$2\"" "$1"
}

# The first line that a party wrote to standard error, without its own name; its peers' addresses as @server1 where they are
# those of hosts.toml and @ where the system chose the port, our folder as WORK.
first_line() { # PARTY
  local p text
  text=$(head -n 1 "$work/$1/err.txt")
  text=${text#"party-$1: "}
  text=${text//"$work"/WORK}
  for p in "${!port[@]}"; do text=${text//"127.0.0.1:${port[$p]}"/"@$p"}; done
  sed 's/127\.0\.0\.1:[0-9]*/@/g' <<<"$text"
}

# The party ends with this code, and the first line of its message is this one. No message: LINE is empty. One of several:
# give them all.
expect() { # PARTY CODE [LINE...]
  local party=$1 wanted=$2 code=0 found line
  shift 2
  until_true "$patience" ended "$party" || fail "$party does not end" "$party"
  wait "${pid[$party]}" || code=$?
  unset "pid[$party]"
  found=$(first_line "$party")
  [ "$code" -eq "$wanted" ] || fail "$party ended with code $code instead of $wanted" "$party"
  for line in "${@:-}"; do
    [ "$found" != "$line" ] || return 0
  done
  fail "$party: the first line is \"$found\" instead of \"${1:-}\"" "$party"
}

has_note() { # PARTY TEXT: anywhere in its message
  grep -qF -- "$2" "$work/$1/err.txt" || fail "$1 does not say \"$2\"" "$1"
}

# A command that ends by itself: code and first line of its message, as for `expect`; or=ANOTHER LINE.
refused() { # CODE LINE COMMAND...
  local wanted=$1 line=$2 code=0
  shift 2
  mkdir -p "$work/refused"
  (cd "$work/refused" && exec timeout 20 "$@" >out.txt 2>err.txt </dev/null) || code=$?
  [ "$code" -eq "$wanted" ] || fail "$* ended with code $code instead of $wanted" refused
  local found
  found=$(first_line refused)
  found=${found#party-*: }
  [ "$found" = "$line" ] || [ "$found" = "${or:-$line}" ] || fail "$*: the first line is \"$found\" instead of \"$line\"" refused
}
