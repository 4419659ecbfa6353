// SPDX-License-Identifier: GPL-2.0-or-later
// A sink that has a thread of its own: the engine copies its events into batches and runs on, while model, profile and
// writer work behind it, in the same order. Pays where there are two cores; costs a few MB.
#pragma once
#include <memory>
#include <sim/events.hpp>

namespace sim {

class ThreadedSink : public EventSink {
  public:
    // Blocks until everything has been told to the sink behind. Throws what that threw, after which it got no more.
    virtual void finish() = 0;
    // Without finish(), what has not been told yet is dropped.
};

// `behind` and the code blocks must outlive it; `behind` is called by the other thread until finish() returns.
std::unique_ptr<ThreadedSink> make_threaded_sink(EventSink& behind);

}  // namespace sim
