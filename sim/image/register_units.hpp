// SPDX-License-Identifier: GPL-2.0-or-later
// LLVM's registers as the units of operands.hpp.
#pragma once
#include <llvm/MC/MCInst.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <cstdint>
#include <sim/image/operands.hpp>
#include <string_view>
#include <vector>

namespace sim::detail {

class RegisterUnits {
  public:
    explicit RegisterUnits(const llvm::MCRegisterInfo&);

    // `name`: LLVM's of the opcode. memory: where the encoded memory operand starts; beyond the operands: there is
    // none.
    Operands list(const llvm::MCInst&, const llvm::MCInstrDesc&, std::string_view name, unsigned memory) const;

  private:
    struct Known {
        std::uint8_t unit = 0xff;
        std::uint8_t bytes = 0;
        bool merges = false;  // a write to it keeps the rest of the register
        bool high = false;
    };
    void add(Operands&, unsigned reg, bool written) const;

    std::vector<Known> known_;  // by LLVM's number
    unsigned flags_ = 0;
};

}  // namespace sim::detail
