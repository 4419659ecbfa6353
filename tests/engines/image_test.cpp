// SPDX-License-Identifier: GPL-2.0-or-later
// Images: what a good one tells, and that bad ones are refused with a message that helps.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <sim/image/image.hpp>

namespace {

using sim::Image;
using sim::ImageError;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kernel_base = 0xffff'ffff'8000'0000;

Bytes read_file(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(stream), {});
}

// The number of the line that ends with "// line: NAME".
unsigned line_of(const std::string& file, const std::string& name) {
    std::ifstream stream(std::string(EXO_FIXTURES) + "/" + file);
    unsigned number = 0;
    for (std::string line; std::getline(stream, line);) {
        ++number;
        if (line.ends_with("// line: " + name)) return number;
    }
    ADD_FAILURE() << "no such line in " << file;
    return 0;
}

// The header of a section of a sound file.
const Elf64_Shdr& section(const Bytes& file, std::string_view name) {
    const auto& header = *reinterpret_cast<const Elf64_Ehdr*>(file.data());
    const auto* headers = reinterpret_cast<const Elf64_Shdr*>(file.data() + header.e_shoff);
    const auto* names = reinterpret_cast<const char*>(file.data() + headers[header.e_shstrndx].sh_offset);
    for (unsigned i = 0; i < header.e_shnum; ++i)
        if (names + headers[i].sh_name == name) return headers[i];
    throw std::runtime_error("no section " + std::string(name));
}

class ImageTest : public testing::Test {
  protected:
    std::unique_ptr<Image> image_ = Image::load(EXO_FIXTURE_KERNEL);

    std::uint64_t symbol(const char* name) {
        const auto address = image_->symbol(name);
        EXPECT_TRUE(address) << name;
        return address.value_or(0);
    }
};

TEST_F(ImageTest, SegmentsAndEntry) {
    EXPECT_EQ(image_->name(), "fixture_kernel");
    EXPECT_EQ(image_->bytes().size(), std::filesystem::file_size(EXO_FIXTURE_KERNEL));
    ASSERT_EQ(image_->segments().size(), 2u);
    const auto& text = image_->segments()[0];
    const auto& data = image_->segments()[1];
    EXPECT_EQ(text.physical_address, 0x100000u);
    EXPECT_EQ(text.virtual_address, kernel_base + 0x100000);
    EXPECT_EQ(text.memory_bytes, text.bytes.size());
    EXPECT_GE(data.memory_bytes, data.bytes.size() + 4096) << "the rest is .bss";
    EXPECT_EQ(image_->entry_physical(), symbol("kernel_start") - kernel_base);
    EXPECT_EQ(text.bytes[image_->entry_physical() - text.physical_address], 0xfa) << "cli";
}

TEST_F(ImageTest, FunctionsHaveDemangledNamesWithoutParameters) {
    const std::uint64_t add = symbol("_ZN7fixture7Counter3addIiEET_S2_");
    EXPECT_EQ(image_->locate(add).function, "fixture::Counter::add<int>");
    EXPECT_EQ(image_->locate(add + 1).offset, 1u);
    EXPECT_EQ(image_->function_start(add + 1), add);
    EXPECT_EQ(symbol("fixture::Counter::add<int>"), add) << "found by its short name too";
    EXPECT_EQ(image_->locate(symbol("kernel_main")).function, "kernel_main");
    EXPECT_FALSE(image_->symbol("no_such_symbol"));
}

TEST_F(ImageTest, LabelsNameAssemblyAndFunctionsNest) {
    const std::uint64_t start = symbol("kernel_start");
    EXPECT_EQ(image_->locate(start + 1).function, "kernel_start");
    EXPECT_EQ(image_->locate(start + 2).function, "next_label");
    const std::uint64_t outer = symbol("outer");
    EXPECT_EQ(image_->locate(outer).function, "outer");
    EXPECT_EQ(image_->locate(outer + 1).function, "inner");
    EXPECT_EQ(image_->locate(outer + 2).function, "inner");
    EXPECT_EQ(image_->locate(outer + 3).function, "outer");
    EXPECT_EQ(image_->locate(outer + 3).offset, 3u);
    EXPECT_EQ(image_->function_start(outer + 3), outer);
}

