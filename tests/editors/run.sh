#!/usr/bin/env bash
# Tests of lang/editors: run.sh words WORDS | vim | textmate FOLDER      [--bless] as the last argument rewrites what is expected
#
#   words     the generated parts of the editors' files and of the reference are up to date
#   vim       the colours of sample.tfe (sample.vim) and the errors of messages.txt (messages.vim)
#   textmate  the colours of sample.tfe with the engine of VS Code (sample.textmate); FOLDER keeps its two npm packages
#
# Exit code 77: what the test needs is not there.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
editors=$here/../../lang/editors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

bless=""
[ "${!#}" != --bless ] || bless=1

compare() { # EXPECTED FOUND
  if [ -n "$bless" ]; then
    cp "$2" "$1"
  else
    diff -u "$1" "$2"
  fi
}

skip() {
  echo "skipped: $1"
  exit 77
}

run_vim() { # FILE SCRIPT
  timeout 60 vim -Nu NONE -i NONE -es --cmd "set runtimepath^=$editors/vim" "$1" -S "$2" </dev/null
}

case ${1:-} in
words)
  check=$([ -n "$bless" ] || echo --check)
  # shellcheck disable=SC2086  # empty or one word
  "$2" $check "$editors/vscode/syntaxes/tfe.tmLanguage.json" "$editors/vim/syntax/tfe.vim" "$here/../../lang/reference.md"
  ;;
vim)
  command -v vim >/dev/null || skip "vim is not installed"
  vim --version | grep -q '+syntax' || skip "this vim has no syntax highlighting"
  export DUMP=$work/dump MESSAGES=$here/messages.txt
  run_vim "$here/sample.tfe" "$here/dump.vim"
  compare "$here/sample.vim" "$DUMP"
  run_vim "$here/sample.tfe" "$here/errors.vim"
  compare "$here/messages.vim" "$DUMP"
  ;;
textmate)
  command -v node >/dev/null || skip "node is not installed"
  folder=$2
  if ! [ -d "$folder/node_modules/vscode-textmate" ]; then
    command -v npm >/dev/null || skip "npm is not installed"
    mkdir -p "$folder"
    cp "$here/package.json" "$folder/"
    (cd "$folder" && timeout 120 npm install --no-audit --no-fund --ignore-scripts >npm.log 2>&1) ||
      skip "npm cannot fetch vscode-textmate and vscode-oniguruma (see $folder/npm.log)"
  fi
  node "$here/textmate.mjs" "$folder/node_modules" "$editors/vscode/syntaxes/tfe.tmLanguage.json" "$here/sample.tfe" \
    >"$work/dump"
  compare "$here/sample.textmate" "$work/dump"
  for file in "$editors"/vscode/{package,language-configuration}.json; do
    node -e 'JSON.parse(require("fs").readFileSync(process.argv[1]))' "$file"
  done
  ;;
*)
  echo "usage: $0 words WORDS | vim | textmate FOLDER" >&2
  exit 64
  ;;
esac
