// SPDX-License-Identifier: MIT
// The cheapest crossing there is: `argument` identity calls. Exit status: answers that were wrong.
#include <user/runtime.hpp>

EXO_PROGRAM(null_caller) {
    const std::int64_t self = user::identity();
    std::int64_t wrong = 0;
    for (std::uint64_t i = 0; i < argument; ++i) {
        EXO_MARK_BEGIN(user.null_call);
        const std::int64_t answer = user::identity();
        EXO_MARK_END(user.null_call);
        if (answer != self) ++wrong;
    }
    return wrong;
}
