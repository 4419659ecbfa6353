// SPDX-License-Identifier: MIT
// The suite on the host: each case is a GoogleTest case, run on a kernel stack of a machine of its own.
#include <gtest/gtest.h>

#include <bit>
#include <host/machine.hpp>
#include <host/test_upcalls.hpp>
#include <map>
#include <vector>

#include "check.hpp"
#include "cpus.hpp"

namespace contract {
namespace {

// Physical memory of the machine in use: a bump pointer and a list of freed blocks by size.
struct Blocks {
    hal::PhysAddr next, end;
    std::map<std::size_t, std::vector<hal::PhysAddr>> freed;
};
Blocks blocks;

std::uint64_t fired_count, fired_ns;

class ContractTest : public testing::Test {
  public:
    explicit ContractTest(Case test) : case_(test) {}
    void TestBody() override {
        hal::HostMachine machine;
        const hal::MemoryRange memory = machine.boot_info().memory.front();
        blocks = {memory.start, memory.start + memory.bytes, {}};
        hal::test::upcalls().interrupt = [](hal::Interrupt kind, unsigned) { count_interrupt(kind); };
        machine.run([](void* raw) { static_cast<ContractTest*>(raw)->run(); }, this);
        hal::test::upcalls() = {};
    }

  private:
    void run() {
        static char per_cpu_block[64];
        hal::per_cpu_set(per_cpu_block);
        hal::cpu_init(hal::CpuIndex::boot);
        hal::TableFrames frames{[](void*) { return block_allocate(1); }, [](void*, hal::PhysAddr) {}, nullptr};
        const hal::BootInfo boot{};
        ASSERT_EQ(hal::mmu_init(boot, frames), hal::MmuResult::ok);
        hal::timer_init();
        case_.run();
    }
    Case case_;
};

}  // namespace

unsigned machine_cpus() { return hal::cpu_count(); }

void fail(const char* file, int line, const char* expression) { ADD_FAILURE_AT(file, line) << expression; }
void note(std::string_view text) { printf("%.*s\n", int(text.size()), text.data()); }

hal::PhysAddr block_allocate(std::size_t pages) {
    auto& free = blocks.freed[pages];
    if (!free.empty()) {
        const hal::PhysAddr block = free.back();
        free.pop_back();
        return block;
    }
    const std::uint64_t bytes = pages * hal::page_bytes;
    const hal::PhysAddr block((blocks.next.value() + bytes - 1) / bytes * bytes);
    if (block + bytes > blocks.end) return no_block;
    blocks.next = block + bytes;
    return block;
}

void block_free(hal::PhysAddr block, std::size_t pages) { blocks.freed[pages].push_back(block); }

TimerOwner::TimerOwner() {
    fired_count = fired_ns = 0;
    hal::test::upcalls().interrupt = [](hal::Interrupt kind, unsigned) {
        if (kind != hal::Interrupt::timer) return;
        ++fired_count;
        fired_ns = hal::now_ns();
    };
}
TimerOwner::~TimerOwner() {
    hal::IrqGuard masked;
    hal::timer_disarm();
    hal::test::upcalls().interrupt = [](hal::Interrupt kind, unsigned) { count_interrupt(kind); };
}
std::uint64_t TimerOwner::fired() const { return fired_count; }
std::uint64_t TimerOwner::last_fired_ns() const { return fired_ns; }

}  // namespace contract

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    for (std::size_t i = 0; i < contract::case_count(); ++i) {
        const contract::Case test = contract::case_at(i);
        testing::RegisterTest("HostContract", test.name, nullptr, nullptr, __FILE__, __LINE__,
                              [test]() -> testing::Test* { return new contract::ContractTest(test); });
    }
    return RUN_ALL_TESTS();
}
