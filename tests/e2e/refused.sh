#!/usr/bin/env bash
# Parties that do not belong together do not run: other programs, other parameters, other keys, wrong hosts files, wrong
# certificates. Each message says what differs and what to do. With certificates that are right, they do run.
#
#   refused.sh TFEC FREE_PORTS
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/parties.sh"
begin refused "$@"
cd "$top"

program=tests/e2e/two.tfe
"$tfec" "$program" -D size=3 -o "$work/party"
"$tfec" "$program" -D size=4 -o "$work/other"
"$tfec" "$program" -o "$work/plain"
set_up "$program"
input='x=[1, 2, 3]'
wait=10

all_expect() { # CODE LINE...: of every party
  local party
  for party in alice bob helper; do expect "$party" "$@"; done
}

start_three() { # OPTIONS OF ALL
  start alice "$@"
  start helper "$@"
  start bob --input "$input" "$@"
}

# They run as they are, with an executable that says nothing of the parameter as well, and with --check, which computes
# nothing.
start alice
start helper
prefix=plain start bob --input "$input"
all_expect 0 ""
grep -q '^sum: 1[34]' "$work/alice/out.txt"
start_three --check
all_expect 0 ""
for party in alice bob helper; do
  grep -qx "party-$party: ready: all parties are here, with the same program; nothing was computed" "$work/$party/out.txt"
done

# ---- program and parameters
start alice
start helper
prefix=other start bob --input 'x=[1, 2, 3, 4]'
told="stopped before the computation began: a peer runs a different program or version (R0103)"
expect bob 76 "error[R0103]: alice runs a different program" "error[R0103]: helper runs a different program"
expect alice 76 "error[R0103]: bob runs a different program"
expect helper 76 "error[R0103]: bob runs a different program" "error[R0103]: bob $told" "error[R0103]: alice $told"
has_note bob "they differ in: param size (ours 4, theirs 3)"
has_note alice "they differ in: param size (ours 3, theirs 4)"
has_note alice "compile once and copy, or compile with the same -D options; compare with \`party-alice --hash\`"
prefix=plain start alice
start helper
prefix=other start bob --input 'x=[1, 2, 3, 4]'
expect alice 76 "error[R0103]: bob runs a different program"
has_note alice "they differ in: param size (ours default, theirs 4)"
expect bob 76 "error[R0103]: alice runs a different program" "error[R0103]: helper runs a different program"
expect helper 76 "error[R0103]: bob runs a different program" "error[R0103]: bob $told" "error[R0103]: alice $told"

# The same code with another text of its parameters.
LC_ALL=C sed 's/size=3/size=7/' "$work/party-bob" >"$work/text-bob"
chmod +x "$work/text-bob"
start alice
start helper
prefix=text start bob --input "$input"
all_expect 76 "error[R0104]: parties were started with different parameters"
has_note alice "size: alice 3, bob 7, helper 3"
has_note helper "give every party the same --set size=..."
start alice --seed 1
start helper --seed 1
start bob --input "$input" --seed 2
all_expect 76 "error[R0104]: parties were started with different parameters"
has_note bob "--seed: alice 1, bob 2, helper 1"
refused 76 "error[R0103]: this is not the program that --program names" "$work/party-alice" --program 00 \
  --hosts "$work/hosts.toml"

# ---- keys
mkdir "$work/keys"
"$work/party-alice" keygen -o "$work/keys/alice" >"$work/keys/alice.pub" 2>/dev/null
"$work/party-bob" keygen -o "$work/keys/bob" >"$work/keys/bob.pub" 2>/dev/null
key_of() { sed -n "/^\[$1\]/,/^key/ s/^key *= *//p" "$work/hosts.toml"; }
replace() { # FILE OLD NEW: hosts.toml with another text, literally
  local text
  text=$(<"$work/hosts.toml")
  printf '%s\n' "${text/"$2"/"$3"}" >"$1"
}

