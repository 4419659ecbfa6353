// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dump-scheduling CPU: LLVM's scheduling data of a CPU as the text that sim/timing/data holds. LLVM knows it only
// while a program runs; written down, an update of LLVM shows as a reviewed difference.
//
// Groups of units appear as the units that they are made of, and each instruction's use as the smallest groups that
// explain it: LLVM counts a use of a unit for every group that contains it.
#include <llvm/Config/llvm-config.h>
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Triple.h>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

struct Target {
    std::unique_ptr<llvm::MCRegisterInfo> registers;
    std::unique_ptr<llvm::MCInstrInfo> instructions;
    std::unique_ptr<llvm::MCSubtargetInfo> subtarget;
    const llvm::MCSchedModel& model() const { return subtarget->getSchedModel(); }
};

// Units by index; a group is the multiset of its units.
std::vector<std::multiset<unsigned>> unit_sets(const llvm::MCSchedModel& model) {
    std::vector<std::multiset<unsigned>> sets(model.getNumProcResourceKinds());
    for (unsigned i = 1; i < sets.size(); ++i) {
        const auto* resource = model.getProcResource(i);
        for (unsigned k = 0; k < resource->NumUnits; ++k)
            sets[i].insert(resource->SubUnitsIdxBegin ? resource->SubUnitsIdxBegin[k] : i);
    }
    return sets;
}

// What all names of a model's resources begin with (Zn4, SKX).
std::string plain_name(const char* name) {
    const std::string text = name;
    for (const char* prefix : {"Zn4", "Zn5", "Zn3", "SKX"})
        if (text.starts_with(prefix)) return text.substr(3);
    return text;
}

std::string group_name(const llvm::MCSchedModel& model, const std::multiset<unsigned>& units) {
    std::string name;
    for (auto unit = units.begin(); unit != units.end(); unit = units.upper_bound(*unit)) {
        name += (name.empty() ? "" : "|") + plain_name(model.getProcResource(*unit)->Name);
        if (const auto n = units.count(*unit); n > 1) name += "*" + std::to_string(n);
    }
    return name;
}

std::string resources(const Target& target, const llvm::MCSchedClassDesc& description,
                      const std::vector<std::multiset<unsigned>>& sets) {
    struct Use {
        unsigned resource;
        int cycles;
    };
    std::vector<Use> uses;
    for (const auto* use = target.subtarget->getWriteProcResBegin(&description);
         use != target.subtarget->getWriteProcResEnd(&description); ++use)
        uses.push_back({use->ProcResourceIdx, int(use->ReleaseAtCycle) - int(use->AcquireAtCycle)});
    std::ranges::stable_sort(uses, {}, [&](const Use& use) { return sets[use.resource].size(); });
    std::string text;
    for (std::size_t i = 0; i < uses.size(); ++i) {
        if (uses[i].cycles <= 0) continue;
        for (std::size_t k = i + 1; k < uses.size(); ++k)
            if (std::ranges::includes(sets[uses[k].resource], sets[uses[i].resource])) uses[k].cycles -= uses[i].cycles;
        text += (text.empty() ? "" : ",") + group_name(target.model(), sets[uses[i].resource]) + ":" +
                std::to_string(uses[i].cycles);
    }
    return text;
}

// Operands that differ: variants of a class (idioms, moves that are eliminated) are the general case.
llvm::MCInst general_case(const Target& target, unsigned opcode) {
    llvm::MCInst inst;
    inst.setOpcode(opcode);
    unsigned number = 1;
    for (const auto& operand : target.instructions->get(opcode).operands()) {
        if (operand.RegClass < 0) {
            inst.addOperand(llvm::MCOperand::createImm(1));
            continue;
        }
        const auto& registers = target.registers->getRegClass(operand.RegClass);
        const unsigned count = registers.getNumRegs();
        inst.addOperand(llvm::MCOperand::createReg(count ? registers.getRegister(number++ % count).id() : 0));
    }
    return inst;
}

// One line of costs, or "" if LLVM has none.
std::string costs(const Target& target, unsigned opcode, const std::vector<std::multiset<unsigned>>& sets) {
    const llvm::MCInst inst = general_case(target, opcode);
    unsigned number = target.instructions->get(opcode).getSchedClass();
    const auto& model = target.model();
    for (int depth = 0; number && model.getSchedClassDesc(number)->isVariant() && depth < 8; ++depth)
        number = target.subtarget->resolveVariantSchedClass(number, &inst, target.instructions.get(),
                                                            model.getProcessorID());
    const auto& description = *model.getSchedClassDesc(number);
    if (!number || !description.isValid() || description.isVariant()) return {};
    std::string text = "uops=" + std::to_string(description.NumMicroOps) + " latency=";
    for (unsigned i = 0; i < description.NumWriteLatencyEntries; ++i)
        text += (i ? "," : "") + std::to_string(target.subtarget->getWriteLatencyEntry(&description, i)->Cycles);
    int advance = 0;
    for (const auto& entry : target.subtarget->getReadAdvanceEntries(description))
        advance = std::max(advance, entry.Cycles);
    return text + " advance=" + std::to_string(advance) + " units=" + resources(target, description, sets);
}

bool of_apx(std::string_view name) {
    return name.ends_with("_EVEX") || name.find("_NF") != name.npos || name.find("_ND") != name.npos;
}

int dump(const char* cpu) {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    const llvm::Triple triple("x86_64-unknown-none-elf");
    std::string error;
    const llvm::Target* x86 = llvm::TargetRegistry::lookupTarget(triple, error);
    if (!x86) return std::fprintf(stderr, "exo-dump-scheduling: %s\n", error.c_str()), 4;
    Target target{std::unique_ptr<llvm::MCRegisterInfo>(x86->createMCRegInfo(triple)),
                  std::unique_ptr<llvm::MCInstrInfo>(x86->createMCInstrInfo()),
                  std::unique_ptr<llvm::MCSubtargetInfo>(x86->createMCSubtargetInfo(triple, "", ""))};
    if (!target.subtarget->isCPUStringValid(cpu))
        return std::fprintf(stderr, "exo-dump-scheduling: LLVM %s has no CPU '%s'\n", LLVM_VERSION_STRING, cpu), 2;
    target.subtarget.reset(x86->createMCSubtargetInfo(triple, cpu, ""));
    const auto& model = target.model();
    const auto sets = unit_sets(model);
    std::map<std::string, std::string> rows;
    for (unsigned opcode = 0; opcode < target.instructions->getNumOpcodes(); ++opcode) {
        const std::string_view name = target.instructions->getName(opcode);
        if (target.instructions->get(opcode).isPseudo() || of_apx(name)) continue;
        if (const std::string row = costs(target, opcode, sets); !row.empty()) (rows[row] += " ") += name;
    }
    std::printf("# LLVM %s, %s. Written by exo-dump-scheduling; not to be edited.\n", LLVM_VERSION_STRING, cpu);
    for (const auto& [row, names] : rows) std::printf("%s\n%s\n", row.c_str(), names.c_str());
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count == 2) return dump(arguments[1]);
    std::fprintf(stderr, "usage: exo-dump-scheduling CPU (as LLVM names it: znver4, skylake-avx512, ...)\n");
    return 2;
}
