// SPDX-License-Identifier: GPL-2.0-or-later
// CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4): finds every burst of up to 32 flipped bits.
#pragma once
#include <cstdint>
#include <span>

namespace sim {

std::uint32_t crc32c(std::span<const std::uint8_t>);

}  // namespace sim