# bob is not who the others expect: helper dials him, he dials alice. Further variables as for `start`.
not_bob() { # LINE-OF-HELPER LINE-OF-BOB OPTIONS OF BOB
  local helper=$1 bob=$2
  shift 2
  start_as helper
  start bob --input "$input" "$@"
  expect helper 77 "$helper"
  expect bob 69 "error[R0102]: lost helper (@) before the computation began"
  wait=1 start_as alice
  start bob --input "$input" "$@"
  expect bob 77 "error[R0105]: alice (@alice) refused this party: $bob" "error[R0106]: alice (@alice) refused this party: $bob"
  expect alice 69 "error[R0101]: bob did not connect"
  has_note alice "refused: 127.0.0.1:"
}
start_as() { start "$1"; }

replace "$work/hosts.bob" "$(key_of bob)" "$(sed 's/^key = //' "$work/keys/bob.pub")" # his own agrees with his key
short=$(sed 's/^key = "\(.\{9\}\).*\(.\{4\}\)"$/\1…\2/' "$work/keys/bob.pub")
not_bob "error[R0105]: the peer at @bob is not bob" "alice does not know the key $short" \
  --key "$work/keys/bob" --hosts "$work/hosts.bob"
has_note helper "if bob made a new key, ask its owner for it (by another channel) and put it into hosts.toml on every host"
has_note helper ", got $short"
has_note bob "put this under [bob] in the hosts.toml of alice: $(cat "$work/keys/bob.pub")"

run_bob=("$work/party-bob" --hosts "$work/hosts.toml" --input "$input")
refused 78 "error[R0503]: cannot read the key file nothing.key: No such file or directory" "${run_bob[@]}" --key nothing.key
chmod 644 "$work/keys/bob"
refused 78 "error[R0503]: the key file WORK/keys/bob can be read by others (mode 0644)" "${run_bob[@]}" --key "$work/keys/bob"
chmod 600 "$work/keys/bob"
refused 78 "error[R0503]: WORK/keys/bob is not the key that WORK/hosts.toml:$(grep -n -A3 '^\[bob\]' "$work/hosts.toml" | sed -n 's/^\([0-9]*\)-key.*/\1/p') names for bob" \
  "${run_bob[@]}" --key "$work/keys/bob"
refused 78 "error[R0503]: WORK/keys/bob.pub is not a key file" bash -c 'chmod 600 "$1" && shift && exec "$@"' - \
  "$work/keys/bob.pub" "${run_bob[@]}" --key "$work/keys/bob.pub"
refused 73 "error[R0601]: the key file WORK/keys/bob exists already" "$work/party-bob" keygen -o "$work/keys/bob"

# ---- hosts files: what is wrong, line, message
wrong_hosts() { # LINE-OF-MESSAGE TEXT
  printf "$2" >"$work/wrong.toml"
  refused 78 "error[R0502]: $1" "$work/party-bob" --hosts "$work/wrong.toml" --key "$work/bob/party-bob.key" --input "$input"
}
a='[alice]\naddress = "127.0.0.1:1"\nkey = '$(key_of alice)'\n'
h='[helper]\nkey = '$(key_of helper)'\n'
b='[bob]\naddress = "127.0.0.1:2"\nkey = '$(key_of bob)'\n'
wrong_hosts 'WORK/wrong.toml:2: this line is not understood' '[alice]\n???\n'
wrong_hosts 'WORK/wrong.toml:1: `]` is missing after `[alice`' '[alice\n'
wrong_hosts 'WORK/wrong.toml:1: `address` belongs to no party' 'address = "127.0.0.1:1"\n'
wrong_hosts 'WORK/wrong.toml:2: `127.0.0.1` is not an address' '[alice]\naddress = "127.0.0.1"\n'
wrong_hosts 'WORK/wrong.toml:2: the closing " is missing' '[alice]\naddress = "127.0.0.1:1\n'
wrong_hosts 'WORK/wrong.toml:2: `tfe1:short` is not a key' '[alice]\nkey = "tfe1:short"\n'
wrong_hosts 'WORK/wrong.toml:2: no setting has the name `port`' '[alice]\nport = 7\n'
wrong_hosts 'WORK/wrong.toml:4: a second table [alice]' "$a$a"
wrong_hosts 'WORK/wrong.toml:3: a second `address` for alice' '[alice]\naddress = "127.0.0.1:1"\naddress = "127.0.0.1:1"\n'
wrong_hosts 'the key of helper is not known' "$a$b"
wrong_hosts 'the address of alice is not known' "[alice]\nkey = $(key_of alice)\n$b$h"
wrong_hosts 'WORK/wrong.toml:8: alice and helper have the same key' "$a$b[helper]\nkey = $(key_of alice)\n"
refused 78 "error[R0502]: cannot read the hosts file nothing.toml: No such file or directory" "$work/party-bob" \
  --hosts nothing.toml --key "$work/bob/party-bob.key" --input "$input"
