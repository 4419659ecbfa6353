// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/unicorn/cpu_state.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <sim/board/text.hpp>
#include <vector>

namespace sim::unicorn {

namespace {

[[noreturn]] void refuse(const char* what) {
    unsigned major = 0, minor = 0;
    uc_version(&major, &minor);
    throw EngineError(
        text("this build of Unicorn (%u.%u) keeps its CPU state differently: %s. Install libunicorn2t64 "
             "2.1.4 (./exo-dev doctor shows what was found).",
             major, minor, what));
}

// Reads this process's memory without faulting where nothing is mapped.
class OwnMemory {
  public:
    OwnMemory() : file_(open("/proc/self/mem", O_RDONLY | O_CLOEXEC)) {
        if (file_ < 0) refuse("/proc/self/mem cannot be read, so the CPU state cannot be found");
    }
    ~OwnMemory() { close(file_); }
    OwnMemory(const OwnMemory&) = delete;
    OwnMemory& operator=(const OwnMemory&) = delete;

    // As much as can be read from `address` on, up to `bytes`.
    std::vector<std::uint8_t> read(std::uint64_t address, std::size_t bytes) const {
        std::vector<std::uint8_t> result(bytes);
        const ssize_t got = pread(file_, result.data(), bytes, off_t(address));
        result.resize(got > 0 ? std::size_t(got) : 0);
        return result;
    }

