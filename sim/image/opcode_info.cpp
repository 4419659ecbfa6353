// SPDX-License-Identifier: GPL-2.0-or-later
// The rules, first match wins. Reasons and sizes: SDM volume 2, at the instruction of that name.
#include <algorithm>
#include <array>
#include <sim/image/opcode_info.hpp>

namespace sim::detail {
namespace {

constexpr std::uint16_t rax = 1 << 0, rcx = 1 << 1, rdx = 1 << 2, rbp = 1 << 5, r11 = 1 << 11;

constexpr std::uint16_t xsave_bytes = 576;  // legacy area and header; the components behind depend on XCR0

// clang-format off
constexpr OpcodeInfo rules[] = {
    // Near control transfers.
    {.name = "JCC_*", .flow = Flow::conditional},
    {.name = "JCXZ", .flow = Flow::conditional},
    {.name = "JECXZ", .flow = Flow::conditional},
    {.name = "JRCXZ", .flow = Flow::conditional},
    {.name = "LOOP", .flow = Flow::conditional, .reads = rcx, .writes = rcx},
    {.name = "LOOPE", .flow = Flow::conditional, .reads = rcx, .writes = rcx, .reads_flags = true},
    {.name = "LOOPNE", .flow = Flow::conditional, .reads = rcx, .writes = rcx, .reads_flags = true},
    {.name = "XBEGIN_*", .flow = Flow::conditional, .special = Special::unsupported},
    {.name = "JMP_*", .flow = Flow::branch},
    {.name = "JMPABS*", .flow = Flow::branch, .special = Special::unsupported},
    {.name = "JMP*", .flow = Flow::indirect_branch},
    {.name = "CALL64pcrel32", .flow = Flow::call, .implicit = Implicit::call},
    {.name = "CALLpcrel*", .flow = Flow::call, .implicit = Implicit::call},
    {.name = "CALL*", .flow = Flow::indirect_call, .implicit = Implicit::call},
    {.name = "RET16", .flow = Flow::ret, .implicit = Implicit::ret, .size = 2},
    {.name = "RETI16", .flow = Flow::ret, .implicit = Implicit::ret, .size = 2},
    {.name = "RET*", .flow = Flow::ret, .implicit = Implicit::ret},

    // Far transfers, interrupts, system calls.
    {.name = "FARCALL16m", .flow = Flow::indirect_call, .special = Special::far_transfer, .implicit = Implicit::far_call, .direction = Direction::load, .size = 4},
    {.name = "FARCALL32m", .flow = Flow::indirect_call, .special = Special::far_transfer, .implicit = Implicit::far_call, .direction = Direction::load, .size = 6},
    {.name = "FARCALL64m", .flow = Flow::indirect_call, .special = Special::far_transfer, .implicit = Implicit::far_call, .direction = Direction::load, .size = 10},
    {.name = "FARJMP16m", .flow = Flow::indirect_branch, .special = Special::far_transfer, .direction = Direction::load, .size = 4},
    {.name = "FARJMP32m", .flow = Flow::indirect_branch, .special = Special::far_transfer, .direction = Direction::load, .size = 6},
    {.name = "FARJMP64m", .flow = Flow::indirect_branch, .special = Special::far_transfer, .direction = Direction::load, .size = 10},
    {.name = "FARCALL*i", .flow = Flow::call, .special = Special::far_transfer, .implicit = Implicit::far_call},
    {.name = "FARJMP*i", .flow = Flow::branch, .special = Special::far_transfer},
    {.name = "LRET16", .flow = Flow::ret, .special = Special::far_transfer, .implicit = Implicit::far_ret, .size = 2},
    {.name = "LRET32", .flow = Flow::ret, .special = Special::far_transfer, .implicit = Implicit::far_ret, .size = 4},
    {.name = "LRET64", .flow = Flow::ret, .special = Special::far_transfer, .implicit = Implicit::far_ret, .size = 8},
    {.name = "LRETI16", .flow = Flow::ret, .special = Special::far_transfer, .implicit = Implicit::far_ret, .size = 2},
    {.name = "LRETI32", .flow = Flow::ret, .special = Special::far_transfer, .implicit = Implicit::far_ret, .size = 4},
    {.name = "LRETI64", .flow = Flow::ret, .special = Special::far_transfer, .implicit = Implicit::far_ret, .size = 8},
    {.name = "IRET16", .flow = Flow::trap, .special = Special::iret, .implicit = Implicit::iret, .size = 2, .writes_flags = true},
    {.name = "IRET32", .flow = Flow::trap, .special = Special::iret, .implicit = Implicit::iret, .size = 4, .writes_flags = true},
    {.name = "IRET64", .flow = Flow::trap, .special = Special::iret, .implicit = Implicit::iret, .size = 8, .writes_flags = true},
    {.name = "INT", .flow = Flow::trap, .special = Special::int_n},
    {.name = "INTO", .flow = Flow::trap, .special = Special::int_n, .reads_flags = true},
    {.name = "INT3", .flow = Flow::trap, .special = Special::int3},
    {.name = "TRAP", .flow = Flow::trap, .special = Special::ud},
    {.name = "UD1*", .flow = Flow::trap, .special = Special::ud, .implicit = Implicit::none_used},
    {.name = "SYSCALL", .flow = Flow::trap, .special = Special::syscall, .writes = rcx | r11, .reads_flags = true, .writes_flags = true},
    {.name = "SYSRET*", .flow = Flow::trap, .special = Special::sysret, .reads = rcx | r11, .writes_flags = true},
    {.name = "SYSENTER", .flow = Flow::trap, .special = Special::far_transfer, .writes_flags = true},
    {.name = "SYSEXIT*", .flow = Flow::trap, .special = Special::far_transfer, .reads = rcx | rdx},
    {.name = "HLT", .flow = Flow::stop, .special = Special::hlt},

    // Stack. The size of a slot is in the opcode's name.
    {.name = "PUSH16*", .implicit = Implicit::push, .size = 2},
    {.name = "PUSHA*", .implicit = Implicit::push_all},
    {.name = "POPA*", .implicit = Implicit::pop_all},
    {.name = "POPSS*", .special = Special::mov_ss, .implicit = Implicit::pop},
    {.name = "PUSHF32", .special = Special::pushf, .implicit = Implicit::push, .size = 4},
    {.name = "POPF32", .special = Special::popf, .implicit = Implicit::pop, .size = 4},
    {.name = "PUSH32*", .implicit = Implicit::push, .size = 4},
    {.name = "POP32*", .implicit = Implicit::pop, .size = 4},
    {.name = "PUSHF16", .special = Special::pushf, .implicit = Implicit::push, .size = 2},
    {.name = "PUSHF64", .special = Special::pushf, .implicit = Implicit::push, .size = 8},
    {.name = "PUSHFS16", .implicit = Implicit::push, .size = 2},
    {.name = "PUSHGS16", .implicit = Implicit::push, .size = 2},
    {.name = "PUSH2*", .special = Special::unsupported},
    {.name = "PUSHP64r", .special = Special::unsupported},
    {.name = "PUSH*", .implicit = Implicit::push, .size = 8},
    {.name = "POPCNT*"},
    {.name = "POP16*", .implicit = Implicit::pop, .size = 2},
    {.name = "POPF16", .special = Special::popf, .implicit = Implicit::pop, .size = 2},
    {.name = "POPF64", .special = Special::popf, .implicit = Implicit::pop, .size = 8},
    {.name = "POPFS16", .implicit = Implicit::pop, .size = 2},
    {.name = "POPGS16", .implicit = Implicit::pop, .size = 2},
    {.name = "POP2*", .special = Special::unsupported},
    {.name = "POPP64r", .special = Special::unsupported},
    {.name = "POP*", .implicit = Implicit::pop, .size = 8},
    {.name = "LEAVE", .implicit = Implicit::leave, .size = 2},
    {.name = "LEAVE64", .implicit = Implicit::leave, .size = 8},
    {.name = "ENTER", .implicit = Implicit::push, .size = 8, .reads = rbp, .writes = rbp},

    // String instructions.
    {.name = "MOVSB", .special = Special::string, .implicit = Implicit::movs, .size = 1},
    {.name = "MOVSW", .special = Special::string, .implicit = Implicit::movs, .size = 2},
    {.name = "MOVSL", .special = Special::string, .implicit = Implicit::movs, .size = 4},
    {.name = "MOVSQ", .special = Special::string, .implicit = Implicit::movs, .size = 8},
    {.name = "CMPSB", .special = Special::string, .implicit = Implicit::cmps, .size = 1},
    {.name = "CMPSW", .special = Special::string, .implicit = Implicit::cmps, .size = 2},
    {.name = "CMPSL", .special = Special::string, .implicit = Implicit::cmps, .size = 4},
    {.name = "CMPSQ", .special = Special::string, .implicit = Implicit::cmps, .size = 8},
    {.name = "STOSB", .special = Special::string, .implicit = Implicit::stos, .size = 1},
    {.name = "STOSW", .special = Special::string, .implicit = Implicit::stos, .size = 2},
    {.name = "STOSL", .special = Special::string, .implicit = Implicit::stos, .size = 4},
    {.name = "STOSQ", .special = Special::string, .implicit = Implicit::stos, .size = 8},
    {.name = "LODSB", .special = Special::string, .implicit = Implicit::lods, .size = 1},
    {.name = "LODSW", .special = Special::string, .implicit = Implicit::lods, .size = 2},
    {.name = "LODSL", .special = Special::string, .implicit = Implicit::lods, .size = 4},
    {.name = "LODSQ", .special = Special::string, .implicit = Implicit::lods, .size = 8},
    {.name = "SCASB", .special = Special::string, .implicit = Implicit::scas, .size = 1},
    {.name = "SCASW", .special = Special::string, .implicit = Implicit::scas, .size = 2},
    {.name = "SCASL", .special = Special::string, .implicit = Implicit::scas, .size = 4},
    {.name = "SCASQ", .special = Special::string, .implicit = Implicit::scas, .size = 8},
    {.name = "INSB", .special = Special::in, .implicit = Implicit::stos, .size = 1},
    {.name = "INSW", .special = Special::in, .implicit = Implicit::stos, .size = 2},
    {.name = "INSL", .special = Special::in, .implicit = Implicit::stos, .size = 4},
    {.name = "OUTSB", .special = Special::out, .implicit = Implicit::lods, .size = 1},
    {.name = "OUTSW", .special = Special::out, .implicit = Implicit::lods, .size = 2},
    {.name = "OUTSL", .special = Special::out, .implicit = Implicit::lods, .size = 4},
    {.name = "XLAT", .implicit = Implicit::xlat, .size = 1},
    {.name = "MASKMOVDQU*", .implicit = Implicit::mask_move, .size = 16},
    {.name = "MMX_MASKMOVQ*", .implicit = Implicit::mask_move, .size = 8},

    // Ports, counters, machine state.
    {.name = "IN8r*", .special = Special::in},
    {.name = "IN16r*", .special = Special::in},
    {.name = "IN32r*", .special = Special::in},
    {.name = "OUT8*", .special = Special::out},
    {.name = "OUT16*", .special = Special::out},
    {.name = "OUT32*", .special = Special::out},
    {.name = "RDTSC", .special = Special::rdtsc},
    {.name = "RDTSCP", .special = Special::rdtscp},
    {.name = "CPUID", .special = Special::cpuid},
    {.name = "RDMSR", .special = Special::rdmsr},
    {.name = "WRMSR", .special = Special::wrmsr},
    {.name = "RDMSR*", .special = Special::unsupported},
    {.name = "WRMSR*", .special = Special::unsupported},
    {.name = "MOV64cr", .special = Special::mov_to_cr},
    {.name = "MOV32cr", .special = Special::mov_to_cr},
    {.name = "CLTS", .special = Special::mov_to_cr},
    {.name = "LMSW16*", .special = Special::mov_to_cr},
    {.name = "MOV64rc", .special = Special::mov_from_cr},
    {.name = "MOV32rc", .special = Special::mov_from_cr},
    {.name = "MOV64dr", .special = Special::mov_dr},
    {.name = "MOV64rd", .special = Special::mov_dr},
    {.name = "MOV32dr", .special = Special::mov_dr},
    {.name = "MOV32rd", .special = Special::mov_dr},
    {.name = "INVLPG", .special = Special::invlpg, .implicit = Implicit::none_used},
    {.name = "INVLPG*", .special = Special::unsupported},
    {.name = "INVPCID64", .direction = Direction::load, .size = 16},
    {.name = "INVEPT*", .direction = Direction::load, .size = 16},
    {.name = "INVVPID*", .direction = Direction::load, .size = 16},
    {.name = "LGDT64m", .special = Special::lgdt, .direction = Direction::load, .size = 10},
    {.name = "LGDT*", .special = Special::lgdt, .direction = Direction::load, .size = 6},
    {.name = "LIDT64m", .special = Special::lidt, .direction = Direction::load, .size = 10},
    {.name = "LIDT*", .special = Special::lidt, .direction = Direction::load, .size = 6},
    {.name = "SGDT64m", .direction = Direction::store, .size = 10},
    {.name = "SGDT*", .direction = Direction::store, .size = 6},
    {.name = "SIDT64m", .direction = Direction::store, .size = 10},
    {.name = "SIDT*", .direction = Direction::store, .size = 6},
    {.name = "INVPCID32", .direction = Direction::load, .size = 16},
    {.name = "LDS16rm", .direction = Direction::load, .size = 4},
    {.name = "LDS32rm", .direction = Direction::load, .size = 6},
    {.name = "LES16rm", .direction = Direction::load, .size = 4},
    {.name = "LES32rm", .direction = Direction::load, .size = 6},
    {.name = "BOUNDS16rm", .direction = Direction::load, .size = 4},
    {.name = "BOUNDS32rm", .direction = Direction::load, .size = 8},
    {.name = "SMSW16m", .direction = Direction::store, .size = 2},
    {.name = "LTR*", .special = Special::ltr, .size = 2},
    {.name = "LLDT16*", .special = Special::lldt, .size = 2},
    {.name = "SWAPGS", .special = Special::swapgs},
    {.name = "CLI", .special = Special::cli},
    {.name = "STI", .special = Special::sti},
    {.name = "STAC", .special = Special::stac},
    {.name = "CLAC", .special = Special::clac},
    {.name = "RDFSBASE*", .special = Special::fsgsbase},
    {.name = "RDGSBASE*", .special = Special::fsgsbase},
    {.name = "WRFSBASE*", .special = Special::fsgsbase},
    {.name = "WRGSBASE*", .special = Special::fsgsbase},
    {.name = "RDRAND*", .special = Special::rdrand},
    {.name = "RDSEED*", .special = Special::rdrand},
    {.name = "XGETBV", .special = Special::xgetbv},
    {.name = "XSETBV", .special = Special::xsetbv},
    {.name = "WBINVD", .special = Special::wbinvd},
    {.name = "WBNOINVD", .special = Special::wbinvd},
    {.name = "INVD", .special = Special::wbinvd},
    {.name = "LFS16rm", .direction = Direction::load, .size = 4},
    {.name = "LFS32rm", .direction = Direction::load, .size = 6},
    {.name = "LFS64rm", .direction = Direction::load, .size = 10},
    {.name = "LGS16rm", .direction = Direction::load, .size = 4},
    {.name = "LGS32rm", .direction = Direction::load, .size = 6},
    {.name = "LGS64rm", .direction = Direction::load, .size = 10},
    {.name = "LSS16rm", .direction = Direction::load, .size = 4},
    {.name = "LSS32rm", .direction = Direction::load, .size = 6},
    {.name = "LSS64rm", .direction = Direction::load, .size = 10},

    // Hints, fences, cache lines.
    {.name = "NOOP*", .special = Special::nop, .implicit = Implicit::none_used},
    {.name = "ENDBR64", .special = Special::nop},
    {.name = "ENDBR32", .special = Special::nop},
    {.name = "RDSSPD", .special = Special::nop},
    {.name = "RDSSPQ", .special = Special::nop},
    {.name = "PAUSE", .special = Special::pause},
    {.name = "LFENCE", .special = Special::lfence},
    {.name = "MFENCE", .special = Special::mfence},
    {.name = "SFENCE", .special = Special::sfence},
    // Checked as the load of a byte (SDM 2A, CLFLUSH), and the model must know which line.
    {.name = "CLFLUSH*", .special = Special::clflush, .direction = Direction::load, .size = 1},
    {.name = "CLWB", .special = Special::clflush, .direction = Direction::load, .size = 1},
    {.name = "CLDEMOTE", .special = Special::nop, .implicit = Implicit::none_used},
    {.name = "PREFETCH*", .special = Special::nop, .implicit = Implicit::none_used},
    {.name = "LEA16r", .implicit = Implicit::none_used},
    {.name = "LEA32r", .implicit = Implicit::none_used},
    {.name = "LEA64*", .implicit = Implicit::none_used},

    // Vector and x87 state. XSAVE reads the header before it writes it; told as the store that it mostly is.
    {.name = "FXSAVE*", .special = Special::fxsave, .direction = Direction::store, .size = 512},
    {.name = "FXRSTOR*", .special = Special::fxrstor, .direction = Direction::load, .size = 512},
    {.name = "XSAVE*", .special = Special::xsave, .direction = Direction::store, .size = xsave_bytes, .reads = rax | rdx},
    {.name = "XRSTOR*", .special = Special::xrstor, .direction = Direction::load, .size = xsave_bytes, .reads = rax | rdx},
    {.name = "LDMXCSR", .direction = Direction::load, .size = 4},
    {.name = "STMXCSR", .direction = Direction::store, .size = 4},
    {.name = "FLDENVm", .direction = Direction::load, .size = 28},
    {.name = "FSTENVm", .direction = Direction::store, .size = 28},
    {.name = "FRSTORm", .direction = Direction::load, .size = 108},
    {.name = "FSAVEm", .direction = Direction::store, .size = 108},
    {.name = "MMX_MOVNTQmr", .direction = Direction::store, .size = 8},
    {.name = "MOVDIRI*", .direction = Direction::store},
    {.name = "CMPXCHG8B", .direction = Direction::rmw, .size = 8},
    {.name = "CMPXCHG16B", .direction = Direction::rmw, .size = 16},

    // Features that the engines do not have.
    {.name = "MOVDIR64B*", .special = Special::unsupported},
    {.name = "ENQCMD*", .special = Special::unsupported},
    {.name = "AESDEC*KL", .special = Special::unsupported},
    {.name = "AESENC*KL", .special = Special::unsupported},
    {.name = "PTWRITE*", .special = Special::unsupported},
    {.name = "WRSS*", .special = Special::unsupported},
    {.name = "WRUSS*", .special = Special::unsupported},
    {.name = "RSTORSSP", .special = Special::unsupported},
    {.name = "CLRSSBSY", .special = Special::unsupported},
    {.name = "AADD*", .special = Special::unsupported},
    {.name = "AAND*", .special = Special::unsupported},
    {.name = "AOR*", .special = Special::unsupported},
    {.name = "AXOR*", .special = Special::unsupported},
};
// clang-format on

bool fits(std::string_view rule, std::string_view name) {
    const auto star = rule.find('*');
    if (star == std::string_view::npos) return rule == name;
    return name.starts_with(rule.substr(0, star)) && name.substr(star).ends_with(rule.substr(star + 1));
}

}  // namespace

OpcodeInfo opcode_info(std::string_view llvm_name) {
    const auto rule = std::ranges::find_if(rules, [&](const OpcodeInfo& r) { return fits(r.name, llvm_name); });
    return rule == std::end(rules) ? OpcodeInfo{.name = llvm_name} : *rule;
}

bool lockable(std::string_view llvm_name) {
    static constexpr std::array<std::string_view, 17> names = {"ADD", "ADC", "AND",  "BTC",  "BTR",    "BTS",
                                                               "DEC", "INC", "NEG",  "NOT",  "OR",     "SBB",
                                                               "SUB", "XOR", "XADD", "XCHG", "CMPXCHG"};
    const auto stem = llvm_name.substr(0, llvm_name.find_first_of("0123456789"));
    return std::ranges::find(names, stem) != names.end();
}

}  // namespace sim::detail
