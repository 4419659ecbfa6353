#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# another_folder.sh SOURCE IMAGE FLAGS: builds the kernel image again, in a folder whose name is long and full of characters
# that build rules trip over, and compares it byte for byte with IMAGE. Same sources, same compiler: same bytes.
set -euo pipefail
source=$1 image=$2 flags=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy="$work/another folder, with a (much) longer name"
mkdir "$copy"
cd "$source" && cp -r --parents CMakeLists.txt kernel hal devenv/setup "$copy/"
cd "$copy"
cmake -G Ninja -B build -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS="$flags" -DEXO_WITH_SIM=OFF -DEXO_WITH_TESTS=OFF >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
ninja -C build exo.elf >"$work/log" 2>&1 || { tail -n 30 "$work/log"; exit 1; }
cmp build/kernel/exo.elf "$image" && echo "same bytes: $(sha256sum <"$image")"
