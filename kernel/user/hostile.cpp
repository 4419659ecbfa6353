// SPDX-License-Identifier: MIT
// Passes bad pointers, bad handles and unknown numbers to every system call. All must be answered with the right error.
// Exit status: answers that were wrong. On the host bad pointers are left out (argument 0): nothing enforces them
// there.
#include <user/runtime.hpp>

namespace {

std::int64_t wrong = 0;

void expect(std::int64_t result, user::Error error) {
    if (result != user::failure(error)) ++wrong;
}

void bad_pointers() {
    using user::Error;
    constexpr std::uint64_t bad[] = {0,
                                     0x1000,
                                     0x0000'7fff'ffff'f000,
                                     0x0000'8000'0000'0000,
                                     0xffff'8000'0000'0000,
                                     0xffff'ffff'8020'0000,
                                     0xffff'ffff'ffff'fff8,
                                     ~std::uint64_t{0}};
    for (const std::uint64_t address : bad) {
        expect(hal::user_call(user::number(user::Syscall::console_write), address, 64), Error::bad_address);
        expect(hal::user_call(user::number(user::Syscall::spawn), address, 8), Error::bad_address);
        const std::int64_t ring = user::ring_create(4);
        expect(hal::user_call(user::number(user::Syscall::ring_map), static_cast<std::uint64_t>(ring), 0, address),
               Error::bad_address);
        user::close(static_cast<user::Handle>(ring));
    }
    // Read-only memory as a target: this program's own code.
    const std::int64_t ring = user::ring_create(4);
    expect(hal::user_call(user::number(user::Syscall::ring_map), static_cast<std::uint64_t>(ring), 0,
                          reinterpret_cast<std::uint64_t>(&bad_pointers)),
           Error::bad_address);
    user::close(static_cast<user::Handle>(ring));
}

void bad_handles() {
    using user::Error;
    std::uint64_t message[4] = {};
    for (const user::Handle handle : {user::Handle{7}, user::Handle{0x10000}, user::Handle{0xffff}, 0x7fff'0000u}) {
        expect(user::call(handle, message), Error::bad_handle);
        expect(user::reply_and_wait(handle, message), Error::bad_handle);
        expect(user::wake(handle), Error::bad_handle);
        expect(user::close(handle), Error::bad_handle);
        expect(user::duplicate(handle, 0), Error::bad_handle);
    }
    const auto endpoint = static_cast<user::Handle>(user::endpoint_create());
    const auto caller = static_cast<user::Handle>(user::duplicate(endpoint, exo::abi::right_call));
    expect(user::reply_and_wait(caller, message), Error::no_right);
    expect(user::duplicate(caller, exo::abi::right_call), Error::no_right);
    expect(user::duplicate(endpoint, exo::abi::right_produce), Error::no_right);
    expect(user::wake(endpoint), Error::bad_handle);
    expect(user::call(caller, message, 0), Error::timeout);
    // A handle is 32 bits of its register, rights too: what lies above is no other way to write the same.
    constexpr std::uint64_t above = std::uint64_t{1} << 32;
    expect(hal::user_call(user::number(user::Syscall::close), above | endpoint), Error::bad_handle);
    expect(hal::user_call(user::number(user::Syscall::duplicate), endpoint, above | exo::abi::right_call),
           Error::bad_argument);
    user::close(endpoint);
    expect(user::call(endpoint, message), Error::bad_handle);  // stale
    expect(user::call(caller, message), Error::peer_dead);     // nobody can serve any more
    user::close(caller);
}

void bad_numbers() {
    using user::Error;
    for (const std::uint64_t number : {user::number(user::Syscall::count), std::uint64_t{1} << 32, ~std::uint64_t{0}})
        expect(hal::user_call(number), Error::not_implemented);
    expect(user::ring_create(0), Error::bad_argument);
    expect(user::ring_create(3), Error::bad_argument);
    expect(user::ring_create(std::uint64_t{1} << 40), Error::bad_argument);
    expect(user::spawn("no such program", nullptr, 0, 0), Error::not_found);
    expect(user::spawn("echo_client", nullptr, 1000, 0), Error::bad_argument);
    expect(hal::user_call(user::number(user::Syscall::console_write), 0, exo::abi::console_write_limit + 1),
           Error::bad_argument);
}

}  // namespace

EXO_PROGRAM(hostile) {
    wrong = 0;
    bad_handles();
    bad_numbers();
    if (argument != 0) bad_pointers();
    return wrong;
}
