// SPDX-License-Identifier: GPL-2.0-or-later
// Code blocks, images and event streams made by hand, so that timing, trace and profile are tested without an engine.
#pragma once
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <sim/image/image.hpp>
#include <sim/trace/profile.hpp>
#include <sim/trace/trace.hpp>
#include <string>
#include <vector>

namespace synthetic {

constexpr std::uint16_t rax = 1, rcx = 2, rdx = 4, rbx = 8, rsp = 16, rbp = 32, rsi = 64, rdi = 128;
constexpr std::uint64_t kernel_base = 0xffffffff80000000, load_base = 0x200000;

// An image without segments: functions and marks are what a test says.
class FakeImage final : public sim::Image {
  public:
    std::map<std::uint64_t, std::string> functions;  // by start; each ends where the next starts
    std::vector<sim::Mark> all_marks;
    std::vector<std::uint8_t> file{'i', 'm', 'a', 'g', 'e'};

    const std::string& name() const override { return name_; }
    std::span<const std::uint8_t> bytes() const override { return file; }
    std::uint64_t entry_physical() const override { return load_base; }
    std::optional<std::uint64_t> pvh_entry() const override { return std::nullopt; }
    std::span<const sim::Segment> segments() const override { return {}; }
    std::span<const sim::Mark> marks() const override { return all_marks; }
    std::string build_id() const override { return "00"; }
    const sim::Location& locate(std::uint64_t address) const override {
        sim::Location& location = locations_[address];
        if (auto it = functions.upper_bound(address); it != functions.begin())
            location.function = std::prev(it)->second;
        return location;
    }
    std::uint64_t function_start(std::uint64_t address) const override {
        auto it = functions.upper_bound(address);
        return it == functions.begin() ? 0 : std::prev(it)->first;
    }
    std::optional<std::uint64_t> symbol(std::string_view) const override { return std::nullopt; }

  private:
    std::string name_ = "fake.elf";
    mutable std::map<std::uint64_t, sim::Location> locations_;
};

// Instructions one after the other from an address.
class CodeBuilder {
  public:
    CodeBuilder(sim::CodeId id, std::uint64_t address) {
        code_.id = id;
        code_.version = 0;
        code_.address = address;
        code_.physical_address = address - kernel_base + load_base;
    }
    sim::Instruction& add(std::initializer_list<std::uint8_t> bytes, std::uint16_t reads = 0,
                          std::uint16_t writes = 0) {
        sim::Instruction instruction{};
        instruction.address = code_.address + code_.bytes.size();
        instruction.length = static_cast<std::uint8_t>(bytes.size());
        instruction.reads = reads;
        instruction.writes = writes;
        code_.bytes.insert(code_.bytes.end(), bytes);
        code_.instructions.push_back(instruction);
        return code_.instructions.back();
    }
    sim::Instruction& add_rax_rax() {  // add rax, rax: a chain of one cycle each
        sim::Instruction& i = add({0x48, 0x01, 0xc0}, rax, rax);
        i.writes_flags = true;
        return i;
    }
    sim::Instruction& nop() { return add({0x90}); }
    sim::Instruction& load_rax_rdi() {  // mov rax, [rdi]
        sim::Instruction& i = add({0x48, 0x8b, 0x07}, rdi, rax);
        i.operand_count = 1;
        i.memory[0] = {.base = 7, .kind = sim::AccessKind::load, .size = 8};
        return i;
    }
    sim::Instruction& store_rdi_rcx() {  // mov [rdi], rcx
        sim::Instruction& i = add({0x48, 0x89, 0x0f}, rdi | rcx, 0);
        i.operand_count = 1;
        i.memory[0] = {.base = 7, .kind = sim::AccessKind::store, .size = 8};
        return i;
    }
    sim::Instruction& jnz() {  // jnz back
        sim::Instruction& i = add({0x75, 0xf0});
        i.flow = sim::Flow::conditional;
        i.reads_flags = true;
        return i;
    }
    sim::Instruction& special(std::initializer_list<std::uint8_t> bytes, sim::Special special) {
        sim::Instruction& i = add(bytes);
        i.special = special;
        return i;
    }
    sim::CodeBlock take() { return std::move(code_); }

