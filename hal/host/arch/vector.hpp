// SPDX-License-Identifier: MIT
// Host code uses vector registers freely; the windowed switch declares them clobbered.
#pragma once

namespace hal {

inline void vector_init() {}
inline constexpr bool vector_available_to_user = true;

}  // namespace hal
