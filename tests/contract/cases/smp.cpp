// SPDX-License-Identifier: MIT
// Several CPUs: starting, waking, and forgetting translations together. On a machine with one CPU the cases say so.
#include "../cpus.hpp"
#include "../frames.hpp"

namespace {

using contract::give, contract::finished, contract::have_cpu, contract::wait_for;
using hal::CpuIndex;
constexpr hal::VirtAddr kernel_page(0xffff'c900'7000'0000), user_page(0x0000'0700'0000'0000);

// Calls f with each other CPU of the machine, started.
template <typename F>
void others(F f) {
    for (unsigned cpu = 1; cpu < contract::machine_cpus(); ++cpu)
        if (have_cpu(CpuIndex(cpu))) f(CpuIndex(cpu));
}

template <typename T>
T load(const T& value) {
    return __atomic_load_n(&value, __ATOMIC_ACQUIRE);
}
template <typename T>
void store(T& value, T now) {
    __atomic_store_n(&value, now, __ATOMIC_RELEASE);
}

}  // namespace

CONTRACT_CASE(there_is_at_least_one_cpu) {
    CHECK(contract::machine_cpus() >= 1);
    CHECK(contract::machine_cpus() <= hal::cpus_limit);
}

CONTRACT_CASE(cpus_that_cannot_be_started_are_refused) {
    contract::CountedFrames frames;
    CHECK(!hal::cpu_start(CpuIndex::boot, frames.source()));
    CHECK(!hal::cpu_start(CpuIndex(contract::machine_cpus()), frames.source()));
    CHECK(!hal::cpu_start(CpuIndex(hal::cpus_limit), frames.source()));
    CHECK(!hal::cpu_start(CpuIndex(~0u), frames.source()));
    CHECK(frames.in_use() == 0);
}

CONTRACT_CASE(a_cpu_without_frames_does_not_start) {
    if (contract::machine_cpus() == 1) return contract::note("a_cpu_without_frames_does_not_start: one CPU");
    constexpr std::size_t tables = 4;  // of the addresses; they stay for the next attempt
    for (std::size_t limit = 0; limit <= 8; ++limit) {
        contract::CountedFrames frames(limit);
        CHECK(!hal::cpu_start(CpuIndex(1), frames.source()));
        CHECK(frames.in_use() <= tables);
    }
}

CONTRACT_CASE(other_cpus_start_once) {
    for (unsigned cpu = 1; cpu < contract::machine_cpus(); ++cpu) {
        CHECK(have_cpu(CpuIndex(cpu)));
        contract::CountedFrames frames;
        CHECK(!hal::cpu_start(CpuIndex(cpu), frames.source()));
        CHECK(frames.in_use() == 0);
    }
    CHECK((contract::machine_cpus() == 1) == hal::cpu_clock_report().empty());
    if (!hal::cpu_clock_report().empty()) contract::note(hal::cpu_clock_report());
}

CONTRACT_CASE(each_cpu_knows_itself) {
    struct Seen {
        CpuIndex index = CpuIndex::boot;
        bool interrupts_on = true;
        std::uintptr_t stack = 0;
    };
    static Seen seen[hal::cpus_limit];
    others([&](CpuIndex cpu) {
        Seen& mine = seen[unsigned(cpu)];
        give(
            cpu,
            [](void* raw) {
                auto& s = *static_cast<Seen*>(raw);
                s.index = hal::cpu_index();
                s.interrupts_on = hal::irq_enabled();
                s.stack = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
            },
            &mine);
        REQUIRE(finished(cpu));
        CHECK(mine.index == cpu);
        CHECK(!mine.interrupts_on);
        for (const Seen& other : seen)
            CHECK(&other == &mine || other.stack == 0 || other.stack / hal::page_bytes != mine.stack / hal::page_bytes);
    });
    CHECK(hal::cpu_index() == CpuIndex::boot);
}

// Sleep is left as soon as there is something to do: no wake-up is lost, whether it comes before, during or after the
// way into it.
CONTRACT_CASE(no_wake_up_is_lost) {
    struct Counter {
        std::uint64_t asked = 0, seen = 0;
    };
    constexpr std::uint64_t rounds = 300;
    others([&](CpuIndex cpu) {
        Counter counter;
        give(
            cpu,
            [](void* raw) {
                auto& c = *static_cast<Counter*>(raw);
                for (std::uint64_t round = 1; round <= rounds; ++round) {
                    while (load(c.asked) < round) hal::halt_until_interrupt();
                    store(c.seen, round);
                }
            },
            &counter);
        std::uint64_t pause = 1;
        for (std::uint64_t round = 1; round <= rounds; ++round) {
            store(counter.asked, round);
            {
                const hal::IrqGuard masked;
                hal::send_interrupt(cpu, hal::Interrupt::wake);
            }
            REQUIRE(wait_for([&] { return load(counter.seen) == round; }));
            pause = pause * 37 % 61;  // every phase of the way to sleep
            for (std::uint64_t i = 0; i < pause; ++i) hal::relax();
        }
        REQUIRE(finished(cpu));
        CHECK(contract::interrupts(cpu, hal::Interrupt::wake) >= 1);
    });
}

