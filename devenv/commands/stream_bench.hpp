// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev bench --self: what each layer of `sim --engine qemu` costs, in QEMU and in exo-dev.
#pragma once
#include <devenv/view/stream_bench_report.hpp>
#include <sim/image/image.hpp>

namespace devenv {

// Layers in turns, `batches` times, the medians of which are told. Without QEMU the report says why it has no rows.
// Throws Failure if a guest fails or the user interrupts.
StreamReport stream_bench(const sim::Image&, unsigned batches, bool quick);

}  // namespace devenv
