// SPDX-License-Identifier: GPL-2.0-or-later
// A kernel image as the simulator sees it: loadable segments, entry, symbols, source lines, trace marks. Also the
// ring-3 programs in its embedded archive, so that their instructions have names too.
#pragma once
#include <abi/marks.hpp>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace sim {

struct ImageError : std::runtime_error {  // names the file, the cause and the next step (exit status 2)
    using std::runtime_error::runtime_error;
};

struct Segment {
    std::uint64_t physical_address;
    std::uint64_t virtual_address;
    std::span<const std::uint8_t> bytes;  // what the file holds; the rest up to memory_bytes is zero
    std::uint64_t memory_bytes;
};

struct Mark {
    std::uint64_t address;  // virtual
    exo::abi::MarkKind kind;
    std::string name;
};

struct Location {          // of an address; empty strings and line 0 where unknown
    std::string function;  // demangled, without parameters; "program:name" in an embedded program
    std::uint64_t offset = 0;
    std::string file;
    std::uint32_t line = 0;
};

// Looking up fills caches: an image is used by one thread at a time.
class Image {
  public:
    static std::unique_ptr<Image> load(const std::filesystem::path&);                        // throws ImageError
    static std::unique_ptr<Image> parse(std::vector<std::uint8_t> bytes, std::string name);  // throws ImageError
    virtual ~Image() = default;

    virtual const std::string& name() const = 0;              // file name without folders
    virtual std::span<const std::uint8_t> bytes() const = 0;  // the whole file
    static constexpr std::uint64_t no_entry = ~0ull;
    virtual std::uint64_t entry_physical() const = 0;            // of the ELF header; no_entry: it is in no segment
    virtual std::optional<std::uint64_t> pvh_entry() const = 0;  // physical, of the note that PVH loaders look for
    virtual std::span<const Segment> segments() const = 0;
    virtual std::span<const Mark> marks() const = 0;  // of the kernel and its programs, by address
    virtual std::string build_id() const = 0;         // hex; of the file's bytes if it carries none
    virtual const Location& locate(std::uint64_t virtual_address) const = 0;  // cached; physical alias of the image too
    // For people: the address and, as far as it is known, "(function+offset, file:line)".
    std::string place(std::uint64_t virtual_address) const;
    // Start of the function that holds the address, cached and cheap: what a profile groups by. 0 if unknown.
    virtual std::uint64_t function_start(std::uint64_t virtual_address) const = 0;
    // Virtual address of a symbol, by its name in the symbol table or by that of its function (without "program:").
    virtual std::optional<std::uint64_t> symbol(std::string_view name) const = 0;
};

}  // namespace sim
