#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ksyms_test.sh KSYMS_AWK: names that C++ allows and that must neither break the assembly nor lose what tells them apart.
set -uo pipefail
export LC_ALL=C
script=$1 bad=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Each line: a demangled name as nm prints it, a tab, the name the table must have.
cases=$(cat <<'NAMES'
exo::yield()	exo::yield
kernel_main	kernel_main
exo::(anonymous namespace)::arm_timer(exo::PerCpu&)	exo::arm_timer
exo::(anonymous namespace)::Slot::find((anonymous namespace)::Key) const	exo::Slot::find
exo::operator()	exo::operator()
exo::Sooner::operator()(exo::Thread const&, exo::Thread const&) const	exo::Sooner::operator()
exo::run(int)::{lambda(int)#1}::operator()(int) const	exo::run(int)::{lambda(int)#1}::operator()
exo::run(int)::{lambda(void*)#2}::_FUN(void*)	exo::run(int)::{lambda(void*)#2}::_FUN
void exo::apply<void (*)(int)>(void (*)(int))	void exo::apply<void (*)(int)>
std::function<void (int)>::swap(std::function<void (int)>&)	std::function<void (int)>::swap
exo::operator<<(exo::Sink&, char const*)	exo::operator<<
exo::operator""_KiB(unsigned long long)	exo::operator""_KiB
exo::print<exo::Text{char [3]{"\\n"}}>(int)	exo::print<exo::Text{char [3]{"\\n"}}>
exo::Cpu::load() volatile	exo::Cpu::load
exo::List<exo::A, &exo::A::node>::Cursor<exo::A const>::operator++(int)	exo::List<exo::A, &exo::A::node>::Cursor<exo::A const>::operator++
exo::Ref<exo::Ring>::operator exo::Ring*() const	exo::Ref<exo::Ring>::operator exo::Ring*
exo::cold(int) [clone .cold]	exo::cold
exo::both(int) [clone .isra.0] [clone .part.0]	exo::both
NAMES
)
address=$((0xffffffff80200000))
while IFS=$'\t' read -r name _; do
  printf '%016x t %s\n' "$address" "$name"
  printf '%016x t second_name_of_the_same_address\n' "$address"
  address=$((address + 16))
done <<<"$cases" >"$folder/nm"
{
  printf '%016x T %s\n' $((0x400000)) below_the_kernel
  printf '%016x d %s\n' "$address" data
  printf '%16s U %s\n' '' undefined
} >>"$folder/nm"

awk -f "$script" <"$folder/nm" >"$folder/out.S" || exit 1
as -o "$folder/out.o" "$folder/out.S" || { echo "the table does not assemble"; exit 1; }
objcopy -O binary -j .ksyms "$folder/out.o" "$folder/table"
wanted=$(cut -f2 <<<"$cases")
count=$(wc -l <<<"$wanted")
# u64 base, u32 count, u32 name bytes, count times 8 bytes, then the names.
found=$(tail -c +$((16 + 8 * count + 1)) "$folder/table" | tr '\0' '\n')
if [ "$found" != "$wanted" ]; then
  diff <(echo "$wanted") <(echo "$found")
  bad=1
fi
[ "$(od -An -tu4 -j8 -N4 "$folder/table" | tr -d ' ')" = "$count" ] || { echo "wrong count"; bad=1; }
[ "$(od -An -tx4 -j16 -N4 "$folder/table" | tr -d ' ')" = 00200000 ] || { echo "wrong first offset"; bad=1; }

# No symbols at all is a table too: the first link has none.
awk -f "$script" </dev/null | as -o "$folder/empty.o" - || bad=1
exit $bad
