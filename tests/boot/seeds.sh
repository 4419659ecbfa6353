#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# seeds.sh EXO-DEV ENGINE CPUS FIRST LAST: the kernel's stress on so many CPUs of an engine, once a seed. Prints each
# seed that fails with the end of its console; exit status 1 if any did.
dev=$1 engine=$2 cpus=$3 seed=$4 last=$5 failed=0
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
trap 'exit 130' INT TERM
while [ "$seed" -le "$last" ]; do
  "$dev" run --engine "$engine" --cpus "$cpus" --seed "$seed" --cmdline scenario=stress --timeout 120 >"$out" 2>&1
  status=$?
  if [ $status -ne 0 ] || ! grep -q "^stress: seed $seed, $cpus CPUs" "$out" || ! grep -q '^stress: passed' "$out"; then
    failed=$((failed + 1))
    printf '%s, %s CPUs, seed %s: exit status %s\n' "$engine" "$cpus" "$seed" "$status"
    tail -n 25 "$out"
  fi
  seed=$((seed + 1))
done
printf '%s, %s CPUs: %s failed\n' "$engine" "$cpus" "$failed"
[ $failed -eq 0 ]
