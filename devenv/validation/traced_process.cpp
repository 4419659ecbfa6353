// SPDX-License-Identifier: GPL-2.0-or-later
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <devenv/signals.hpp>
#include <devenv/validation/traced_process.hpp>
#include <stdexcept>

namespace devenv {

struct TracedProcess::Registers {
    user_regs_struct raw;
    std::uint64_t general(unsigned number) const {
        const unsigned long long* const in_order[] = {&raw.rax, &raw.rcx, &raw.rdx, &raw.rbx, &raw.rsp, &raw.rbp,
                                                      &raw.rsi, &raw.rdi, &raw.r8,  &raw.r9,  &raw.r10, &raw.r11,
                                                      &raw.r12, &raw.r13, &raw.r14, &raw.r15};
        return *in_order[number];
    }
};

TracedProcess::TracedProcess(int pid) : pid_(pid), decoder_(sim::Decoder::make()) {
    if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL) != 0)
        throw std::runtime_error(std::string("ptrace is refused: ") + std::strerror(errno));
}

TracedProcess::~TracedProcess() {
    if (gone_) return;
    kill(pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, __WALL) == pid_ && !WIFEXITED(status) && !WIFSIGNALED(status)) {
    }
}

// The stop's signal; false if it has ended, or does not stop in time, or Ctrl-C came. Steps are answered at once, so
// the first looks are quick ones.
bool TracedProcess::wait_for_stop(int& signal) {
    constexpr unsigned quick = 20'000, slow_us = 1000, patience = 60'000;
    for (unsigned tries = 0; tries < quick + patience; ++tries) {
        int status = 0;
        const pid_t got = waitpid(pid_, &status, __WALL | WNOHANG);
        if (got == pid_) {
            gone_ = !WIFSTOPPED(status);
            signal = gone_ ? 0 : WSTOPSIG(status);
            return !gone_;
        }
        if (got < 0 && errno != EINTR) gone_ = true;
        if (gone_ || stop_requested()) return false;
        if (tries < quick) sched_yield();
        else usleep(slow_us);
    }
    return false;
}

bool TracedProcess::run_to_breakpoint() {
    int signal = 0;
    for (;;) {
        if (!wait_for_stop(signal)) return false;
        if (signal == SIGTRAP) {
            siginfo_t info{};
            // The kernel's own traps (a breakpoint) and not a stop of the tracing.
            if (ptrace(PTRACE_GETSIGINFO, pid_, 0, &info) == 0 && info.si_code == SI_KERNEL) return true;
            signal = 0;
        }
        if (ptrace(PTRACE_CONT, pid_, 0, signal) != 0) return false;
    }
}

const TracedProcess::Site& TracedProcess::site(std::uint64_t address) {
    const auto found = sites_.find(address);
    if (found != sites_.end()) return found->second;
    std::uint8_t bytes[15];
    const iovec here{bytes, sizeof bytes}, there{reinterpret_cast<void*>(address), sizeof bytes};
    ssize_t got = process_vm_readv(pid_, &here, 1, &there, 1, 0);
    if (got < 0) {  // it may end with its page
        const iovec rest{reinterpret_cast<void*>(address), 4096 - (address & 4095)};
        got = process_vm_readv(pid_, &here, 1, &rest, 1, 0);
    }
    const auto decoded = got > 0 ? decoder_->decode({bytes, static_cast<std::size_t>(got)}, address) : std::nullopt;
    if (!decoded) throw std::runtime_error("no instruction at " + std::to_string(address));
    return sites_.emplace(address, Site{*decoded, {bytes, bytes + decoded->length}}).first->second;
}

