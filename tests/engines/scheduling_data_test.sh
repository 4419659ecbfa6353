#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# scheduling_data_test.sh DUMPER FOLDER: each FOLDER/*.sched is what DUMPER writes now, and LLVM's table of znver5 is
# still znver4's. With another version of LLVM there is nothing to compare: then it says so and is skipped (77).
set -u
status=77
for file in "$2"/*.sched; do
  cpu=$(basename "$file" .sched)
  written=$(mktemp) || exit 1
  if ! "$1" "$cpu" >"$written"; then rm -f "$written"; exit 1; fi
  version=$(head -1 "$file") now=$(head -1 "$written")
  if [ "$version" != "$now" ]; then
    printf '%s: written with "%s", this is "%s": not compared\n' "$file" "$version" "$now"
  elif cmp "$written" "$file"; then
    [ "$status" = 1 ] || status=0
  else
    printf '%s differs: if that is meant, %s %s >%s\n' "$file" "$1" "$cpu" "$file"
    status=1
  fi
  rm -f "$written"
done
if [ "$status" = 0 ] && ! cmp <("$1" znver4 | tail -n +2) <("$1" znver5 | tail -n +2); then
  printf 'LLVM has a table of znver5 of its own: %s znver5 >%s/znver5.sched, and sim/timing/cpus/znver5.json names it\n' "$1" "$2"
  status=1
fi
exit "$status"