TEST_F(ImageTest, PhysicalAliasesHaveTheSameNamesAndLines) {
    const std::uint64_t main = symbol("kernel_main");
    const auto& alias = image_->locate(main - kernel_base);
    EXPECT_EQ(alias.function, "kernel_main");
    EXPECT_EQ(alias.line, image_->locate(main).line);
    EXPECT_EQ(image_->function_start(main - kernel_base), main);
}

TEST_F(ImageTest, UnknownAddressesAreEmpty) {
    for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{0x12345678}, ~std::uint64_t{0}}) {
        EXPECT_EQ(image_->locate(address).function, "");
        EXPECT_EQ(image_->locate(address).line, 0u);
        EXPECT_EQ(image_->function_start(address), 0u);
    }
}

TEST_F(ImageTest, MarksOfTheKernelAndItsProgramsByAddress) {
    std::map<std::string, unsigned> count;
    for (const auto& mark : image_->marks()) ++count[mark.name];
    EXPECT_EQ(count, (std::map<std::string, unsigned>{{"adding", 4}, {"greeted", 1}, {"started", 1}}))
        << "two instances of the template, begin and end each";
    EXPECT_TRUE(std::ranges::is_sorted(image_->marks(), {}, &sim::Mark::address));
    for (const auto& mark : image_->marks()) {
        const auto& location = image_->locate(mark.address);
        if (mark.name == "started") {
            EXPECT_EQ(location.function, "kernel_main");
            EXPECT_EQ(mark.kind, exo::abi::MarkKind::point);
        }
        if (mark.name == "adding" && mark.kind == exo::abi::MarkKind::begin) {
            EXPECT_TRUE(location.function.starts_with("fixture::Counter::add<")) << location.function;
        }
    }
}

TEST_F(ImageTest, SourceLines) {
    const std::uint64_t add = symbol("fixture::Counter::add<int>");
    std::set<unsigned> lines;
    for (std::uint64_t a = add; image_->function_start(a) == add; ++a) {
        EXPECT_EQ(image_->locate(a).file, "tests/engines/fixtures/kernel.cpp");
        lines.insert(image_->locate(a).line);
    }
    EXPECT_TRUE(lines.contains(line_of("kernel.cpp", "add")));
    const auto& start = image_->locate(symbol("kernel_start"));
    EXPECT_EQ(start.file, "tests/engines/fixtures/kernel.S");
    EXPECT_GT(start.line, 0u);
}

TEST_F(ImageTest, LineZeroIsUnknown) {
    // Assemblers write no line 0, compilers do. kernel.S's line program sets its address and then, by one special
    // opcode, advances the line from 1 to that of the first instruction; an opcode less by L advances it by L less.
    const std::uint64_t start = symbol("kernel_start");
    const unsigned line = image_->locate(start).line, next_line = image_->locate(start + 1).line;
    Bytes bytes = read_file(EXO_FIXTURE_KERNEL);
    Bytes set_address = {0, 9, 2};
    for (unsigned i = 0; i < 8; ++i) set_address.push_back(static_cast<std::uint8_t>(start >> (8 * i)));
    const auto found = std::ranges::search(bytes, set_address);
    ASSERT_FALSE(found.empty());
    ASSERT_GE(*found.end(), 13 + line) << "not a special opcode of so small an advance";
    *found.end() = static_cast<std::uint8_t>(*found.end() - line);
    const auto changed_image = Image::parse(bytes, "changed");
    EXPECT_EQ(changed_image->locate(start).line, 0u);
    EXPECT_EQ(changed_image->locate(start).file, "");
    EXPECT_EQ(changed_image->locate(start).function, "kernel_start");
    EXPECT_EQ(changed_image->locate(start + 1).line, next_line - line);
}

TEST_F(ImageTest, EmbeddedProgramsHaveNamesAndLines) {
    const std::uint64_t greet = symbol("greeter::greet");
    EXPECT_EQ(greet & ~0xfffu, 0x400000u);
    EXPECT_EQ(image_->locate(greet).function, "greeter:greeter::greet");
    std::set<unsigned> lines;
    for (std::uint64_t a = greet; image_->function_start(a) == greet; ++a) lines.insert(image_->locate(a).line);
    EXPECT_TRUE(lines.contains(line_of("program.cpp", "greet")));
}

