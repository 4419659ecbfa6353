// SPDX-License-Identifier: GPL-2.0-or-later
// Machine code, a byte after the other: the few encodings that generated sequences need (SDM 2, chapter 2).
#pragma once
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace sim::lockstep {

// SplitMix64.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t x = state_ += 0x9e3779b97f4a7c15;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
    }
    unsigned below(unsigned n) { return unsigned(next() % n); }
    bool chance(unsigned one_in) { return below(one_in) == 0; }
    template <typename T>
    T pick(std::initializer_list<T> from) {
        return from.begin()[below(unsigned(from.size()))];
    }

  private:
    std::uint64_t state_;
};

// A register, or memory at an absolute 32-bit address or at [rbx].
struct Operand {
    enum class Kind : std::uint8_t { reg, absolute, rbx } kind;
    std::uint32_t value;  // register number or address
    static Operand reg(unsigned number) { return {Kind::reg, number}; }
    static Operand at(std::uint32_t address) { return {Kind::absolute, address}; }
    static Operand at_rbx() { return {Kind::rbx, 3}; }
};

class Emitter {
  public:
    explicit Emitter(std::uint64_t address) : address_(address) {}

    std::uint64_t here() const { return address_ + bytes_.size(); }
    const std::vector<std::uint8_t>& bytes() const { return bytes_; }

    void raw(std::initializer_list<unsigned> list) {
        for (const unsigned byte : list) bytes_.push_back(std::uint8_t(byte));
    }
    void number(std::uint64_t value, unsigned size) {
        for (unsigned i = 0; i < size; ++i) bytes_.push_back(std::uint8_t(value >> (8 * i)));
    }
    // Prefixes for an operand of `bits`, an opcode, and its ModRM operand. `reg` is the register or the opcode's digit.
    // `byte_registers`: with 8 bits always a REX prefix, so that numbers 4 to 7 are SPL to DIL.
    void modrm(unsigned bits, std::initializer_list<unsigned> opcode, unsigned reg, Operand rm, unsigned prefix = 0) {
        if (prefix) raw({prefix});
        if (bits == 16) raw({0x66});
        const unsigned base = rm.kind == Operand::Kind::reg ? rm.value : 0;
        const unsigned rex = 0x40 | (bits == 64 ? 8 : 0) | (reg >> 3) << 2 | base >> 3;
        if (rex != 0x40 || bits == 8) raw({rex});
        raw(opcode);
        switch (rm.kind) {
            case Operand::Kind::reg:
                raw({0xc0 | (reg & 7) << 3 | (rm.value & 7)});
                break;
            case Operand::Kind::absolute:
                raw({(reg & 7) << 3 | 4, 0x25});
                number(rm.value, 4);
                break;
            case Operand::Kind::rbx:
                raw({(reg & 7) << 3 | 3});
                break;
        }
    }
    void load(unsigned reg, std::uint64_t value) {  // movabs
        raw({0x48 | reg >> 3, 0xb8 | (reg & 7)});
        number(value, 8);
    }
    void store(std::uint32_t address, std::uint32_t value) {  // mov qword [address], sign-extended
        raw({0x48, 0xc7, 0x04, 0x25});
        number(address, 4);
        number(value, 4);
    }
    void flags(std::uint32_t value) {  // push; popf
        raw({0x68});
        number(value, 4);
        raw({0x9d});
    }
    void jump(std::uint64_t target) {
        raw({0xe9});
        number(target - (here() + 4), 4);
    }
    void patch32(std::size_t at, std::uint32_t value) {
        for (unsigned i = 0; i < 4; ++i) bytes_[at + i] = std::uint8_t(value >> (8 * i));
    }
    void overwrite(std::size_t at, std::uint8_t opcode, std::uint32_t value) {
        bytes_[at] = opcode;
        patch32(at + 1, value);
    }

  private:
    std::uint64_t address_;
    std::vector<std::uint8_t> bytes_;
};

}  // namespace sim::lockstep
