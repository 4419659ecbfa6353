// SPDX-License-Identifier: MIT
// The rows. Each is called in a kernel thread of a running host kernel, interrupts on, and owns what it needs.
#pragma once
#include <string_view>

#include "../harness/harness.hpp"

namespace bench {

struct Row {
    std::string_view id;
    RowResult (*run)(const Effort&);
};

RowResult context_switch(const Effort&);
RowResult ring_same_thread(const Effort&);
RowResult ring_two_threads(const Effort&);
RowResult allocate_64(const Effort&);
RowResult allocate_4k(const Effort&);

inline constexpr Row rows[] = {{"context_switch", context_switch},
                               {"ipc_inline_64", ring_same_thread},
                               {"ipc_inline_64_round_trip", ring_two_threads},
                               {"alloc_64", allocate_64},
                               {"alloc_4k", allocate_4k}};

}  // namespace bench
