// SPDX-License-Identifier: GPL-2.0-or-later
// Truncated, flipped and hostile traces: what comes before the damage is read, the place is named, nothing else
// happens.
#include <gtest/gtest.h>

#include <sim/trace/crc32c.hpp>
#include <sim/trace/format.hpp>

#include "recording.hpp"

namespace {

using namespace sim;
using namespace recording;

void write(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

struct Outcome {
    bool opened = false, complete = false;
    std::string message;
    std::uint64_t claimed = 0, seen = 0;
};

// Opens and walks; anything but a TraceError or a message escapes.
Outcome read(const std::filesystem::path& path) {
    Outcome outcome;
    try {
        auto reader = TraceReader::open(path);
        outcome.opened = true;
        outcome.complete = reader->info().complete;
        outcome.claimed = reader->info().instructions;
        TraceVisitor visitor;
        visitor.instruction = [&](const TraceRecord& record) {
            outcome.seen++;
            return record.instruction != nullptr;
        };
        outcome.message = reader->walk(0, visitor).value_or("");
    } catch (const TraceError& e) {
        outcome.message = e.what();
    }
    return outcome;
}

TEST(TraceDamage, TruncationAnywhereIsReportedAndTheRestIsRead) {
    Folder folder;
    std::uint64_t all = record(folder / "t.trace", 11, 200'000).instructions;
    std::string bytes = bytes_of(folder / "t.trace");
    std::uint64_t most = 0;
    for (std::size_t size = 0; size < bytes.size(); size += 97) {
        write(folder / "cut.trace", bytes.substr(0, size));
        Outcome outcome = read(folder / "cut.trace");
        EXPECT_FALSE(outcome.message.empty()) << size;
        EXPECT_FALSE(outcome.complete) << size;
        EXPECT_EQ(outcome.seen, outcome.claimed) << size;
        most = std::max(most, outcome.seen);
    }
    EXPECT_LE(most, all);
    EXPECT_GT(most, 0u);  // some cut leaves whole chunks
}

TEST(TraceDamage, EveryFlippedByteIsFound) {
    Folder folder;
    record(folder / "t.trace", 12, 60'000);
    std::string bytes = bytes_of(folder / "t.trace");
    std::mt19937_64 random(1);
    for (int i = 0; i < 3000; ++i) {
        std::string bad = bytes;
        std::size_t at = random() % bad.size();
        bad[at] = static_cast<char>(bad[at] ^ (1 + random() % 255));
        write(folder / "bad.trace", bad);
        Outcome outcome = read(folder / "bad.trace");
        EXPECT_FALSE(outcome.message.empty()) << at;
        EXPECT_TRUE(!outcome.complete || outcome.seen == outcome.claimed)
            << at;  // complete: the image alone is damaged
    }
}

TEST(TraceDamage, NamesChunkTypeAndPlace) {
    Folder folder;
    record(folder / "t.trace", 13, 2'000'000);
    std::string bytes = bytes_of(folder / "t.trace");
    std::size_t at = bytes.size() * 3 / 4;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    write(folder / "t.trace", bytes);
    Outcome outcome = read(folder / "t.trace");
    EXPECT_TRUE(outcome.opened);
    EXPECT_NE(outcome.message.find("(events) at byte "), std::string::npos) << outcome.message;
    EXPECT_NE(outcome.message.find("checksum"), std::string::npos) << outcome.message;
    EXPECT_GT(outcome.seen, 0u);
    EXPECT_EQ(outcome.seen, outcome.claimed);
}

// Offsets of the headers of all chunks.
std::vector<std::size_t> chunks_of(const std::string& bytes) {
    std::vector<std::size_t> chunks;
    for (std::size_t at = format::file_header_bytes; at + format::chunk_header_bytes < bytes.size();) {
        chunks.push_back(at);
        at += format::chunk_header_bytes + format::get_u32(reinterpret_cast<const std::uint8_t*>(&bytes[at + 8]));
    }
    return chunks;
}

std::string image_error(const TraceReader& reader) {
    try {
        reader.image();
    } catch (const TraceError& e) {
        return e.what();
    }
    return "";
}

TEST(TraceDamage, ADamagedImageHidesNothingElse) {
    Folder folder;
    std::mt19937_64 random(3);
    std::vector<std::uint8_t> image(700'000);
    for (std::uint8_t& byte : image) byte = static_cast<std::uint8_t>(random());
    const Record all = record(folder / "t.trace", 15, 60'000, false, image);
    const std::string bytes = bytes_of(folder / "t.trace");
    const std::vector<std::size_t> chunks = chunks_of(bytes);
    ASSERT_GT(chunks.size(), 5u);
    for (std::size_t number : {1, 2, 3}) {
        ASSERT_EQ(bytes[chunks[number] + 4], 2) << "not an image chunk";
        for (std::size_t inside : {0, 8, 40, 60, 64, 70'000}) {
            std::string bad = bytes;
            bad[chunks[number] + inside] = static_cast<char>(bad[chunks[number] + inside] ^ 4);
            write(folder / "bad.trace", bad);
            const Outcome outcome = read(folder / "bad.trace");
            const std::string place = "chunk " + std::to_string(number) + " (image) at byte ";
            EXPECT_TRUE(outcome.complete) << number << ' ' << inside;
            EXPECT_EQ(outcome.seen, all.instructions);
            EXPECT_EQ(outcome.claimed, all.instructions);
            EXPECT_NE(outcome.message.find(place), std::string::npos) << outcome.message;
            const auto reader = TraceReader::open(folder / "bad.trace");
            EXPECT_EQ(reader->info().stop, "power-off");
            EXPECT_NE(image_error(*reader).find(place), std::string::npos) << image_error(*reader);
        }
    }
    // Cut within the image: what is there is not taken for all of it.
    write(folder / "bad.trace", bytes.substr(0, chunks[3]));
    EXPECT_NE(image_error(*TraceReader::open(folder / "bad.trace")), "");
}

TEST(TraceDamage, OtherFilesAreRefused) {
    Folder folder;
    EXPECT_THROW(TraceReader::open(folder / "none.trace"), TraceError);
    EXPECT_THROW(TraceReader::open(folder.path()), TraceError);
    EXPECT_THROW(TraceReader::open("/dev/zero"), TraceError);
    for (std::string bytes : {"", "EXOTRACE", "\177ELF............................"}) {
        write(folder / "t.trace", bytes);
        EXPECT_THROW(TraceReader::open(folder / "t.trace"), TraceError);
    }
    std::string next(16, '\0');
    next.replace(0, 9, "EXOTRACE\1");
    write(folder / "t.trace", next);
    EXPECT_THROW(TraceReader::open(folder / "t.trace"), TraceError);
}

// The attacker can compute checksums too: a valid file whose payloads are then changed and sealed again.
TEST(TraceDamage, HostilePayloadsWithValidChecksumsEndInAMessage) {
    Folder folder;
    record(folder / "t.trace", 14, 30'000);
    std::string bytes = bytes_of(folder / "t.trace");
    std::mt19937_64 random(2);
    int messages = 0;
    for (int i = 0; i < 1500; ++i) {
        std::string bad = bytes;
        const std::vector<std::size_t> chunks = chunks_of(bad);
        std::size_t chunk = chunks[random() % chunks.size()];
        auto* head = reinterpret_cast<std::uint8_t*>(&bad[chunk]);
        std::uint32_t stored = format::get_u32(head + 8);
        if (random() % 3 == 0) head[8 + random() % 48] ^= static_cast<std::uint8_t>(1 + random() % 255);
        else head[format::chunk_header_bytes + random() % stored] ^= static_cast<std::uint8_t>(1 + random() % 255);
        format::put_u32(head + 56, crc32c({head + format::chunk_header_bytes, stored}));
        format::put_u32(head + 60, crc32c({head, 60}));
        write(folder / "bad.trace", bad);
        messages += !read(folder / "bad.trace").message.empty();
    }
    EXPECT_GT(messages, 500);
}

TEST(Crc32c, KnownValues) {  // RFC 3720, B.4
    std::vector<std::uint8_t> zeros(32), ones(32, 0xff), rising(32);
    for (std::uint8_t i = 0; i < 32; ++i) rising[i] = i;
    EXPECT_EQ(crc32c(zeros), 0x8a9136aau);
    EXPECT_EQ(crc32c(ones), 0x62a8ab43u);
    EXPECT_EQ(crc32c(rising), 0x46dd794eu);
}

}  // namespace
