#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The launcher on machines that this one is not: without packages, without network, without root, with other apt
# sources. It runs from a copy whose /etc/apt is a scratch folder, with stand-ins for apt, dpkg-query, sudo and cmake
# first in PATH that log their arguments. launcher_test.sh CASE runs one case; each prints what it missed.
set -uo pipefail
source_root=$(readlink -f "$(dirname "$0")/../..")
work=$(mktemp -d); trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
failures=0
fail() { printf 'FAILED: %s\n' "$*"; failures=$((failures + 1)); }
expect_status() { [ "$status" = "$1" ] || fail "exit status $status instead of $1; output: $output"; }
expect_says() { [[ $output == *"$1"* ]] || fail "does not say '$1' but: $output"; }
expect_silent_about() { [[ $output != *"$1"* ]] || fail "says '$1': $output"; }
expect_log() { grep -qE "$1" "$work/log" || fail "never called: $1; log: $(cat "$work/log")"; }
expect_no_log() { grep -qE "$1" "$work/log" && fail "called: $(grep -E "$1" "$work/log")"; }

# stand_in NAME SCRIPT: a command that logs how it was called and then does SCRIPT.
stand_in() {
  printf '#!/bin/bash\necho "%s $*" >>"%s"\n%s\n' "$1" "$work/log" "$2" >"$work/bin/$1"; chmod +x "$work/bin/$1"
}

# machine: a tree with the launcher, a Debian 12 with no package of ours, a working apt whose own Unicorn is too old.
machine() {
  mkdir -p "$work"/{bin,tree/devenv/setup,apt/sources.list.d,apt/preferences.d}; : >"$work/log"
  cp "$source_root/exo-dev" "$work/tree/"; cp "$source_root"/devenv/setup/*.sh "$work/tree/devenv/setup/"
  sed -i "s,^APT=.*,APT=$work/apt OS_RELEASE=$work/os-release," "$work/tree/devenv/setup/packages.sh"
  printf 'ID=debian\nVERSION_CODENAME=bookworm\n' >"$work/os-release"
  printf 'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg\n' \
    >"$work/apt/sources.list.d/debian.sources"
  touch "$work/installed"
  stand_in dpkg-query "cat '$work/installed'"
  stand_in apt-cache 'echo "  Candidate: 2.0.1.post1-1"'
  stand_in apt-get "[[ \$* != *--download-only* && \$* == *' install '* ]] && cp '$work/all' '$work/installed'; exit 0"
  stand_in sudo 'while [[ $1 == -* ]]; do [ "$1" = -v ] && exit; shift; done; exec "$@"'
  stand_in cmake 'echo "CMake Error at CMakeLists.txt:1: stand-in"; exit 1'
  sed -nE 's/^  "[^|]*\|([^|]*)\|([^|]*)\|.*/installed \1 \2-1/p' "$work/tree/devenv/setup/packages.sh" >"$work/all"
}

# launch ARGUMENTS...: sets output (both streams) and status.
launch() { output=$(cd / && PATH="$work/bin:$PATH" "$work/tree/exo-dev" "$@" 2>&1 </dev/null); status=$?; }