  private:
    int file_;
};

constexpr std::uint64_t magic = 0x5ca1'ab1e'0ddb'a110;
constexpr std::size_t instance_bytes = 4096;  // of uc_engine to search for the pointer to its CPU
constexpr std::size_t cpu_bytes = 48 << 10;   // of the CPU object to search for the registers
constexpr std::size_t state_bytes = 8 << 10;  // of the state to search for the error code

constexpr std::array general_names{UC_X86_REG_RAX, UC_X86_REG_RCX, UC_X86_REG_RDX, UC_X86_REG_RBX,
                                   UC_X86_REG_RSP, UC_X86_REG_RBP, UC_X86_REG_RSI, UC_X86_REG_RDI,
                                   UC_X86_REG_R8,  UC_X86_REG_R9,  UC_X86_REG_R10, UC_X86_REG_R11,
                                   UC_X86_REG_R12, UC_X86_REG_R13, UC_X86_REG_R14, UC_X86_REG_R15};

using General = std::array<std::uint64_t, 16>;

General plant(uc_engine* uc, std::uint64_t first) {
    General values;
    for (unsigned i = 0; i < 16; ++i) {
        values[i] = first + 0x0101'0101'0101 * i;
        uc_reg_write(uc, general_names[i], &values[i]);
    }
    return values;
}

General read_general(uc_engine* uc) {
    General values;
    for (unsigned i = 0; i < 16; ++i) uc_reg_read(uc, general_names[i], &values[i]);
    return values;
}

void write_general(uc_engine* uc, const General& values) {
    for (unsigned i = 0; i < 16; ++i) uc_reg_write(uc, general_names[i], &values[i]);
}

// Do the words at `candidate` change with the registers? Copies (of ours, or in freed memory) do not.
bool follows(uc_engine* uc, const OwnMemory& own, std::uint64_t candidate) {
    for (const std::uint64_t first : {magic, ~magic}) {
        const General planted = plant(uc, first);
        const auto seen = own.read(candidate, sizeof planted);
        if (seen.size() != sizeof planted || std::memcmp(seen.data(), planted.data(), sizeof planted) != 0)
            return false;
    }
    return true;
}

// Does another instance keep its registers at the same place? A pointer that lies behind the instance, in memory that
// only this process happens to have there, does not pass.
bool holds_for(uc_engine* witness, const OwnMemory& own, const CpuLayout& layout) {
    const General saved = read_general(witness);  // the instance builds its CPU at the first call
    const auto bytes = own.read(reinterpret_cast<std::uint64_t>(witness) + layout.pointer, sizeof(std::uint64_t));
    if (bytes.size() != sizeof(std::uint64_t)) return false;
    std::uint64_t object;
    std::memcpy(&object, bytes.data(), sizeof object);
    const bool same = follows(witness, own, object + layout.state);
    write_general(witness, saved);
    return same;
}

// The CPU object hangs off the instance by a pointer; the sixteen registers in a row are where the state begins.
bool find_state(uc_engine* uc, uc_engine* witness, CpuLayout& layout) {
    const OwnMemory own;
    const General saved = read_general(uc), planted = plant(uc, magic);
    bool found = false;
    const auto instance = own.read(reinterpret_cast<std::uint64_t>(uc), instance_bytes);
    for (std::size_t at = 0; at + 8 <= instance.size() && !found; at += 8) {
        std::uint64_t pointer;
        std::memcpy(&pointer, &instance[at], 8);
        if (pointer < 4096 || pointer % 8 || pointer >> 47) continue;
        const auto object = own.read(pointer, cpu_bytes);
        for (std::size_t place = 0; place + sizeof(CpuState) <= object.size() && !found; place += 8) {
            if (std::memcmp(&object[place], planted.data(), sizeof planted) != 0) continue;
            layout.pointer = at, layout.state = place;
            found = follows(uc, own, pointer + place) && holds_for(witness, own, layout);
            plant(uc, magic);
        }
    }
    write_general(uc, saved);
    return found;
}

CpuState* state_of(uc_engine* uc, const CpuLayout& layout) {
    std::uint8_t* object;
    std::memcpy(&object, reinterpret_cast<std::uint8_t*>(uc) + layout.pointer, sizeof object);
    return reinterpret_cast<CpuState*>(object + layout.state);
}

// What is behind the state may be shorter than `state_bytes`, which is a guess: the kernel copies what is there.
void copy_state(const CpuState* state, std::array<std::uint8_t, state_bytes>& to) {
    const auto bytes = OwnMemory().read(reinterpret_cast<std::uint64_t>(state), to.size());
    std::copy(bytes.begin(), bytes.end(), to.begin());
}

struct Probe {
    std::array<std::uint8_t, state_bytes> before;
    const CpuState* state;
    std::array<std::uint8_t, state_bytes> after;
    bool called = false;
};

void probe_interrupt(uc_engine* uc, std::uint32_t, void* user) {
    auto& probe = *static_cast<Probe*>(user);
    copy_state(probe.state, probe.after);
    probe.called = true;
    uc_emu_stop(uc);
}

std::int32_t word(const std::array<std::uint8_t, state_bytes>& bytes, std::size_t at) {
    std::int32_t value;
    std::memcpy(&value, &bytes[at], 4);
    return value;
}

// `mov ds, ax` with an empty GDT raises #GP(selector): the word that becomes the selector is the error code.
CpuLayout calibrate() {
    constexpr std::int32_t selector = 0x5a58, general_protection = 13;
    const std::unique_ptr<uc_engine, void (*)(uc_engine*)> uc(open_instance(), [](uc_engine* it) { uc_close(it); });
    const std::uint8_t code[] = {0x8e, 0xd8};
    constexpr std::uint64_t base = 0x1000;
    const auto probe = std::make_unique<Probe>();
    uc_hook hook;
    std::uint64_t rax = selector;
    if (uc_mem_map(uc.get(), base, 0x1000, UC_PROT_ALL) || uc_mem_write(uc.get(), base, code, sizeof code) ||
        uc_reg_write(uc.get(), UC_X86_REG_RAX, &rax) ||
        uc_hook_add(uc.get(), &hook, UC_HOOK_INTR, reinterpret_cast<void*>(&probe_interrupt), probe.get(), 1, 0))
        refuse("a probe could not be set up");
    CpuLayout layout{};
    const std::unique_ptr<uc_engine, void (*)(uc_engine*)> witness(open_instance(),
                                                                   [](uc_engine* it) { uc_close(it); });
    if (!find_state(uc.get(), witness.get(), layout)) refuse("the registers were not found");
    CpuState* state = state_of(uc.get(), layout);
    probe->state = state;
    copy_state(state, probe->before);
    uc_emu_start(uc.get(), base, 0, 0, 1);
    if (!probe->called) refuse("a probe raised no exception");
    if (state->cr[0] == 0 || (state->hidden_flags & hidden_code64) == 0) refuse("control registers are elsewhere");

    for (std::size_t at = sizeof(CpuState); at + 128 <= state_bytes && !layout.error_code; at += 4)
        if (word(probe->after, at) == selector && word(probe->before, at) != selector &&
            word(probe->after, at + 4) == 0 && word(probe->before, at + 112) == -1 &&
            word(probe->after, at + 112) == general_protection)
            layout.error_code = at;
    if (!layout.error_code) refuse("the error code was not found");
    layout.old_exception = layout.error_code + 112;
    layout.efer = 592;  // checked against the public interface:
    uc_x86_msr efer{.rid = 0xc000'0080, .value = 0};
    uc_reg_read(uc.get(), UC_X86_REG_MSR, &efer);
    if (efer.value == 0 || std::memcmp(reinterpret_cast<std::uint8_t*>(state) + layout.efer, &efer.value, 8) != 0)
        refuse("EFER was not found");
    return layout;
}

}  // namespace

const CpuLayout& cpu_layout() {
    static const CpuLayout layout = calibrate();
    return layout;
}

CpuView view_cpu(uc_engine* uc) {
    const CpuLayout& layout = cpu_layout();
    const General saved = read_general(uc);  // the instance builds its CPU at the first call
    CpuState* state = state_of(uc, layout);
    const bool same = follows(uc, OwnMemory(), reinterpret_cast<std::uint64_t>(state));
    write_general(uc, saved);
    if (!same) refuse("the registers of another instance are elsewhere");
    auto* bytes = reinterpret_cast<std::uint8_t*>(state);
    return {.state = state,
            .efer = reinterpret_cast<std::uint64_t*>(bytes + layout.efer),
            .error_code = reinterpret_cast<std::int32_t*>(bytes + layout.error_code),
            .is_int = reinterpret_cast<std::int32_t*>(bytes + layout.error_code + 4),
            .old_exception = reinterpret_cast<std::int32_t*>(bytes + layout.old_exception)};
}

uc_engine* open_instance() {
    uc_engine* uc = nullptr;
    if (const uc_err error = uc_open(UC_ARCH_X86, UC_MODE_64, &uc))
        throw EngineError(text("Unicorn cannot start: %s", uc_strerror(error)));
    if (const uc_err error = uc_ctl_set_cpu_model(uc, UC_CPU_X86_EPYC_ROME)) {
        uc_close(uc);
        throw EngineError(text("Unicorn has no EPYC_ROME CPU model: %s", uc_strerror(error)));
    }
    return uc;
}

}  // namespace sim::unicorn
