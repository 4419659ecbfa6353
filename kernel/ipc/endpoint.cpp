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

Result<> Endpoint::call(std::uint64_t deadline_ns) {
    if (servers_ == 0) return Error::peer_dead;
    Thread& self = *this_cpu().current;
    if (Thread* server = waiting_servers_.take(WaitReason::woken)) {
        copy_message(*server, self);
        wait_begin({&server->reply_to}, deadline_ns);
        return result_of(wait_commit_and_run(*server));
    }
    wait_begin({&callers_}, deadline_ns);
    return result_of(wait_commit());
}

Result<std::uint64_t> Endpoint::reply_and_wait(std::uint64_t deadline_ns) {
    Thread& self = *this_cpu().current;
    Thread* caller = self.reply_to.take(WaitReason::woken);
    if (caller != nullptr) copy_message(*caller, self);
    if (Thread* next = callers_.move_first(self.reply_to)) {
        copy_message(self, *next);
        if (caller != nullptr) make_runnable(*caller);
        return self.badge;
    }
    wait_begin({&waiting_servers_}, deadline_ns);
    EXO_TRY(result_of(caller != nullptr ? wait_commit_and_run(*caller) : wait_commit()));
    return self.badge;
}

void Endpoint::handles_changed(std::uint32_t rights, int by) {
    if ((rights & abi::right_serve) == 0) return;
    servers_ += static_cast<std::uint32_t>(by);
    if (servers_ == 0) wake_all(callers_, WaitReason::dead);
}

}  // namespace exo
