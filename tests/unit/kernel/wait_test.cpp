// SPDX-License-Identifier: MIT
// The wait core: reasons, deadlines, several queues, and what happens between wait_begin and wait_commit.
#include <algorithm>
#include <random>

#include "booted_kernel.hpp"

namespace exo {
namespace {

class WaitTest : public test::KernelTest {};

TEST_F(WaitTest, RandomDeadlinesEndInOrderAndNeverEarly) {
    in_kernel(
        [] {
            std::mt19937_64 random(4);
            struct Actor {
                std::uint64_t deadline_ns = 0, woke_ns = 0;
                WaitReason reason = WaitReason::dead;
                WaitQueue nobody;
                std::function<void()> body;
            };
            std::vector<Actor> actors(300);
            std::vector<const Actor*> order;
            WaitQueue gate;
            for (Actor& actor : actors) {
                actor.body = [&] {
                    hal::IrqGuard masked;
                    wait_on(gate);
                    actor.reason = wait_on(actor.nobody, actor.deadline_ns);
                    actor.woke_ns = hal::now_ns();
                    order.push_back(&actor);
                };
                ASSERT_TRUE(start(priority_kernel, actor.body).ok());
            }
            let_others_run();
            hal::IrqGuard masked;  // no deadline ends before all have begun
            const std::uint64_t base_ns = hal::now_ns();
            for (Actor& actor : actors) actor.deadline_ns = base_ns + random() % 20'000'000;
            actors[7].deadline_ns = 0;  // long ago
            actors[8].deadline_ns = 1;
            EXPECT_EQ(wake_all(gate), actors.size());
            WaitQueue nobody;
            EXPECT_EQ(wait_on(nobody, base_ns + 21'000'000), WaitReason::timeout);
            ASSERT_EQ(order.size(), actors.size());
            for (std::size_t i = 0; i < order.size(); ++i) {
                EXPECT_EQ(order[i]->reason, WaitReason::timeout);
                EXPECT_GE(order[i]->woke_ns, order[i]->deadline_ns);
                EXPECT_TRUE(order[i]->nobody.empty());
                if (i > 0) {
                    EXPECT_GE(order[i]->deadline_ns, order[i - 1]->deadline_ns);
                }
            }
            EXPECT_TRUE(this_cpu().deadlines.empty());
        },
        256 * MiB);
}

TEST_F(WaitTest, AWakeUpTakesTheDeadlineAway) {
    in_kernel([] {
        WaitQueue queue;
        WaitReason reason{};
        const std::function<void()> body = [&] {
            hal::IrqGuard masked;
            reason = wait_on(queue, hal::now_ns() + 3600'000'000'000);
        };
        ASSERT_TRUE(start(priority_kernel, body).ok());
        let_others_run();
        hal::IrqGuard masked;
        EXPECT_FALSE(this_cpu().deadlines.empty());
        EXPECT_TRUE(wake_one(queue, WaitReason::interrupted));
        EXPECT_TRUE(this_cpu().deadlines.empty());
        EXPECT_FALSE(wake_one(queue)) << "nobody is left";
        yield();
        EXPECT_EQ(reason, WaitReason::interrupted);
    });
}

TEST_F(WaitTest, WakingAllTellsEveryoneTheReasonInOrder) {
    in_kernel([] {
        WaitQueue queue;
        std::vector<int> order;
        std::function<void()> bodies[20];
        for (int i = 0; i < 20; ++i) {
            bodies[i] = [&, i] {
                hal::IrqGuard masked;
                EXPECT_EQ(wait_on(queue), WaitReason::dead);
                order.push_back(i);
            };
            ASSERT_TRUE(start(priority_kernel, bodies[i]).ok());
        }
        let_others_run();
        hal::IrqGuard masked;
        EXPECT_EQ(wake_all(queue, WaitReason::dead), 20u);
        EXPECT_EQ(wake_all(queue), 0u);
        yield();
        ASSERT_EQ(order.size(), 20u);
        EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
    });
}

// Threads wait on random sets of queues; a model says who is woken, and that one is then on no queue at all.
TEST_F(WaitTest, SeveralQueuesMatchAModel) {
    in_kernel([] {
        constexpr unsigned queue_count = 6, actor_count = 12;
        std::mt19937_64 random(5);
        WaitQueue queues[queue_count];
        struct Actor {
            WaitQueue gate;
            std::vector<WaitQueue*> on;
            bool waits = false, end = false;
            unsigned wakes = 0;
            WaitReason reason{};
            std::function<void()> body;
        };
        std::vector<Actor> actors(actor_count);
        for (Actor& actor : actors) {
            actor.body = [&actor] {
                hal::IrqGuard masked;
                for (;;) {
                    wait_on(actor.gate);
                    if (actor.end) return;
                    const std::vector<WaitQueue*>& on = actor.on;
                    switch (on.size()) {
                        case 1:
                            wait_begin({on[0]});
                            break;
                        case 2:
                            wait_begin({on[0], on[1]});
                            break;
                        case 3:
                            wait_begin({on[0], on[1], on[2]});
                            break;
                        default:
                            wait_begin({on[0], on[1], on[2], on[3]});
                            break;
                    }
                    actor.reason = wait_commit();
                    ++actor.wakes;
                }
            };
            ASSERT_TRUE(start(priority_kernel, actor.body).ok());
        }
        let_others_run();
        hal::IrqGuard masked;
        std::vector<Actor*> model[queue_count];
        const auto check = [&] {
            for (unsigned q = 0; q < queue_count; ++q) ASSERT_EQ(queues[q].empty(), model[q].empty()) << q;
        };
        const auto wake_and_check = [&](unsigned q) {
            Actor* first = model[q].empty() ? nullptr : model[q].front();
            const unsigned before = first == nullptr ? 0 : first->wakes;
            const auto reason = static_cast<WaitReason>(random() % 4);
            ASSERT_EQ(wake_one(queues[q], reason), first != nullptr);
            if (first == nullptr) return;
            yield();
            ASSERT_EQ(first->wakes, before + 1);
            ASSERT_EQ(first->reason, reason);
            first->waits = false;
            for (auto& list : model) std::erase(list, first);
        };
        for (int step = 0; step < 20'000 && !HasFatalFailure(); ++step) {
            Actor& actor = actors[random() % actor_count];
            if (!actor.waits && random() % 3 != 0) {
                actor.on.clear();
                unsigned left = 1 + static_cast<unsigned>(random() % wait_objects_limit);
                for (unsigned q = 0; q < queue_count && left != 0; ++q) {
                    if (random() % 2 == 0 && q + left < queue_count) continue;
                    actor.on.push_back(&queues[q]);
                    model[q].push_back(&actor);
                    --left;
                }
                actor.waits = true;
                ASSERT_TRUE(wake_one(actor.gate));
                yield();
            } else {
                wake_and_check(static_cast<unsigned>(random() % queue_count));
            }
            check();
        }
        for (unsigned q = 0; q < queue_count; ++q)
            while (!model[q].empty() && !HasFatalFailure()) wake_and_check(q);
        for (Actor& actor : actors) {
            actor.end = true;
            ASSERT_TRUE(wake_one(actor.gate));
        }
        yield();
    });
}

TEST_F(WaitTest, CancellingLeavesNoTrace) {
    in_kernel([] {
        hal::IrqGuard masked;
        WaitQueue a, b;
        wait_begin({&a, &b}, hal::now_ns() + 1'000'000);
        EXPECT_FALSE(a.empty() || b.empty());
        wait_cancel();
        EXPECT_TRUE(a.empty() && b.empty());
        EXPECT_TRUE(this_cpu().deadlines.empty());
        EXPECT_EQ(this_cpu().current->state, ThreadState::running);
        EXPECT_FALSE(wake_one(a));
    });
}

TEST_F(WaitTest, AWakeUpBetweenBeginAndCommitIsNotLost) {
    in_kernel([] {
        hal::IrqGuard masked;
        WaitQueue a, b;
        wait_begin({&a, &b});
        EXPECT_TRUE(wake_one(b, WaitReason::interrupted));
        EXPECT_TRUE(a.empty() && b.empty());
        EXPECT_EQ(wait_commit(), WaitReason::interrupted);
        EXPECT_EQ(this_cpu().current->state, ThreadState::running);
        EXPECT_TRUE(this_cpu().run_queue.empty());
    });
}

TEST_F(WaitTest, AWakeUpBetweenBeginAndCancelLeavesTheThreadInNoQueue) {
    in_kernel([] {
        hal::IrqGuard masked;
        WaitQueue queue;
        wait_begin({&queue}, hal::now_ns() + 1'000'000);
        EXPECT_TRUE(wake_one(queue));
        wait_cancel();
        EXPECT_EQ(this_cpu().current->state, ThreadState::running);
        EXPECT_TRUE(this_cpu().run_queue.empty());
        EXPECT_TRUE(queue.empty());
        EXPECT_TRUE(this_cpu().deadlines.empty());
        yield();
    });
}

TEST_F(WaitTest, MovedWaitersKeepTheirDeadline) {
    in_kernel([] {
        WaitQueue from, to;
        WaitReason reason{};
        const std::function<void()> body = [&] {
            hal::IrqGuard masked;
            reason = wait_on(from, hal::now_ns() + 1'000'000);
        };
        ASSERT_TRUE(start(priority_kernel, body).ok());
        let_others_run();
        hal::IrqGuard masked;
        const auto hold = [&] {
            ScopedLock guard(from.lock());
            return from.hold_locked();
        };
        Thread* held = hold();
        ASSERT_NE(held, nullptr);
        EXPECT_EQ(hold(), nullptr);
        to.add_held(*held);
        EXPECT_TRUE(from.empty());
        EXPECT_FALSE(to.empty());
        WaitQueue nobody;
        wait_on(nobody, hal::now_ns() + 2'000'000);
        EXPECT_EQ(reason, WaitReason::timeout);
        EXPECT_TRUE(to.empty());
    });
}

}  // namespace
}  // namespace exo
