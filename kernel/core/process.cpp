// SPDX-License-Identifier: MIT
#include <core/archive.hpp>
#include <core/cpus.hpp>
#include <core/elf_loader.hpp>
#include <core/process.hpp>
#include <hal/user.hpp>
#include <lib/sizes.hpp>
#include <mem/slab.hpp>
#include <sched/reaper.hpp>
#include <sched/scheduler.hpp>
#include <syscall/table.hpp>

namespace exo {

namespace {

constinit ObjectCache<Process> process_cache{"process"};
constinit std::atomic<std::uint32_t> next_process_id = 1;

constexpr std::uint64_t user_stack_pages = 4;

}  // namespace

Result<Ref<Process>> Process::spawn(std::string_view program, std::span<const Grant> grants, std::uint64_t argument,
                                    std::optional<hal::CpuIndex> pinned) {
    Ref<Process> process = EXO_TRY(create(program, grants, argument));
    process->pin(pinned);
    EXO_TRY(process->start());
    return process;
}

Result<Ref<Process>> Process::create(std::string_view program, std::span<const Grant> grants, std::uint64_t argument,
                                     Quota* family) {
    if (program.empty() || program.size() > abi::program_name_limit) return Error::not_found;
    Ref<Process> process =
        Ref<Process>::adopt(*EXO_TRY(process_cache.make(next_process_id.fetch_add(1, std::memory_order_relaxed))));
    process->argument_ = argument;
    EXO_TRY(process->prepare(program, grants, family));
    return process;
}

Result<> Process::take_quota(Quota* family) {
    Ref<Quota> quota = family != nullptr ? Ref<Quota>(*family) : EXO_TRY(Quota::make(quota_pages));
    EXO_TRY(quota->charge(kernel_pages));
    quota_ = std::move(quota);
    return {};
}

Result<> Process::prepare(std::string_view program, std::span<const Grant> grants, Quota* family) {
    name_bytes_ = static_cast<std::uint8_t>(program.size());
    __builtin_memcpy(name_, program.data(), program.size());
    syscalls_ = native_syscalls();
    EXO_TRY(take_quota(family));
    space_ = EXO_TRY(AddressSpace::create());
    EXO_TRY(handles_.init());
    EXO_TRY(load(program));
    for (const Grant& grant : grants) EXO_TRY(handles_.insert(*grant.object, grant.rights));
    return {};
}

Result<> Process::start() {
    const hal::CpuIndex home = pinned_ ? *pinned_ : cpu_in_turn();
    EXO_TRY(thread_create(name(), priority_user, first_entry, this, {.process = this, .home = home}));
    return {};
}

Result<> Process::load(std::string_view program) {
    Ref<VmObject> stack = EXO_TRY(VmObject::make_paged(user_stack_pages, *quota_));
    const hal::VirtAddr bottom =
        EXO_TRY(space_->map(*stack, 0, user_stack_pages, hal::Access::read | hal::Access::write | hal::Access::user));
    stack_top_ = bottom + user_stack_pages * page_bytes;
    if (const hal::LinkedEntry linked = hal::linked_program(program)) {
        entry_ = hal::VirtAddr(reinterpret_cast<std::uint64_t>(linked));
        return {};
    }
    const std::span<const std::byte> file = EXO_TRY(archive_find(program));
    entry_ = EXO_TRY(load_elf(file, *space_, *quota_));
    return {};
}

// On the new thread's kernel stack: on to ring 3.
void Process::first_entry(void* self) {
    auto& process = *static_cast<Process*>(self);
    hal::irq_disable();
    preempt_if_needed();  // as on every way out to ring 3
    hal::enter_user(process.entry_, process.stack_top_, process.argument_);
}

Process::~Process() {
    handles_.close_all();
    release_space();
    if (quota_) quota_->release(kernel_pages);
}

void Process::release_space() {
    AddressSpace* space = std::exchange(space_, nullptr);
    if (space == nullptr) return;
    cpus_assert_left(*space);
    AddressSpace::destroy(space);
}

void Process::destroy(Process& process) { process_cache.destroy(process); }

void Process::exit_current(std::int64_t status, bool killed) {
    Thread& self = *this_cpu().current;
    Process& process = *self.process;
    reaper_expect(self);
    process.exit_status_ = status;
    process.killed_ = killed;
    process.preemptions = self.preemptions;
    process.handles_.close_all();
    process.end_.signal();
    thread_exit();
}

}  // namespace exo
