// SPDX-License-Identifier: MIT
// Calls endpoint handle 0 `argument` times and checks every reply. Exit status: replies that were wrong.
#include <user/runtime.hpp>

EXO_PROGRAM(echo_client) {
    std::int64_t wrong = 0;
    for (std::uint64_t i = 0; i < argument; ++i) {
        std::uint64_t message[4] = {i, 2 * i, 3 * i, 4 * i};
        EXO_MARK_BEGIN(user.call_reply);
        const std::int64_t result = user::call(0, message);
        EXO_MARK_END(user.call_reply);
        const bool right = result == 0 && message[0] == i + 1 && message[1] == 2 * i + 1 && message[2] == 3 * i + 1 &&
                           message[3] == 4 * i + 1;
        if (!right) ++wrong;
    }
    return wrong;
}
