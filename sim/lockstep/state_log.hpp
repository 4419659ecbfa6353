// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's log as a stream of states: the text of `-d exec,cpu,fpu,nochain`, a dump of the CPU before each translation
// block, which is one instruction with -singlestep.
//
// A block is told before it is known whether it runs: a line "Stopped execution" takes it back, as when an interrupt is
// due first. A block that reaches a device is told twice: a state equal to the one before is dropped. Whatever else is
// in the log is skipped; a dump that lacks a register, has one twice, or names another address than its block's is an
// error, never a state.
#pragma once
#include <cstdint>
#include <functional>
#include <sim/imposed.hpp>
#include <string>
#include <string_view>

namespace sim::lockstep {

class StateLog {
  public:
    // More of the text, valid until the next call; blocks. Empty: that was all.
    using Read = std::function<std::string_view()>;
    explicit StateLog(Read read) : read_(std::move(read)) {}

    // False: the log has ended. Throws EngineError if it is damaged, with its line's number and text. Memory is
    // bounded: one line (its first 1,024 bytes) and two states.
    bool next(ArchitecturalState&);

    // Outside of 64-bit code a dump has no R8-R15, no XMM8-XMM15, and no upper halves: takes those from `other`.
    static void complete(ArchitecturalState& told, const ArchitecturalState& other);

  private:
    bool next_line();
    void begin(std::string_view line);
    void take(std::string_view line);
    bool take_field(std::string_view key, std::string_view& rest);
    void set(unsigned bit, std::uint64_t& to, std::string_view& rest);
    void set_pair(unsigned bit, std::uint64_t& first, std::uint64_t& second, std::string_view& rest);
    void set_segment(unsigned index, std::string_view& rest, bool table);
    void finish_dump();
    bool tell(ArchitecturalState&);
    [[noreturn]] void damaged(const char* why) const;

    Read read_;
    std::string_view rest_;  // of what was read last
    std::string line_;
    std::uint64_t line_number_ = 0;
    ArchitecturalState dump_{}, told_{};
    std::uint64_t address_ = 0;                    // of the block whose dump this is
    std::uint64_t seen_ = 0;                       // a bit a field
    bool in_dump_ = false, wide_ = false;          // 64-bit code
    bool complete_ = false, told_before_ = false;  // the dump is; told_ is one
    unsigned equal_ = 0;                           // dropped in a row
};

}  // namespace sim::lockstep
