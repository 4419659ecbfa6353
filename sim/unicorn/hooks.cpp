// SPDX-License-Identifier: GPL-2.0-or-later
// The fast path, and the C callbacks that Unicorn calls. No exception leaves a callback: it is kept and thrown again
// when the engine's C code has returned.
#include <algorithm>
#include <regs/pc.hpp>
#include <sim/board/text.hpp>
#include <sim/unicorn/cpu.hpp>

namespace sim::unicorn {

namespace {
constexpr std::uint64_t line_bytes = 64;
}  // namespace

template <bool several>
inline void Cpu::record(const Instruction& instruction, std::uint16_t index) {
    for (unsigned i = 0; i < instruction.operand_count; ++i) {
        const MemoryOperand& operand = instruction.memory[i];
        const std::uint64_t address = operand_address(operand);
        if (address % page_bytes + operand.size > page_bytes || operand.size > line_bytes) [[unlikely]] {
            record_split<several>(operand, index, address);
            continue;
        }
        const std::uint64_t physical = space_.translate(address);
        if (operand.kind != AccessKind::load && code_.holds_code(physical)) [[unlikely]] {
            code_.unmark(physical, *recorder_.block());
            code_written_ = true;
            wait_for_change();
        }
        if constexpr (several) {
            if (operand.kind != AccessKind::load && (code_.translated_by(physical) & ~bit_))
                written_elsewhere(physical);
            touch_line(physical, operand.kind != AccessKind::load);
        }
        recorder_.add({.instruction = index,
                       .kind = operand.kind,
                       .size = std::uint8_t(operand.size),
                       .io = physical >= board_.memory.bytes(),
                       .virtual_address = address,
                       .physical_address = physical});
    }
}

// An access that crosses a page has two physical addresses, and one of more than 64 bytes is told as several.
template <bool several>
void Cpu::record_split(const MemoryOperand& operand, std::uint16_t index, std::uint64_t address) {
    for (std::uint64_t left = operand.size; left;) {
        const std::uint64_t in_page = page_bytes - address % page_bytes;
        const std::uint64_t bytes =
            std::min({left, in_page, line_bytes - (left > line_bytes ? address % line_bytes : 0)});
        MemoryOperand part{};
        part.kind = operand.kind;
        part.size = std::uint16_t(bytes);
        part.displacement = std::int64_t(address);
        Instruction piece{};
        piece.operand_count = 1;
        piece.memory[0] = part;
        if (recorder_.crowded()) recorder_.flush(false, retired_);
        record<several>(piece, index);
        address += bytes;
        left -= bytes;
    }
}

template <bool accesses, bool several>
inline void Cpu::on_code(std::uint64_t address, std::uint32_t bytes) {
    retired_ += announced_;
    const Step* step = next_;
    if (step->match != address || retired_ >= attention_) [[unlikely]] {
        step = slow_step(address, bytes);
        if (!step) return;
        if constexpr (accesses) {
            const bool finished = step->instruction->rep && repeat_count(*step->instruction) == 0;
            if (!finished) record<several>(*step->instruction, std::uint16_t(index_of(step)));
        }
    } else if constexpr (accesses) {
        recorder_.commit();
        record<several>(*step->instruction, std::uint16_t(index_of(step)));
    }
    announced_ = 1;
    current_ = step;
    next_ = step + 1;
}

struct Cpu::Hooks {
    // Runs `body` so that what it throws ends the run instead of unwinding through C.
    template <typename Body>
    static void guard(Cpu& cpu, Body body) noexcept {
        try {
            body();
        } catch (...) {
            cpu.announced_ = 0;
            if (!cpu.run_.failure) cpu.run_.failure = std::current_exception();
            cpu.run_.stopping = true;
            uc_emu_stop(cpu.uc_.get());
        }
    }

