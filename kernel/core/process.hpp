// SPDX-License-Identifier: MIT
// A process: an address space, a handle table, a quota, a system-call table and (for now) one thread. It ends when its
// thread exits or is killed; the object stays as long as somebody holds a handle to it.
#pragma once
#include <cap/handle_table.hpp>
#include <mem/address_space.hpp>
#include <mem/vm_object.hpp>
#include <sched/completion.hpp>
#include <sched/thread.hpp>
#include <span>

namespace exo {

struct SyscallEntry;

struct Grant {
    Object* object;
    std::uint32_t rights;
};

class Process : public Object {
  public:
    static constexpr ObjectType object_type = ObjectType::process;
    // What a process that the kernel starts may hold with all its descendants: they share one quota, so that nobody
    // gets more by starting children. 16 MiB.
    static constexpr std::uint64_t quota_pages = 4096;
    // Charged for what a process costs the kernel: its stack, its handle table, about a dozen page tables.
    static constexpr std::uint64_t kernel_pages = 16;

    // Loads a program of the archive (the host: a linked-in one) and makes its thread runnable. The grants become the
    // child's handles 0, 1, ... May allocate. not_found, no_memory, bad_argument (a damaged program file).
    static Result<Ref<Process>> spawn(std::string_view program, std::span<const Grant>, std::uint64_t argument,
                                      std::optional<hal::CpuIndex> pinned = std::nullopt);
    // The two halves of spawn: everything but the thread, which start() adds (no_memory). For those who must have a
    // place for the process before it runs. One that is never started goes with its last reference.
    // `family`: the parent's quota, or null for one of its own.
    static Result<Ref<Process>> create(std::string_view program, std::span<const Grant>, std::uint64_t argument,
                                       Quota* family = nullptr);
    Result<> start();
    // Its thread and those of all its descendants live on that CPU. Before start(); else CPUs are chosen in turn.
    void pin(std::optional<hal::CpuIndex> cpu) { pinned_ = cpu; }
    std::optional<hal::CpuIndex> pinned() const { return pinned_; }
    static void destroy(Process&);
    explicit Process(std::uint32_t id) : Object(object_type), id_(id) {}
    ~Process();

    std::uint32_t id() const { return id_; }
    std::string_view name() const { return {name_, name_bytes_}; }
    AddressSpace& space() { return *space_; }
    HandleTable& handles() { return handles_; }
    Quota& quota() { return *quota_; }
    const SyscallEntry* syscalls() const { return syscalls_; }
    bool ended() const { return end_.done(); }
    // These two once it has ended.
    bool killed() const { return killed_; }
    std::int64_t exit_status() const { return exit_status_; }
    WaitReason wait_for_end(std::uint64_t deadline_ns = no_deadline) { return end_.wait(deadline_ns); }
    std::uint64_t unknown_calls = 0;
    std::uint64_t preemptions = 0;  // of its thread, known when it has ended

    // Gives the address space back, once no thread of the process runs any more. The object itself may live on, for
    // those who hold a handle to it. May wait for flushes.
    void release_space();

    // The calling thread's process ends: handles are closed, waiters told. Interrupts masked.
    [[noreturn]] static void exit_current(std::int64_t status, bool killed);

  private:
    Result<> prepare(std::string_view program, std::span<const Grant>, Quota* family);
    Result<> take_quota(Quota* family);
    Result<> load(std::string_view program);
    static void first_entry(void* self);

    const std::uint32_t id_;
    char name_[abi::program_name_limit] = {};
    std::uint8_t name_bytes_ = 0;
    bool killed_ = false;
    std::int64_t exit_status_ = 0;
    hal::VirtAddr entry_;
    hal::VirtAddr stack_top_;
    std::uint64_t argument_ = 0;
    Ref<Quota> quota_;
    AddressSpace* space_ = nullptr;
    HandleTable handles_;
    const SyscallEntry* syscalls_ = nullptr;
    std::optional<hal::CpuIndex> pinned_;
    Completion end_;
};

}  // namespace exo
