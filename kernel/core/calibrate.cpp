// SPDX-License-Identifier: MIT
// Measures first, prints afterwards: the console's interrupts and devices come between no two batches.
#include <abi/result.hpp>
#include <core/calibrate.hpp>
#include <core/calibration.hpp>
#include <core/log.hpp>
#include <core/results.hpp>
#include <hal/irq.hpp>
#include <hal/probe.hpp>
#include <mem/frames.hpp>

namespace exo {

namespace {

constexpr unsigned warm_batches = 3, batches = 21, probes_most = 64;

struct Figure {
    std::string_view name;
    Spread spread;
};
constinit Figure figures[probes_most]{};
constinit Spread clock{};  // thousandths of a tick a core cycle

Spread measure(const hal::Probe& probe, Spread& chain) {
    std::uint64_t cycles[batches], ticks[batches];
    for (unsigned i = 0; i < warm_batches; ++i) hal::probe_run(probe);
    for (unsigned i = 0; i < batches; ++i) {
        const hal::ProbeTicks t = hal::probe_run(probe);
        cycles[i] = core_millicycles(t.probe, t.empty, probe.count, t.chain, hal::probe_chain_adds);
        ticks[i] = t.chain * 1000 / hal::probe_chain_adds;
    }
    chain = spread_of(ticks);
    return spread_of(cycles);
}

// The number of figures; 0: not possible here. Interrupts off.
unsigned measure_all() {
    const std::span<const hal::Probe> probes = hal::probes_begin(table_frames());
    if (probes.empty()) return 0;
    unsigned count = 0;
    for (const hal::Probe& probe : probes)
        if (count < probes_most && hal::probe_present(probe)) {
            figures[count].name = probe.name;
            figures[count].spread = measure(probe, clock);
            ++count;
        }
    hal::probes_end(table_frames());
    return count;
}

// One word: what is neither letter nor digit becomes '_', blanks at the end go.
struct Word {
    char text[48];
    std::size_t length = 0;
    Word(const char* from, std::size_t most) {
        for (std::size_t i = 0; i < most && from[i]; ++i) {
            const char c = from[i];
            const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            text[i] = plain ? c : '_';
            if (plain) length = i + 1;
        }
    }
    std::string_view or_else(std::string_view other) const { return length ? std::string_view(text, length) : other; }
};

void print_machine() {
    const hal::MachineName name = hal::machine_name();
    const Word vendor(name.vendor, sizeof name.vendor), hypervisor(name.hypervisor, sizeof name.hypervisor),
        firmware(name.firmware, sizeof name.firmware), brand(name.brand, sizeof name.brand);
    TextBuffer<256> line;
    line.format("{}vendor={} family={} model={} stepping={} hypervisor={} firmware={} brand={}", abi::machine_start,
                vendor.or_else("unknown"), name.family, name.model, name.stepping,
                name.in_guest ? hypervisor.or_else("unnamed") : "none", firmware.or_else("none"),
                brand.or_else("unknown"));
    log("{}{}{:08x}\n", line.view(), abi::result_checksum, abi::result_crc32c(line.view()));
}

void print(std::string_view name, const Spread& spread, std::string_view unit) {
    TextBuffer<64> group;
    group.format("calibrate.{}", name);
    result_line(group.view(), "min", spread.least, unit);
    result_line(group.view(), "median", spread.median, unit);
    result_line(group.view(), "high", spread.high, unit);
}

}  // namespace

bool calibrate_run() {
    unsigned count;
    {
        const hal::IrqGuard masked;
        count = measure_all();
    }
    if (count == 0) {
        log("scenario=calibrate: not in ring 0 here, or no memory: boot the image on a machine\n");
        log("calibrate: not possible\n");
        return false;
    }
    print_machine();
    result_line("calibrate", "figures", count, "figures");
    print("clock", clock, "milliticks");
    for (unsigned i = 0; i < count; ++i) print(figures[i].name, figures[i].spread, "millicycles");
    log("calibrate: {} figures\n", count);
    return true;
}

}  // namespace exo
