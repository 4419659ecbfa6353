// SPDX-License-Identifier: GPL-2.0-or-later
// A CPU as the model has it: its file (sim/timing/cpus/NAME.json) with sizes and widths, LLVM's scheduling data and the
// overlay that the file names.
#pragma once
#include <memory>
#include <sim/timing/machine.hpp>
#include <sim/timing/overlay.hpp>
#include <sim/timing/provenance.hpp>
#include <sim/timing/scheduling.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace sim::timing {

// A number of the CPU's file.
struct Parameter {
    std::string name;  // "load_integer"
    std::string value;
    Evidence evidence;
};

struct Cpu {
    std::string name, file;     // "znver4"; where it was read from
    std::string describes;      // "AMD Zen 4 (EPYC 9004, Ryzen 7000)"
    bool ideal = false;         // an instruction a cycle, and nothing else costs anything
    bool micro_fusion = false;  // the table counts operations that are dispatched in one slot with their load or store
    Machine machine;
    UnitNames units;
    Scheduling scheduling;
    Overlay overlay;
    std::vector<Parameter> parameters;

    ProvenanceCounts counts() const;  // of parameters and the overlay's entries
    Provenance origin(std::string_view parameter) const;
};

// `cpu`: a name of cpu_names(), or the path of a file of that kind (with a slash or .json), whose overlays are paths
// beside it unless they are built in. Throws DataError.
std::shared_ptr<const Cpu> load_cpu(std::string_view cpu);
std::vector<std::string> cpu_names();  // built in

}  // namespace sim::timing