# source_from TEXT [FILE]: what the next suite's source would be if FILE of apt's configuration held TEXT.
source_from() {
  rm -f "$work"/apt/sources.list.d/*; printf '%b' "$1" >"$work/apt/${2:-sources.list.d/debian.sources}"
  output=$(set +u; . "$work/tree/devenv/setup/packages.sh"; next_suite_source); status=$?
}

case_usage() {
  launch; expect_status 0; expect_says './exo-dev diff HEAD~1'
  launch --help; expect_status 0
  launch smi; expect_status 2; expect_says "did you mean 'sim'"
  launch tset; expect_status 2; expect_says "did you mean 'test'"
  launch frobnicate; expect_status 2; expect_silent_about 'did you mean'
  launch test --label nothing; expect_status 2; expect_says 'unit, contract'
  launch test --preset; expect_status 2
  launch test --preset tsan --label cli; expect_status 2
  launch doctor --what; expect_status 2
  launch completion fish; expect_status 2
  launch completion bash; expect_status 0; bash -n <<<"$output" || fail 'bash completion is no bash'
  launch __complete; expect_says doctor
  launch __complete test --label; expect_says engines
  expect_no_log '^(apt-get|cmake|sudo)'
}

case_doctor() {
  launch doctor; expect_status 4; expect_says 'missing  Unicorn engine'; expect_says 'Suites: forky'
  expect_says 'libunicorn-dev/forky'
  launch doctor --json; expect_status 4; expect_says '"ok":false'; expect_says '"found":null'
  cp "$work/all" "$work/installed"
  launch doctor; expect_status 0; expect_says 'Nothing is missing'
  sed -i 's/libunicorn-dev .*/libunicorn-dev 2.1.1-1/' "$work/installed"
  launch doctor; expect_status 4; expect_says 'too old  Unicorn engine'
  expect_no_log '^(apt-get|cmake|sudo)'
}

case_no_install() {
  output=$(EXO_DEV_NO_INSTALL=1 PATH="$work/bin:$PATH" "$work/tree/exo-dev" --yes sim 2>&1); status=$?
  expect_status 4; expect_says 'apt-get install --no-install-recommends g++ cmake'; expect_silent_about libgtest-dev
  expect_no_log '^(apt-get|cmake|sudo)'
}

