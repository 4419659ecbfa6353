// SPDX-License-Identifier: MIT
// Call and reply: who gets which message, in which order, and who learns that nobody will answer.
#include <deque>
#include <ipc/endpoint.hpp>
#include <random>

#include "booted_kernel.hpp"

namespace exo {
namespace {

// What a call came back with, or a server got.
struct Outcome {
    bool done = false, ok = false;
    Error error{};
    std::uint64_t word = 0, badge = 0;
};

void set_message(std::uint64_t word) {
    for (std::uint64_t i = 0; i < 4; ++i) this_cpu().current->message[i] = word + i;
}
// The first word, if the others follow from it.
std::uint64_t message_word() {
    const auto& message = this_cpu().current->message;
    for (std::uint64_t i = 1; i < 4; ++i) EXPECT_EQ(message[i], message[0] + i);
    return message[0];
}

class EndpointTest : public test::KernelTest {
  protected:
    // All with interrupts masked, on the thread that calls or serves.
    static Outcome call(Endpoint& endpoint, std::uint64_t word, std::uint64_t deadline_ns = no_deadline) {
        set_message(word);
        const Result<> result = endpoint.call(deadline_ns);
        if (!result.ok()) return {true, false, result.error()};
        return {true, true, {}, message_word()};
    }
    static Outcome serve(Endpoint& endpoint, std::uint64_t reply, std::uint64_t deadline_ns = no_deadline) {
        set_message(reply);
        const Result<std::uint64_t> result = endpoint.reply_and_wait(deadline_ns);
        if (!result.ok()) return {true, false, result.error()};
        return {true, true, {}, message_word(), *result};
    }
    static void expire() {  // the timer interrupt, now
        hal::irq_enable();
        hal::irq_disable();
    }
};

struct Serving {
    explicit Serving(Endpoint& served) : endpoint(served) { endpoint.handle_added(abi::right_serve); }
    ~Serving() { endpoint.handle_removed(abi::right_serve); }
    Endpoint& endpoint;
};

TEST_F(EndpointTest, DirectSwitchesInBothOrders) {
    in_kernel([] {
        for (const bool server_first : {false, true}) {
            Ref<Endpoint> endpoint = *Endpoint::create();
            Serving serving(*endpoint);
            std::string log;
            const std::function<void()> server = [&] {
                hal::IrqGuard masked;
                Outcome got = serve(*endpoint, 7);  // a reply without a call reaches nobody
                for (int i = 0; i < 3; ++i) {
                    log += 's';
                    EXPECT_EQ(got.word, 100u + static_cast<unsigned>(i));
                    got = serve(*endpoint, got.word + 1, i == 2 ? 0 : no_deadline);
                }
                EXPECT_EQ(got.error, Error::timeout);
            };
            const std::function<void()> client = [&] {
                hal::IrqGuard masked;
                for (unsigned i = 0; i < 3; ++i) {
                    log += 'c';
                    EXPECT_EQ(call(*endpoint, 100 + i).word, 101 + i);
                }
                log += '.';
            };
            // A direct switch does not ask the run queue, where this one waits for its turn.
            const std::function<void()> bystander = [&] { log += 'b'; };
            ASSERT_TRUE(start(priority_kernel, server_first ? server : client).ok());
            ASSERT_TRUE(start(priority_kernel, server_first ? client : server).ok());
            ASSERT_TRUE(start(priority_kernel, bystander).ok());
            let_others_run();
            hal::irq_disable();
            expire();
            hal::irq_enable();
            let_others_run();
            EXPECT_EQ(log, "cscscs.b") << (server_first ? "server first" : "caller first");
        }
    });
}

TEST_F(EndpointTest, SomebodyMoreUrgentRunsBeforeADirectSwitch) {
    in_kernel([] {
        Ref<Endpoint> endpoint = *Endpoint::create();
        Serving serving(*endpoint);
        std::string log;
        WaitQueue gate;
        const std::function<void()> server = [&] {
            hal::IrqGuard masked;
            (void)serve(*endpoint, 0);
            log += 's';
        };
        const std::function<void()> urgent = [&] {
            hal::IrqGuard masked;
            wait_on(gate);
            log += 'u';
        };
        ASSERT_TRUE(start(priority_kernel, server).ok());
        ASSERT_TRUE(start(priority_kernel + 1, urgent).ok());
        let_others_run();
        hal::IrqGuard masked;
        wake_one(gate);
        EXPECT_EQ(call(*endpoint, 1).error, Error::peer_dead);  // the server ends without a reply
        EXPECT_EQ(log, "us");
    });
}

TEST_F(EndpointTest, NobodyWhoCouldServe) {
    in_kernel([] {
        Ref<Endpoint> endpoint = *Endpoint::create();
        Outcome queued;
        {
            hal::IrqGuard masked;
            EXPECT_EQ(call(*endpoint, 1).error, Error::peer_dead);
        }
        const std::function<void()> client = [&] {
            hal::IrqGuard masked;
            queued = call(*endpoint, 2);
        };
        {
            Serving one(*endpoint);
            {
                Serving other(*endpoint);
                ASSERT_TRUE(start(priority_kernel, client).ok());
                let_others_run();
            }
            let_others_run();
            EXPECT_FALSE(queued.done) << "one is left who may serve";
        }
        let_others_run();
        EXPECT_TRUE(queued.done);
        EXPECT_EQ(queued.error, Error::peer_dead);
    });
}

TEST_F(EndpointTest, ALateReplyReachesNobodyElse) {
    in_kernel([] {
        Ref<Endpoint> endpoint = *Endpoint::create();
        Serving serving(*endpoint);
        WaitQueue work;
        std::vector<std::uint64_t> served;
        const std::function<void()> server = [&] {
            hal::IrqGuard masked;
            Outcome got = serve(*endpoint, 0);
            while (got.ok) {
                served.push_back(got.word);
                if (got.word == 10) wait_on(work);  // until its caller has given up and another one called
                got = serve(*endpoint, got.word + 1000, got.word == 20 ? 0 : no_deadline);
            }
        };
        ASSERT_TRUE(start(priority_kernel, server).ok());
        let_others_run();
        hal::IrqGuard masked;
        EXPECT_EQ(call(*endpoint, 10, hal::now_ns() + 100'000).error, Error::timeout);
        EXPECT_EQ(call(*endpoint, 15, hal::now_ns() + 100'000).error, Error::timeout) << "queued: nobody took it";
        wake_all(work);
        EXPECT_EQ(call(*endpoint, 20).word, 1020u);
        EXPECT_EQ(served, (std::vector<std::uint64_t>{10, 20}));
        expire();
        yield();
    });
}

void badge_caller(std::uint64_t) {
    std::uint64_t arguments[] = {0, 5, 6, 7, 8, no_deadline};
    hal::UserFrame frame{static_cast<std::uint64_t>(abi::Syscall::call), {}};
    std::copy(std::begin(arguments), std::end(arguments), frame.arguments);
    hal::host_syscall(frame);
}

TEST_F(EndpointTest, TheBadgeIsTheCallersProcess) {
    in_kernel([] {
        static constexpr hal::LinkedProgram programs[] = {{"caller", badge_caller}};
        test::use_programs(programs);
        Ref<Endpoint> endpoint = *Endpoint::create();
        Serving serving(*endpoint);
        const Grant grant{endpoint.get(), abi::right_call};
        for (int i = 0; i < 3; ++i) {
            Ref<Process> process = *Process::spawn("caller", std::span(&grant, 1), 0);
            {
                hal::IrqGuard masked;
                const Outcome got = serve(*endpoint, 0);
                EXPECT_EQ(got.word, 5u);
                EXPECT_EQ(got.badge, process->id());
                EXPECT_EQ(serve(*endpoint, 0, 0).error, Error::timeout);
            }
            wait_for_end(*process);
        }
    });
}

// Servers and callers as puppets: each does one thing when told, so that the model below knows the order of everything.
struct Puppet {
    enum class Order { none, act, expiring_act, end };
    WaitQueue gate;
    Order order = Order::none;
    std::uint64_t word = 0;
    Outcome outcome;
    bool busy = false;  // between an order and its outcome
    std::function<void()> body;

    // Model: callers.
    int taken_by = -1;
    // Model: servers.
    int owes = -1;
    bool expires = false;
};

class EndpointModel : public EndpointTest {
  protected:
    static constexpr int callers = 4, servers = 3;

    struct World {
        Ref<Endpoint> endpoint = *Endpoint::create();
        std::vector<Puppet> caller{callers}, server{servers};
        std::deque<int> queued, waiting;  // callers that nobody took; servers without work
        std::mt19937_64 random{6};
        std::uint64_t next_word = 1000;
        int rights = 0;
    };
    static void run(Puppet& puppet, Puppet::Order order, std::uint64_t word) {
        puppet.order = order;
        puppet.word = word;
        puppet.outcome = {};
        puppet.busy = true;
        puppet.expires = order == Puppet::Order::expiring_act;
        ASSERT_TRUE(wake_one(puppet.gate));
        yield();
    }
    static void make(World& world, Puppet& puppet, bool serves) {
        puppet.body = [&world, &puppet, serves] {
            hal::IrqGuard masked;
            for (;;) {
                wait_on(puppet.gate);
                if (puppet.order == Puppet::Order::end) return;
                const std::uint64_t deadline = puppet.order == Puppet::Order::expiring_act ? 0 : no_deadline;
                puppet.outcome = serves ? serve(*world.endpoint, puppet.word, deadline)
                                        : call(*world.endpoint, puppet.word, deadline);
            }
        };
        ASSERT_TRUE(start(priority_kernel + 1, puppet.body).ok());
        yield();
    }
    static void expect_failed(Puppet& puppet, Error error) {
        ASSERT_TRUE(puppet.outcome.done);
        ASSERT_FALSE(puppet.outcome.ok);
        ASSERT_EQ(puppet.outcome.error, error);
        puppet.busy = false;
    }
    static void expect_word(Puppet& puppet, std::uint64_t word) {
        ASSERT_TRUE(puppet.outcome.done);
        ASSERT_TRUE(puppet.outcome.ok);
        ASSERT_EQ(puppet.outcome.word, word);
        puppet.busy = false;
    }
    static void hand_over(World& world, int caller, int server) {
        world.caller[caller].taken_by = server;
        world.server[server].owes = caller;
        expect_word(world.server[server], world.caller[caller].word);
    }
    static void order_call(World& world, int index, Puppet::Order order) {
        Puppet& caller = world.caller[index];
        run(caller, order, world.next_word += 10);
        if (world.rights == 0) return expect_failed(caller, Error::peer_dead);
        if (world.waiting.empty()) return world.queued.push_back(index);
        const int server = world.waiting.front();
        world.waiting.pop_front();
        hand_over(world, index, server);
    }
    static void order_serve(World& world, int index, Puppet::Order order) {
        Puppet& server = world.server[index];
        const std::uint64_t reply = world.next_word += 10;
        run(server, order, reply);
        if (const int caller = std::exchange(server.owes, -1); caller != -1) {
            expect_word(world.caller[caller], reply);
            world.caller[caller].taken_by = -1;
        }
        if (world.queued.empty()) return world.waiting.push_back(index);
        const int next = world.queued.front();
        world.queued.pop_front();
        hand_over(world, next, index);
    }
    static void order_expiry(World& world) {
        expire();
        yield();
        for (int i = 0; i < callers; ++i) {
            Puppet& caller = world.caller[i];
            if (!caller.busy || !caller.expires) continue;
            expect_failed(caller, Error::timeout);
            std::erase(world.queued, i);
            if (caller.taken_by != -1) world.server[std::exchange(caller.taken_by, -1)].owes = -1;
        }
        for (int i = 0; i < servers; ++i) {
            Puppet& server = world.server[i];
            if (!server.busy || !server.expires) continue;
            expect_failed(server, Error::timeout);
            std::erase(world.waiting, i);
        }
    }
    static void order_death(World& world, int index) {
        Puppet& server = world.server[index];
        order_expiry(world);  // threads begin and end with interrupts on: the timer's would come then
        run(server, Puppet::Order::end, 0);
        server.busy = false;
        if (const int caller = std::exchange(server.owes, -1); caller != -1) {
            expect_failed(world.caller[caller], Error::peer_dead);
            world.caller[caller].taken_by = -1;
        }
        make(world, server, true);
    }
    static void change_rights(World& world, int by) {
        world.rights += by;
        if (by > 0) return world.endpoint->handle_added(abi::right_serve | abi::right_call);
        world.endpoint->handle_removed(abi::right_serve | abi::right_call);
        yield();
        if (world.rights != 0) return;
        for (const int caller : world.queued) expect_failed(world.caller[caller], Error::peer_dead);
        world.queued.clear();
    }
    // Nobody but those of whom the model knows has come back.
    static void expect_quiet(World& world) {
        for (Puppet& puppet : world.caller) ASSERT_FALSE(puppet.busy && puppet.outcome.done);
        for (Puppet& puppet : world.server) ASSERT_FALSE(puppet.busy && puppet.outcome.done);
    }
    static void random_step(World& world) {
        const auto order = world.random() % 4 == 0 ? Puppet::Order::expiring_act : Puppet::Order::act;
        const int caller = static_cast<int>(world.random() % callers),
                  server = static_cast<int>(world.random() % servers);
        const unsigned dice = static_cast<unsigned>(world.random() % 100);
        if (dice < 42) {
            if (!world.caller[caller].busy) order_call(world, caller, order);
        } else if (dice < 84) {
            if (!world.server[server].busy) order_serve(world, server, order);
        } else if (dice < 90) {
            order_expiry(world);
        } else if (dice < 94) {
            if (!world.server[server].busy) order_death(world, server);
        } else if (world.rights < 3 && dice < 98) {
            change_rights(world, +1);
        } else if (world.rights > 0) {
            change_rights(world, -1);
        }
    }
    static void settle(World& world) {
        order_expiry(world);
        while (world.rights > 0) change_rights(world, -1);
        for (int i = 0; i < servers; ++i) {
            if (world.server[i].busy) continue;
            order_serve(world, i, Puppet::Order::expiring_act);  // pays what it owes
        }
        order_expiry(world);
        // Those who wait without a deadline: a call each, which expires.
        while (!world.waiting.empty()) {
            change_rights(world, +1);
            const int server = world.waiting.front();
            order_call(world, 0, Puppet::Order::expiring_act);
            change_rights(world, -1);
            order_death(world, server);
        }
        for (Puppet& puppet : world.caller) run(puppet, Puppet::Order::end, 0);
        for (Puppet& puppet : world.server) run(puppet, Puppet::Order::end, 0);
    }
};

TEST_F(EndpointModel, TenThousandRandomStepsOfThreeServersAndFourCallers) {
    in_kernel([] {
        World world;
        hal::IrqGuard masked;
        for (Puppet& puppet : world.caller) make(world, puppet, false);
        for (Puppet& puppet : world.server) make(world, puppet, true);
        change_rights(world, +1);
        for (int step = 0; step < 10'000; ++step) {
            random_step(world);
            expect_quiet(world);
            if (HasFatalFailure()) {
                ADD_FAILURE() << "at step " << step;
                hal::power_off(hal::PowerOff::failure);
            }
        }
        settle(world);
    });
}

}  // namespace
}  // namespace exo
