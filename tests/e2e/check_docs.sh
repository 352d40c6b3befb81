#!/usr/bin/env bash
# The programs in the documents are programs. Code blocks of the README, the reference and the examples' READMEs:
#
#   ```tfe                  a whole file: `tfec check` accepts it without a warning or an error
#   ```tfe warn             a whole file: accepted, warnings are meant
#   ```tfe error E0302      a whole file: refused with this message
#   ```tfe part             a fragment: not checked
#
#   check_docs.sh TFEC [FILE...]
set -euo pipefail

tfec=$(realpath "$1")
shift
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
cd "$here/../.."
files=("$@")
[ ${#files[@]} -gt 0 ] || files=(README.md lang/reference.md examples/*/README.md)
grep -qxF "$(grep '^\.ci/setup' .ci/run)" README.md || {
  echo ".ci/run does not run the test command of the README" >&2
  exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Writes WORK/NUMBER.tfe and WORK/NUMBER.what ("README.md:12 error E0302") for each block.
awk -v work="$work" '
  /^```tfe/ && !inside {
    inside = 1
    n++
    what = $0
    sub(/^```tfe */, "", what)
    base = sprintf("%s/%03d", work, n)
    print FILENAME ":" FNR " " what > (base ".what")
    printf "" > (base ".tfe")
    next
  }
  /^```/ && inside { inside = 0; close(base ".tfe"); close(base ".what"); next }
  inside { print > (base ".tfe") }
' "${files[@]}"

failed=0 checked=0
for file in "$work"/*.tfe; do
  [ -e "$file" ] || break
  read -r where kind code <"${file%.tfe}.what" || true
  [ "${kind:-}" != part ] || continue
  checked=$((checked + 1))
  status=0
  "$tfec" check "$file" >"$work/out" 2>&1 || status=$?
  case ${kind:-ok} in
  ok) good=$([ "$status" -eq 0 ] && ! grep -q 'warning\[' "$work/out" && echo 1 || true) ;;
  warn) good=$([ "$status" -eq 0 ] && echo 1 || true) ;;
  error) good=$([ "$status" -eq 1 ] && grep -q "error\[$code\]" "$work/out" && echo 1 || true) ;;
  *) good="" ;;
  esac
  if [ -z "$good" ]; then
    echo "$where: this block (${kind:-a program} ${code:-}) is not what it says; tfec check, exit code $status:" >&2
    sed 's/^/    /' "$work/out" >&2
    failed=$((failed + 1))
  fi
done
echo "$checked code blocks checked, $failed wrong"
[ "$failed" -eq 0 ] && [ "$checked" -gt 0 ]
