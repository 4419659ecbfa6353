// SPDX-License-Identifier: MIT
// How long system instructions take on this CPU, timed in ring 0: what ring 3 cannot measure. For scenario=calibrate.
//
//   std::span<const Probe> probes_begin(TableFrames&)
//                                 Prepares this CPU; what it can be asked from then on. Empty: not in ring 0, or no
//                                 frames (at most 8); then nothing has been changed. Interrupts stay off from before it
//                                 until after probes_end; no other CPU may change page tables meanwhile.
//   bool probe_present(probe)     Whether this CPU has the instruction. Between begin and end.
//   ProbeTicks probe_run(probe)   One batch, in ticks of the time stamp.
//   void probes_end(TableFrames&) Everything that was written is as before. An NMI or machine check in between is not
//                                 survived if it hits the few instructions in ring 3.
//   MachineName machine_name()    On what the kernel runs, as far as CPUID and firmware say. Any time, any CPU.
#pragma once
#include <cstdint>
#include <hal/mmu.hpp>
#include <span>
#include <string_view>

namespace hal {

struct ProbeCase;  // the backend's

struct Probe {
    std::string_view name;  // [a-z0-9_]+, at most 32 characters
    std::uint32_t count;    // instructions of that kind, or pairs, in a batch
    const ProbeCase* how;
};

struct ProbeTicks {
    std::uint64_t probe;  // the batch
    std::uint64_t empty;  // the same without the instruction
    std::uint64_t chain;  // probe_chain_adds dependent additions beside it: each a core cycle
};
inline constexpr std::uint32_t probe_chain_adds = 2048;

struct MachineName {
    char vendor[12], hypervisor[12], firmware[6], brand[48];  // padded with zeros
    unsigned family, model, stepping;
    bool in_guest;  // CPUID says so; `hypervisor` says whose
};

std::span<const Probe> probes_begin(TableFrames&);
bool probe_present(const Probe&);
ProbeTicks probe_run(const Probe&);
void probes_end(TableFrames&);
MachineName machine_name();

}  // namespace hal
