# SPDX-License-Identifier: GPL-2.0-or-later
# The commands that the launcher answers itself: test, doctor and completion. Sourced by ./exo-dev.

# --- test ------------------------------------------------------------------------------------------------------------

test_help() {
  cat <<'TEXT'
Usage: ./exo-dev test [--label LABEL] [--preset asan|tsan] [-R REGEX] [--json] [--build-only]

Builds everything and runs the tests; the output of those that fail is shown. Exit status 1 when one fails.

  --label LABEL     only unit, contract, engines, cli, boot, launcher, tidy; or slow: campaigns that no other run has
  --preset PRESET   asan (address and undefined behaviour) or tsan (threads): the host tests, in a build of their own
  -R REGEX          only tests whose name matches
  --json            a summary as JSON on stdout, ctest's output on stderr
  --build-only      run nothing
TEXT
}

command_test() {
  local label='' preset=dev regex='' json='' build_only=''
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) test_help; return ;;
      --json) json=1; shift; continue ;;
      --build-only) build_only=1; shift; continue ;;
      --label=* | --preset=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
      --label | --preset | -R) ;;
      *) die 2 "test: unknown argument '$1' (./exo-dev test --help)" ;;
    esac
    [ $# -ge 2 ] || die 2 "test: $1 needs a value (./exo-dev test --help)"
    case $1 in --label) label=$2 ;; --preset) preset=$2 ;; -R) regex=$2 ;; esac
    shift 2
  done
  [[ $label =~ ^(|unit|contract|engines|cli|boot|launcher|tidy|slow)$ ]] ||
    die 2 "test: there is no label '$label': use unit, contract, engines, cli, boot, launcher, tidy or slow"
  [[ $preset =~ ^(dev|asan|tsan)$ ]] || die 2 "test: there is no preset '$preset': use asan or tsan"
  if [ "$preset" != dev ]; then
    [[ $label =~ ^(|unit|contract)$ ]] || die 2 "test: --preset $preset runs host tests: use --label unit or contract"
  fi
  run_tests "$preset" "$label" "$regex" "$json" "$build_only"
}

# run_tests PRESET LABEL REGEX JSON BUILD-ONLY
run_tests() {
  local preset=$1 label=$2 regex=$3 json=$4 build_only=$5 status targets=(all) report
  BUILD=$ROOT/build/$preset
  report=$BUILD/tests.xml
  local ctest=(ctest --test-dir "$BUILD" --output-on-failure --no-tests=error -j "$(nproc)" --output-junit "$report")
  [[ $label =~ ^(unit|launcher|tidy)$ ]] && targets=("exo_tests_$label")
  if [ "$preset" != dev ]; then
    targets=(exo_tests_host)
    ctest+=(-L '^(unit|contract)$' -LE '^image$')
  fi
  [ -n "$label" ] && ctest+=(-L "^$label\$")
  [ "$label" = slow ] && ctest+=(-C slow)
  [ -n "$regex" ] && ctest+=(-R "$regex")
  # GCC 12's thread sanitizer can't find its shadow memory when addresses are fully randomised.
  [ "$preset" = tsan ] && setarch -R true 2>/dev/null && ctest=(setarch -R "${ctest[@]}")

  prepare "$preset" test "${targets[@]}"
  [ -z "$build_only" ] || return 0
  export EXO_DEV_ROOT=$ROOT EXO_DEV_BUILD=$BUILD UBSAN_OPTIONS=print_stacktrace=1
  rm -f "$report"
  if [ -n "$json" ]; then "${ctest[@]}" >&2; else "${ctest[@]}"; fi
  status=$?
  [ -z "$json" ] || tests_json "$report"
  [ "$status" = 0 ] || exit 1
}

# tests_json JUNIT-FILE: the summary of what ctest wrote.
tests_json() {
  [ -f "$1" ] || { printf '{"schema":1,"tests":0,"failed":[],"skipped":0}\n'; return; }
  awk '
    function attribute(line, name) { return match(line, name "=\"[^\"]*\"") ? substr(line, RSTART + length(name) + 2, RLENGTH - length(name) - 3) : "" }
    /<testcase / {
      total++; status = attribute($0, "status")
      if (status == "fail") {
        name = attribute($0, " name"); gsub(/&quot;/, "\\\""); failed = failed (failed == "" ? "" : ",") "\"" name "\""
      } else if (status != "run") skipped++
    }
    END { printf "{\"schema\":1,\"tests\":%d,\"failed\":[%s],\"skipped\":%d}\n", total, failed, skipped }' "$1"
}

# --- doctor ----------------------------------------------------------------------------------------------------------

DOCTORED=(sim run engine:qemu firmware:uefi engine:bochs trace diff bench image boot test)

