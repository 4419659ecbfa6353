// SPDX-License-Identifier: MIT
#include <core/lock.hpp>
#include <core/log.hpp>
#include <hal/console.hpp>

namespace exo {

namespace {
constinit SpinLock<Rank::console> console_lock;
}

void console_text(std::string_view text) {
    ScopedLock guard(console_lock);
    hal::console_write(text);
}

bool console_busy() { return console_lock.held(); }

TextSink console_sink() {
    return {[](void*, std::string_view text) { hal::console_write(text); }, nullptr};
}

}  // namespace exo
