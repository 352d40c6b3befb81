#!/usr/bin/env bash
# Files that are no programs: tfec says so in one message, with the right exit code, and never crashes.
#   bad_files.sh TFEC
set -u
tfec=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
failed=0

# expect EXIT-CODE TEXT TFEC-ARGUMENT...: TEXT is part of what is printed
expect() {
  local code=$1 text=$2 said got
  shift 2
  said=$(timeout 20 "$tfec" "$@" 2>&1)
  got=$?
  if [ $got != "$code" ] || [[ "$said" != *"$text"* ]]; then
    echo "tfec $*: exit code $got instead of $code, or without \"$text\":"
    echo "${said:0:2000}"
    failed=1
  fi
  if [ ${#said} -gt 4000 ]; then
    echo "tfec $*: ${#said} characters of messages"
    failed=1
  fi
}

repeat() { # TEXT COUNT
  yes "$1" | head -n "$2" | tr -d '\n'
}

: > empty.tfe
printf '# a library\n# of comments' > comments.tfe
printf 'fn twice(x: fixed) -> fixed { return 2.0 * x }\n' > library.tfe
for file in empty comments library; do
  expect 0 "" check $file.tfe
  expect 0 "" test $file.tfe
  for command in run explain reveals parties hosts hash connections; do
    expect 1 "error[E0414]" $command $file.tfe
  done
  expect 1 "error[E0414]" $file.tfe
  [ -z "$(find . -name "$file-*" -o -name '*.manifest.json')" ] || { echo "$file.tfe: something was built"; failed=1; }
done

mkdir folder
expect 66 "cannot read folder" check folder
expect 66 "cannot read nothing.tfe" nothing.tfe
head -c 5000 "$tfec" > binary.tfe
expect 66 "cannot read binary.tfe" check binary.tfe
printf 'party a\nprint("\xff\xfe")\n' > latin.tfe
expect 66 "line 2 is not UTF-8" run latin.tfe
if [ "$(id -u)" != 0 ]; then
  printf 'party a\n' > locked.tfe
  chmod 0 locked.tfe
  expect 66 "cannot read locked.tfe" check locked.tfe
fi

{ printf 'party a\nlet x = 1'; repeat '+1' 300000; printf '\nprint(x)\n'; } > sum.tfe
expect 1 "error[E0137]" check sum.tfe
{ printf 'party a\nlet x = '; repeat '(' 100000; printf 1; repeat ')' 100000; printf '\n'; } > brackets.tfe
expect 1 "error[E0137]" check brackets.tfe
{ printf 'party a\n'; repeat 'if true { ' 30000; printf 'print(1)'; repeat '}' 30000; printf '\n'; } > blocks.tfe
expect 1 "error[E0137]" check blocks.tfe
{ printf 'party a\n# '; repeat x 1000000; printf '\nprint('; repeat y 1000000; printf ')\n'; } > name.tfe
expect 1 "error[E0107]" check name.tfe
{ printf 'party a\nlet x = ['; repeat '1.5, ' 200000; printf '0.0]\nprint(sum(x))\n'; } > numbers.tfe
expect 0 "" check numbers.tfe
{ printf 'party a\n'; repeat 'print(1); ' 20000; printf '\n'; } > statements.tfe
expect 0 "" check statements.tfe
exit $failed
