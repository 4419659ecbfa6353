// SPDX-License-Identifier: MIT
// The kernel's own figures on the console, for programs that read it over a serial line. One line each, only with
// "results=1" on the command line:
//
//   exo-result 1 NAME VALUE UNIT crc32c=XXXXXXXX
//
// NAME: a mark's where there is one that means the same ([a-z0-9_.]+, at most 63 characters). VALUE: decimal, 64 bits.
// UNIT: cycles (of the time stamp) or ns; scenario=calibrate has units of its own. XXXXXXXX: CRC-32C, hexadecimal, of
// everything before the blank in front of "crc32c": a serial line that drops or changes characters is noticed.
//
// scenario=calibrate says first on what it runs, with the same checksum:
//
//   exo-machine 1 vendor=AuthenticAMD family=25 model=17 stepping=1 hypervisor=none firmware=F brand=B crc32c=...
//
// Words have no blanks: what is neither letter nor digit is '_'. hypervisor: "none", or the signature of CPUID leaf
// 4000'0000h ("unnamed": the bit without a signature); firmware: the maker's name in the RSDP, "none" without one.
#pragma once
#include <cstdint>
#include <string_view>

namespace exo::abi {

inline constexpr std::string_view result_start = "exo-result 1 ", result_checksum = " crc32c=";
inline constexpr std::string_view machine_start = "exo-machine 1 ";

// Castagnoli's polynomial, reflected; initial value and final inversion as in RFC 3720, B.4.
constexpr std::uint32_t result_crc32c(std::string_view text) {
    std::uint32_t crc = 0xffff'ffff;
    for (const char c : text) {
        crc ^= static_cast<unsigned char>(c);
        for (unsigned bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f6'3b78 : 0);
    }
    return ~crc;
}
static_assert(result_crc32c("123456789") == 0xe306'9283);

}  // namespace exo::abi
