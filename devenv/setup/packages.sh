# SPDX-License-Identifier: GPL-2.0-or-later
# Which Debian packages a command needs, which of them are there, and how the others get there. Sourced by ./exo-dev when
# its stamp is out of date, and by doctor. Nothing is changed before the user was asked, and nothing by halves: package
# sources that don't work out are removed again, and Ctrl-C waits for dpkg.

APT=/etc/apt OS_RELEASE=/etc/os-release
NEXT_SUITE=forky                                      # the first Debian suite with a Unicorn that can run the kernel

# What is it | Debian package | oldest version that works | commands and options that need it | what to look for where
# there is no dpkg
REQUIREMENTS=(
  "C++23 compiler|g++|4:12.2|sim run trace diff bench image boot time test|g++"
  "CMake|cmake|3.25|sim run trace diff bench image boot time test|cmake"
  "Ninja|ninja-build|1.10|sim run trace diff bench image boot time test|ninja"
  "Unicorn engine|libunicorn-dev|2.1.4|sim run trace diff bench image boot time test|/usr/include/unicorn/unicorn.h"
  "LLVM decoder|llvm-22-dev|1:22.1|sim run trace diff bench image boot time test|/usr/lib/llvm-22/lib/libLLVM-22.so"
  "DWARF reader (elfutils)|libdw-dev|0.188|sim run trace diff bench image boot time test|/usr/include/elfutils/libdw.h"
  "CLI11|libcli11-dev|2.1|sim run trace diff bench image boot time test|/usr/include/CLI/CLI.hpp"
  "spdlog|libspdlog-dev|1:1.10|sim run trace diff bench image boot time test|/usr/include/spdlog/spdlog.h"
  "JSON for Modern C++|nlohmann-json3-dev|3.11|sim run trace diff bench image boot time test|/usr/include/nlohmann/json.hpp"
  "Zstandard|libzstd-dev|1.5|sim run trace diff bench image boot time test|/usr/include/zstd.h"
  "git|git|1:2.30|diff test|git"
  "GRUB's image maker|grub-common|2.06|image test|grub-mkimage"
  "GRUB for BIOS|grub-pc-bin|2.06|image test|/usr/lib/grub/i386-pc/boot.img"
  "GRUB for UEFI|grub-efi-amd64-bin|2.06|image test|/usr/lib/grub/x86_64-efi/moddep.lst"
  "ISO 9660 writer|xorriso|1.5.2|image test|xorriso"
  "FAT tools|mtools|4.0.32|image test|mformat"
  "QEMU|qemu-system-x86|1:7.0|engine:qemu test|qemu-system-x86_64"
  "UEFI for QEMU|ovmf|2022.11|firmware:uefi test|/usr/share/OVMF/OVMF_CODE_4M.fd"
  "Bochs|bochs|2.7|engine:bochs test|bochs"
  "Bochs's BIOS|bochsbios|2.7|engine:bochs test|/usr/share/bochs/BIOS-bochs-latest"
  "Bochs's VGA BIOS|vgabios|0.8|engine:bochs test|/usr/share/vgabios/vgabios.bin"
  "Bochs without a window|bochs-term|2.7|engine:bochs test|/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_term_gui.so"
  "Plots|gnuplot-nox|5.4|plot|gnuplot"
  "GoogleTest|libgtest-dev|1.12|test|/usr/include/gtest/gtest.h"
)

# --- what is there ---------------------------------------------------------------------------------------------------

declare -A FOUND=()

# find_versions: FOUND[package] is the installed version; 'present' where there is no dpkg to ask.
find_versions() {
  local name package needed commands probe state version
  FOUND=()
  if command -v dpkg-query >/dev/null; then
    while read -r state package version; do
      [ "$state" = installed ] && FOUND[$package]=$version
    done < <(dpkg-query -W -f='${db:Status-Status} ${Package} ${Version}\n' \
      $(printf '%s\n' "${REQUIREMENTS[@]}" | cut -d'|' -f2) 2>/dev/null)
    return
  fi
  while IFS='|' read -r name package needed commands probe; do
    if [ -e "$probe" ] || command -v "$probe" >/dev/null; then FOUND[$package]=present; fi
  done < <(printf '%s\n' "${REQUIREMENTS[@]}")
}

