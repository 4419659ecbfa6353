// SPDX-License-Identifier: MIT
// Synchronous call and reply. A caller hands over four words and blocks; a server that waits is switched to directly,
// without the scheduler. The server then owes exactly one reply: the caller hangs on the server's `reply_to` queue (the
// one-shot reply right), so a deadline, the server's death or a second reply can never reach the wrong thread. A
// partner that lives on another CPU is posted there instead of switched to.
#pragma once
#include <cap/object.hpp>
#include <lib/result.hpp>
#include <sched/wait_queue.hpp>

namespace exo {

struct Thread;

class Endpoint : public Object {
  public:
    static constexpr ObjectType object_type = ObjectType::endpoint;
    static Result<Ref<Endpoint>> create();
    static void destroy(Endpoint&);
    Endpoint() : Object(object_type) {}

    // The calling thread's message goes out of thread.message and the reply comes back there. Interrupts masked;
    // blocks. timeout, or peer_dead when the server ended or nobody holds the right to serve.
    Result<> call(std::uint64_t deadline_ns);
    // Replies to the caller that is owed one, if any (its message is thread.message), then waits for the next call: its
    // badge comes back, its message in thread.message. Interrupts masked; blocks. timeout.
    Result<std::uint64_t> reply_and_wait(std::uint64_t deadline_ns);

    void handles_changed(std::uint32_t rights, int by);

  private:
    Result<> hand_over(Thread& server, std::uint64_t deadline_ns);

    std::atomic<std::uint32_t> servers_ = 0;  // handles with the right to serve
    // A caller and a server must not miss each other: who finds nobody in one queue joins the other under one lock.
    WaitLock lock_;
    WaitQueue waiting_servers_{lock_};
    WaitQueue callers_{lock_};  // nobody has taken their call yet
};

}  // namespace exo