refused 78 "error[R0502]: the address of alice is not known" "$work/party-bob" --key "$work/bob/party-bob.key" --input "$input"
grep -q 'no hosts file was given' "$work/refused/err.txt"
# A table of nobody is another program's; a name written wrongly is missed under the right one.
printf '[alise]\naddress = "127.0.0.1:9"\n%s' "$(cat "$work/hosts.toml")" >"$work/more.toml"
hosts=$work/more.toml start_three
all_expect 0 ""
wrong_hosts 'the address of alice is not known' "[alise]\n${a#*n}$b$h"

# ---- X.509: certificates of an authority of our own instead of keys in the hosts file
if ! command -v openssl >/dev/null; then
  echo "refused: no openssl command here, so certificates were not tried" >&2
  exit 77
fi
ca=$work/ca
mkdir "$ca"
openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=authority -keyout "$ca/ca.key" -out "$ca/ca.pem"
certificate() { # FILE NAME DAYS [AUTHORITY]
  openssl req -new -newkey ed25519 -nodes -subj "/CN=$2" -addext "subjectAltName=DNS:$2" -keyout "$ca/$1.key" -out "$ca/$1.csr"
  openssl x509 -req -in "$ca/$1.csr" -CA "$ca/${4:-ca}.pem" -CAkey "$ca/${4:-ca}.key" -days "$3" -out "$ca/$1.pem"
  chmod 600 "$ca/$1.key"
}
for party in alice bob helper; do certificate "$party" "$party" 2; done
certificate old bob -1
certificate mallory mallory 2
openssl req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=strange -keyout "$ca/strange.key" -out "$ca/strange.pem"
certificate foreign bob 2 strange
grep -v '^key' "$work/hosts.toml" >"$work/hosts.x509"
hosts=$work/hosts.x509

with() { # CERTIFICATE
  printf -- '--cert\n%s\n--key\n%s\n--ca\n%s\n' "$ca/$1.pem" "$ca/$1.key" "$ca/ca.pem"
}

start_as() { # PARTY OPTIONS: certified
  mapfile -t options < <(with "$1")
  start "$1" "${options[@]}" "${@:2}"
}

start_as alice
start_as helper
start_as bob --input "$input"
all_expect 0 ""

date_of() { LC_ALL=C date -u -d "$(openssl x509 -in "$ca/$1.pem" -noout -enddate | cut -d= -f2)" +%Y-%m-%d; }
certified_as() { # LINE-OF-HELPER LINE-OF-BOB CERTIFICATE OF BOB
  mapfile -t options < <(with "$3")
  not_bob "$1" "$2" "${options[@]}"
}
certified_as "error[R0106]: certificate of bob expired on $(date_of old)" "the certificate of bob expired on $(date_of old)" old
has_note helper "renew it on bob"
certified_as "error[R0105]: the peer at @bob is not bob" "alice does not know the certificate of mallory" mallory
has_note helper "its certificate is for mallory"
why="is not trusted: unable to get local issuer certificate"
certified_as "error[R0106]: certificate of bob $why" "the certificate of bob $why" foreign

echo "refused: programs, parameters, keys, hosts files and certificates that do not belong together; the right ones run"