# is_met PACKAGE VERSION
is_met() {
  local found=${FOUND[$1]:-}
  [ -n "$found" ] && { [ "$found" = present ] || dpkg --compare-versions "$found" ge "$2"; }
}

# missing_for NEEDS: names the packages that are missing or too old, one a line. NEEDS is a command, and after blanks
# what its options ask for (engine:qemu, firmware:uefi, ...).
missing_for() {
  local name package needed commands probe word
  while IFS='|' read -r name package needed commands probe; do
    for word in $1; do
      [[ " $commands " == *" $word "* ]] || continue
      is_met "$package" "$needed" || printf '%s\n' "$package"
      break
    done
  done < <(printf '%s\n' "${REQUIREMENTS[@]}")
}

needed_version() { printf '%s\n' "${REQUIREMENTS[@]}" | awk -F'|' -v p="$1" '$2 == p { print $3 }'; }
# plain_version VERSION: without Debian's epoch and revision; '-' for none.
plain_version() { local v=${1#*:}; v=${v%-*}; v=${v%%+*}; printf '%s' "${v:--}"; }

# --- Unicorn from Debian's next suite (docs/adr/0001-unicorn-version.md) ------------------------------------------------

PREFERENCES=$APT/preferences.d/exo-os-$NEXT_SUITE
suite_file=''

# candidate PACKAGE: the version apt would install.
candidate() { LC_ALL=C apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" && $2 != "(none)" { print $2 }'; }

unicorn_is_packaged() {
  local version; version=$(candidate libunicorn-dev)
  [ -n "$version" ] && dpkg --compare-versions "$version" ge 2.1.4
}

# next_suite_source: prints this machine's own Debian source with the suite changed, first line its format ('sources' or
# 'list'); nothing when there is none. Both formats of apt are understood, and options such as Signed-By are kept.
next_suite_source() {
  local file
  for file in "$APT"/sources.list.d/*.sources; do
    [ -f "$file" ] && [[ $file != *exo-os* ]] || continue
    awk -v suite="$NEXT_SUITE" -v names="^($(suite_names))\$" '
      function finish() {
        if (deb && main && known && !off && !done) { printf "sources\n%s", text; done = 1 }
        text = field = ""; deb = main = known = off = 0
      }
      /^#/ { next }
      /^[ \t]*$/ { finish(); next }
      /^[^ \t]/ {
        field = tolower($1)
        if (field == "suites:") text = text "Suites: " suite "\n"
        if (field == "types:") text = text "Types: deb\n"
        if (field == "components:") text = text "Components: main\n"
      }
      field ~ /^(suites|types|components):$/ {
        for (i = 1; i <= NF; i++) { deb = deb || $i == "deb"; main = main || $i == "main"; known = known || $i ~ names }
        next
      }
      { off = off || (field == "enabled:" && tolower($2) == "no"); text = text $0 "\n" }
      END { finish() }' "$file"
  done | awk 'NR > 1 && $0 == "sources" { exit } { print }' | grep . && return
  cat "$APT/sources.list" "$APT"/sources.list.d/*.list 2>/dev/null | sed -nE \
    "s#^deb +((\[[^]]*\] +)?[^ ]+) +($(suite_names)) +(.* )?main( .*)?\$#list\ndeb \1 $NEXT_SUITE main#p" | head -n 2
}

# What the suite this machine runs may be called in its sources. Suites with a suffix (-updates, -security) don't count,
# nor do other distributions: their mirrors know nothing of Debian's suites.
suite_names() {
  local ID='' VERSION_CODENAME=''
  . "$OS_RELEASE"
  [ "$ID" = debian ] && printf '%s|oldoldstable|oldstable|stable' "${VERSION_CODENAME:-none}" || printf 'none'
}

preferences_text() {
  printf '%s\n' "Explanation: Written by Exo-OS's ./exo-dev. $NEXT_SUITE is here for Unicorn >= 2.1.4 alone: at priority 1" \
    "Explanation: apt takes nothing from it unless asked by name. To undo: remove this file and" \
    "Explanation: sources.list.d/exo-os-$NEXT_SUITE.*" \
    'Package: *' "Pin: release n=$NEXT_SUITE" 'Pin-Priority: 1'
}

# source_text SOURCE: the file's text, with its reason on top.
source_text() {
  printf '%s\n' "# Written by Exo-OS's ./exo-dev: this machine's own Debian source, for the suite that has Unicorn >= 2.1.4." \
    "# Pinned at priority 1 in $PREFERENCES, so nothing else comes from it."
  tail -n +2 <<<"$1"
}

# write_root FILE TEXT: as root, whole or not at all.
write_root() {
  [ "$(cat "$1" 2>/dev/null)" = "$2" ] && return
  printf '%s\n' "$2" | "${AS_ROOT[@]}" tee "$APT/exo-os.tmp" >/dev/null &&
    "${AS_ROOT[@]}" chmod 644 "$APT/exo-os.tmp" && "${AS_ROOT[@]}" mv "$APT/exo-os.tmp" "$1"
}

# add_suite LOG: makes the next suite known to apt; what it wrote goes away again when the update fails.
add_suite() {
  local log=$1 source; source=$(next_suite_source)
  [ -n "$source" ] || die 4 "no Debian source for the running suite in /etc/apt: can't tell where $NEXT_SUITE is." \
    "Install libunicorn-dev 2.1.4 or newer yourself, or use the Containerfile."
  suite_file=$APT/sources.list.d/exo-os-$NEXT_SUITE.${source%%$'\n'*}
  [ -e "$suite_file" ] || suite_written=1
  write_root "$PREFERENCES" "$(preferences_text)" && write_root "$suite_file" "$(source_text "$source")" ||
    die 4 "could not write $suite_file: see the message above."
  run_step "reading the package list of Debian $NEXT_SUITE" "$log" "${AS_ROOT[@]}" apt-get update \
    -o "Dir::Etc::sourcelist=$suite_file" -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 \
    -o APT::Update::Error-Mode=any || explain_apt "$log"
  suite_written=
}

undo_suite() {
  [ -n "$suite_written" ] && "${AS_ROOT[@]}" rm -f "$suite_file" "$PREFERENCES" "$APT/exo-os.tmp"
  suite_written=
}

# --- installation ----------------------------------------------------------------------------------------------------

# become_root COMMAND-TEXT
become_root() {
  [ "$EUID" = 0 ] && return
  command -v sudo >/dev/null || die 4 "not root, and there is no sudo: run this as root, then try again:"$'\n'"$1"
  if is_terminal; then sudo -v; else sudo -n true; fi || die 4 "sudo refused: run this as root, then try again:"$'\n'"$1"
  AS_ROOT=(sudo)
}

# install_commands PACKAGES...: what to type to do by hand what install_packages does.
install_commands() {
  local packages=() package source='' sudo=''
  [ "$EUID" = 0 ] || sudo='sudo '
  for package; do
    if [ "$package" = libunicorn-dev ] && ! unicorn_is_packaged; then
      source=$(next_suite_source)
      packages+=("libunicorn-dev/$NEXT_SUITE" "libunicorn2t64/$NEXT_SUITE")
    else
      packages+=("$package")
    fi
  done
  if [ -n "$source" ]; then
    printf "  %stee %s >/dev/null <<'END'\n%s\nEND\n" "$sudo" "$PREFERENCES" "$(preferences_text)"
    printf "  %stee %s >/dev/null <<'END'\n%s\nEND\n" "$sudo" \
      "$APT/sources.list.d/exo-os-$NEXT_SUITE.${source%%$'\n'*}" "$(source_text "$source")"
  fi
  printf '  %sapt-get update\n  %sapt-get install --no-install-recommends %s\n' "$sudo" "$sudo" "${packages[*]}"
}

# explain_apt LOG: the end of the log, the cause as far as apt tells it, the next step; exit 4.
explain_apt() {
  local cause="apt-get failed" next="read the log, put it right, and run the same command again."
  tail -n 12 "$1" >&2
  case $(tail -n 40 "$1") in
    *"Could not get lock"* | *"Unable to acquire the dpkg"*)
      cause="another program is installing packages"; next="wait until it has finished and run the same command again." ;;
    *"dpkg was interrupted"*)
      cause="an earlier installation was interrupted"; next="run 'dpkg --configure -a' as root, then the same command again." ;;
    *"No space left"* | *"enough free space"*)
      cause="the disk is full"; next="make room and run the same command again." ;;
    *"Unable to locate package"* | *"no installation candidate"* | *"was not found"* | *"does not have a Release file"*)
      cause="this system's package sources lack a package"
      next="Debian 12 with its security updates has them all; elsewhere use the Containerfile." ;;
    *"Temporary failure"* | *"Could not resolve"* | *"Could not connect"* | *"Failed to fetch"* | *"Unable to connect"*)
      cause="the package server could not be reached"; next="check the network (or apt's proxy) and run the same command again." ;;
    *"unmet dependencies"* | *"held broken"*)
      cause="the packages conflict with what is installed"; next="use the Containerfile, or solve the conflict with apt." ;;
  esac
  die 4 "$cause. Next step: $next (log: $1)"
}

# install_packages PACKAGES...: returns when they are installed; exits 4 when that can't be.
install_packages() {
  local log=$BUILD/packages.log packages=() package started=$SECONDS
  local apt=(env DEBIAN_FRONTEND=noninteractive LC_ALL=C setsid --wait apt-get -y -o DPkg::Lock::Timeout=120)
  : >"$log"
  run_step "reading the package lists" "$log" "${AS_ROOT[@]}" env LC_ALL=C apt-get update ||
    say "warning: some package lists could not be read (log: $log); going on with those there are"
  for package; do
    if [ "$package" = libunicorn-dev ] && ! unicorn_is_packaged; then
      add_suite "$log"
      packages+=("libunicorn-dev/$NEXT_SUITE" "libunicorn2t64/$NEXT_SUITE")
    else
      packages+=("$package")
    fi
  done
  local install=("${AS_ROOT[@]}" "${apt[@]}" install --no-install-recommends)
  run_step "downloading packages" "$log" "${install[@]}" --download-only "${packages[@]}" || explain_apt "$log"
  guarded=1
  run_step "installing packages" "$log" "${install[@]}" "${packages[@]}" || { guarded=; explain_apt "$log"; }
  guarded=
  [ -n "$interrupted" ] && exit "$interrupted"
  say "packages installed in $((SECONDS - started)) s"
}

# need_packages NEEDS: installs what is lacking, or exits 4 and says what to type.
need_packages() {
  local missing package answer command="${1%% *}"
  find_versions
  mapfile -t missing < <(missing_for "$1")
  [ ${#missing[@]} -gt 0 ] || return
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    die 4 "'$command' needs (as Debian calls them): ${missing[*]}." \
      "This system has no apt-get: install them yourself (./exo-dev doctor shows versions), or use the Containerfile."
  fi
  say "'$command' needs packages that are missing: ${missing[*]}"
  if [[ " ${missing[*]} " == *" libunicorn-dev "* ]] && ! unicorn_is_packaged; then
    say "Unicorn 2.1.4 comes from Debian $NEXT_SUITE, pinned so that nothing else does (/etc/apt/*.d/exo-os-$NEXT_SUITE*)"
  fi
  if [ -n "${EXO_DEV_NO_INSTALL:-}" ]; then
    die 4 "EXO_DEV_NO_INSTALL is set; to install them:"$'\n'"$(install_commands "${missing[@]}")"
  fi
  if [ -z "$yes" ] && is_terminal; then
    read -rp "Install them now? [Y/n] " answer </dev/tty || answer=n
    [[ $answer =~ ^([yY].*)?$ ]] || die 4 "nothing was changed; to install them yourself:"$'\n'"$(install_commands "${missing[@]}")"
  fi
  become_root "$(install_commands "${missing[@]}")"
  install_packages "${missing[@]}"
  find_versions
  mapfile -t missing < <(missing_for "$1")
  for package in "${missing[@]}"; do
    say "$package is ${FOUND[$package]:-still missing}, and $(needed_version "$package") or newer is needed"
  done
  [ ${#missing[@]} = 0 ] || die 4 "this system's packages are too old: use Debian 12 or newer, or the Containerfile."
}
