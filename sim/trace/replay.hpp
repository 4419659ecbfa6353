// SPDX-License-Identifier: GPL-2.0-or-later
// A stored run as the stream that it was: what a trace holds, to a sink, in the order in which the engine told it, so
// that a model of any CPU can time it again without the guest.
#pragma once
#include <atomic>
#include <sim/events.hpp>
#include <sim/trace/trace.hpp>

namespace sim {

// For TraceReader::walk(). Stored cycles are passed over. The walk ends when `stop` (may be null) becomes true.
TraceVisitor replay_to(EventSink&, const std::atomic<bool>* stop = nullptr);

}  // namespace sim
