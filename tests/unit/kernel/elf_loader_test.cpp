// SPDX-License-Identifier: MIT
// Program files that nobody can trust: built by hand, cut at every byte, with bytes changed at random.
#include <core/elf_loader.hpp>
#include <cstring>
#include <random>

#include "booted_kernel.hpp"

namespace exo {
namespace {

constexpr std::uint32_t execute = 1, write = 2, read = 4, load = 1;

struct Segment {
    std::uint32_t type, flags;
    std::uint64_t offset, address, physical, file_bytes, memory_bytes, alignment;
};
static_assert(sizeof(Segment) == 56);

using File = std::vector<std::byte>;
constexpr std::uint64_t header_bytes = 64, body_bytes = 0x2345, entry = 0x40'0010;

template <typename T>
void put(File& file, std::size_t at, T value) {
    std::memcpy(file.data() + at, &value, sizeof value);
}

File build(const std::vector<Segment>& segments, std::uint64_t entry_address = entry) {
    const std::size_t body = header_bytes + segments.size() * sizeof(Segment);
    File file(body + body_bytes);
    const unsigned char ident[] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    std::memcpy(file.data(), ident, sizeof ident);
    put<std::uint16_t>(file, 16, 2);   // ET_EXEC
    put<std::uint16_t>(file, 18, 62);  // EM_X86_64
    put<std::uint32_t>(file, 20, 1);
    put<std::uint64_t>(file, 24, entry_address);
    put<std::uint64_t>(file, 32, header_bytes);
    put<std::uint16_t>(file, 52, header_bytes);
    put<std::uint16_t>(file, 54, sizeof(Segment));
    put<std::uint16_t>(file, 56, static_cast<std::uint16_t>(segments.size()));
    for (std::size_t i = 0; i < segments.size(); ++i) put(file, header_bytes + i * sizeof(Segment), segments[i]);
    for (std::size_t i = body; i < file.size(); ++i) file[i] = static_cast<std::byte>(i * 7 + 1);
    return file;
}

constexpr Segment code{load, read | execute, 0, 0x40'0000, 0, 0x1100, 0x1100, 4096};
constexpr Segment data{load, read | write, 0x1200, 0x40'3200, 0, 0x234, 0x4321, 4096};
constexpr Segment note{4, read, 0, 0, 0, 16, 16, 4};
const std::vector<Segment> usual = {note, code, data};

class ElfLoaderTest : public test::KernelTest {
  protected:
    // Loads into a space of its own; nothing may stay charged. Only three answers are allowed.
    static Result<hal::VirtAddr> try_load(const File& file, std::uint64_t quota_pages = 64) {
        Quota quota{quota_pages};
        const Result<AddressSpace*> space = AddressSpace::create();
        if (!space.ok()) return space.error();
        const File copy(file);  // exactly as long as it says: a sanitizer sees reads behind it
        const Result<hal::VirtAddr> result = load_elf(copy, **space, quota);
        AddressSpace::destroy(*space);
        EXPECT_EQ(quota.used_pages.load(), 0u);
        if (!result.ok()) {
            EXPECT_TRUE(result.error() == Error::bad_argument || result.error() == Error::no_memory)
                << static_cast<int>(result.error());
        }
        return result;
    }
    static void expect_bad(const std::vector<Segment>& segments, const char* why, std::uint64_t entry_address = entry) {
        const auto result = try_load(build(segments, entry_address));
        ASSERT_FALSE(result.ok()) << why;
        EXPECT_EQ(result.error(), Error::bad_argument) << why;
    }
    static Segment with(Segment segment, std::uint64_t Segment::*member, std::uint64_t value) {
        segment.*member = value;
        return segment;
    }
};

TEST_F(ElfLoaderTest, LoadsBytesZeroesAndRights) {
    in_kernel([] {
        Quota quota{64};
        AddressSpace* space = *AddressSpace::create();
        const File file = build(usual);
        const auto result = load_elf(file, *space, quota);
        ASSERT_TRUE(result.ok());
        EXPECT_EQ(result->value(), entry);
        for (const Segment& segment : {code, data}) {
            for (std::uint64_t i = 0; i < align_up(segment.memory_bytes, page_bytes); ++i) {
                const auto found = hal::translate(space->page_table(), hal::VirtAddr(segment.address + i));
                if (!found) {
                    ASSERT_GE(i, segment.memory_bytes);
                    continue;
                }
                ASSERT_EQ(hal::has(found->access, hal::Access::write), (segment.flags & write) != 0);
                ASSERT_EQ(hal::has(found->access, hal::Access::execute), (segment.flags & execute) != 0);
                ASSERT_TRUE(hal::has(found->access, hal::Access::user));
                const std::byte expected = i < segment.file_bytes ? file[segment.offset + i] : std::byte{0};
                ASSERT_EQ(*hal::phys_to_virt(found->frame), expected) << i;
            }
        }
        EXPECT_EQ(quota.used_pages.load(), 2u + 5u);
        AddressSpace::destroy(space);
    });
}

TEST_F(ElfLoaderTest, CutAnywhere) {
    in_kernel([] {
        const File whole = build(usual);
        const std::size_t needed = data.offset + data.file_bytes;
        for (std::size_t bytes = 0; bytes <= whole.size() && !HasFailure(); ++bytes) {
            const auto result = try_load(File(whole.begin(), whole.begin() + static_cast<long>(bytes)));
            EXPECT_EQ(result.ok(), bytes >= needed) << bytes;
        }
    });
}

TEST_F(ElfLoaderTest, TwentyThousandChangedBytes) {
    in_kernel([] {
        const FrameStats before = test::settled_frames();
        std::mt19937_64 random(10);
        const File whole = build(usual);
        unsigned loaded = 0;
        for (int i = 0; i < 20'000 && !HasFailure(); ++i) {
            File file = whole;
            for (unsigned change = 0; change <= random() % 3; ++change)
                file[random() % (header_bytes + 3 * sizeof(Segment))] = static_cast<std::byte>(random());
            loaded += try_load(file).ok();
        }
        EXPECT_GT(loaded, 100u) << "some bytes do not matter";
        EXPECT_LT(loaded, 19'000u) << "most do";
        EXPECT_EQ(test::settled_frames(), before);
    });
}

TEST_F(ElfLoaderTest, WhatMustBeRefused) {
    in_kernel([] {
        Segment both = data;
        both.flags = read | write | execute;
        expect_bad({code, both}, "writable and executable");
        expect_bad({data}, "no code");
        expect_bad({}, "no segments");
        expect_bad(usual, "entry in data", 0x40'3210);
        expect_bad(usual, "entry behind the code", 0x40'1100);
        expect_bad(usual, "entry before the code", 0x3f'ffff);
        expect_bad({with(code, &Segment::file_bytes, 0), data}, "entry where the file has no code");
        expect_bad({code, with(data, &Segment::address, 0x40'1200)}, "two segments in one page");
        expect_bad({code, code}, "the same place twice");
        expect_bad({code, with(data, &Segment::address, 0x3f'f200)}, "overlapping from below");
        for (const std::uint64_t address :
             {0ull, 0x200ull, 0x1200ull, 0xf200ull, 1ull << 40, (1ull << 40) - 0x1000, 0x7fff'ffff'f200ull,
              0x8000'0000'0000ull, 0xffff'ffff'8020'0200ull, ~0ull - 0x200, ~0ull})
            expect_bad({code, with(data, &Segment::address, address)}, "an address that is no program's");
        expect_bad({code, with(data, &Segment::offset, ~0ull)}, "offset");
        expect_bad({code, with(data, &Segment::offset, ~0ull - 0x100)}, "offset and size wrap round");
        expect_bad({code, with(data, &Segment::file_bytes, ~0ull)}, "size in the file");
        expect_bad({code, with(data, &Segment::memory_bytes, 0x233)}, "less memory than file");
        expect_bad({code, with(data, &Segment::memory_bytes, ~0ull)}, "size in memory");
        expect_bad({code, with(data, &Segment::memory_bytes, 1ull << 40)}, "size in memory");
    });
}

TEST_F(ElfLoaderTest, ThePlacesAtTheBorderAreGood) {
    in_kernel([] {
        EXPECT_TRUE(try_load(build({code, with(data, &Segment::address, 0x1'0000)})).ok());
        EXPECT_TRUE(try_load(build({code, with(data, &Segment::address, (1ull << 40) - 0x4321)})).ok());
        EXPECT_TRUE(try_load(build({code, with(data, &Segment::memory_bytes, 0)})).ok()) << "an empty one is nothing";
    });
}

TEST_F(ElfLoaderTest, QuotaAndFramesThatDoNotSuffice) {
    in_kernel([] {
        const File file = build(usual);
        for (std::uint64_t pages = 0; pages < 7; ++pages) EXPECT_EQ(try_load(file, pages).error(), Error::no_memory);
        EXPECT_TRUE(try_load(file, 7).ok());
        EXPECT_EQ(try_load(build({code, with(data, &Segment::memory_bytes, 1 << 30)})).error(), Error::no_memory);
        fail_at_each_step([&] {
            const auto result = try_load(file);
            if (!result.ok()) {
                EXPECT_EQ(result.error(), Error::no_memory);
            }
            return result.ok();
        });
    });
}

TEST_F(ElfLoaderTest, SixtyFiveThousandSegmentsEndAtTheQuota) {
    in_kernel([] {
        std::vector<Segment> segments{code};
        for (std::uint64_t i = 0; i < 65'534; ++i)
            segments.push_back({load, read, 0, 0x100'0000 + i * page_bytes, 0, 1, 1, 4096});
        EXPECT_EQ(try_load(build(segments)).error(), Error::no_memory);
    });
}

}  // namespace
}  // namespace exo
