// SPDX-License-Identifier: MIT
// Where text goes, for code that must not know whether that is a console, a buffer or a panic.
#pragma once
#include <string_view>

namespace hal {

// Must not allocate or block.
struct TextSink {
    void (*write)(void* self, std::string_view);
    void* self;
};

}  // namespace hal