CONTRACT_CASE(a_cpu_can_interrupt_itself_and_the_boot_cpu) {
    if (contract::machine_cpus() == 1) return contract::note("a_cpu_can_interrupt_itself_and_the_boot_cpu: one CPU");
    const std::uint64_t before = contract::interrupts(CpuIndex::boot, hal::Interrupt::wake);
    {
        const hal::IrqGuard masked;
        hal::send_interrupt(CpuIndex::boot, hal::Interrupt::wake);
    }
    CHECK(wait_for([&] { return contract::interrupts(CpuIndex::boot, hal::Interrupt::wake) > before; }));
    others([&](CpuIndex cpu) {
        const std::uint64_t own = contract::interrupts(cpu, hal::Interrupt::wake);
        const std::uint64_t boots = contract::interrupts(CpuIndex::boot, hal::Interrupt::wake);
        give(
            cpu,
            [](void*) {
                hal::send_interrupt(CpuIndex::boot, hal::Interrupt::wake);
                hal::send_interrupt(hal::cpu_index(), hal::Interrupt::wake);
            },
            nullptr);
        REQUIRE(finished(cpu));
        CHECK(wait_for([&] { return contract::interrupts(CpuIndex::boot, hal::Interrupt::wake) > boots; }));
        CHECK(wait_for([&] { return contract::interrupts(cpu, hal::Interrupt::wake) > own; }));
    });
}

CONTRACT_CASE(each_cpu_has_a_timer) {
    others([&](CpuIndex cpu) {
        const std::uint64_t before = contract::interrupts(cpu, hal::Interrupt::timer);
        struct Times {
            std::uint64_t deadline_ns = 0, woken_ns = 0;
        } times;
        give(
            cpu,
            [](void* raw) {
                auto& t = *static_cast<Times*>(raw);
                const std::uint64_t fired = contract::interrupts(hal::cpu_index(), hal::Interrupt::timer);
                t.deadline_ns = hal::now_ns() + 200'000;
                hal::timer_arm(t.deadline_ns);
                while (contract::interrupts(hal::cpu_index(), hal::Interrupt::timer) == fired)
                    hal::halt_until_interrupt();
                t.woken_ns = hal::now_ns();
            },
            &times);
        REQUIRE(finished(cpu));
        CHECK(contract::interrupts(cpu, hal::Interrupt::timer) == before + 1);
        CHECK(times.woken_ns >= times.deadline_ns);
    });
}

// A time that one CPU has read is past on every CPU that learns of it.
CONTRACT_CASE(the_clock_is_one_for_all) {
    struct Ball {
        std::uint64_t turn = 0, time_ns = 0;
        bool backwards = false;
    };
    constexpr std::uint64_t turns = 200;
    others([&](CpuIndex cpu) {
        Ball ball;
        const auto play = [](Ball& b, std::uint64_t parity) {
            for (std::uint64_t turn = parity; turn < turns; turn += 2) {
                if (!wait_for([&] { return load(b.turn) == turn; })) return;
                const std::uint64_t now = hal::now_ns();
                if (now < b.time_ns) b.backwards = true;
                b.time_ns = now;
                store(b.turn, turn + 1);
            }
        };
        static constexpr auto play_second = play;
        give(
            cpu, [](void* raw) { play_second(*static_cast<Ball*>(raw), 1); }, &ball);
        play(ball, 0);
        REQUIRE(finished(cpu));
        CHECK(load(ball.turn) == turns);
        CHECK(!ball.backwards);
    });
}

