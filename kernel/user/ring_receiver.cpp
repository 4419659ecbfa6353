// SPDX-License-Identifier: MIT
// Takes `argument` messages from ring handle 0 and checks every word. Exit status: messages that were wrong or missing.
#include <user/runtime.hpp>

EXO_PROGRAM(ring_receiver) {
    user::Receiver receiver;
    if (const std::int64_t result = receiver.open(0); result != 0) return result;
    std::int64_t wrong = 0;
    for (std::uint64_t i = 0; i < argument; ++i) {
        const exo::abi::RingSlot* slot = receiver.front();
        if (slot == nullptr) return static_cast<std::int64_t>(argument - i);
        bool right = true;
        for (std::uint64_t word = 0; word < 8; ++word) right &= slot->words[word] == i * 8 + word;
        if (!right) ++wrong;
        receiver.release();
    }
    return wrong;
}
