// SPDX-License-Identifier: GPL-2.0-or-later
// What an engine tells: one stream, a block at a time, keyed by the number of retired instructions.
//
// A CodeBlock is decoded once: a straight line of instructions in one page that ends at a control transfer, at a
// serialising system instruction or after max_block_instructions. A Block event says that the first `count` of them
// retired (fewer than all when an exception or interrupt cut it short), with the memory accesses in program order.
// A REP string instruction retires once, when it completes, with the accesses of all its iterations; iterations over
// consecutive addresses are joined, up to a 64-byte line. When there are thousands, or a page fault comes in between,
// they arrive in several Blocks: a Block may carry accesses of the instruction after its last retired one (index
// first + count), and its count may then be 0.
// An access that crosses a page arrives as two, since it has two physical addresses.
// SYSCALL, SYSRET and IRET are ordinary ends of blocks: only what goes through the IDT is a Transfer. The frame that a
// Transfer pushes is not among the accesses.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace sim {

using Cycle = std::uint64_t;
// Retired instructions before this one, of all CPUs, from kernel entry: the only key.
using InstructionIndex = std::uint64_t;

enum class AccessKind : std::uint8_t { load, store, rmw };

struct Access {
    std::uint16_t instruction;  // index in the code block
    AccessKind kind;
    std::uint8_t size;  // bytes, 1..64; larger ones (fxsave, xsave) come as several
    bool io;            // memory-mapped device, not RAM
    std::uint64_t virtual_address;
    std::uint64_t physical_address;
};

// Register numbers as encoded in instructions: 0 rax, 1 rcx, 2 rdx, 3 rbx, 4 rsp, 5 rbp, 6 rsi, 7 rdi, 8..15 r8..r15.
inline constexpr std::uint8_t no_register = 0xff;
// In 64-bit mode only fs and gs have a base; in the others every operand names its segment.
enum class SegmentBase : std::uint8_t { none, fs, gs, es, cs, ss, ds };

struct MemoryOperand {
    std::uint8_t base = no_register;
    std::uint8_t index = no_register;
    std::uint8_t scale = 1;
    SegmentBase segment = SegmentBase::none;
    AccessKind kind = AccessKind::load;
    std::uint16_t size = 0;          // bytes in all
    std::uint8_t address_bits = 64;  // 16, 32: the sum is truncated
    bool linear32 = false;           // so is what comes of adding the segment's base, to 32 bits (not in 64-bit mode)
    std::int64_t displacement = 0;   // RIP-relative operands: the absolute address; implicit stack: -8 for a push
};

enum class Flow : std::uint8_t { next, branch, conditional, call, indirect_branch, indirect_call, ret, trap, stop };

// What the engine or a timing model must know beyond operands. A closed list: everything else is `plain`.
enum class Special : std::uint8_t {
    plain,
    nop,
    hlt,
    pause,
    rdtsc,
    rdtscp,
    cpuid,
    in,
    out,
    rdmsr,
    wrmsr,
    mov_to_cr,
    mov_from_cr,
    mov_dr,
    invlpg,
    lgdt,
    lidt,
    ltr,
    lldt,
    swapgs,
    syscall,
    sysret,
    iret,
    int_n,
    int3,
    ud,
    cli,
    sti,
    mov_ss,
    pushf,
    popf,
    lfence,
    mfence,
    sfence,
    rdrand,
    xgetbv,
    xsetbv,
    fxsave,
    fxrstor,
    xsave,
    xrstor,
    wbinvd,
    clflush,
    far_transfer,
    fsgsbase,
    stac,
    clac,
    string,
    unsupported  // unsupported: the engine cannot run it faithfully (VEX, EVEX): it must stop
};

// What bytes of code mean (CS.L, CS.D) and how wide the stack pointer is (SS.B).
struct CodeMode {
    std::uint8_t bits = 64, stack_bits = 64;  // 16, 32 or 64; 64 both or neither
    bool operator==(const CodeMode&) const = default;
};

struct Instruction {
    std::uint64_t address;  // virtual (outside 64-bit mode: linear, with the base of CS)
    std::uint8_t length;    // bytes, 1..15
    Flow flow = Flow::next;
    Special special = Special::plain;
    bool rep = false;
    bool locked = false;             // lock prefix, or xchg with memory
    std::uint8_t operand_count = 0;  // memory operands in `memory`, in access order
    std::uint16_t opcode = 0;  // the decoder's opcode number: an index into its name table, not stable over versions
    std::uint16_t reads = 0;   // general registers read, written: a bit each
    std::uint16_t writes = 0;
    bool reads_flags = false;
    bool writes_flags = false;
    std::uint8_t code_bits = 64;  // decoded as 16, 32 or 64-bit code
    MemoryOperand memory[2];
};

using CodeId = std::uint32_t;
inline constexpr unsigned max_block_instructions = 64;

struct CodeBlock {
    CodeId id;              // dense, in order of first execution
    std::uint32_t version;  // 0, or how often code at this place had changed before
    std::uint64_t address;  // virtual address of the first instruction
    std::uint64_t physical_address;
    std::vector<Instruction> instructions;
    std::vector<std::uint8_t> bytes;
};

struct Block {
    std::uint32_t cpu;
    const CodeBlock* code;
    std::uint32_t first;           // index in the code block of the first instruction retired here (0 unless resumed)
    std::uint32_t count;           // instructions retired
    InstructionIndex first_index;  // number of the first
    bool taken;                    // control did not fall through after the last; false if the block was cut short
    std::span<const Access> accesses;
};

// start: the CPU begins to execute, the boot CPU at the image's entry (value: the seed), others where a start-up
// message says (value: its vector).
enum class InputKind : std::uint8_t { tsc, cpuid, port, mmio, random, start, msr };
struct Input {
    std::uint32_t cpu;
    InstructionIndex index;
    InputKind kind;
    std::uint64_t address;  // port, physical address, CPUID leaf << 32 | subleaf
    std::uint64_t value;
};

enum class ControlKind : std::uint8_t { cr0, cr2, cr3, cr4, efer, msr, invalidate_page, invalidate_all };
struct Control {
    std::uint32_t cpu;
    InstructionIndex index;
    ControlKind kind;
    std::uint64_t which;  // MSR number or virtual address
    std::uint64_t value;
};

enum class TransferKind : std::uint8_t { exception, interrupt, software };
struct Transfer {
    std::uint32_t cpu;
    InstructionIndex index;  // instructions retired before it
    TransferKind kind;
    std::uint8_t vector;
    bool has_error_code;
    std::uint32_t error_code;
    std::uint64_t source;         // RIP that was interrupted
    std::uint64_t target;         // handler
    std::uint64_t fault_address;  // #PF: CR2
};

struct Halt {
    std::uint32_t cpu;
    InstructionIndex index;
    std::uint64_t skipped_ticks;  // guest clock ticks slept until the next event
};

// Events arrive in program order of each CPU; CPUs take turns at instruction boundaries, and everything that one
// retired before its turn ended has been told then. References are valid during the call only, CodeBlocks for ever.
class EventSink {
  public:
    virtual ~EventSink() = default;
    virtual void on_code(const CodeBlock&) = 0;  // before its first Block
    virtual void on_block(const Block&) = 0;
    virtual void on_input(const Input&) = 0;
    virtual void on_control(const Control&) = 0;
    virtual void on_transfer(const Transfer&) = 0;
    virtual void on_halt(const Halt&) = 0;
};

}  // namespace sim