    template <bool accesses, bool several>
    static void code(uc_engine*, std::uint64_t address, std::uint32_t bytes, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] { cpu.on_code<accesses, several>(address, bytes); });
    }

    static void interrupt(uc_engine*, std::uint32_t vector, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] { cpu.on_exception(vector); });
    }

    static bool invalid_instruction(uc_engine*, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] { cpu.on_invalid_instruction(); });
        return !cpu.run_.stopping;
    }

    static void syscall(uc_engine*, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] { cpu.on_syscall(); });
    }

    static int time_stamp(uc_engine*, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] {
            const std::uint64_t ticks = cpu.config_.imposed ? cpu.imposed_input(InputKind::tsc, 0) : cpu.now_ticks();
            cpu.input(InputKind::tsc, 0, ticks);
            cpu.state_->general[0] = std::uint32_t(ticks);
            cpu.state_->general[2] = ticks >> 32;
        });
        return 1;  // the engine's own is not wanted
    }

    static int time_stamp_and_cpu(uc_engine* uc, void* user) {
        time_stamp(uc, user);
        Cpu& cpu = *static_cast<Cpu*>(user);
        cpu.state_->general[1] = std::uint32_t(cpu.read_msr(regs::msr::tsc_aux));
        return 1;
    }

    static int cpuid(uc_engine*, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] {
            auto& general = cpu.state_->general;
            const auto leaf = std::uint32_t(general[0]), subleaf = std::uint32_t(general[1]);
            CpuidResult result = cpu.cpuid_(leaf, subleaf, cpu.number_, cpu.config_.cpus);
            constexpr std::uint32_t osxsave = 1u << 27;  // a copy of CR4.OSXSAVE (bit 18)
            if (leaf == 1) result.ecx = (result.ecx & ~osxsave) | (cpu.state_->cr[4] >> 18 & 1 ? osxsave : 0);
            const std::uint64_t address = std::uint64_t{leaf} << 32 | subleaf;
            if (cpu.config_.imposed) {
                const std::uint64_t low = cpu.imposed_input(InputKind::cpuid, address, 8, 0);
                const std::uint64_t high = cpu.imposed_input(InputKind::cpuid, address, 8, 1);
                result = {std::uint32_t(low), std::uint32_t(low >> 32), std::uint32_t(high), std::uint32_t(high >> 32)};
            }
            cpu.input(InputKind::cpuid, address, std::uint64_t{result.ebx} << 32 | result.eax);
            cpu.input(InputKind::cpuid, address, std::uint64_t{result.edx} << 32 | result.ecx);
            general[0] = result.eax, general[3] = result.ebx, general[1] = result.ecx, general[2] = result.edx;
        });
        return 1;
    }

    static std::uint32_t in(uc_engine*, std::uint32_t port, int bytes, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        std::uint32_t value = 0;
        guard(cpu, [&] {
            const std::uint64_t now = Chipset::timed(std::uint16_t(port)) ? cpu.now_ticks() : 0;
            value = cpu.config_.imposed
                        ? std::uint32_t(cpu.imposed_input(InputKind::port, std::uint16_t(port), unsigned(bytes)))
                        : cpu.board_.read_port(std::uint16_t(port), unsigned(bytes), now);
            cpu.input(InputKind::port, std::uint16_t(port), value);
        });
        return value;
    }

    static void out(uc_engine*, std::uint32_t port, int bytes, std::uint32_t value, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] {
            const std::uint64_t now = Chipset::timed(std::uint16_t(port)) ? cpu.now_ticks() : 0;
            if (cpu.board_.write_port(std::uint16_t(port), unsigned(bytes), value, now)) cpu.wait_for_change();
        });
    }

    // With inputs imposed everything between RAM and 4 GiB is a device, from offset 0 on.
    static std::uint64_t imposed_read(uc_engine*, std::uint64_t offset, unsigned bytes, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        std::uint64_t value = 0;
        guard(cpu, [&] {
            const std::uint64_t physical = cpu.board_.memory.bytes() + offset;
            const MemoryOperand& operand = cpu.current_->instruction->memory[0];
            const std::uint64_t first = cpu.space_.translate(cpu.operand_address(operand));
            value = cpu.imposed_input(InputKind::mmio, physical, bytes, unsigned(physical - first));
        });
        return value;
    }

    static void imposed_write(uc_engine*, std::uint64_t, unsigned, std::uint64_t, void*) {}

    static std::uint64_t mmio_read(uc_engine*, std::uint64_t offset, unsigned, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        std::uint64_t value = 0;
        guard(cpu, [&] {
            value = cpu.apic_.read(std::uint32_t(offset), cpu.now_ticks());
            cpu.input(InputKind::mmio, regs::lapic::default_base + offset, value);
            cpu.wait_for_change();
        });
        return value;
    }

    static void mmio_write(uc_engine*, std::uint64_t offset, unsigned, std::uint64_t value, void* user) {
        Cpu& cpu = *static_cast<Cpu*>(user);
        guard(cpu, [&] {
            const std::uint64_t now = cpu.now_ticks();
            cpu.apic_.write(std::uint32_t(offset), std::uint32_t(value), now);
            if (cpu.board_.send_messages(cpu.number_, now))  // others may be ready earlier now
                cpu.others_at_ = std::min(cpu.others_at_, now + Board::message_ticks),
                cpu.slice_until_ = std::min(cpu.slice_until_, cpu.others_at_);
            cpu.wait_for_change();
        });
    }
};

