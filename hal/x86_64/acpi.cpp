// SPDX-License-Identifier: MIT
// The machine by its ACPI tables: which CPUs there are, and where the power-management timer is.
#include <arch/acpi.hpp>
#include <arch/asm.hpp>
#include <arch/internal.hpp>
#include <hal/smp.hpp>
#include <regs/page_table.hpp>

namespace hal {
namespace x86 {

constinit Machine machine{};

bool EarlyMemory::reaches(std::uint64_t physical, std::size_t bytes) const {
    using namespace regs;
    constexpr std::uint64_t covered = paging::entries * paging::page_1g;
    if (bytes == 0 || physical >= covered || bytes > covered - physical) return false;
    const std::uint64_t last = physical + bytes - 1;
    for (std::uint64_t gib = physical / paging::page_1g; gib <= last / paging::page_1g; ++gib)
        if (!(early_direct[gib] & pte::present)) return false;
    return true;
}

bool EarlyMemory::read(std::uint64_t physical, void* to, std::size_t bytes) const {
    if (!reaches(physical, bytes)) return false;
    __builtin_memcpy(to, reinterpret_cast<const std::byte*>(physical + std::uint64_t{HAL_DIRECT_MAP}), bytes);
    return true;
}

std::uint32_t initial_apic_id() {
    constexpr std::uint32_t leaf_topology = 0xb;  // SDM 2A CPUID: edx is the x2APIC id; not there if ebx is 0
    if (cpuid(regs::cpuid::leaf_basic).value[0] >= leaf_topology) {
        const auto [topology] = cpuid(leaf_topology);
        if (topology[1] != 0) return topology[3];
    }
    return cpuid(regs::cpuid::leaf_features).value[1] >> 24;
}

namespace {

// CPUs in the table's order, but the one we run on first; those that another boot of ours could not reach are left out.
struct MadtReader {
    std::uint32_t boot_id;
    unsigned cpus_wanted;

    void operator()(const regs::acpi::LocalApic& cpu) const {
        constexpr std::uint32_t xapic_ids = 255;  // 255 is broadcast
        if (!cpu.enabled || cpu.apic_id == boot_id || machine.cpus >= cpus_wanted) return;
        if (cpu.apic_id >= xapic_ids && !features.x2apic) return;
        for (unsigned i = 0; i < machine.cpus; ++i)
            if (machine.apic_ids[i] == cpu.apic_id) return;  // the same one as type 0 and as type 9
        machine.apic_ids[machine.cpus++] = cpu.apic_id;
    }
};

// PM_TMR_BLK, or X_PM_TMR_BLK where it is an I/O port (ACPI 6.5, 5.2.9).
std::uint16_t pm_timer(EarlyMemory& memory, const regs::acpi::Table& fadt) {
    constexpr std::uint32_t length_at = 91, port_at = 76, wide_port_at = 208;
    std::uint8_t length = 0;
    if (!read_field(memory, fadt, length_at, length) || length != 4) return 0;
    const std::uint16_t port = fadt_port(memory, fadt, port_at, wide_port_at);
    return port <= 0xffff - 3 ? port : std::uint16_t{0};
}

}  // namespace

void machine_init(PhysAddr acpi_root, unsigned cpus_wanted) {
    using namespace regs::acpi;
    machine.cpus = 1;
    if (acpi_root == PhysAddr(0)) return;
    machine.apic_ids[0] = initial_apic_id();
    EarlyMemory memory;
    RsdpLayout root{};
    if (memory.read(acpi_root.value(), &root, rsdp_v0_bytes))
        __builtin_memcpy(machine.firmware_maker, root.oem, sizeof machine.firmware_maker);
    const auto madt = find_table(memory, acpi_root.value(), "APIC");
    if (madt) read_madt(memory, *madt, MadtReader{machine.apic_ids[0], cpus_wanted});
    if (const auto fadt = find_table(memory, acpi_root.value(), "FACP"))
        machine.pm_timer_port = pm_timer(memory, *fadt);
}

}  // namespace x86

unsigned cpu_count() { return x86::machine.cpus; }

}  // namespace hal
