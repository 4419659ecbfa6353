#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Rules about the sources that no compiler checks. check.sh RULE [ROOT] prints each violation as file:line: why, and
# exits 1 if there is one. bash and awk only: it runs on a machine with nothing but what exo-dev installs.
# Each rule's proof that it catches something is in self_test.sh.
set -uo pipefail
export LC_ALL=C
RULES=(licence includes posix machine-names dead-sources dead-headers unfinished)
rule=${1:-} root=${2:-$(dirname "$(readlink -f "$0")")/../..}
cd "$root" || exit 2

# tracked PATTERN: the repository's files whose path matches; where there is no git, all but build folders.
tracked() {
  if [ -e .git ] && git rev-parse --git-dir >/dev/null 2>&1; then git ls-files; else
    find . -type f -not -path './.git/*' -not -path './build/*' | sed 's,^\./,,'
  fi | grep -E "$1" | while IFS= read -r file; do [ -f "$file" ] && printf '%s\n' "$file"; done | sort
}
SOURCES='\.(cpp|hpp|h|S|ld|sh|cmake|awk|py|c)$|(^|/)CMakeLists\.txt$|^(exo-dev|Containerfile|\.ci/run)$'
CODE='^(kernel|hal|sim|devenv|bench|tests)/.*\.(cpp|hpp|h|S|c)$'

# The first line (the second after #!) names the licence that LICENSE gives the folder. Build files are MIT anywhere. The
# contract runner links Unicorn.
rule_licence() {
  local file line licence
  tracked "$SOURCES" | while IFS= read -r file; do
    licence='MIT'
    [[ $file =~ ^(sim|devenv|tests/engines|tests/cli|tests/boot)/|^tests/contract/runner ]] && licence='GPL-2.0-or-later'
    [[ $file =~ CMakeLists\.txt$ ]] && licence='(MIT|GPL-2.0-or-later)'
    IFS= read -r line <"$file"
    [[ $line == '#!'* ]] && line=$(sed -n 2p "$file")
    [[ $line =~ ^('//'|'#'|'/*')' SPDX-License-Identifier: '$licence(' */')?$ ]] ||
      printf '%s:1: does not start with SPDX-License-Identifier: %s\n' "$file" "$licence"
  done
}

