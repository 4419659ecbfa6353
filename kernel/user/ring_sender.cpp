// SPDX-License-Identifier: MIT
// Sends `argument` messages of 64 bytes into ring handle 0; every word follows from the message's number.
#include <user/runtime.hpp>

EXO_PROGRAM(ring_sender) {
    user::Sender sender;
    if (const std::int64_t result = sender.open(0); result != 0) return result;
    for (std::uint64_t i = 0; i < argument; ++i) {
        EXO_MARK_BEGIN(user.ring_send);
        exo::abi::RingSlot* slot = sender.reserve();
        if (slot == nullptr) return 1;
        for (std::uint64_t word = 0; word < 8; ++word) slot->words[word] = i * 8 + word;
        sender.publish();
        EXO_MARK_END(user.ring_send);
    }
    return 0;
}
