// SPDX-License-Identifier: GPL-2.0-or-later
// Exceptions and interrupts in 32-bit protected mode, on a kernel's way to 64-bit mode: gates of 8 bytes, frames of
// 4-byte slots (SDM 3A 6.12). What kernels do not use on that way ends the run by name: real mode, task gates, 16-bit
// gates, virtual-8086 mode.
#include <array>
#include <sim/board/text.hpp>
#include <sim/unicorn/cpu.hpp>
#include <sim/unicorn/descriptors.hpp>

namespace sim::unicorn {

namespace {

constexpr unsigned task_gate = 5, interrupt_gate16 = 6, trap_gate16 = 7;
constexpr unsigned tss_esp0 = 4, tss_ss0 = 8;

// A segment register as a load of this descriptor makes it.
SegmentState segment_of(std::uint16_t selector, std::uint64_t descriptor) {
    const std::uint32_t limit = std::uint32_t((descriptor & 0xffff) | (descriptor >> 32 & 0xf'0000));
    const bool pages = descriptor >> 55 & 1;
    return {.selector = selector,
            .padding = 0,
            .base = (descriptor >> 16 & 0xff'ffff) | (descriptor >> 56) << 24,
            .limit = pages ? limit << 12 | 0xfff : limit,
            .attributes = std::uint32_t(descriptor >> 32)};
}
constexpr std::uint32_t attribute_32bit = 1u << 22;  // D or B

}  // namespace

// True: what this mode asks for is not done here, and the run has ended.
bool Cpu::refuses_legacy(std::uint8_t vector, std::uint64_t return_address) {
    const char* why = nullptr;
    if (!(state_->hidden_flags & hidden_protected)) why = "in real mode";
    else if (state_->rflags & rflags_vm) why = "in virtual-8086 mode";
    if (!why) return false;
    stop(StopReason::unsupported, text("vector %u %s at %s: only 32-bit protected and 64-bit mode have exceptions and "
                                       "interrupts here",
                                       vector, why, where(return_address).c_str()));
    return true;
}

std::optional<Fault> Cpu::try_deliver32(const Fault& fault, Entry entry, std::uint64_t return_address) {
    if (refuses_legacy(fault.vector, return_address)) return std::nullopt;
    const std::uint32_t external = entry == Entry::software ? 0 : error_external;
    Gate gate;
    if (auto failed = read_gate(fault.vector, external, gate)) return failed;
    if (gate.type() == task_gate || gate.type() == interrupt_gate16 || gate.type() == trap_gate16) {
        stop(StopReason::unsupported, text("vector %u goes to a task gate or a 16-bit gate, at %s", fault.vector,
                                           where(return_address).c_str()));
        return std::nullopt;
    }
    if (auto failed = check_gate(gate, fault.vector, entry)) return failed;
    CodeDescriptor code;
    if (auto failed = read_code_descriptor(gate.selector(), external, code)) return failed;
    const unsigned cpl = code.conforming() ? view_.cpl() : code.privilege();
    SegmentState stack_segment = state_->segments[ss];
    std::uint32_t stack = std::uint32_t(state_->general[4]);
    const bool inner = cpl < view_.cpl();
    if (inner)
        if (auto failed = inner_stack32(cpl, external, stack_segment, stack)) return failed;

    const bool error_code = entry == Entry::exception && regs::pushes_error_code(fault.vector);
    const std::array<std::uint32_t, 6> frame{
        fault.error_code,        std::uint32_t(view_.rip_of(return_address)), state_->segments[cs].selector,
        std::uint32_t(rflags()), std::uint32_t(state_->general[4]),           state_->segments[ss].selector};
    const unsigned first = error_code ? 0 : 1, slots = (inner ? 6 : 4) - first;
    const std::uint32_t mask = stack_segment.attributes & attribute_32bit ? ~0u : 0xffffu;
    const std::uint32_t top = (stack - 4 * slots) & mask;
    if (const auto failed = space_.write(std::uint32_t(stack_segment.base + top), &frame[first], 4 * slots))
        return Fault{page_fault, failed->error_code, failed->address, "the handler's stack cannot be written"};
    if (const auto outside = space_.outside()) {
        stop_outside(*outside, "delivery of an exception", return_address);
        return std::nullopt;
    }
    state_->segments[cs] = segment_of(std::uint16_t((gate.selector() & ~3u) | cpl), code.value);
    state_->segments[ss] = stack_segment;
    const auto set = [this](std::uint32_t flag, bool on) {
        state_->hidden_flags = on ? state_->hidden_flags | flag : state_->hidden_flags & ~flag;
    };
    set(hidden_cpl | hidden_inhibit, false);
    set(cpl, true);
    set(hidden_code32, state_->segments[cs].attributes & attribute_32bit);
    set(hidden_stack32, stack_segment.attributes & attribute_32bit);
    set(hidden_segments, state_->segments[ds].base || state_->segments[es].base || stack_segment.base);
    state_->general[4] = (stack & ~mask) | top;
    state_->rflags &= ~(rflags_tf | rflags_nt | rflags_rf | (gate.type() == interrupt_gate ? rflags_if : 0));
    state_->rip = gate.target();
    return std::nullopt;
}

// SS and ESP of an inner privilege level, from the 32-bit TSS.
std::optional<Fault> Cpu::inner_stack32(unsigned cpl, std::uint32_t external, SegmentState& segment,
                                        std::uint32_t& pointer) {
    struct {
        std::uint32_t esp, ss;
    } inner;
    if (tss_ss0 + 8 * cpl + 3 > state_->tr.limit)
        return Fault{invalid_tss, (state_->tr.selector & 0xfffcu) + external, 0,
                     "there is no TSS that holds the stack"};
    if (auto failed = read_system(state_->tr.base + tss_esp0 + 8 * cpl, &inner, sizeof inner, "the TSS is not mapped"))
        return failed;
    const auto selector = std::uint16_t(inner.ss);
    const SegmentState& table = selector & 4 ? state_->ldt : state_->gdt;
    const std::uint32_t error = (selector & 0xfffcu) + external;
    if (!(selector & ~3u) || (selector | 7u) > table.limit || (selector & 3u) != cpl)
        return Fault{invalid_tss, error, 0, "the TSS names no usable stack segment"};
    std::uint64_t descriptor;
    if (auto failed =
            read_system(table.base + (selector & ~7u), &descriptor, sizeof descriptor, "the GDT is not mapped"))
        return failed;
    const bool writable_data = (descriptor >> 41 & 1) && (descriptor >> 43 & 3) == 2;
    if (!writable_data || (descriptor >> 45 & 3) != cpl || !(descriptor >> 47 & 1))
        return Fault{invalid_tss, error, 0, "the TSS names no usable stack segment"};
    segment = segment_of(selector, descriptor);
    pointer = inner.esp;
    return std::nullopt;
}

}  // namespace sim::unicorn
