// SPDX-License-Identifier: MIT
// Handle tables beside a model: generations, rights that only shrink, and objects that die with their last reference.
#include <cap/handle_table.hpp>
#include <ipc/endpoint.hpp>
#include <ipc/ring.hpp>
#include <map>
#include <random>

#include "booted_kernel.hpp"

namespace exo {
namespace {

class HandleTableTest : public test::KernelTest {};

// An object of which a test can see that it is gone: the pages of a ring come back with its last reference.
std::uint64_t pages_used(const Quota& quota) { return quota.used_pages.load(); }

TEST_F(HandleTableTest, CountsUpFromZeroAndIsExhaustedAtItsCapacity) {
    in_kernel([] {
        HandleTable table;
        ASSERT_TRUE(table.init().ok());
        Ref<Endpoint> endpoint = *Endpoint::create();
        for (std::uint32_t i = 0; i < HandleTable::capacity; ++i)
            ASSERT_EQ(*table.insert(*endpoint, abi::right_all), i) << "a fresh table counts up";
        EXPECT_EQ(table.insert(*endpoint, 0).error(), Error::no_memory);
        EXPECT_EQ(table.duplicate(0, 0).error(), Error::no_memory);
        EXPECT_TRUE(table.close(77).ok());
        const Handle again = *table.insert(*endpoint, abi::right_call);
        EXPECT_EQ(again & 0xffff, 77u);
        EXPECT_NE(again, 77u) << "another generation";
        EXPECT_EQ(table.close(77).error(), Error::bad_handle);
        table.close_all();
        EXPECT_EQ(table.close(again).error(), Error::bad_handle);
        for (std::uint32_t i = 0; i < HandleTable::capacity; ++i) ASSERT_TRUE(table.insert(*endpoint, 0).ok());
    });
}

TEST_F(HandleTableTest, NoHandleEverComesBack) {
    in_kernel([] {
        HandleTable table;
        ASSERT_TRUE(table.init().ok());
        Ref<Endpoint> endpoint = *Endpoint::create();
        for (std::uint32_t i = 1; i < HandleTable::capacity; ++i) ASSERT_TRUE(table.insert(*endpoint, 0).ok());
        Handle last = *table.insert(*endpoint, 0);
        for (unsigned use = 1; use <= 0x7fff; ++use) {
            ASSERT_TRUE(table.close(last).ok());
            const Handle next = *table.insert(*endpoint, 0);
            ASSERT_GT(next, last);
            ASSERT_NE(next, abi::no_handle);
            last = next;
        }
        EXPECT_TRUE(table.close(last).ok());
        EXPECT_EQ(table.insert(*endpoint, 0).error(), Error::no_memory) << "the slot is worn out";
        EXPECT_EQ(table.close(last).error(), Error::bad_handle);
    });
}

TEST_F(HandleTableTest, RightsShrinkOnlyAndTypesAreChecked) {
    in_kernel([] {
        HandleTable table;
        ASSERT_TRUE(table.init().ok());
        Ref<Endpoint> endpoint = *Endpoint::create();
        const std::uint32_t held = abi::right_call | abi::right_duplicate;
        const Handle handle = *table.insert(*endpoint, held);
        for (std::uint32_t rights = 0; rights <= abi::right_all; ++rights) {
            const Result<Handle> copy = table.duplicate(handle, rights);
            ASSERT_EQ(copy.ok(), (rights & ~held) == 0) << rights;
            if (!copy.ok()) {
                ASSERT_EQ(copy.error(), Error::no_right);
                continue;
            }
            for (std::uint32_t needed = 0; needed <= abi::right_all; ++needed) {
                const auto found = table.get<Endpoint>(*copy, needed);
                ASSERT_EQ(found.ok(), (needed & ~rights) == 0);
                if (!found.ok()) {
                    ASSERT_EQ(found.error(), Error::no_right);
                }
            }
            ASSERT_EQ(table.duplicate(*copy, rights).ok(), (rights & abi::right_duplicate) != 0);
            ASSERT_EQ(table.get<Ring>(*copy, 0).error(), Error::bad_handle) << "another type";
        }
        EXPECT_EQ(table.duplicate(handle, ~0u).error(), Error::no_right);
        EXPECT_EQ(table.get<Ring>(handle, abi::right_serve).error(), Error::bad_handle) << "the type before the rights";
    });
}

TEST_F(HandleTableTest, OddHandlesAreBad) {
    in_kernel([] {
        HandleTable empty, table;
        EXPECT_EQ(empty.close(0).error(), Error::bad_handle) << "a table that was never filled";
        ASSERT_TRUE(table.init().ok());
        Ref<Endpoint> endpoint = *Endpoint::create();
        const Handle good = *table.insert(*endpoint, abi::right_all);
        std::mt19937 random(12);
        for (int i = 0; i < 100'000; ++i) {
            const Handle handle = i < 3 ? Handle{abi::no_handle - static_cast<Handle>(i)} : random();
            std::uint32_t rights = 0;
            ASSERT_EQ(table.find_any(handle, 0, rights).ok(), handle == good) << handle;
        }
    });
}

TEST_F(HandleTableTest, ObjectsDieExactlyWithTheirLastReference) {
    in_kernel([] {
        std::mt19937_64 random(9);
        struct Model {
            std::uint32_t object, rights;
        };
        constexpr unsigned objects = 8;
        std::vector<Ref<Quota>> quotas;  // one an object: it has pages as long as the object lives
        for (unsigned i = 0; i < objects; ++i) quotas.push_back(*Quota::make(100));
        HandleTable table;
        ASSERT_TRUE(table.init().ok());
        std::map<Handle, Model> model;
        const auto check = [&] {
            for (unsigned i = 0; i < objects; ++i) {
                std::size_t handles = 0;
                for (const auto& entry : model) handles += entry.second.object == i;
                ASSERT_EQ(pages_used(*quotas[i]) != 0, handles != 0) << "object " << i;
            }
        };
        const auto any = [&] { return std::next(model.begin(), static_cast<long>(random() % model.size())); };
        for (int step = 0; step < 20'000 && !HasFatalFailure(); ++step) {
            const unsigned dice = static_cast<unsigned>(random() % 100);
            const auto object = static_cast<std::uint32_t>(random() % objects);
            const auto rights = static_cast<std::uint32_t>(random() % (abi::right_all + 1));
            if (dice < 10 && pages_used(*quotas[object]) == 0) {
                Ref<Ring> ring = *Ring::create(1u << random() % 8, *quotas[object]);
                const Result<Handle> handle = table.insert(*ring, rights);
                ASSERT_EQ(handle.ok(), model.size() < HandleTable::capacity);
                if (handle.ok()) model[*handle] = {object, rights};
            } else if (dice < 60 && !model.empty()) {
                const auto from = any();
                const std::uint32_t wanted = dice < 40 ? from->second.rights & rights : rights;
                const Result<Handle> copy = table.duplicate(from->first, wanted);
                const bool allowed = (from->second.rights & abi::right_duplicate) != 0 &&
                                     (wanted & ~from->second.rights) == 0 && model.size() < HandleTable::capacity;
                ASSERT_EQ(copy.ok(), allowed);
                if (allowed) {
                    ASSERT_FALSE(model.contains(*copy));
                    model[*copy] = {from->second.object, wanted};
                }
            } else if (dice == 99 && random() % 20 == 0) {
                table.close_all();
                model.clear();
            } else if (!model.empty()) {
                const auto gone = any();
                ASSERT_TRUE(table.close(gone->first).ok());
                ASSERT_EQ(table.close(gone->first).error(), Error::bad_handle);
                model.erase(gone);
            }
            check();
        }
    });
}

TEST_F(HandleTableTest, HoldersOfARingAreCountedByRight) {
    in_kernel([] {
        Quota quota{100};
        HandleTable table;
        ASSERT_TRUE(table.init().ok());
        Ref<Ring> ring = *Ring::create(4, quota);
        hal::IrqGuard masked;
        const auto consumer_would = [&] { return ring->wait(abi::RingEnd::consumer, 0); };
        const auto producer_would = [&] {  // full, or it would be told that there is room
            ring->producer_page()->tail = 4;
            const WaitReason reason = ring->wait(abi::RingEnd::producer, 0);
            ring->producer_page()->tail = 0;
            return reason;
        };
        const auto expire = [] {
            hal::irq_enable();
            hal::irq_disable();
        };
        EXPECT_EQ(consumer_would(), WaitReason::dead) << "no producer yet";
        const Handle both = *table.insert(*ring, abi::right_produce | abi::right_consume | abi::right_duplicate);
        const Handle producer = *table.duplicate(both, abi::right_produce);
        EXPECT_EQ(consumer_would(), WaitReason::timeout);
        EXPECT_EQ(producer_would(), WaitReason::timeout);
        EXPECT_TRUE(table.close(both).ok());
        EXPECT_EQ(consumer_would(), WaitReason::timeout) << "one handle is left that can produce";
        EXPECT_EQ(producer_would(), WaitReason::dead) << "none that can consume";
        EXPECT_TRUE(table.close(producer).ok());
        EXPECT_EQ(consumer_would(), WaitReason::dead);
        ring->producer_page()->tail = 1;
        EXPECT_EQ(consumer_would(), WaitReason::woken) << "what was published before comes first";
        expire();
    });
}

void end_with(std::uint64_t status) {
    hal::UserFrame frame{static_cast<std::uint64_t>(abi::Syscall::exit), {status}};
    hal::host_syscall(frame);
}

TEST_F(HandleTableTest, ProcessesOutliveTheirEndAsLongAsSomebodyHoldsThem) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"end", end_with}};
        test::use_programs(programs);
        const FrameStats before = test::settled_frames();
        {
            HandleTable one, other;
            ASSERT_TRUE(one.init().ok());
            ASSERT_TRUE(other.init().ok());
            Handle handle, copy;
            {
                Ref<Process> process = *Process::spawn("end", {}, 42);
                handle = *one.insert(*process, abi::right_wait | abi::right_duplicate);
                copy = *other.insert(*process, abi::right_wait);
                wait_for_end(*process);
            }
            reaper_settle();
            EXPECT_EQ((*one.get<Process>(handle, abi::right_wait))->exit_status(), 42);
            EXPECT_TRUE(one.close(handle).ok());
            EXPECT_TRUE((*other.get<Process>(copy, abi::right_wait))->ended());
        }
        EXPECT_EQ(test::settled_frames(), before);
    });
}

}  // namespace
}  // namespace exo