TEST_F(ImageTest, CompressedDebugSectionsTellTheSame) {
    const Bytes bytes = read_file(EXO_FIXTURE_KERNEL ".compressed");
    EXPECT_NE(section(bytes, ".debug_line").sh_flags & SHF_COMPRESSED, 0u);
    const auto compressed = Image::parse(bytes, "compressed");
    const auto& text = image_->segments()[0];
    unsigned known = 0;
    for (std::uint64_t a = text.virtual_address; a < text.virtual_address + text.memory_bytes; ++a) {
        EXPECT_EQ(compressed->locate(a).file, image_->locate(a).file) << std::hex << a;
        EXPECT_EQ(compressed->locate(a).line, image_->locate(a).line) << std::hex << a;
        known += image_->locate(a).line != 0;
    }
    EXPECT_GT(known, 20u);
    EXPECT_TRUE(std::ranges::equal(compressed->bytes(), bytes)) << "decompression is not in place";
}

TEST_F(ImageTest, BuildIdIsTheNotesOrTheBytes) {
    EXPECT_EQ(image_->build_id(), "0123456789abcdef0123456789abcdef01234567");
    auto bytes = read_file(EXO_FIXTURE_PROGRAM);
    const auto one = Image::parse(bytes, "program")->build_id();
    EXPECT_EQ(one.size(), 40u);
    EXPECT_EQ(Image::parse(bytes, "program")->build_id(), one);
    bytes.push_back(0);
    EXPECT_NE(Image::parse(bytes, "program")->build_id(), one);
}

// What the refusal of `bytes` says.
std::string refusal(const Bytes& bytes) {
    try {
        Image::parse(bytes, "exo.elf");
    } catch (const ImageError& error) {
        const std::string message = error.what();
        EXPECT_TRUE(message.starts_with("exo.elf")) << message;
        EXPECT_NE(message.find("; "), std::string::npos) << "no next step: " << message;
        return message;
    }
    return "accepted";
}

void expect_refusal(const Bytes& bytes, const std::string& cause) {
    EXPECT_NE(refusal(bytes).find(cause), std::string::npos) << "expected: " << cause << "\n  got: " << refusal(bytes);
}

// The fixture with its ELF header and first program headers changed.
Bytes changed(const std::function<void(Elf64_Ehdr&, Elf64_Phdr*)>& change) {
    Bytes bytes = read_file(EXO_FIXTURE_KERNEL);
    auto& header = *reinterpret_cast<Elf64_Ehdr*>(bytes.data());
    change(header, reinterpret_cast<Elf64_Phdr*>(bytes.data() + header.e_phoff));
    return bytes;
}

TEST(BadImage, WrongKindOfFile) {
    expect_refusal({}, "empty");
    expect_refusal({'#', '!', '/', 'b', 'i', 'n'}, "not an ELF file");
    expect_refusal({0x7f, 'E'}, "not an ELF file");
    expect_refusal({0x7f, 'E', 'L', 'F', 2, 1, 1}, "truncated inside the ELF header");
    expect_refusal(changed([](auto& h, auto*) { h.e_ident[EI_CLASS] = 3; }), "neither 32 nor 64 bits");
    EXPECT_NE(refusal(changed([](auto& h, auto*) { h.e_ident[EI_CLASS] = ELFCLASS32; })), "accepted");
    expect_refusal(changed([](auto& h, auto*) {
                       h.e_ident[EI_CLASS] = ELFCLASS32;
                       h.e_machine = EM_ARM;
                   }),
                   "made for ARM");
    expect_refusal(changed([](auto& h, auto*) { h.e_ident[EI_DATA] = ELFDATA2MSB; }), "big-endian");
    expect_refusal(changed([](auto& h, auto*) { h.e_machine = EM_AARCH64; }), "AArch64");
    expect_refusal(changed([](auto& h, auto*) { h.e_machine = EM_RISCV; }), "RISC-V");
    expect_refusal(changed([](auto& h, auto*) { h.e_type = ET_DYN; }), "PIE");
    expect_refusal(changed([](auto& h, auto*) { h.e_type = ET_REL; }), "not been linked");
    expect_refusal(changed([](auto& h, auto*) { h.e_type = ET_CORE; }), "not an executable");
    expect_refusal(changed([](auto& h, auto*) { h.e_ident[EI_VERSION] = 9; }), "ELF version");
}

