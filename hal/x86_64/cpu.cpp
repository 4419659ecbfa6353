// SPDX-License-Identifier: MIT
// Descriptor tables, stacks for the exceptions that need their own, protections, system-call entry, entropy.
#include <abi/syscall.hpp>
#include <arch/internal.hpp>
#include <hal/cpu.hpp>
#include <hal/smp.hpp>
#include <hal/user.hpp>
#include <regs/descriptors.hpp>
#include <regs/exceptions.hpp>
#include <regs/pc.hpp>

namespace hal {
namespace x86 {

constinit CpuStacks boot_cpu_stacks{};
constinit Features features{};
constinit PerCpuHeader* headers[cpus_limit]{};

namespace {

static_assert(HAL_KERNEL_CODE == regs::selector(1) && HAL_KERNEL_DATA == regs::selector(2));
static_assert(HAL_USER_DATA == regs::selector(3, 3) && HAL_USER_CODE == regs::selector(4, 3));
static_assert(HAL_TASK_STATE == regs::selector(5));

constinit CpuTables boot_cpu_tables{};
constinit regs::InterruptGate idt[regs::vector::count]{};  // one for all CPUs

void fill_idt() {
    for (unsigned i = 0; i < regs::vector::count; ++i) {
        unsigned ist = 0, privilege = 0;
        switch (i) {
            case regs::vector::double_fault:
                ist = HAL_IST_DOUBLE_FAULT;
                break;
            case regs::vector::nmi:
                ist = HAL_IST_NMI;
                break;
            case regs::vector::machine_check:
                ist = HAL_IST_MACHINE_CHECK;
                break;
            case regs::vector::debug:
                ist = HAL_IST_DEBUG;
                break;
            case regs::vector::breakpoint:
                privilege = 3;
                break;  // INT3 is ring 3's to use
        }
        idt[i] = regs::interrupt_gate(address_of(trap_stubs + i * HAL_STUB_BYTES), HAL_KERNEL_CODE, ist, privilege);
    }
}

void load_tables(unsigned cpu) {
    CpuTables& t = cpu_tables(cpu);
    // The top word of each special stack is for the per-CPU pointer: see paranoid_entry.
    for (unsigned i = 0; i < special_stacks; ++i) t.tss.ist[i] = address_of(cpu_stacks(cpu).special[i].top() - 16);
    const auto task = regs::task_state_descriptor(address_of(&t.tss));
    const std::uint64_t gdt[] = {0,
                                 regs::kernel_code_descriptor,
                                 regs::kernel_data_descriptor,
                                 regs::user_data_descriptor,
                                 regs::user_code_descriptor,
                                 task[0],
                                 task[1]};
    static_assert(sizeof gdt == sizeof t.gdt);
    __builtin_memcpy(t.gdt, gdt, sizeof gdt);
    const regs::TableRegister gdt_register{sizeof gdt - 1, address_of(t.gdt)};
    const regs::TableRegister idt_register{sizeof idt - 1, address_of(idt)};
    asm volatile("lgdt %0" ::"m"(gdt_register) : "memory");
    asm volatile(
        "pushq %0\n\t"  // CS by a far return
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "lretq\n"
        "1:\n\t"
        "movl %1, %%eax\n\t"
        "movl %%eax, %%ss" ::"i"(HAL_KERNEL_CODE),
        "i"(HAL_KERNEL_DATA)
        : "rax", "memory");
    asm volatile("lidt %0" ::"m"(idt_register) : "memory");
    asm volatile("ltr %w0" ::"r"(HAL_TASK_STATE) : "memory");
}

void enable_protections() {
    using namespace regs;
    std::uint64_t bits = read_cr4() | cr4::pae;
    if (cpuid_has(cpuid::mce)) bits |= cr4::mce;  // else a machine check is a shutdown
    if (features.pge) bits |= cr4::pge;
    if (features.smep) bits |= cr4::smep;
    if (features.smap) bits |= cr4::smap;
    if (features.umip) bits |= cr4::umip;
    write_cr4(bits & ~cr4::fsgsbase);  // ring 3 does not choose GS base
    write_cr0(read_cr0() | cr0::wp | cr0::ne | cr0::mp);
}

void enable_system_calls() {
    using namespace regs;
    // The count as an absolute symbol, for the entry code's comparison.
    asm volatile(".globl hal_syscall_count\n\t.set hal_syscall_count, %c0" ::"i"(exo::abi::Syscall::count));
    wrmsr(msr::star, std::uint64_t(HAL_KERNEL_CODE) << 32 | std::uint64_t(HAL_USER_DATA - 8) << 48);
    static_assert(HAL_KERNEL_DATA == HAL_KERNEL_CODE + 8 && HAL_USER_CODE == HAL_USER_DATA + 8);
    wrmsr(msr::lstar, address_of(syscall_entry));
    wrmsr(msr::cstar, 0);  // no 32-bit code segment exists
    wrmsr(msr::fmask, rflags::cleared_by_syscall);
    wrmsr(msr::efer, rdmsr(msr::efer) | efer::sce | efer::nxe);
}

// GS base, and the word by which paranoid_entry knows it.
void set_header(PerCpuHeader* header, unsigned cpu) {
    for (auto& stack : cpu_stacks(cpu).special) *reinterpret_cast<PerCpuHeader**>(stack.top() - 16) = header;
    wrmsr(regs::msr::gs_base, address_of(header));
    __atomic_store_n(&headers[cpu], header, __ATOMIC_RELEASE);
}

}  // namespace

CpuTables& cpu_tables(unsigned cpu) {
    return cpu ? *reinterpret_cast<CpuTables*>(cpu_area(cpu).tables.usable) : boot_cpu_tables;
}

void boot_header_init(CpuIndex index) {
    const auto cpu = unsigned(index);
    PerCpuHeader& header = cpu_tables(cpu).boot_header;
    header.self = &header;
    header.index = index;
    header.interrupt_stack_top = cpu_stacks(cpu).interrupt.top();
    header.task_state = &cpu_tables(cpu).tss;
    set_header(&header, cpu);
}

}  // namespace x86

void cpu_init(CpuIndex index) {
    const auto cpu = unsigned(index);
    if (index != cpu_index()) __builtin_trap();
    if (index == CpuIndex::boot) x86::fill_idt();
    x86::load_tables(cpu);
    x86::wrmsr(regs::msr::kernel_gs_base, 0);  // ring 3's
    x86::wrmsr(regs::msr::fs_base, 0);
    x86::enable_protections();
    x86::enable_system_calls();
}

// The fields that are the backend's come along from the header in use.
void per_cpu_set(void* pointer) {
    auto* header = static_cast<PerCpuHeader*>(pointer);
    const auto* before = static_cast<const PerCpuHeader*>(per_cpu());
    header->self = pointer;
    header->kernel_stack_top = before->kernel_stack_top;
    header->interrupt_stack_top = before->interrupt_stack_top;
    header->index = before->index;
    header->task_state = before->task_state;
    header->active_root = before->active_root;
    x86::set_header(header, unsigned(header->index));
}

std::uint64_t entropy() {
    if (x86::features.rdrand) {
        for (unsigned attempt = 0; attempt < 16; ++attempt) {
            std::uint64_t value;
            bool valid;
            asm volatile("rdrand %0" : "=r"(value), "=@ccc"(valid));
            if (valid) return value;
            relax();
        }
    }
    // splitmix64 (Steele, Lea, Flood 2014) over the boot seed and the time stamp.
    static constinit std::uint64_t state = 0;
    state += 0x9e37'79b9'7f4a'7c15;
    std::uint64_t z = state + x86::boot_seed() * 0xd134'2543'de82'ef95 + cycles();
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
    return z ^ (z >> 31);
}

}  // namespace hal
