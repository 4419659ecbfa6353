#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Shows that check.sh catches what it is for: each case plants one violation in a small tree that is otherwise clean.
# self_test.sh RULE runs the cases of one rule.
set -uo pipefail
here=$(dirname "$(readlink -f "$0")") rule=${1:?which rule} failures=0 cases=0
tree=$(mktemp -d); trap 'rm -rf "$tree"' EXIT

# clean_tree: one file of each kind that keeps every rule.
clean_tree() {
  rm -rf "${tree:?}"/*; mkdir -p "$tree"/{kernel/{abi,core},hal/{host,include/hal},sim/{devices,trace}}
  local mit='// SPDX-License-Identifier: MIT' gpl='// SPDX-License-Identifier: GPL-2.0-or-later'
  printf '%s\n' "$mit" '#include <cstdint>' >"$tree/kernel/abi/marks.hpp"
  printf '%s\n' "$mit" '#include <abi/marks.hpp>' '#include <hal/cpu.hpp>' >"$tree/kernel/core/main.cpp"
  printf '%s\n' "$mit" '#include <immintrin.h>' >"$tree/hal/include/hal/cpu.hpp"
  printf '%s\n' "$mit" '#include <unistd.h>' >"$tree/hal/host/host.cpp"
  printf '%s\n' "$gpl" '#include <abi/marks.hpp>' '#include <zstd.h>' >"$tree/sim/trace/writer.cpp"
  printf '%s\n' "$gpl" >"$tree/sim/devices/uart.cpp"
  printf '%s\n' '# SPDX-License-Identifier: MIT' 'add_library(a core/main.cpp)  # not idle.cpp' >"$tree/kernel/CMakeLists.txt"
  printf '%s\n' '# SPDX-License-Identifier: MIT' 'add_library(b host/host.cpp)' >"$tree/hal/CMakeLists.txt"
  printf '%s\n' '# SPDX-License-Identifier: MIT' 'add_library(c STATIC writer.cpp ../devices/uart.cpp)' >"$tree/sim/trace/CMakeLists.txt"
}

# expect catch|pass NAME FILE TEXT [FIRST]: with TEXT appended to FILE (FIRST: replacing it), the rule must say FILE.
expect() {
  local what=$1 name=$2 file=$3 text=$4 output status; cases=$((cases + 1))
  clean_tree; mkdir -p "$(dirname "$tree/$file")"
  [ "${5:-}" = first ] && rm -f "$tree/$file"
  printf '%s\n' "$text" >>"$tree/$file"
  output=$("$here/check.sh" "$rule" "$tree" 2>&1); status=$?
  if [ "$what" = catch ]; then
    [ "$status" = 1 ] && [[ $output == "$file:"* ]] && return
  else
    [ "$status" = 0 ] && [ -z "$output" ] && return
  fi
  printf 'FAILED %s: expected to %s, got status %s: %s\n' "$name" "$what" "$status" "$output"
  failures=$((failures + 1))
}

mit='// SPDX-License-Identifier: MIT'
case $rule in
  licence)
    expect pass 'clean tree' kernel/core/main.cpp 'int x;'
    expect catch 'no line' kernel/core/new.cpp 'int x;'
    expect catch 'GPL in the kernel' kernel/core/new.hpp '// SPDX-License-Identifier: GPL-2.0-or-later'
    expect catch 'MIT in the simulator' sim/new.hpp "$mit"
    expect catch 'line too late' hal/new.S $'// A file.\n// SPDX-License-Identifier: MIT'
    expect catch 'script without' tests/cli/run.sh $'#!/bin/sh\ntrue'
    expect pass 'script' tests/cli/run.sh $'#!/bin/sh\n# SPDX-License-Identifier: GPL-2.0-or-later'
    ;;
  includes)
    expect pass 'kernel to hal' kernel/core/main.cpp '#include <hal/irq.hpp>'
    expect catch 'kernel to sim' kernel/core/main.cpp '#include <sim/events.hpp>'
    expect catch 'kernel to a backend' kernel/core/main.cpp '#  include "arch/cpu.hpp"'
    expect catch 'abi to core' kernel/abi/marks.hpp '#include <core/lock.hpp>'
    expect catch 'hal to kernel' hal/include/hal/cpu.hpp '#include <mem/frames.hpp>'
    expect catch 'sim to kernel' sim/trace/writer.cpp '#include <core/main.hpp>'
    expect catch 'sim to hal' sim/trace/writer.cpp '#include <hal/cpu.hpp>'
    expect catch 'sim to devenv' sim/trace/writer.cpp '#include <devenv/output.hpp>'
    expect pass 'lib may assert' kernel/lib/list.hpp '#include <core/assert.hpp>'
    expect catch 'lib to core' kernel/lib/list.hpp '#include <core/lock.hpp>'
    expect catch 'a user program to the kernel' kernel/user/init.cpp '#include <core/process.hpp>'
    expect catch 'climbing' sim/trace/writer.cpp '#include "../../kernel/core/main.hpp"'
    expect pass 'foreign library' sim/trace/writer.cpp '#include <llvm-c/Disassembler.h>'
    ;;
  posix)
    expect pass 'host backend' hal/host/host.cpp '#include <sys/mman.h>'
    expect catch 'kernel' kernel/core/main.cpp '#include <unistd.h>'
    expect catch 'contract' hal/include/hal/cpu.hpp '#include <sys/types.h>'
    expect catch 'hosted C++' kernel/core/main.cpp '#include <iostream>'
    expect pass 'freestanding' kernel/core/main.cpp '#include <span>'
    ;;
  machine-names)
    expect pass 'documentation link' docs/a.md 'https://www.kernel.org/doc/'
    expect catch 'home folder' docs/a.md 'see /ho''me/someone/exo'
    expect catch 'work folder' kernel/core/main.cpp '// in /wo''rk/main'
    expect catch 'address' docs/a.md 'http://10.0''.0.1/debian'
    expect catch 'port' docs/a.md 'https:''//mirror.example:8080/debian'
    expect catch 'registry' docs/a.md 'apt.pkg'.'dev'
    ;;
  dead-sources)
    expect pass 'named' kernel/core/main.cpp 'int x;'
    expect catch 'not named' kernel/core/forgotten.cpp 'int x;'
    expect catch 'assembly' hal/x86_64/entry.S 'nop'
    expect catch 'named in a comment only' kernel/core/idle.cpp 'int x;'
    expect catch 'assembly beside' sim/devices/uart.S ''
    expect catch 'another folder has the name' sim/trace/main.cpp 'int x;'
    expect catch 'a longer name is named' kernel/core/in.cpp 'int x;'
    ;;
  dead-headers)
    expect pass 'included' hal/include/hal/cpu.hpp 'int x;'
    expect catch 'not included' hal/include/hal/unused.hpp 'int x;'
    ;;
  unfinished)
    expect pass 'a word that contains it' kernel/core/main.cpp 'int mastodon, TODOLIST;'
    expect catch 'to do' kernel/core/main.cpp '// TO''DO: later'
    expect catch 'to fix' sim/trace/writer.cpp '/* FIX''ME */'
    ;;
  *) echo "no cases for rule '$rule'"; exit 1 ;;
esac
printf '%s: %d cases, %d failed\n' "$rule" "$cases" "$failures"
[ "$failures" = 0 ]
