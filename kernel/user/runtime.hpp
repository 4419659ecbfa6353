// SPDX-License-Identifier: MIT
// What ring-3 programs are written with: system calls as functions, a blocking ring client, a program's entry.
// Every function returns a result >= 0 or a negated abi::Error.
#pragma once
#include <abi/marks.hpp>
#include <abi/ring.hpp>
#include <abi/syscall.hpp>
#include <hal/user_call.hpp>
#include <ipc/fusion_ring.hpp>
#include <string_view>

// The program NAME: a function of one argument whose result is the exit status. It is the ELF entry point on bare metal
// and a linked program on the host, so it takes no start-up code: the kernel hands over a stack aligned as for a call.
#define EXO_PROGRAM(name)                                                                                \
    static std::int64_t program_main(std::uint64_t argument);                                            \
    extern "C" void exo_program_##name(std::uint64_t argument) { ::user::exit(program_main(argument)); } \
    static std::int64_t program_main([[maybe_unused]] std::uint64_t argument)

namespace user {

using exo::abi::Error;
using exo::abi::Handle;
using exo::abi::no_deadline;
using exo::abi::Syscall;
using exo::abi::WaitReason;

constexpr std::int64_t failure(Error error) { return -static_cast<std::int64_t>(error); }
constexpr std::uint64_t number(Syscall call) { return static_cast<std::uint64_t>(call); }

inline std::int64_t identity() { return hal::user_call(number(Syscall::identity)); }
inline std::int64_t write(std::string_view text) {
    return hal::user_call(number(Syscall::console_write), reinterpret_cast<std::uint64_t>(text.data()), text.size());
}
inline std::int64_t yield() { return hal::user_call(number(Syscall::yield)); }
[[noreturn]] inline void exit(std::int64_t status) {
    for (;;) hal::user_call(number(Syscall::exit), static_cast<std::uint64_t>(status));
}
inline std::int64_t spawn(std::string_view program, const Handle* grants, std::uint64_t count, std::uint64_t argument) {
    return hal::user_call(number(Syscall::spawn), reinterpret_cast<std::uint64_t>(program.data()), program.size(),
                          reinterpret_cast<std::uint64_t>(grants), count, argument);
}
inline std::int64_t ring_create(std::uint64_t slots) { return hal::user_call(number(Syscall::ring_create), slots); }
inline std::int64_t ring_map(Handle ring, exo::abi::RingEnd end, exo::abi::RingMapping& out) {
    return hal::user_call(number(Syscall::ring_map), ring, static_cast<std::uint64_t>(end),
                          reinterpret_cast<std::uint64_t>(&out));
}
inline std::int64_t endpoint_create() { return hal::user_call(number(Syscall::endpoint_create)); }
inline std::int64_t call(Handle endpoint, std::uint64_t (&message)[4], std::uint64_t deadline_ns = no_deadline) {
    return hal::user_call_message(number(Syscall::call), endpoint, message, deadline_ns);
}
inline std::int64_t reply_and_wait(Handle endpoint, std::uint64_t (&message)[4],
                                   std::uint64_t deadline_ns = no_deadline) {
    return hal::user_call_message(number(Syscall::reply_and_wait), endpoint, message, deadline_ns);
}
inline std::int64_t wait(Handle object, std::uint64_t deadline_ns = no_deadline) {
    return hal::user_call(number(Syscall::wait), object, deadline_ns);
}
inline std::int64_t wake(Handle ring) { return hal::user_call(number(Syscall::wake), ring); }
inline std::int64_t duplicate(Handle handle, std::uint32_t rights) {
    return hal::user_call(number(Syscall::duplicate), handle, rights);
}
inline std::int64_t close(Handle handle) { return hal::user_call(number(Syscall::close), handle); }
inline std::int64_t process_status(Handle process) { return hal::user_call(number(Syscall::process_status), process); }
inline std::int64_t now() { return hal::user_call(number(Syscall::now)); }

// One end of a ring that blocks in the kernel only when it must.
class Sender {
  public:
    std::int64_t open(Handle ring) {
        exo::abi::RingMapping map;
        const std::int64_t result = ring_map(ring, exo::abi::RingEnd::producer, map);
        handle_ = ring;
        if (result == 0)
            end_ = exo::RingProducer(reinterpret_cast<exo::abi::RingProducerPage*>(map.producer_page),
                                     reinterpret_cast<const exo::abi::RingConsumerPage*>(map.consumer_page), map.slots);
        return result;
    }
    // The slot to build a message in; waits for room. Null when the peer is gone or writes nonsense.
    exo::abi::RingSlot* reserve() {
        for (;;) {
            if (exo::abi::RingSlot* slot = end_.reserve()) return slot;
            if (end_.broken()) return nullptr;
            if (!end_.prepare_to_wait()) continue;
            const std::int64_t reason = wait(handle_);
            end_.done_waiting();
            if (reason != static_cast<std::int64_t>(WaitReason::woken)) return nullptr;
        }
    }
    void publish() {
        end_.publish();
        if (end_.peer_waits()) wake(handle_);
    }

  private:
    exo::RingProducer end_;
    Handle handle_ = exo::abi::no_handle;
};

class Receiver {
  public:
    std::int64_t open(Handle ring) {
        exo::abi::RingMapping map;
        const std::int64_t result = ring_map(ring, exo::abi::RingEnd::consumer, map);
        handle_ = ring;
        if (result == 0)
            end_ = exo::RingConsumer(reinterpret_cast<const exo::abi::RingProducerPage*>(map.producer_page),
                                     reinterpret_cast<exo::abi::RingConsumerPage*>(map.consumer_page), map.slots);
        return result;
    }
    // The oldest message; waits for one. Null when the peer is gone or writes nonsense.
    const exo::abi::RingSlot* front() {
        for (;;) {
            if (const exo::abi::RingSlot* slot = end_.front()) return slot;
            if (end_.broken()) return nullptr;
            if (!end_.prepare_to_wait()) continue;
            const std::int64_t reason = wait(handle_);
            end_.done_waiting();
            if (reason != static_cast<std::int64_t>(WaitReason::woken)) return end_.front();  // its last message
        }
    }
    void release() {
        end_.release();
        if (end_.peer_waits()) wake(handle_);
    }

  private:
    exo::RingConsumer end_;
    Handle handle_ = exo::abi::no_handle;
};

}  // namespace user
