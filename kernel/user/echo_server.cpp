// SPDX-License-Identifier: MIT
// Answers calls on endpoint handle 0: each word comes back plus one. Serves `argument` calls, then ends.
#include <user/runtime.hpp>

EXO_PROGRAM(echo_server) {
    std::uint64_t message[4] = {};
    for (std::uint64_t served = 0;; ++served) {
        const std::int64_t badge = user::reply_and_wait(0, message);
        if (badge < 0) return badge;
        for (std::uint64_t& word : message) ++word;
        if (served + 1 == argument) break;
    }
    // The last reply goes out with a wait that is over at once.
    const std::int64_t last = user::reply_and_wait(0, message, 0);
    return last == user::failure(user::Error::timeout) ? 0 : 1;
}