command_doctor() {
  local json='' lacking=()
  case ${1:-} in
    '') ;;
    --json) json=1; shift ;;
    --help | -h) printf '%s\n' "Usage: ./exo-dev doctor [--json]" "" \
      "Every tool and library: found, needed, missing and for which command. Exit status 4 if something is missing."; return ;;
  esac
  [ $# = 0 ] || die 2 "doctor: unknown argument '$1' (./exo-dev doctor --help)"
  . "$ROOT/devenv/setup/packages.sh"
  find_versions
  mapfile -t lacking < <(for command in "${DOCTORED[@]}"; do missing_for "$command"; done | sort -u)
  if [ -n "$json" ]; then doctor_json "${lacking[@]}"; else doctor_table "${lacking[@]}"; fi
  [ ${#lacking[@]} = 0 ] || exit 4
}

# doctor_table MISSING-PACKAGES...: what only an option asks for is absent, not missing.
doctor_table() {
  local name package needed commands probe mark red='' green='' plain='' broken
  if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then red=$'\033[31m' green=$'\033[32m' plain=$'\033[0m'; fi
  printf '%-9s%-25s%-20s%-10s%-8s%s\n' '' 'tool or library' 'Debian package' found needed 'needed by'
  while IFS='|' read -r name package needed commands probe; do
    mark="${red}missing"
    [ -n "${FOUND[$package]:-}" ] && mark="${red}too old"
    [[ " $* " == *" $package "* ]] || mark='absent '  # optional: no command needs it by itself
    is_met "$package" "$needed" && mark="${green}ok     "
    printf '%s%s  %-25s%-20s%-10s%-8s%s\n' "$mark" "$plain" "$name" "$package" \
      "$(plain_version "${FOUND[$package]:-}")" "$(plain_version "$needed")" "$commands"
  done < <(printf '%s\n' "${REQUIREMENTS[@]}")
  printf '\n'
  if [ $# = 0 ]; then printf 'Nothing is missing.\n'; return; fi
  broken=$(for command in "${DOCTORED[@]}"; do [ -z "$(missing_for "$command")" ] || printf ' %s' "$command"; done)
  printf 'Missing for%s. These commands install what they need by themselves; by hand:\n' "$broken"
  install_commands "$@"
}

json_string() { local s=${1//\\/\\\\}; s=${s//\"/\\\"}; printf '"%s"' "${s//$'\n'/\\n}"; }

# doctor_json MISSING-PACKAGES...
doctor_json() {
  local name package needed commands probe ok found separator=''
  printf '{"schema":1,"ok":%s,"tools":[' "$([ $# = 0 ] && printf true || printf false)"
  while IFS='|' read -r name package needed commands probe; do
    ok=false; is_met "$package" "$needed" && ok=true
    found=null; [ -n "${FOUND[$package]:-}" ] && found=$(json_string "$(plain_version "${FOUND[$package]}")")
    printf '%s{"name":%s,"package":"%s","found":%s,"needed":"%s","ok":%s,"commands":["%s"]}' "$separator" \
      "$(json_string "$name")" "$package" "$found" "$(plain_version "$needed")" "$ok" "${commands// /\",\"}"
    separator=,
  done < <(printf '%s\n' "${REQUIREMENTS[@]}")
  printf '],"missing":['
  separator=''
  for package; do printf '%s"%s"' "$separator" "$package"; separator=,; done
  printf '],"install":%s}\n' "$([ $# = 0 ] && printf null || json_string "$(install_commands "$@")")"
}

# --- completion ------------------------------------------------------------------------------------------------------

command_completion() {
  case ${1:-} in
    bash) cat <<'TEXT'
# bash completion for exo-dev: source <(./exo-dev completion bash)
_exo_dev() {
  local word=${COMP_WORDS[COMP_CWORD]} words
  words=$("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -o default -F _exo_dev exo-dev
TEXT
      ;;
    zsh) cat <<'TEXT'
#compdef exo-dev
# zsh completion for exo-dev: source <(./exo-dev completion zsh)
_exo_dev() {
  local -a candidates
  candidates=(${=$("${words[1]}" __complete "${(@)words[2,CURRENT-1]}" 2>/dev/null)})
  compadd -a candidates
  [[ ${words[CURRENT]} == -* ]] || (( CURRENT == 2 )) || _files
}
compdef _exo_dev exo-dev
TEXT
      ;;
    --help | -h) printf 'Usage: ./exo-dev completion bash|zsh\n\nFor this shell: source <(./exo-dev completion bash)\n' ;;
    *) die 2 "completion: say for which shell: bash or zsh" ;;
  esac
}

# command___complete WORDS...: what may follow WORDS. Options come from the compiled CLI's own help, so they can't be
# out of date; nothing is built for it.
command___complete() {
  [ $# -gt 0 ] || { printf '%s\n' "${COMMANDS[@]}" --help --version --yes; return; }
  case "$1 ${*: -1}" in
    *' --label') printf '%s\n' unit contract engines cli boot launcher tidy slow; return ;;
    'test --preset') printf '%s\n' asan tsan; return ;;
    'completion '*) printf '%s\n' bash zsh; return ;;
    doctor*) printf '%s\n' --json --help; return ;;
    test*) test_help | grep -oE -- '(^|[ [])-(-[a-z][a-z-]*|R)' | tr -d ' [' | sort -u; return ;;
  esac
  [ -x "$BUILD/devenv/exo-dev" ] || return
  local path=() word
  for word; do [[ $word == -* ]] && break; path+=("$word"); done
  EXO_DEV_ROOT=$ROOT EXO_DEV_BUILD=$BUILD "$BUILD/devenv/exo-dev" "${path[@]:0:2}" --help 2>/dev/null |
    awk '/^Subcommands:/ { sub_commands = 1; next } sub_commands && /^  [a-z]/ { print $1 }
         { while (match($0, /--[a-z][a-z-]*/)) { print substr($0, RSTART, RLENGTH); $0 = substr($0, RSTART + RLENGTH) } }' |
    sort -u
}