# One direction only: devenv -> sim -> (kernel/abi, hal/regs); kernel -> hal/include; a backend -> hal/include. Folders
# of the project that an #include may start with, by who includes. Everything else with a folder is a foreign library.
rule_includes() {
  local ours='abi|regs|hal|arch|core|lib|mem|sched|ipc|cap|syscall|drivers|user|sim|devenv|bench|tests|kernel'
  tracked "$CODE" | grep -E '^(kernel|hal|sim|devenv)/' | tr '\n' '\0' | xargs -0r awk -v ours="^($ours)\$" '
    function allowed(file) {
      if (file ~ /^kernel\/abi\//) return "abi"
      if (file ~ /^kernel\/lib\//) return "abi|hal|lib|core/assert.hpp"
      if (file ~ /^kernel\/user\//) return "abi|lib|hal|user|ipc/fusion_ring.hpp"
      if (file ~ /^kernel\//) return "abi|regs|hal|core|lib|mem|sched|ipc|cap|syscall|drivers|user"
      if (file ~ /^hal\/include\//) return "abi|regs|hal|arch"
      if (file ~ /^hal\/regs\//) return "regs"
      if (file ~ /^hal\//) return "abi|regs|hal|arch|host|x86_64"
      if (file ~ /^sim\//) return "abi|regs|sim"
      return "abi|regs|sim|devenv|bench/harness/clock.hpp"
    }
    /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
      name = $0; sub(/^[^<"]*[<"]/, "", name); sub(/[>"].*/, "", name)
      if (name ~ /\.\.\//) print FILENAME ":" FNR ": " name " climbs out of its folder"
      folder = name; if (!sub(/\/.*/, "", folder)) next
      if (folder ~ ours && folder !~ "^(" allowed(FILENAME) ")$" && name !~ "^(" allowed(FILENAME) ")$")
        print FILENAME ":" FNR ": " name " is out of bounds here (may include: " allowed(FILENAME) ")"
    }'
}

# Below kernel and hal, only the host backend may know POSIX or any other C library header; the compiler ships the rest.
# Hosted parts of C++ (streams, threads, files) have no place in the kernel either.
rule_posix() {
  tracked "$CODE" | grep -E '^(kernel|hal)/' | grep -v '^hal/host/' | tr '\n' '\0' | xargs -0r awk '
    /^[ \t]*#[ \t]*include[ \t]*</ {
      name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
      if (name ~ /^(abi|regs|hal|arch|core|lib|mem|sched|ipc|cap|syscall|drivers|user)\//) next
      if (name ~ /^(iostream|fstream|sstream|cstdio|cstdlib|thread|mutex|condition_variable|filesystem|locale|random|regex|stdexcept|system_error)$/ ||
          name ~ /\.h$/ && name !~ /^([a-z0-9]+intrin|cpuid|std(def|int|arg|align|bool)|limits|float)\.h$/)
        print FILENAME ":" FNR ": <" name "> belongs to a hosted system: only hal/host may include it"
    }'
}

# Nothing says where it was made: no home or work folder, no address or port of a server, no package registry.
rule_machine_names() {
  local pattern='(^|[^A-Za-z0-9_.~-])/(work|home/[a-z]+|root|Users)/[A-Za-z0-9._-]'
  pattern+='|https?://([0-9]{1,3}\.){3}[0-9]|https?://[^/ ]+:[0-9]+|arti''factory|[a-z0-9]\.pkg\.''dev\b|\.inter''nal/'
  tracked . | grep -vE '^LICENSE|\.(png|elf|bin|zst|trace)$' | tr '\n' '\0' | xargs -0r grep -InE "$pattern" /dev/null |
    sed -E 's/^([^:]*:[0-9]+):(.*)/\1: names a machine or a registry:\2/' | cut -c1-200
}

# Every translation unit is named by CMake in its folder or one above it (with or without .cpp), so that none is left
# unbuilt. First all that CMake files name, as folder and word; then each source looks for itself upwards.
rule_dead_sources() {
  local cmake
  tracked '(^|/)(CMakeLists\.txt|[^/]*\.cmake)$' | while IFS= read -r cmake; do
    sed 's/#.*//' "$cmake" | tr ' \t()";' '\n' | sed -nE "s,^(\\$\{[A-Za-z_]+\}/)?(.+)\$,name $(dirname "$cmake") \\2,p"
  done | cat - <(tracked '^(kernel|hal|sim|devenv|bench|tests)/.*\.(cpp|S|c)$') | awk '
    /^name / {
      part = $3; above = $2
      while (part ~ /^\.\.\//) { sub(/^\.\.\//, "", part); sub(/\/?[^\/]*$/, "", above) }
      named[above, part]; if (above != $2) next
      while (sub(/^[^\/]*\//, "", part)) named[$2, part]
      next
    }
    {
      folder = $0; found = 0
      stem = $0; sub(/.*\//, "", stem); sub(/\.[^.]*$/, "", stem)
      while (!found && sub(/\/[^\/]*$/, "", folder)) {
        own = substr($0, length(folder) + 2)
        found = ((folder, own) in named) || ((folder, stem) in named)
      }
      if (!found) print $0 ":1: neither CMakeLists.txt nor a .cmake file names it"
    }'
}

# Every header is included by somebody.
rule_dead_headers() {
  local file included
  included=$(tracked "$CODE" | tr '\n' '\0' | xargs -0r grep -hE '^[[:space:]]*#[[:space:]]*include' |
    sed -E 's/^[^<"]*[<"]([^>"]*).*/\1/; s,.*/,,' | sort -u)
  tracked '^(kernel|hal|sim|devenv|bench|tests)/.*\.(hpp|h)$' | while IFS= read -r file; do
    grep -qxF "$(basename "$file")" <<<"$included" || printf '%s:1: nobody includes it\n' "$file"
  done
}

# What is left to do is in the issues, not in the sources.
rule_unfinished() {
  tracked "$SOURCES" | tr '\n' '\0' | xargs -0r grep -nE '\b(TO''DO|FIX''ME|XX''X|HA''CK)\b' /dev/null |
    sed -E 's/^([^:]*:[0-9]+):(.*)/\1: unfinished:\2/' | cut -c1-200
}

[[ " ${RULES[*]} " == *" $rule "* ]] || { echo "usage: check.sh RULE [ROOT]; rules: ${RULES[*]}" >&2; exit 2; }
violations=$("rule_${rule//-/_}")
[ -z "$violations" ] && exit 0
printf '%s\n' "$violations"
exit 1