  private:
    sim::CodeBlock code_{};
};

inline sim::Access access(std::uint16_t instruction, sim::AccessKind kind, std::uint64_t address, std::uint8_t size = 8,
                          bool io = false) {
    return {instruction, kind, size, io, address, address & 0xffffff};
}

// A program of random blocks, loops, strides, faults, interrupts and REP moves: the same for the same seed.
class RandomProgram {
  public:
    explicit RandomProgram(std::uint32_t seed, unsigned blocks = 40) : random_(seed) {
        std::uint64_t address = kernel_base + 0x1000;
        for (unsigned id = 0; id < blocks; ++id) {
            CodeBuilder builder(id, address);
            unsigned length = 1 + pick(12);
            for (unsigned i = 0; i < length; ++i) add_instruction(builder);
            builder.jnz();
            code_.push_back(builder.take());
            address += code_.back().bytes.size() + pick(3);
        }
    }
    void run(sim::EventSink& sink, std::uint64_t instructions) {
        std::vector<bool> announced(code_.size());
        std::uint64_t index = 0;
        sim::CodeId id = 0;  // in order of first execution
        sink.on_input({0, 0, sim::InputKind::start, 0, 42});
        while (index < instructions) {
            sim::CodeBlock& code = code_[next_];
            if (!announced[next_]) {
                announced[next_] = true;
                code.id = id++;
                sink.on_code(code);
            }
            index += run_block(sink, code, index);
            if (pick(8) == 0) next_ = pick(static_cast<unsigned>(code_.size()));
        }
    }

  private:
    unsigned pick(unsigned bound) { return static_cast<unsigned>(random_() % bound); }

    void add_instruction(CodeBuilder& builder) {
        switch (pick(6)) {
            case 0:
                builder.load_rax_rdi();
                break;
            case 1:
                builder.store_rdi_rcx();
                break;
            case 2:
                builder.nop();
                break;
            case 3:
                if (pick(8) == 0) {
                    sim::Instruction& i = builder.special({0xf3, 0xa4}, sim::Special::string);  // rep movsb
                    i.rep = true;
                }
                [[fallthrough]];
            default:
                builder.add_rax_rax();
                break;
        }
    }

    std::uint64_t run_block(sim::EventSink& sink, const sim::CodeBlock& code, std::uint64_t index) {
        auto all = static_cast<std::uint32_t>(code.instructions.size());
        std::uint32_t first = 0, count = all;
        if (pick(50) == 0) count = pick(all);
        else if (pick(50) == 0) count -= first = pick(all);
        accesses_.clear();
        cursor_ += pick(10) ? 8 : std::uint64_t{pick(100000)} * 16;
        for (std::uint32_t i = first; i < first + count; ++i) add_accesses(code.instructions[i], i);
        bool taken = count == all && pick(5);
        sink.on_block({pick(100) ? 0u : 1u, &code, first, count, index, taken, accesses_});
        if (count != all) sink.on_transfer(random_transfer(index + count));
        if (pick(100) == 0) sink.on_control({0, index + count, sim::ControlKind::cr3, 0, random_()});
        if (pick(100) == 0) sink.on_halt({0, index + count, pick(100000)});
        if (pick(60) == 0) sink.on_input({0, index + count, sim::InputKind::tsc, 0, random_()});
        return count;
    }
    void add_accesses(const sim::Instruction& instruction, std::uint32_t number) {
        auto at = static_cast<std::uint16_t>(number);
        std::uint64_t address = 0xffff888000000000 + cursor_ % 0x400000;
        if (instruction.special == sim::Special::string) {
            unsigned bytes = pick(20) ? pick(30) : pick(600);
            for (unsigned k = 0; k < bytes; ++k) {
                accesses_.push_back(access(at, sim::AccessKind::load, address + k, 1));
                accesses_.push_back(access(at, sim::AccessKind::store, address + 0x10000 + k, 1));
            }
        } else if (instruction.operand_count) {
            accesses_.push_back(access(at, instruction.memory[0].kind, address, 8, pick(500) == 0));
        }
    }
    sim::Transfer random_transfer(std::uint64_t index) {
        auto kind = static_cast<sim::TransferKind>(pick(3));
        return {0,         index,     kind,     static_cast<std::uint8_t>(pick(256)), pick(2) == 0, pick(9),
                random_(), random_(), random_()};
    }

    std::mt19937_64 random_;
    std::deque<sim::CodeBlock> code_;
    std::vector<sim::Access> accesses_;
    std::uint64_t cursor_ = 0;
    unsigned next_ = 0;
};

}  // namespace synthetic
