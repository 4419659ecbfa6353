// SPDX-License-Identifier: GPL-2.0-or-later
// Blocks of decoded instructions, decoded once and looked up by virtual and physical address and by what kind of
// code (16, 32 or 64 bits) they were decoded as.
//
// Each time control enters a block its bytes are compared with RAM: that is cheaper than tracking every way code can
// change (aliases, device and host writes) and misses none. Changed code is another version of the block; code that
// changes back gets its old version again. Blocks live as long as the cache.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <sim/board/memory.hpp>
#include <sim/events.hpp>
#include <sim/image/decoder.hpp>
#include <sim/unicorn/address_space.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace sim::unicorn {

// One instruction as the hook wants it. `match` is its address if it may take the fast path, `no_match` if it needs
// attention before or after it executes.
struct Step {
    std::uint64_t match;
    const Instruction* instruction;  // null: end of the block
};
inline constexpr std::uint64_t no_match = 0x8000'0000'0000'0001;  // not canonical: no instruction is there

struct CachedBlock {
    CodeBlock code;
    CodeMode mode;
    std::vector<Step> steps;                   // one more than instructions: the last one ends the block
    const std::uint8_t* memory = nullptr;      // where its bytes are in RAM; null if that could not be found out
    std::uint32_t first_bytes = 0;             // in the first page; the rest is in the second
    std::uint64_t second_physical = unmapped;  // start of the second page, if an instruction reaches into it
    const std::uint8_t* second_memory = nullptr;
    CachedBlock* older = nullptr;  // another version
    std::uint32_t generation = 0;  // of the page marks: older than the cache's if its pages may have lost theirs
    std::uint16_t marked_for = 0;  // CPUs, a bit each, that have marked the pages since
    bool runs_on = false;          // straight into the next page, which the engine then translates too
    bool announced = false;        // the sink has been told

    // Does RAM still hold what was decoded?
    bool current() const {
        return memory && std::memcmp(memory, code.bytes.data(), first_bytes) == 0 &&
               (!second_memory ||
                std::memcmp(second_memory, code.bytes.data() + first_bytes, code.bytes.size() - first_bytes) == 0);
    }
};

class CodeCache {
  public:
    explicit CodeCache(Memory&);  // throws what Decoder::make throws

    struct Place {
        CachedBlock* block = nullptr;
        unsigned index = 0;
    };
    // The code at `address`, which is about to be executed: the block that begins there, or the rest of one that was
    // cut short there. `fetched_bytes`: what the engine says is the length of its first instruction, used only if the
    // code cannot be found or decoded.
    Place find(AddressSpace& space, std::uint64_t address, CodeMode mode, std::uint32_t fetched_bytes,
               std::uint16_t cpu_bit) {
        CachedBlock* block = recent_[address % recent_.size()];
        const std::uint64_t physical = space.translate(address);
        if (block && block->code.address == address && block->code.physical_address == physical &&
            block->mode == mode && block->generation == generation_ && (block->marked_for & cpu_bit) &&
            valid(space, *block)) [[likely]]
            return {block, 0};
        return find_slowly(space, {address, physical, mode}, fetched_bytes, cpu_bit);
    }

    // Where the last instruction ends that lies wholly in this address's page, going straight on. `address` itself:
    // none.
    std::uint64_t line_end(AddressSpace&, std::uint64_t address, CodeMode);
    // The instruction in words: "mov eax, 5".
    std::string text(const CachedBlock&, const Instruction&);

    // An exception or interrupt cut the block short before this instruction: control will probably come back to it.
    void remember(CachedBlock*, unsigned index);

    // The blocks, which others may refer to, for whom they must outlive the cache.
    std::shared_ptr<std::deque<CachedBlock>> blocks() const { return blocks_; }

    // Does a page of RAM hold code that was executed since its mark was last taken away?
    bool holds_code(std::uint64_t physical) const {
        return physical < memory_.bytes() && code_pages_[physical / page_bytes];
    }

    // CPUs, a bit each, whose instances may have translated code in this page.
    std::uint16_t translated_by(std::uint64_t physical) const {
        return physical < memory_.bytes() ? engine_pages_[physical / page_bytes] : 0;
    }
    // These CPUs' instances forget what they have translated of the page.
    void forget(std::uint64_t physical, std::uint16_t cpu_bits);
    // A CPU goes on in the middle of a block: its page holds code, whatever happened to its mark meanwhile.
    void mark(AddressSpace&, CachedBlock&, std::uint16_t cpu_bit);
    // A page was written to: unless `running` is in it, it is taken for a data page until code in it is entered again.
    void unmark(std::uint64_t physical, const CachedBlock& running);
    // The same for every page, when this CPU's instance has forgotten all its translations.
    void unmark_all(std::uint16_t cpu_bit);

  private:
    struct Key {
        std::uint64_t address, physical;
        CodeMode mode;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const { return (key.address ^ key.physical << 20) * 0x9e3779b97f4a7c15; }
    };

    bool valid(AddressSpace& space, const CachedBlock& block) {
        return block.current() && (!block.second_memory || space.translate((block.code.address & -page_bytes) +
                                                                           page_bytes) == block.second_physical);
    }
    Place find_slowly(AddressSpace&, const Key&, std::uint32_t fetched_bytes, std::uint16_t cpu_bit);
    Place resume(AddressSpace&, const Key&);
    CachedBlock& decode(AddressSpace&, const Key&, std::uint32_t fetched_bytes);
    Decoder& decoder(CodeMode);  // made at first use
    void decode_line(CachedBlock&);
    void decode_across_pages(AddressSpace&, CachedBlock&);

    Memory& memory_;
    std::array<std::unique_ptr<Decoder>, 5> decoders_;  // by mode
    std::array<CachedBlock*, 1 << 14> recent_{};
    std::array<Place, 256> cut_{};  // where blocks were cut short, by address
    std::unordered_map<Key, CachedBlock*, Hash> newest_;
    std::shared_ptr<std::deque<CachedBlock>> blocks_ = std::make_shared<std::deque<CachedBlock>>();
    std::vector<std::uint8_t> code_pages_;     // marks, by physical page
    std::vector<std::uint16_t> engine_pages_;  // translated_by: unmark does not take it away
    std::uint32_t generation_ = 0;             // how often marks were taken away
};

}  // namespace sim::unicorn