TEST(BadImage, Segments) {
    expect_refusal(changed([](auto& h, auto*) { h.e_phnum = 0; }), "no program headers");
    expect_refusal(changed([](auto& h, auto*) { h.e_phentsize = 8; }), "program header table");
    expect_refusal(changed([](auto& h, auto*) { h.e_phoff = ~std::uint64_t{0} - 8; }), "program headers lie past");
    expect_refusal(changed([](auto&, auto* p) { p[0].p_type = p[1].p_type = PT_NULL; }), "no loadable segment");
    expect_refusal(changed([](auto&, auto* p) { p[1].p_offset = 1ull << 40; }), "past the end of the file");
    expect_refusal(changed([](auto&, auto* p) { p[1].p_filesz = ~std::uint64_t{0}; }), "past the end of the file");
    expect_refusal(changed([](auto&, auto* p) { p[0].p_memsz = p[0].p_filesz - 1; }), "more bytes in the file");
    expect_refusal(changed([](auto&, auto* p) { p[1].p_memsz = 1ull << 60; }), "1 GiB");
    expect_refusal(changed([](auto&, auto* p) { p[1].p_paddr = 1ull << 60; }), "physical address");
    expect_refusal(changed([](auto&, auto* p) { p[1].p_vaddr = ~std::uint64_t{0} - 16; }), "wraps round");
    expect_refusal(changed([](auto&, auto* p) { p[1].p_paddr = p[0].p_paddr + 16; }), "overlap at physical address");
    expect_refusal(changed([](auto& h, auto* p) { h.e_entry = p[1].p_vaddr; }), "execute permission");
}

TEST(Image, AnEntryMayBeAPhysicalAddressOrNone) {
    const auto entry_of = [](std::uint64_t entry) {
        return Image::parse(changed([entry](auto& h, auto*) { h.e_entry = entry; }), "kernel")->entry_physical();
    };
    std::uint64_t physical = 0;
    changed([&](auto&, auto* p) { physical = p[0].p_paddr; });
    EXPECT_EQ(entry_of(physical + 4), physical + 4);
    EXPECT_EQ(entry_of(0x1234), Image::no_entry);
}

TEST(BadImage, TruncatedAnywhere) {
    const Bytes whole = read_file(EXO_FIXTURE_KERNEL);
    for (std::size_t size = 0; size < whole.size(); size += 97)
        EXPECT_NE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<long>(size))), "accepted") << size;
}

TEST(BadImage, Archive) {
    const Bytes whole = read_file(EXO_FIXTURE_KERNEL);
    static constexpr std::string_view magic = "EXARCHV1";
    const auto found = std::search(whole.begin(), whole.end(), magic.begin(), magic.end());
    ASSERT_NE(found, whole.end());
    const auto with = [&](std::size_t offset, std::uint8_t value) {
        Bytes bytes = whole;
        bytes[static_cast<std::size_t>(found - whole.begin()) + offset] = value;
        return bytes;
    };
    expect_refusal(with(0, 'x'), "no magic number");
    expect_refusal(with(15, 0xff), "more entries than fit");
    expect_refusal(with(16, 0), "has no name");
    expect_refusal(with(16 + 32 + 7, 0xff), "past its end");
    expect_refusal(with(16 + 40 + 7, 0xff), "past its end");
    expect_refusal(with(64 + EI_CLASS, ELFCLASS32), "(program 'greeter'): a 32-bit ELF file");
}

// The message for a path, which must come at once even for a pipe that nobody writes.
std::string load_refusal(const std::filesystem::path& path) {
    try {
        Image::load(path);
    } catch (const ImageError& error) {
        EXPECT_TRUE(std::string(error.what()).starts_with(path.string())) << error.what();
        return error.what();
    }
    return "accepted";
}

