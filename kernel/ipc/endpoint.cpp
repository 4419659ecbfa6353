// SPDX-License-Identifier: MIT
#include <core/process.hpp>
#include <ipc/endpoint.hpp>
#include <mem/slab.hpp>
#include <sched/scheduler.hpp>

namespace exo {

namespace {

constinit ObjectCache<Endpoint> endpoint_cache{"endpoint"};

void copy_message(Thread& to, const Thread& from) {
    for (unsigned i = 0; i < 4; ++i) to.message[i] = from.message[i];
    to.badge = from.process == nullptr ? 0 : from.process->id();
}

Result<> result_of(WaitReason reason) {
    switch (reason) {
        case WaitReason::woken:
            return {};
        case WaitReason::dead:
            return Error::peer_dead;
        case WaitReason::timeout:
        case WaitReason::interrupted:
            break;
    }
    return Error::timeout;
}

}  // namespace

Result<Ref<Endpoint>> Endpoint::create() { return Ref<Endpoint>::adopt(*EXO_TRY(endpoint_cache.make())); }
void Endpoint::destroy(Endpoint& endpoint) { endpoint_cache.destroy(endpoint); }

// The server is claimed: its message is ours to write, and it cannot die before it runs. We wait for its reply first.
Result<> Endpoint::hand_over(Thread& server, std::uint64_t deadline_ns) {
    wait_detach(server);
    copy_message(server, *this_cpu().current);
    wait_begin({&server.reply_to}, deadline_ns);
    return result_of(wait_commit_and_run(server));
}

Result<> Endpoint::call(std::uint64_t deadline_ns) {
    Thread* server = nullptr;
    {
        ScopedLock guard(lock_);
        // The last server to go takes its right away first and then takes this lock: it finds us, or we see it here.
        if (servers_.load(std::memory_order_relaxed) == 0) return Error::peer_dead;
        server = waiting_servers_.take_locked(WaitReason::woken);
        if (server == nullptr) wait_begin_locked(callers_, deadline_ns);
    }
    if (server != nullptr) return hand_over(*server, deadline_ns);
    return result_of(wait_commit());
}

Result<std::uint64_t> Endpoint::reply_and_wait(std::uint64_t deadline_ns) {
    Thread& self = *this_cpu().current;
    Thread* caller = self.reply_to.take(WaitReason::woken);
    if (caller != nullptr) copy_message(*caller, self);
    Thread* next = nullptr;
    {
        ScopedLock guard(lock_);
        next = callers_.hold_locked();
        if (next == nullptr) wait_begin_locked(waiting_servers_, deadline_ns);
    }
    if (next != nullptr) {
        copy_message(self, *next);  // while it is held: its deadline cannot give its message back to it
        self.reply_to.add_held(*next);
        if (caller != nullptr) make_runnable(*caller);
        return self.badge;
    }
    EXO_TRY(result_of(caller != nullptr ? wait_commit_and_run(*caller) : wait_commit()));
    return self.badge;
}

void Endpoint::handles_changed(std::uint32_t rights, int by) {
    if ((rights & abi::right_serve) == 0) return;
    const auto change = static_cast<std::uint32_t>(by);
    if (servers_.fetch_add(change, std::memory_order_relaxed) + change == 0) wake_all(callers_, WaitReason::dead);
}

}  // namespace exo
