// SPDX-License-Identifier: MIT
// Each system call: take the arguments out of the frame, check them, call the object. Errors are answered, never fatal.
#include <abi/marks.hpp>
#include <core/log.hpp>
#include <hal/timer.hpp>
#include <hal/upcalls.hpp>
#include <ipc/endpoint.hpp>
#include <ipc/ring.hpp>
#include <sched/scheduler.hpp>
#include <syscall/table.hpp>
#include <syscall/user_memory.hpp>

namespace exo {

namespace {

using hal::UserFrame;
using Answer = Result<std::uint64_t>;

constinit std::atomic<std::uint64_t> unknown_calls = 0;

// A handle is 32 bits; anything above makes it another number, not another way to write the same handle.
Result<Handle> handle_argument(const UserFrame& frame) {
    const std::uint64_t value = frame.argument(0);
    if (value >> 32 != 0) return Error::bad_handle;
    return static_cast<Handle>(value);
}

Answer sys_identity(Process& self, UserFrame&) { return std::uint64_t{self.id()}; }

Answer sys_console_write(Process&, UserFrame& frame) {
    const std::uint64_t bytes = frame.argument(1);
    if (bytes > abi::console_write_limit) return Error::bad_argument;
    char part[128];
    for (std::uint64_t done = 0; done < bytes;) {
        const std::uint64_t count = bytes - done < sizeof part ? bytes - done : sizeof part;
        EXO_TRY(UserPtr<char>(frame.argument(0) + done).read_into(std::span(part, count)));
        console_text({part, count});
        done += count;
    }
    return bytes;
}

Answer sys_yield(Process&, UserFrame&) {
    yield();
    return std::uint64_t{0};
}

Answer sys_exit(Process&, UserFrame& frame) {
    Process::exit_current(static_cast<std::int64_t>(frame.argument(0)), false);
}

Answer sys_spawn(Process& self, UserFrame& frame) {
    const std::uint64_t name_bytes = frame.argument(1), grant_count = frame.argument(3);
    if (name_bytes == 0 || name_bytes > abi::program_name_limit || grant_count > abi::spawn_grants_limit)
        return Error::bad_argument;
    char name[abi::program_name_limit];
    EXO_TRY(UserPtr<char>(frame.argument(0)).read_into(std::span(name, name_bytes)));
    Handle handles[abi::spawn_grants_limit];
    if (grant_count != 0) EXO_TRY(UserPtr<Handle>(frame.argument(2)).read_into(std::span(handles, grant_count)));

    Ref<Object> objects[abi::spawn_grants_limit];
    Grant grants[abi::spawn_grants_limit];
    for (std::uint64_t i = 0; i < grant_count; ++i) {
        std::uint32_t rights = 0;
        objects[i] = EXO_TRY(self.handles().find_any(handles[i], abi::right_duplicate, rights));
        grants[i] = Grant{objects[i].get(), rights};
    }
    Ref<Process> child =
        EXO_TRY(Process::create({name, name_bytes}, std::span(grants, grant_count), frame.argument(4), &self.quota()));
    child->pin(self.pinned());
    // The handle first: a child that runs although its parent was told 'no memory' would be nobody's.
    const Handle handle = EXO_TRY(self.handles().insert(*child, abi::right_wait | abi::right_duplicate));
    if (const Result<> started = child->start(); !started.ok()) {
        EXO_ASSERT(self.handles().close(handle).ok());
        return started.error();
    }
    return std::uint64_t{handle};
}

Answer sys_ring_create(Process& self, UserFrame& frame) {
    Ref<Ring> ring = EXO_TRY(Ring::create(frame.argument(0), self.quota()));
    return std::uint64_t{
        EXO_TRY(self.handles().insert(*ring, abi::right_produce | abi::right_consume | abi::right_duplicate))};
}

Answer sys_ring_map(Process& self, UserFrame& frame) {
    const auto end = static_cast<abi::RingEnd>(frame.argument(1));
    if (end != abi::RingEnd::producer && end != abi::RingEnd::consumer) return Error::bad_argument;
    const std::uint32_t right = end == abi::RingEnd::producer ? abi::right_produce : abi::right_consume;
    const Handle handle = EXO_TRY(handle_argument(frame));
    Ref<Ring> ring = EXO_TRY(self.handles().get<Ring>(handle, right));
    const UserPtr<abi::RingMapping> out(frame.argument(2));
    EXO_TRY(out.write({}));  // a bad pointer is answered before anything is mapped
    const abi::RingMapping mapping = EXO_TRY(ring->map(self.space(), end));
    EXO_TRY(out.write(mapping));
    return std::uint64_t{0};
}

Answer sys_endpoint_create(Process& self, UserFrame&) {
    Ref<Endpoint> endpoint = EXO_TRY(Endpoint::create());
    return std::uint64_t{
        EXO_TRY(self.handles().insert(*endpoint, abi::right_call | abi::right_serve | abi::right_duplicate))};
}

void take_message(const UserFrame& frame) {
    for (unsigned i = 0; i < 4; ++i) this_cpu().current->message[i] = frame.message(i);
}
void give_message(UserFrame& frame) {
    for (unsigned i = 0; i < 4; ++i) frame.set_message(i, this_cpu().current->message[i]);
}

Answer sys_call(Process& self, UserFrame& frame) {
    const Handle handle = EXO_TRY(handle_argument(frame));
    Ref<Endpoint> endpoint = EXO_TRY(self.handles().get<Endpoint>(handle, abi::right_call));
    take_message(frame);
    EXO_TRY(endpoint->call(frame.argument(5)));
    give_message(frame);
    return std::uint64_t{0};
}

Answer sys_reply_and_wait(Process& self, UserFrame& frame) {
    const Handle handle = EXO_TRY(handle_argument(frame));
    Ref<Endpoint> endpoint = EXO_TRY(self.handles().get<Endpoint>(handle, abi::right_serve));
    take_message(frame);
    const std::uint64_t badge = EXO_TRY(endpoint->reply_and_wait(frame.argument(5)));
    give_message(frame);
    return badge;
}

Answer wait_for_process(Process& process, std::uint64_t deadline_ns) {
    return static_cast<std::uint64_t>(process.wait_for_end(deadline_ns));
}

// The end of the ring that a handle speaks for; a handle with both rights speaks for neither.
Result<abi::RingEnd> end_of(std::uint32_t rights) {
    const std::uint32_t ends = rights & (abi::right_produce | abi::right_consume);
    if (ends == abi::right_produce) return abi::RingEnd::producer;
    if (ends == abi::right_consume) return abi::RingEnd::consumer;
    return Error::no_right;
}

Answer sys_wait(Process& self, UserFrame& frame) {
    const auto handle = EXO_TRY(handle_argument(frame));
    const std::uint64_t deadline_ns = frame.argument(1);
    if (handle == abi::no_handle) {
        WaitQueue nobody_wakes;
        return static_cast<std::uint64_t>(wait_on(nobody_wakes, deadline_ns));
    }
    std::uint32_t rights = 0;
    Ref<Object> object = EXO_TRY(self.handles().find_any(handle, 0, rights));
    switch (object->type()) {
        case ObjectType::process:
            if ((rights & abi::right_wait) == 0) return Error::no_right;
            return wait_for_process(static_cast<Process&>(*object), deadline_ns);
        case ObjectType::ring: {
            const abi::RingEnd end = EXO_TRY(end_of(rights));
            return static_cast<std::uint64_t>(static_cast<Ring&>(*object).wait(end, deadline_ns));
        }
        case ObjectType::endpoint:
            break;
    }
    return Error::bad_handle;
}

Answer sys_wake(Process& self, UserFrame& frame) {
    std::uint32_t rights = 0;
    const Handle handle = EXO_TRY(handle_argument(frame));
    Ref<Object> object = EXO_TRY(self.handles().find_any(handle, 0, rights));
    if (object->type() != ObjectType::ring) return Error::bad_handle;
    const abi::RingEnd own = EXO_TRY(end_of(rights));
    const abi::RingEnd peer = own == abi::RingEnd::producer ? abi::RingEnd::consumer : abi::RingEnd::producer;
    return std::uint64_t{static_cast<Ring&>(*object).wake(peer)};
}

Answer sys_duplicate(Process& self, UserFrame& frame) {
    if (frame.argument(1) >> 32 != 0) return Error::bad_argument;
    const Handle handle = EXO_TRY(handle_argument(frame));
    return std::uint64_t{EXO_TRY(self.handles().duplicate(handle, static_cast<std::uint32_t>(frame.argument(1))))};
}

Answer sys_close(Process& self, UserFrame& frame) {
    const Handle handle = EXO_TRY(handle_argument(frame));
    EXO_TRY(self.handles().close(handle));
    return std::uint64_t{0};
}

Answer sys_now(Process&, UserFrame&) { return hal::now_ns(); }

Answer sys_process_status(Process& self, UserFrame& frame) {
    const Handle handle = EXO_TRY(handle_argument(frame));
    Ref<Process> process = EXO_TRY(self.handles().get<Process>(handle, abi::right_wait));
    if (!process->ended()) return static_cast<std::uint64_t>(abi::status_running);
    return static_cast<std::uint32_t>(process->exit_status()) |
           (process->killed() ? static_cast<std::uint64_t>(abi::status_killed) : 0);
}

constexpr SyscallEntry table[] = {
    {sys_identity, "identity"},
    {sys_console_write, "console_write"},
    {sys_yield, "yield"},
    {sys_exit, "exit"},
    {sys_spawn, "spawn"},
    {sys_ring_create, "ring_create"},
    {sys_ring_map, "ring_map"},
    {sys_endpoint_create, "endpoint_create"},
    {sys_call, "call"},
    {sys_reply_and_wait, "reply_and_wait"},
    {sys_wait, "wait"},
    {sys_wake, "wake"},
    {sys_duplicate, "duplicate"},
    {sys_close, "close"},
    {sys_now, "now"},
    {sys_process_status, "process_status"},
};
static_assert(std::size(table) == static_cast<std::size_t>(abi::Syscall::count));

}  // namespace

const SyscallEntry* native_syscalls() { return table; }
std::uint64_t unknown_syscalls() { return unknown_calls.load(std::memory_order_relaxed); }

}  // namespace exo

// One byte a system call: does it need every register in its frame? None does yet (fork and signals will).
extern "C" const std::uint8_t syscall_full_frame[static_cast<std::size_t>(exo::abi::Syscall::count)] = {};

extern "C" void hal::kernel_syscall(hal::UserFrame& frame) {
    using namespace exo;
    Process& process = *this_cpu().current->process;
    const std::uint64_t number = frame.number();
    if (number >= static_cast<std::uint64_t>(abi::Syscall::count)) [[unlikely]] {
        unknown_calls.fetch_add(1, std::memory_order_relaxed);
        ++process.unknown_calls;
        frame.set_result(-static_cast<std::int64_t>(Error::not_implemented));
        return;
    }
    const Result<std::uint64_t> answer = process.syscalls()[number].handler(process, frame);
    frame.set_result(answer.ok() ? static_cast<std::int64_t>(*answer) : -static_cast<std::int64_t>(answer.error()));
}
