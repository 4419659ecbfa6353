# SPDX-License-Identifier: GPL-2.0-or-later
# Everything that is not in this repository, found once and by file rather than by pkg-config (which a bare machine lacks).
# What is missing stops the configuration with the Debian package that brings it; ./exo-dev installs those by itself.

# exo_missing(WHAT PACKAGES): stops the configuration and says how to go on.
function(exo_missing what packages)
  message(FATAL_ERROR "${what} was not found.\n"
    "Install it with: apt-get install ${packages}\n"
    "or let ./exo-dev do so: it installs what the command at hand needs (./exo-dev doctor lists it).")
endfunction()

# exo_import(NAME INCLUDE LIBRARY): the imported target NAME for a shared library and its headers.
function(exo_import name include library)
  add_library(${name} SHARED IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${library}
    INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${include} INTERFACE_INCLUDE_DIRECTORIES ${include})
endfunction()

# The header-only and CMake-aware ones keep their own target names: CLI11::CLI11, spdlog::spdlog,
# nlohmann_json::nlohmann_json, GTest::gtest_main.
macro(exo_find_package name packages)
  find_package(${name} CONFIG QUIET)
  if(NOT ${name}_FOUND)
    exo_missing(${name} "${packages}")
  endif()
endmacro()

if(EXO_WITH_SIM)
  exo_find_package(CLI11 libcli11-dev)
  exo_find_package(spdlog libspdlog-dev)
  exo_find_package(nlohmann_json nlohmann-json3-dev)

  find_path(EXO_ZSTD_INCLUDE zstd.h)
  find_library(EXO_ZSTD_LIBRARY zstd)
  if(NOT EXO_ZSTD_INCLUDE OR NOT EXO_ZSTD_LIBRARY)
    exo_missing(zstd libzstd-dev)
  endif()
  exo_import(exo::zstd ${EXO_ZSTD_INCLUDE} ${EXO_ZSTD_LIBRARY})

  # elfutils' libdw; libelf, which its users call too, comes with it. Why: docs/adr/0007-dwarf.md.
  find_path(EXO_DW_INCLUDE elfutils/libdw.h)
  find_library(EXO_DW_LIBRARY dw)
  find_library(EXO_ELF_LIBRARY elf)
  if(NOT EXO_DW_INCLUDE OR NOT EXO_DW_LIBRARY OR NOT EXO_ELF_LIBRARY)
    exo_missing("libdw (elfutils)" libdw-dev)
  endif()
  exo_import(exo::dw ${EXO_DW_INCLUDE} ${EXO_DW_LIBRARY})
  set_target_properties(exo::dw PROPERTIES INTERFACE_LINK_LIBRARIES ${EXO_ELF_LIBRARY})

  # One shared libLLVM. LLVM's own CMake package would also want every static archive and its dependencies.
  set(EXO_LLVM_ROOT /usr/lib/llvm-22 CACHE PATH "Where LLVM 22 is installed")
  find_path(EXO_LLVM_INCLUDE llvm-c/Disassembler.h PATHS ${EXO_LLVM_ROOT}/include NO_DEFAULT_PATH)
  find_library(EXO_LLVM_LIBRARY NAMES LLVM-22 LLVM PATHS ${EXO_LLVM_ROOT}/lib NO_DEFAULT_PATH)
  if(NOT EXO_LLVM_INCLUDE OR NOT EXO_LLVM_LIBRARY)
    exo_missing("LLVM 22 (looked in ${EXO_LLVM_ROOT})" llvm-22-dev)
  endif()
  exo_import(exo::llvm ${EXO_LLVM_INCLUDE} ${EXO_LLVM_LIBRARY})

  # Why 2.1.4: docs/adr/0001-unicorn-version.md.
  find_path(EXO_UNICORN_INCLUDE unicorn/unicorn.h)
  find_library(EXO_UNICORN_LIBRARY unicorn)
  set(unicorn_packages "libunicorn-dev libunicorn2t64 (2.1.4 or newer, from Debian's next suite)")
  if(NOT EXO_UNICORN_INCLUDE OR NOT EXO_UNICORN_LIBRARY)
    exo_missing("Unicorn 2.1.4 or newer" "${unicorn_packages}")
  endif()
  set(EXO_UNICORN_VERSION "")
  foreach(part MAJOR MINOR PATCH)
    file(STRINGS ${EXO_UNICORN_INCLUDE}/unicorn/unicorn.h line REGEX "define UC_API_${part} +[0-9]+")
    string(REGEX REPLACE ".*UC_API_${part} +([0-9]+).*" "\\1" line "${line}")
    list(APPEND EXO_UNICORN_VERSION ${line})
  endforeach()
  list(JOIN EXO_UNICORN_VERSION "." EXO_UNICORN_VERSION)
  if(EXO_UNICORN_VERSION VERSION_LESS 2.1.4)
    exo_missing("Unicorn 2.1.4 or newer (found ${EXO_UNICORN_VERSION}, which cannot run this kernel)" "${unicorn_packages}")
  endif()
  exo_import(exo::unicorn ${EXO_UNICORN_INCLUDE} ${EXO_UNICORN_LIBRARY})
endif()

if(EXO_WITH_TESTS)
  exo_find_package(GTest libgtest-dev)
endif()
