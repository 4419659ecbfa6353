// SPDX-License-Identifier: MIT
// What an exception was, in words the kernel and people understand; the exception table; back-traces.
#include <arch/internal.hpp>
#include <hal/context.hpp>
#include <hal/cpu.hpp>
#include <hal/mmu.hpp>
#include <hal/smp.hpp>
#include <hal/trap.hpp>
#include <hal/user.hpp>
#include <regs/exceptions.hpp>

namespace hal {
namespace {

using namespace regs;

struct Fixup {
    std::uint64_t instruction, resume;
};
extern "C" const Fixup __ex_table_start[], __ex_table_end[];

TrapKind kind_of(std::uint64_t number) {
    switch (number) {
        case vector::page_fault:
            return TrapKind::page_fault;
        case vector::breakpoint:
            return TrapKind::breakpoint;
        case vector::double_fault:
            return TrapKind::double_fault;
        case vector::nmi:
            return TrapKind::nmi;
        case vector::machine_check:
            return TrapKind::machine_check;
        case vector::debug:
            return TrapKind::debug;
        default:
            return TrapKind::fault;
    }
}

Access attempted(PageFaultCode code) {
    Access access = code.fetch() ? Access::execute : code.write() ? Access::write : Access::read;
    return code.user() ? access | Access::user : access;
}

void put(TextSink& out, std::string_view text) { out.write(out.self, text); }

void put_hex(TextSink& out, std::string_view name, std::uint64_t value) {
    char digits[16];
    for (unsigned i = 0; i < 16; ++i) digits[15 - i] = "0123456789abcdef"[value >> (4 * i) & 15];
    put(out, name);
    put(out, {digits, sizeof digits});
}

void put_page_fault(TextSink& out, PageFaultCode code) {
    put(out, "page fault:");
    put(out, code.user() ? " user" : " kernel");
    put(out, code.fetch() ? " fetch" : code.write() ? " write" : " read");
    put(out, code.reserved_bit() ? ", reserved bit set" : code.protection() ? ", not allowed" : ", not present");
    put(out, "\n");
}

// Ranks order the stacks a chain may pass through: special, interrupt, thread. 0: no kernel stack.
unsigned rank_in(const x86::CpuStacks& stacks, std::uint64_t address) {
    for (const auto& stack : stacks.special)
        if (stack.holds(address)) return 1;
    return stacks.interrupt.holds(address) ? 2 : 0;
}

unsigned stack_rank(std::uint64_t address) {
    if (const unsigned rank = rank_in(x86::boot_cpu_stacks, address)) return rank;
    const std::uint64_t cpu = (address - std::uint64_t{HAL_CPU_AREAS}) / sizeof(x86::CpuArea);
    if (cpu < cpus_limit && x86::cpu_running(unsigned(cpu))) {
        const x86::CpuArea& area = x86::cpu_area(unsigned(cpu));
        return area.boot.holds(address) ? 3 : rank_in(area.stacks, address);
    }
    const std::uint64_t boot_bottom = x86::address_of(x86::boot_stack_guard) + HAL_PAGE_BYTES;
    if (address >= boot_bottom && address < x86::address_of(x86::boot_stack_top)) return 3;
    constexpr std::uint64_t window_bytes = 1ull << 39;  // one root entry
    if (address - HAL_STACK_WINDOW >= window_bytes || kernel_page_table().root == no_frame) return 0;
    return translate(kernel_page_table(), VirtAddr(address)) ? 3 : 0;
}

}  // namespace

TrapInfo trap_info(const TrapFrame& frame) {
    TrapInfo info{};
    info.kind = kind_of(frame.vector);
    info.name = exception_name(unsigned(frame.vector));
    info.from_user = (frame.cs & 3) != 0;
    info.error_code = frame.error_code;
    info.instruction = frame.rip;
    info.frame_pointer = frame.rbp;
    info.stack_pointer = frame.rsp;
    if (info.kind == TrapKind::page_fault) {
        info.fault_address = VirtAddr(frame.cr2);
        info.attempted = attempted({frame.error_code});
    }
    return info;
}

void describe(const TrapFrame& f, TextSink& out) {
    put_hex(out, "rip ", f.rip), put_hex(out, " rsp ", f.rsp), put_hex(out, " rflags ", f.rflags), put(out, "\n");
    put_hex(out, "rax ", f.rax), put_hex(out, " rbx ", f.rbx), put_hex(out, " rcx    ", f.rcx), put(out, "\n");
    put_hex(out, "rdx ", f.rdx), put_hex(out, " rsi ", f.rsi), put_hex(out, " rdi    ", f.rdi), put(out, "\n");
    put_hex(out, "rbp ", f.rbp), put_hex(out, " r8  ", f.r8), put_hex(out, " r9     ", f.r9), put(out, "\n");
    put_hex(out, "r10 ", f.r10), put_hex(out, " r11 ", f.r11), put_hex(out, " r12    ", f.r12), put(out, "\n");
    put_hex(out, "r13 ", f.r13), put_hex(out, " r14 ", f.r14), put_hex(out, " r15    ", f.r15), put(out, "\n");
    put_hex(out, "cs  ", f.cs), put_hex(out, " ss  ", f.ss), put_hex(out, " error  ", f.error_code), put(out, "\n");
    put_hex(out, "cr2 ", f.cr2), put_hex(out, " cr3 ", x86::read_cr3()), put_hex(out, " vector ", f.vector);
    put(out, "\n");
    if (f.vector == vector::page_fault) put_page_fault(out, {f.error_code});
}

bool trap_fixup(TrapFrame& frame) {
    for (const Fixup* entry = __ex_table_start; entry != __ex_table_end; ++entry) {
        if (entry->instruction != frame.rip) continue;
        frame.rip = entry->resume;
        return true;
    }
    return false;
}

bool FramePointerWalk::next(std::uintptr_t& frame_pointer, std::uintptr_t& return_address) {
    if (frame_pointer % 8 != 0) return false;
    const unsigned rank = stack_rank(frame_pointer);
    if (rank == 0 || stack_rank(frame_pointer + 8) != rank) return false;
    const auto* record = reinterpret_cast<const std::uintptr_t*>(frame_pointer);
    const std::uintptr_t caller = record[0];
    return_address = record[1];
    const bool in_text =
        return_address >= x86::address_of(x86::__text_start) && return_address < x86::address_of(x86::__text_end);
    if (!in_text) return false;
    // A chain ascends within a stack and passes from special to interrupt to thread stacks, never back; the record just
    // read is the last if its caller breaks that.
    const unsigned caller_rank = caller ? stack_rank(caller) : 0;
    frame_pointer = caller_rank > rank || (caller_rank == rank && caller > frame_pointer) ? caller : 0;
    return true;
}

// IRETQ to ring 3 faulted, because the kernel had put something there that the CPU refuses. By then the registers were
// the user's: made a fault of ring 3 at the place it was going to. Returns the new frame, at the top of the kernel
// stack.
extern "C" TrapFrame* hal_return_fault(TrapFrame* fault) {
    TrapFrame user = *fault;
    const auto* refused = reinterpret_cast<const std::uint64_t*>(fault->rsp);  // what IRETQ was reading
    user.rip = refused[0];
    user.cs = HAL_USER_CODE;
    user.rflags = refused[2];
    user.rsp = refused[3];
    user.ss = HAL_USER_DATA;
    auto* header = static_cast<PerCpuHeader*>(per_cpu());
    auto* frame = reinterpret_cast<TrapFrame*>(header->kernel_stack_top) - 1;
    *frame = user;
    return frame;
}

}  // namespace hal
