// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <devenv/view/code.hpp>
#include <devenv/view/failure_report.hpp>
#include <devenv/view/format.hpp>
#include <regs/control.hpp>

namespace devenv {

namespace {

// SDM 3A 6.15, table 6-1.
constexpr std::array<const char*, 22> exceptions = {"#DE divide error",
                                                    "#DB debug",
                                                    "NMI",
                                                    "#BP breakpoint",
                                                    "#OF overflow",
                                                    "#BR bound range",
                                                    "#UD invalid opcode",
                                                    "#NM no FPU",
                                                    "#DF double fault",
                                                    "coprocessor overrun",
                                                    "#TS invalid TSS",
                                                    "#NP segment not present",
                                                    "#SS stack segment",
                                                    "#GP general protection",
                                                    "#PF page fault",
                                                    "reserved",
                                                    "#MF x87 error",
                                                    "#AC alignment check",
                                                    "#MC machine check",
                                                    "#XM SIMD error",
                                                    "#VE virtualisation",
                                                    "#CP control protection"};
constexpr std::uint8_t page_fault = 14;

// Of the code at hand, as far as the registers tell: without long mode there is no 64-bit code.
unsigned code_bits(const sim::Registers& registers) { return registers.efer & regs::efer::lma ? 64 : 32; }

std::string fault_step(const sim::FaultStep& step, std::size_t number, const CodeView& code, const Style& style) {
    std::string out = "  " + std::to_string(number) + ". " + style.bold(exception_name(step.vector));
    if (step.has_error_code) out += ", error code " + hex(step.error_code);
    if (step.vector == page_fault) {
        out += " (" + page_fault_reason(step.error_code) + ") at address " + address(step.cr2);
    }
    out += "\n     at " + code.line(step.registers.rip, {}, code_bits(step.registers)) + "\n";
    if (!step.why_not_delivered.empty()) out += "     not delivered: " + step.why_not_delivered + "\n";
    return out + registers_text(step.registers);
}

std::string fault_chain(const Simulated& run, const CodeView& code, const Style& style) {
    if (run.result.faults.empty()) {
        return "  stopped at " + code.line(run.result.registers.rip, {}, code_bits(run.result.registers)) + "\n" +
               registers_text(run.result.registers);
    }
    // What led to the end are the exceptions in a row at its end that found no handler. Those before them did, and are
    // the guest's own business.
    const auto& faults = run.result.faults;
    const auto delivered = [](const sim::FaultStep& step) { return step.why_not_delivered.empty(); };
    const auto chain = std::find_if(faults.rbegin(), faults.rend(), delivered).base();
    std::string out;
    std::size_t number = 0;
    if (chain != faults.end()) {
        out = "  fault chain, oldest first:\n";
        for (auto step = chain; step != faults.end(); ++step) out += fault_step(*step, ++number, code, style);
        return out;
    }
    out = "  stopped at " + code.line(run.result.registers.rip, {}, code_bits(run.result.registers)) + "\n" +
          registers_text(run.result.registers);
    return out + "  the last exception before went to the guest's own handler, which may well have resolved it:\n" +
           fault_step(faults.back(), ++number, code, style);
}

std::string where_it_was(const Simulated& run, const CodeView& code, const char* verb) {
    const std::uint64_t rip = run.result.registers.rip;
    std::string out = std::string("  it ") + verb + " in " + code.symbol(rip);
    const std::string source = code.source(rip);
    out += (source.empty() ? "" : " (" + source + ")") + ", next " + address(rip) + "\n";
    if (run.loop_instructions)
        out += "  the last " + grouped(run.window_instructions) + " instructions are one loop of " +
               grouped(*run.loop_instructions) + "\n";
    if (run.last.empty()) return out + "  see the last instructions with exo-dev sim and the same options\n";
    out += "  last instructions:\n";
    for (const Trail::Spot& spot : run.last) {
        out += "    " + grouped(spot.index) + "  " + code.line(spot.address, spot.bytes, spot.code_bits) + "\n";
    }
    out += "  hottest addresses of the last " + grouped(run.window_instructions) + " instructions:\n";
    for (const Trail::Spot& spot : run.hottest) {
        out += "    " + grouped(spot.times) + " times  " + code.line(spot.address, spot.bytes, spot.code_bits) + "\n";
    }
    return out;
}

// It follows "exo-dev: error: ", whose place is kept free.
std::string headline(const Simulated& run, const Style& style) {
    const std::string prefix(std::string_view("exo-dev: error: ").size(), ' ');
    std::string out = "the run ended with " + std::string(sim::name(run.result.stop)) + " after " +
                      grouped(run.result.instructions) + " instructions";
    out += run.result.detail.empty() ? "" : ": " + run.result.detail;
    return wrapped(prefix + out, style.width, 2).substr(prefix.size());
}

}  // namespace

std::string exception_name(std::uint8_t vector) {
    return vector < exceptions.size() ? exceptions[vector] : "vector " + std::to_string(vector);
}

std::string page_fault_reason(std::uint32_t error_code) {  // SDM 3A 4.7
    std::string out = error_code & 16 ? "fetch" : error_code & 2 ? "write" : "read";
    out += error_code & 1 ? ", not allowed" : ", not present";
    if (error_code & 8) out += ", reserved bit set";
    return out + (error_code & 4 ? ", ring 3" : ", ring 0");
}

// Three cells a row: 80 columns hold them.
std::string registers_text(const sim::Registers& r) {
    static constexpr std::array<const char*, 16> names = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                                          "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
    std::string out;
    std::size_t cells = 0;
    const auto cell = [&](const char* name, std::uint64_t value) {
        out += (cells % 3 == 0 ? "     " : "  ") + std::string(name) + " " + address(value);
        if (++cells % 3 == 0) out += "\n";
    };
    for (std::size_t i = 0; i < names.size(); ++i) cell(names[i], r.general[i]);
    cell("rip", r.rip);
    cell("cr2", r.cr2);
    out += "     rflags " + hex(r.rflags) + "  cs " + hex(r.cs) + "  ss " + hex(r.ss) + "  fs " + hex(r.fs_base) +
           "  gs " + hex(r.gs_base) + "\n";
    return out + "     cr0 " + hex(r.cr0) + "  cr3 " + hex(r.cr3) + "  cr4 " + hex(r.cr4) + "  efer " + hex(r.efer) +
           "\n";
}

std::string failure_text(const Simulated& run, const sim::Image& image, const Style& style) {
    using enum sim::StopReason;
    if (run.result.stop == power_off || run.result.stop == window_end) return "";
    const CodeView code(&image);
    const std::string head = style.red(headline(run, style)) + "\n";
    switch (run.result.stop) {
        case instruction_limit:
            return head + where_it_was(run, code, run.loop_instructions ? "spun" : "stopped") +
                   "  raise --limit if it was still at work\n";
        case console_limit:
        case interrupted:
        case reset:
            return head + where_it_was(run, code, "was");
        case guest_failed:
            return head + "  its console says why\n" + (run.result.faults.empty() ? "" : fault_chain(run, code, style));
        case halted_for_ever:
            return head + "  nothing is left that could wake it: every thread waits, and no timer is set\n" +
                   fault_chain(run, code, style);
        default:
            return head + fault_chain(run, code, style);
    }
}

std::string place_text(const Simulated& run, const sim::Image& image) {
    return where_it_was(run, CodeView(&image), "was");
}

}  // namespace devenv