void TracedProcess::add_accesses(const Site& site, const Registers& registers, std::uint16_t number) {
    for (unsigned i = 0; i < site.instruction.operand_count; ++i) {
        const sim::MemoryOperand& operand = site.instruction.memory[i];
        auto at = static_cast<std::uint64_t>(operand.displacement);
        if (operand.base != sim::no_register) at += registers.general(operand.base);
        if (operand.index != sim::no_register) at += registers.general(operand.index) * operand.scale;
        if (operand.segment == sim::SegmentBase::fs) at += registers.raw.fs_base;
        if (operand.segment == sim::SegmentBase::gs) at += registers.raw.gs_base;
        const std::uint64_t times = site.instruction.rep ? std::min<std::uint64_t>(registers.raw.rcx, 4096) : 1;
        for (std::uint64_t k = 0; k < times; ++k, at += operand.size)
            for (unsigned left = operand.size, offset = 0; left;) {  // areas of XSAVE and the like come as lines
                const unsigned part = std::min(left, 64u);
                accesses_.push_back(
                    {number, operand.kind, static_cast<std::uint8_t>(part), false, at + offset, at + offset});
                offset += part;
                left -= part;
            }
    }
}

void TracedProcess::flush(sim::TimingModel& model, bool taken) {
    if (pending_.empty()) return;
    auto& candidates = blocks_[pending_.front()->instruction.address];
    sim::CodeBlock* block = nullptr;
    for (const auto& candidate : candidates)
        if (candidate->instructions.size() == pending_.size()) block = candidate.get();
    if (!block) {
        block = candidates.emplace_back(std::make_unique<sim::CodeBlock>()).get();
        block->id = next_id_++;
        block->version = 0;
        block->address = block->physical_address = pending_.front()->instruction.address;
        for (const Site* one : pending_) {
            block->instructions.push_back(one->instruction);
            block->bytes.insert(block->bytes.end(), one->bytes.begin(), one->bytes.end());
        }
        model.on_code(*block);
    }
    const auto count = static_cast<std::uint32_t>(pending_.size());
    times_.resize(count);
    model.run({0, block, 0, count, retired_, taken, accesses_}, times_);
    retired_ += count;
    pending_.clear();
    accesses_.clear();
}

TracedProcess::Steps TracedProcess::step_to_breakpoint(sim::TimingModel& model, std::uint64_t most) {
    Steps steps;
    Registers registers{};
    const auto ended = [&steps] {
        steps.ended = true;
        return steps;
    };
    const auto instruction_pointer = [this] {
        return static_cast<std::uint64_t>(ptrace(PTRACE_PEEKUSER, pid_, offsetof(user_regs_struct, rip), 0));
    };
    for (;;) {
        if (stop_requested() || steps.instructions >= most) return ended();
        if (ptrace(PTRACE_GETREGS, pid_, 0, &registers.raw) != 0) return ended();
        const Site& one = site(registers.raw.rip);
        if (one.instruction.special == sim::Special::int3) {
            flush(model, false);
            break;
        }
        if (one.instruction.special == sim::Special::syscall) {
            steps.entered_linux = true;
            return steps;
        }
        add_accesses(one, registers, static_cast<std::uint16_t>(pending_.size()));
        pending_.push_back(&one);
        ++steps.instructions;
        const std::uint64_t behind = registers.raw.rip + one.instruction.length;
        for (int signal = 0; signal != SIGTRAP;) {  // other signals: dropped, and stepped again
            if (ptrace(PTRACE_SINGLESTEP, pid_, 0, 0) != 0 || !wait_for_stop(signal)) return ended();
        }
        std::uint64_t now = instruction_pointer();
        while (one.instruction.rep && now == registers.raw.rip) {  // an iteration is a step
            for (int signal = 0; signal != SIGTRAP;)
                if (ptrace(PTRACE_SINGLESTEP, pid_, 0, 0) != 0 || !wait_for_stop(signal)) return ended();
            now = instruction_pointer();
        }
        const bool page_ends = (behind ^ one.instruction.address) >> 12 != 0;
        if (one.instruction.flow != sim::Flow::next || pending_.size() == sim::max_block_instructions || page_ends)
            flush(model, one.instruction.flow != sim::Flow::next && now != behind);
    }
    // Behind the breakpoint, for the next part.
    registers.raw.rip += 1;
    ptrace(PTRACE_SETREGS, pid_, 0, &registers.raw);
    return steps;
}

}  // namespace devenv