TEST(BadImage, Paths) {
    const auto folder = std::filesystem::temp_directory_path() / ("exo-image-test-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    EXPECT_NE(load_refusal(folder / "missing.elf").find("no such file"), std::string::npos);
    EXPECT_NE(load_refusal(folder).find("is a directory"), std::string::npos);
    ASSERT_EQ(mkfifo((folder / "pipe").c_str(), 0600), 0);
    EXPECT_NE(load_refusal(folder / "pipe").find("not a regular file"), std::string::npos);
    std::ofstream(folder / "empty").close();
    EXPECT_NE(load_refusal(folder / "empty").find("is empty"), std::string::npos);
    std::ofstream(folder / "secret") << "x";
    std::filesystem::permissions(folder / "secret", std::filesystem::perms::none);
    if (geteuid() != 0) {
        EXPECT_NE(load_refusal(folder / "secret").find("ermission"), std::string::npos);
    }
    std::filesystem::remove_all(folder);
}

// Asks everything an image can tell, so that damage anywhere is met.
void exercise(const Image& image) {
    for (const auto& segment : image.segments())
        for (std::uint64_t offset = 0; offset < std::min<std::uint64_t>(segment.memory_bytes, 512); offset += 3) {
            image.locate(segment.virtual_address + offset);
            image.locate(segment.physical_address + offset);
            image.function_start(segment.virtual_address + offset);
        }
    for (const auto& mark : image.marks()) image.locate(mark.address);
    image.symbol("kernel_main");
    image.symbol("no such name");
    image.build_id();
}

TEST(BadImage, DamagedFilesLoadOrAreRefused) {
    const Bytes whole = read_file(EXO_FIXTURE_KERNEL);
    std::mt19937_64 random(1);
    unsigned accepted = 0;
    unsigned refused = 0;
    for (unsigned i = 0; i < 2000; ++i) {
        Bytes bytes = whole;
        // Headers are small; a third of the damage goes to the first page, a third to the last two.
        const std::size_t span = i % 3 == 2 ? bytes.size() : std::min<std::size_t>(bytes.size(), 4096 * (1 + i % 3));
        const std::size_t base = i % 3 == 1 ? bytes.size() - span : 0;
        for (unsigned n = 1 + random() % 8; n != 0; --n) {
            const std::size_t where = i % 3 == 0 && n % 2 == 0 ? random() % 176 : base + random() % span;
            static constexpr std::uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
            bytes[where] = n % 2 == 0 ? values[random() % 5] : static_cast<std::uint8_t>(random());
        }
        if (i % 10 == 9) bytes.resize(random() % bytes.size());
        try {
            exercise(*Image::parse(std::move(bytes), "damaged.elf"));
            ++accepted;
        } catch (const ImageError&) {
            ++refused;
        }
    }
    EXPECT_GT(accepted, 200u);
    EXPECT_GT(refused, 200u);
}

TEST(BadImage, DamagedUnitsOfLinesAreLeftOut) {
    Bytes bytes = read_file(EXO_FIXTURE_KERNEL);
    const auto image = Image::parse(bytes, "sound.elf");
    const auto main = image->symbol("kernel_main").value(), start = image->symbol("kernel_start").value();
    ASSERT_NE(image->locate(main).line, 0u);
    ASSERT_NE(image->locate(start).line, 0u);
    // The first unit's version, after its length. Which unit is first is the linker's choice.
    bytes[section(bytes, ".debug_line").sh_offset + 4] = 99;
    const auto damaged = Image::parse(bytes, "damaged.elf");
    EXPECT_NE(damaged->locate(main).line == 0, damaged->locate(start).line == 0) << "one unit of two is lost";
    EXPECT_EQ(damaged->locate(main).function, "kernel_main");
}

TEST(BadImage, DamagedLinesLoseLinesOnly) {
    std::mt19937_64 random(2);
    for (const char* file : {EXO_FIXTURE_KERNEL, EXO_FIXTURE_KERNEL ".compressed"}) {
        const Bytes whole = read_file(file);
        const Elf64_Shdr* sections[] = {&section(whole, ".debug_line"), &section(whole, ".debug_line_str")};
        for (unsigned i = 0; i < 1000; ++i) {
            Bytes bytes = whole;
            for (unsigned n = 1 + random() % 16; n != 0; --n) {
                const auto& place = *sections[random() % 2];
                bytes[place.sh_offset + random() % place.sh_size] = static_cast<std::uint8_t>(random());
            }
            const auto image = Image::parse(std::move(bytes), "damaged.elf");
            exercise(*image);
            EXPECT_EQ(image->locate(image->symbol("kernel_main").value()).function, "kernel_main");
        }
    }
}

}  // namespace
