// SPDX-License-Identifier: MIT
// Time stamps of the CPUs, compared when each starts: now_ns() is one clock for all only if they agree. The boot CPU
// notes its time stamp, asks, gets the other's, notes its own again: the other's lies between the two if they agree;
// the exchange that took the least time says it best.
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <arch/processors.hpp>
#include <hal/cpu.hpp>
#include <hal/smp.hpp>

namespace hal {
namespace x86 {
namespace {

constexpr std::uint32_t rounds = 32, closed = ~std::uint32_t{0};

struct alignas(cache_line_bytes) Exchange {
    std::uint32_t asked = 0, answered = 0;  // number of the round
    std::uint64_t time_stamp = 0;
};
constinit Exchange exchanges[cpus_limit]{};  // by the CPU that answers: one that comes late disturbs no other

// Over all CPUs that were compared.
struct Comparison {
    unsigned cpus = 1, unanswered = 0;
    std::uint64_t worst = 0, uncertainty = 0;  // cycles
};
constinit Comparison comparison{};

constinit char report[128]{};

// Writes into `report`; what does not fit is left out.
class Line {
  public:
    void put(std::string_view text) {
        for (const char c : text)
            if (length_ < sizeof report) report[length_++] = c;
    }
    void put(std::uint64_t number) {
        char digits[20];
        unsigned count = 0;
        do digits[count++] = char('0' + number % 10);
        while (number /= 10);
        while (count) put({&digits[--count], 1});
    }
    std::string_view view() const { return {report, length_}; }

  private:
    std::size_t length_ = 0;
};

// All rounds, on either side. The CPUs of an emulator may have to wait for a real one.
std::uint64_t patience() { return cycles_in_us(cpuid_has(regs::cpuid::hypervisor) ? 200'000 : 20'000); }

// Neither before what precedes it nor after what follows (SDM 2B RDTSC).
std::uint64_t ordered_cycles() {
    asm volatile("lfence" ::: "memory");
    const std::uint64_t now = cycles();
    asm volatile("lfence" ::: "memory");
    return now;
}

}  // namespace

void clock_compare_answer() {
    Exchange& exchange = exchanges[unsigned(cpu_index())];
    const std::uint64_t start = cycles(), limit = 4 * patience();
    for (std::uint32_t round = 1; round <= rounds; ++round) {
        std::uint32_t asked;
        while ((asked = __atomic_load_n(&exchange.asked, __ATOMIC_ACQUIRE)) != round) {
            if (asked == closed || cycles() - start >= limit) return;
            relax();
        }
        exchange.time_stamp = ordered_cycles();
        __atomic_store_n(&exchange.answered, round, __ATOMIC_RELEASE);
    }
}

void clock_compare_ask(CpuIndex index) {
    Exchange& exchange = exchanges[unsigned(index)];
    const std::uint64_t start = cycles(), limit = patience();
    std::uint64_t least = ~std::uint64_t{0}, apart = 0;
    for (std::uint32_t round = 1; round <= rounds; ++round) {
        const std::uint64_t before = ordered_cycles();
        __atomic_store_n(&exchange.asked, round, __ATOMIC_RELEASE);
        bool answered = false;
        while (!(answered = __atomic_load_n(&exchange.answered, __ATOMIC_ACQUIRE) == round) && cycles() - start < limit)
            relax();
        const std::uint64_t after = ordered_cycles();
        if (!answered) break;
        if (after - before >= least) continue;
        least = after - before;
        const std::uint64_t middle = before + least / 2;
        apart = exchange.time_stamp > middle ? exchange.time_stamp - middle : middle - exchange.time_stamp;
    }
    __atomic_store_n(&exchange.asked, closed, __ATOMIC_RELEASE);
    ++comparison.cpus;
    if (least == ~std::uint64_t{0}) {
        ++comparison.unanswered;
        return;
    }
    if (apart > comparison.worst) comparison.worst = apart;
    if (least / 2 > comparison.uncertainty) comparison.uncertainty = least / 2;
}

}  // namespace x86

std::string_view cpu_clock_report() {
    const x86::Comparison& found = x86::comparison;
    if (found.cpus == 1) return {};
    x86::Line line;
    line.put("time stamps of ");
    line.put(found.cpus);
    line.put(" CPUs: ");
    if (found.unanswered) {
        line.put(found.unanswered);
        line.put(" could not be compared, the others ");
    }
    line.put("at most ");
    line.put(found.worst);
    line.put(" cycles apart, measured to +-");
    line.put(found.uncertainty);
    return line.view();
}

}  // namespace hal