void Cpu::install_hooks() {
    const auto add = [this](int type, auto callback, int instruction = 0) {
        uc_hook hook;
        const uc_err error =
            uc_hook_add(uc_.get(), &hook, type, reinterpret_cast<void*>(callback), this, 1, 0, instruction);
        if (error) throw EngineError(text("Unicorn refuses a hook: %s", uc_strerror(error)));
    };
    // Several CPUs: what they access decides how they take turns, whether anyone is told or not.
    if (several_) add(UC_HOOK_CODE, &Hooks::code<true, true>);
    else if (config_.events) add(UC_HOOK_CODE, &Hooks::code<true, false>);
    else add(UC_HOOK_CODE, &Hooks::code<false, false>);
    add(UC_HOOK_INTR, &Hooks::interrupt);
    add(UC_HOOK_INSN_INVALID, &Hooks::invalid_instruction);
    // No memory hook of any kind, not even for accesses outside RAM: one is enough for every store of the guest to
    // leave the engine's fast path (2.5 times slower with the code hook). Those accesses end the run by an error code.
    add(UC_HOOK_INSN, &Hooks::syscall, UC_X86_INS_SYSCALL);
    add(UC_HOOK_INSN, &Hooks::time_stamp, UC_X86_INS_RDTSC);
    add(UC_HOOK_INSN, &Hooks::time_stamp_and_cpu, UC_X86_INS_RDTSCP);
    add(UC_HOOK_INSN, &Hooks::cpuid, UC_X86_INS_CPUID);
    add(UC_HOOK_INSN, &Hooks::in, UC_X86_INS_IN);
    add(UC_HOOK_INSN, &Hooks::out, UC_X86_INS_OUT);
    if (config_.imposed) {
        constexpr std::uint64_t low_end = 1ull << 32;
        const std::uint64_t ram = board_.memory.bytes();
        if (const uc_err error =
                uc_mmio_map(uc_.get(), ram, low_end - ram, &Hooks::imposed_read, this, &Hooks::imposed_write, this))
            throw EngineError(text("Unicorn cannot map the imposed devices: %s", uc_strerror(error)));
        return;
    }
    if (const uc_err error = uc_mmio_map(uc_.get(), regs::lapic::default_base, page_bytes, &Hooks::mmio_read, this,
                                         &Hooks::mmio_write, this))
        throw EngineError(text("Unicorn cannot map the local APIC: %s", uc_strerror(error)));
}

}  // namespace sim::unicorn
