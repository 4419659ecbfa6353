// SPDX-License-Identifier: MIT
// The first program: makes endpoints and rings, starts the others with just the rights that they need, and waits for
// their end. Exit status 0 if all of them ended with 0.
#include <user/init.hpp>
#include <user/runtime.hpp>

namespace {

using exo::abi::right_call;
using exo::abi::right_consume;
using exo::abi::right_duplicate;
using exo::abi::right_produce;
using exo::abi::right_serve;
using user::Handle;

// A child with one grant that is narrowed to `rights`; the handle of the process, or a negated error.
std::int64_t start(std::string_view program, Handle object, std::uint32_t rights, std::uint64_t argument) {
    const std::int64_t grant = user::duplicate(object, rights | right_duplicate);
    if (grant < 0) return grant;
    const auto granted = static_cast<Handle>(grant);
    const std::int64_t process = user::spawn(program, &granted, 1, argument);
    user::close(granted);
    return process;
}

// Starts two programs on the two sides of one object and waits for both.
std::int64_t run_pair(Handle object, std::string_view first, std::uint32_t first_rights, std::string_view second,
                      std::uint32_t second_rights, std::uint64_t count) {
    const std::int64_t a = start(first, object, first_rights, count);
    if (a < 0) return a;
    const std::int64_t b = start(second, object, second_rights, count);
    if (b < 0) return b;
    user::close(object);  // so that each side notices when the other is gone
    user::wait(static_cast<Handle>(a));
    user::wait(static_cast<Handle>(b));
    const bool good =
        user::process_status(static_cast<Handle>(a)) == 0 && user::process_status(static_cast<Handle>(b)) == 0;
    return good ? 0 : 1;
}

}  // namespace

EXO_PROGRAM(init) {
    const std::uint64_t count = argument & 0xffff'ffff;
    switch (static_cast<user::InitTask>(argument >> 32)) {
        case user::InitTask::call_and_reply: {
            const std::int64_t endpoint = user::endpoint_create();
            if (endpoint < 0) return endpoint;
            return run_pair(static_cast<Handle>(endpoint), "echo_server", right_serve, "echo_client", right_call,
                            count);
        }
        case user::InitTask::shared_ring: {
            const std::int64_t ring = user::ring_create(64);
            if (ring < 0) return ring;
            return run_pair(static_cast<Handle>(ring), "ring_receiver", right_consume, "ring_sender", right_produce,
                            count);
        }
    }
    return 1;
}