case_installs() {
  launch sim; expect_status 4; expect_says 'the build could not be configured'; expect_says 'CMake Error'
  expect_log '^apt-get update$'
  expect_log "^apt-get update -o Dir::Etc::sourcelist=$work/apt/sources.list.d/exo-os-forky.sources"
  expect_log '^apt-get .* install .* libunicorn-dev/forky libunicorn2t64/forky'
  expect_no_log '^apt-get .*libgtest-dev'
  grep -qx 'Suites: forky' "$work/apt/sources.list.d/exo-os-forky.sources" || fail 'no source of the next suite'
  grep -qx 'Pin-Priority: 1' "$work/apt/preferences.d/exo-os-forky" || fail 'not pinned'
  : >"$work/log"; launch sim; expect_no_log '^apt-get'                     # all there now
  rm -f "$work"/apt/*/exo-os*; sed -i '/cmake/d' "$work/installed"; launch sim   # Unicorn is there, CMake is not
  expect_log '^apt-get .* install .* cmake$'; [ -z "$(ls "$work/apt/preferences.d")" ] || fail 'pinned without need'
}

case_candidate_is_new_enough() {
  stand_in apt-cache 'echo "  Candidate: 2.1.4-4"'
  launch sim; expect_log '^apt-get .* libunicorn-dev '; expect_no_log forky
}

case_apt_fails() {
  local fake='[[ $* == *exo-os-forky* ]] && { echo "E: Failed to fetch: Temporary failure resolving"; exit 100; }; exit 0'
  stand_in apt-get "$fake"
  launch sim; expect_status 4; expect_says 'could not be reached'; expect_says 'Next step'
  [ -z "$(ls "$work/apt/preferences.d"; cd "$work/apt/sources.list.d" && compgen -G "exo*")" ] || fail 'left package sources behind'
  stand_in apt-get '[[ $* == *" install "* ]] && { echo "E: Could not get lock /var/lib/dpkg/lock"; exit 100; }; exit 0'
  launch sim; expect_status 4; expect_says 'another program is installing packages'
  stand_in apt-get '[[ $* == *" install "* ]] && { echo "E: Unable to locate package llvm-22-dev"; exit 100; }; exit 0'
  launch sim; expect_status 4; expect_says "sources lack a package"
  stand_in apt-get 'exit 0'                                                # says it went well, installs nothing
  launch sim; expect_status 4; expect_says 'still missing'
}

case_sources() {
  source_from 'Types: deb deb-src\nURIs: http://m.example/debian\nSuites: bookworm\n bookworm-updates\nComponents: main contrib\nSigned-By:\n -----BEGIN\n .\n key\n'
  [ "$output" = $'sources\nTypes: deb\nURIs: http://m.example/debian\nSuites: forky\nComponents: main\nSigned-By:\n -----BEGIN\n .\n key' ] ||
    fail "several types, suites and an embedded key: $output"
  source_from 'Types: deb\nEnabled: no\nURIs: http://a.example\nSuites: bookworm\nComponents: main\n\n# c\nTypes: deb\nURIs: http://s.example/debian-security\nSuites: bookworm-security\nComponents: main\n\nTypes: deb\nURIs: http://b.example\nSuites: stable\nComponents: main\n'
  expect_says 'http://b.example'; expect_silent_about 'a.example'; expect_silent_about 's.example'
  source_from '# deb http://no.example bookworm main\ndeb-src http://no.example bookworm main\ndeb [arch=amd64 signed-by=/k] http://l.example/debian bookworm main contrib\n' sources.list
  [ "$output" = $'list\ndeb [arch=amd64 signed-by=/k] http://l.example/debian forky main' ] || fail "one-line source: $output"
  rm "$work/apt/sources.list"
  source_from 'deb http://third.example/tool stable tool\n' sources.list.d/tool.list
  [ -z "$output" ] || fail "took a third party's source: $output"
  launch sim; expect_status 4; expect_says "can't tell where forky is"
  printf 'ID=ubuntu\nVERSION_CODENAME=noble\n' >"$work/os-release"
  source_from 'Types: deb\nURIs: http://u.example/ubuntu\nSuites: noble\nComponents: main\n'
  [ -z "$output" ] || fail "took another distribution's source: $output"
}

# On a terminal it asks once; script(1) is the terminal.
case_asks() {
  local terminal=(script -qec "PATH='$work/bin:$PATH' '$work/tree/exo-dev' sim" /dev/null)
  output=$(printf 'n\n' | "${terminal[@]}" 2>&1); status=$?
  expect_status 4; expect_says 'Install them now?'; expect_says 'nothing was changed'; expect_no_log '^apt-get'
  output=$(printf 'y\n' | "${terminal[@]}" 2>&1); status=$?
  expect_says 'packages installed in'; expect_log '^apt-get .* install '
}

# Without root: needs root itself to give it up, so it is skipped elsewhere.
case_not_root() {
  [ "$EUID" = 0 ] || { echo 'SKIPPED: needs root'; exit 77; }
  chmod -R a+rwX "$work"; rm "$work/bin/sudo"; ln -s "$(command -v bash)" "$work/bin/bash"
  for tool in dirname readlink uname mkdir flock awk cut grep sed sort cat tail tr env dpkg; do
    ln -s "$(command -v $tool)" "$work/bin/$tool"
  done
  output=$(cd / && setpriv --reuid 65534 --clear-groups env -i PATH="$work/bin" "$work/tree/exo-dev" sim 2>&1 </dev/null); status=$?
  expect_status 4; expect_says 'there is no sudo'; expect_says 'sudo apt-get install'
  expect_no_log '^apt-get'
}

# Ctrl-C while dpkg works: the installation is finished, then the status is that of an interrupted command.
case_interrupted() {
  stand_in apt-get "[[ \$* == *--download-only* || \$* != *' install '* ]] && exit 0; touch '$work/unpacking'; sleep 1; cp '$work/all' '$work/installed'"
  PATH="$work/bin:$PATH" "$work/tree/exo-dev" sim >"$work/out" 2>&1 </dev/null & local pid=$!
  for _ in $(seq 100); do [ -e "$work/unpacking" ] && break; read -rt 0.1 <> <(:); done
  kill -TERM "$pid"; wait "$pid"; status=$?; output=$(cat "$work/out")
  expect_status 143; expect_says 'finishing the package installation first'
  [ -s "$work/installed" ] || fail 'the installation was cut off'
}

[ "$(type -t "case_${1:-}")" = function ] || { echo "no case '${1:-}'"; exit 2; }
machine
"case_$1"
[ "$failures" = 0 ]