namespace {

// A CPU that reads one page again and again while its frame changes. Whatever it reads, a frame that was given up must
// not be it.
struct Watch {
    hal::PageTable table;
    hal::VirtAddr page;
    bool masked = false;  // with interrupts masked, and relax(); else with interrupts on, and no relax()
    bool stop = false, saw_old_frame = false;
    std::uint64_t looks = 0, last = 0;
};
constexpr std::uint64_t given_up = std::uint64_t{1} << 63;

void watch(void* raw) {
    auto& w = *static_cast<Watch*>(raw);
    hal::activate(w.table);
    if (!w.masked) hal::irq_enable();
    while (!load(w.stop)) {
        std::uint64_t word = 0;
        if (hal::user_copy_in(&word, w.page, sizeof word) == 0) {  // a page that is away is no fault here
            if (word & given_up) w.saw_old_frame = true;
            store(w.last, word);
        }
        store(w.looks, w.looks + 1);
        if (w.masked) hal::relax();
        else __builtin_ia32_pause();  // serves nothing, and lets an emulator go on
    }
    hal::irq_disable();
    hal::activate(hal::kernel_page_table());
}

std::uint64_t& word_of(hal::PhysAddr frame) { return *reinterpret_cast<std::uint64_t*>(hal::phys_to_virt(frame)); }

void change_frames_under_watch(CpuIndex cpu, hal::PageTable table, hal::VirtAddr page, hal::Access access,
                               bool masked) {
    contract::CountedFrames tables;
    hal::PhysAddr now = contract::block_allocate(1), next = contract::block_allocate(1);
    REQUIRE(now != contract::no_block && next != contract::no_block);
    store(word_of(now), std::uint64_t{0});
    REQUIRE(hal::map(table, page, now, access, tables.source()) == hal::MmuResult::ok);
    Watch w{table, page, masked};
    give(cpu, &watch, &w);
    constexpr std::uint64_t rounds = 40;
    for (std::uint64_t round = 1; round <= rounds; ++round) {
        const std::uint64_t looks = load(w.looks);
        CHECK(wait_for([&] { return load(w.looks) > looks + 1; }));  // it has the translation
        CHECK(hal::flush(hal::unmap(table, page)) == now);
        store(word_of(now), given_up | round);
        store(word_of(next), round);
        CHECK(hal::map(table, page, next, access, tables.source()) == hal::MmuResult::ok);
        std::swap(now, next);
    }
    CHECK(wait_for([&] { return load(w.last) == rounds; }));
    store(w.stop, true);
    CHECK(finished(cpu));
    CHECK(!w.saw_old_frame);
    CHECK(hal::flush(hal::unmap(table, page)) == now);
    contract::block_free(now, 1);
    contract::block_free(next, 1);
}

}  // namespace

CONTRACT_CASE(kernel_translations_are_forgotten_by_all) {
    if (!hal::isolation_enforced) return contract::note("kernel_translations_are_forgotten_by_all: no tables here");
    others([&](CpuIndex cpu) {
        for (const bool masked : {false, true})
            change_frames_under_watch(cpu, hal::kernel_page_table(), kernel_page, hal::Access::read, masked);
    });
}

CONTRACT_CASE(user_translations_are_forgotten_where_they_are_active) {
    if (!hal::isolation_enforced)
        return contract::note("user_translations_are_forgotten_where_they_are_active: no tables here");
    contract::CountedFrames frames;
    hal::PageTable table{};
    REQUIRE(hal::page_table_make(frames.source(), table) == hal::MmuResult::ok);
    others([&](CpuIndex cpu) {
        for (const bool masked : {false, true})
            change_frames_under_watch(cpu, table, user_page, hal::Access::read | hal::Access::user, masked);
    });
    hal::page_table_destroy(table, frames.source());
}

// Everybody asks everybody, with interrupts masked: whoever waits for answers gives them too.
CONTRACT_CASE(cpus_flush_at_one_another) {
    struct Party {
        hal::VirtAddr page;
        hal::PhysAddr frame;
        std::uint64_t rounds = 0;
        bool wrong = false;
    };
    static Party parties[hal::cpus_limit];
    contract::CountedFrames frames;
    const auto party = [](void* raw) {
        auto& p = *static_cast<Party*>(raw);
        const hal::IrqGuard masked;
        for (std::uint64_t round = 0; round < 200; ++round) {
            const hal::Access access = round % 2 ? hal::Access::read : hal::Access::read | hal::Access::write;
            if (hal::flush(hal::protect(hal::kernel_page_table(), p.page, access)) != p.frame) p.wrong = true;
            ++p.rounds;
        }
    };
    unsigned count = 1;
    others([&](CpuIndex) { ++count; });
    for (unsigned i = 0; i < count; ++i) {
        parties[i] = {kernel_page + i * hal::page_bytes, contract::block_allocate(1)};
        REQUIRE(parties[i].frame != contract::no_block);
        REQUIRE(hal::map(hal::kernel_page_table(), parties[i].page, parties[i].frame, hal::Access::read,
                         frames.source()) == hal::MmuResult::ok);
    }
    for (unsigned i = 1; i < count; ++i) give(CpuIndex(i), party, &parties[i]);
    party(&parties[0]);
    for (unsigned i = 0; i < count; ++i) {
        CHECK(i == 0 || finished(CpuIndex(i)));
        CHECK(parties[i].rounds == 200);
        CHECK(!parties[i].wrong);
        CHECK(hal::flush(hal::unmap(hal::kernel_page_table(), parties[i].page)) == parties[i].frame);
        contract::block_free(parties[i].frame, 1);
    }
}

CONTRACT_GROUP(smp)
