#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# image_code.sh ELF: what must hold of a kernel image's machine code and segments whatever the compiler does. Prints each
# violation and exits 1 if there is one.
set -uo pipefail
export LC_ALL=C
elf=$1 bad=0
complain() {
  printf '%s: %s\n' "$elf" "$1"
  bad=1
}

code=$(objdump -d --no-show-raw-insn "$elf") || exit 2
# General registers only, but for the probe that fills the others to time their saving.
vector=$(awk '/^[0-9a-f]+ </ { probe = /(fill|empty)_vector_state/ } !probe' <<<"$code" |
  grep -E '%(x|y|z)?mm[0-9]|%st\b|%k[0-7]\b' | head -3)
[ -z "$vector" ] || complain "the kernel has general registers only, but:"$'\n'"$vector"

# W^X: no loadable segment is both writable and executable.
readelf -lW "$elf" | awk '$1 == "LOAD" && /RWE/ { print; found = 1 } END { exit found }' ||
  complain "a segment is writable and executable"

# The windowed switch: rbp pushed, both words of the context stored, then both loaded, and nothing between.
switch=$(awk '{ $1 = ""; print }' <<<"$code" | grep -cE '^ jmp \*0x8\(%rsi\)$')
whole=$(awk '{ $1 = ""; gsub(/ +#.*/, ""); lines[NR] = $0 }
  END {
    for (i = 6; i <= NR; i++)
      n += lines[i] == " jmp *0x8(%rsi)" && lines[i - 1] == " mov (%rsi),%rsp" && lines[i - 2] == " mov %rax,0x8(%rdi)" &&
           lines[i - 3] == " mov %rsp,(%rdi)" && lines[i - 4] ~ /^ lea 0x[0-9a-f]+\(%rip\),%rax$/ &&
           lines[i - 5] == " push %rbp" && lines[i + 1] == " pop %rbp"
    print n + 0
  }' <<<"$code")
[ "$switch" -gt 0 ] || complain "there is no windowed switch in it"
[ "$switch" = "$whole" ] || complain "of $switch windowed switches only $whole have the form they should have"
exit $bad
