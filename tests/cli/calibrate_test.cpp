// SPDX-License-Identifier: GPL-2.0-or-later
// exo-dev calibrate: logs of hardware, guests, emulators and bad lines, and the scenario itself.
#include <abi/result.hpp>
#include <algorithm>
#include <devenv/calibration.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <sim/timing/overlay.hpp>

#include "command.hpp"

namespace {

using devenv::Calibration;
using devenv::CalibrationSource;
using Calibrate = CommandTest;

std::string checked(const std::string& content) {
    char crc[9];
    std::snprintf(crc, sizeof crc, "%08x", exo::abi::result_crc32c(content));
    return content + std::string(exo::abi::result_checksum) + crc + "\r\n";
}
std::string machine(const std::string& hypervisor, const std::string& firmware = "ALASKA",
                    const std::string& brand = "AMD_EPYC_9354") {
    return checked("exo-machine 1 vendor=AuthenticAMD family=25 model=17 stepping=1 hypervisor=" + hypervisor +
                   " firmware=" + firmware + " brand=" + brand);
}
std::string figure(const std::string& name, unsigned least, unsigned median, unsigned high,
                   const std::string& unit = "millicycles") {
    const std::string start = "exo-result 1 calibrate." + name;
    return checked(start + ".min " + std::to_string(least) + " " + unit) +
           checked(start + ".median " + std::to_string(median) + " " + unit) +
           checked(start + ".high " + std::to_string(high) + " " + unit);
}
const std::string first_line = "Exo-OS 0.1.0, entered by multiboot2\r\n";
const std::string clock_lines = figure("clock", 799, 800, 802, "milliticks");
const std::string figures = figure("cpuid", 100'000, 110'000, 120'000) + figure("swapgs_pair", 40'000, 41'000, 50'000) +
                            figure("invlpg", 90'100, 95'500, 99'900) + figure("syscall_ring0", 30'000, 31'000, 32'000) +
                            figure("sysret_syscall", 80'000, 81'000, 90'000) + figure("invpcid", 1'000, 2'000, 3'000);
const std::string hardware_log = "\x1b[2Jgarbage\xff\r\n" + first_line + machine("none") + clock_lines + figures +
                                 checked("exo-result 1 calibrate.figures 6 figures") + "calibrate: 6 figures\r\n";

const devenv::CalibrationEntry* entry(const devenv::CalibrationEntries& made, const std::string& name) {
    const auto found = std::ranges::find(made.entries, name, &devenv::CalibrationEntry::name);
    return found == made.entries.end() ? nullptr : &*found;
}
CalibrationSource source_of(const std::string& log) { return judge(devenv::read_calibration(log)).source; }

TEST(Calibration, HardwareBecomesEntries) {
    const Calibration c = devenv::read_calibration(hardware_log);
    EXPECT_EQ(c.damaged, 0u);
    EXPECT_EQ(c.incomplete, 0u);
    EXPECT_EQ(c.announced, 6u);
    EXPECT_EQ(c.figures.size(), 6u);
    EXPECT_EQ(c.clock.median, 800u);
    ASSERT_EQ(judge(c).source, CalibrationSource::hardware) << judge(c).reason;
    const auto made = make_entries(c, CalibrationSource::hardware);
    ASSERT_NE(entry(made, "swapgs"), nullptr);
    EXPECT_EQ(entry(made, "swapgs")->likely, 21u);  // half of the pair, rounded
    EXPECT_EQ(entry(made, "invlpg")->low, 90u);     // bounds to the outside
    EXPECT_EQ(entry(made, "invlpg")->likely, 96u);
    EXPECT_EQ(entry(made, "invlpg")->high, 100u);
    ASSERT_NE(entry(made, "sysret"), nullptr);  // the pair less the other
    EXPECT_EQ(entry(made, "sysret")->low, 48u);
    EXPECT_EQ(entry(made, "sysret")->likely, 50u);
    EXPECT_EQ(entry(made, "sysret")->high, 60u);
    EXPECT_EQ(entry(made, "iret"), nullptr);  // its figures are not there
    ASSERT_EQ(made.left_out.size(), 1u);
    EXPECT_EQ(made.left_out[0].first, "invpcid");
}

// Everything that the scenario measures, as the timing model reads it.
TEST(Calibration, TheModelReadsTheEntries) {
    std::string log = machine("none") + clock_lines;
    for (const char* name :
         {"rdtsc",         "rdtscp",     "swapgs_pair",  "sti_cli",    "pushfq_popfq", "mov_from_cr0", "mov_to_cr0",
          "mov_from_cr3",  "mov_to_cr3", "mov_from_cr4", "mov_to_cr4", "mov_to_dr7",   "mov_from_dr7", "rdmsr_fs_base",
          "wrmsr_fs_base", "wrmsr_star", "rdmsr_efer",   "invlpg",     "cpuid",        "in_80",        "out_80",
          "int_n",         "ud2",        "iretq",        "lretq",      "mov_ss",       "lgdt",         "lidt",
          "ltr",           "stac_clac",  "clflush",      "fxsave",     "fxrstor",      "xsave",        "xsaveopt",
          "xsavec",        "xrstor",     "xsetbv",       "mfence",     "lfence",       "sfence",       "pause"})
        log += figure(name, 90'000, 100'000, 120'000);
    log += figure("syscall_ring0", 30'000, 31'000, 32'000) + figure("sysret_syscall", 80'000, 81'000, 90'000) +
           figure("iretq_syscall", 180'000, 181'000, 190'000) + figure("int3_iretq_ring3", 400'000, 410'000, 450'000);
    const Calibration c = devenv::read_calibration(log);
    const auto made = make_entries(c, CalibrationSource::hardware);
    EXPECT_TRUE(made.left_out.empty()) << made.left_out.front().first;
    sim::timing::Overlay overlay;
    sim::timing::UnitNames units;
    overlay.read(overlay_document(c, judge(c), made, "2026-11-22").dump(), "pc.json", units);
    EXPECT_EQ(overlay.systems().size(), made.entries.size());
    const auto* cr3 = overlay.system(sim::Special::mov_to_cr, "MOV64cr", 3);
    ASSERT_NE(cr3, nullptr);
    EXPECT_EQ(cr3->cycles.likely, 100u);
    EXPECT_EQ(cr3->evidence.provenance, sim::Provenance::measured);
    EXPECT_EQ(overlay.event(sim::timing::SystemEvent::exception_entry).cycles.likely, 260u);  // 410 - (181 - 31)
}

TEST(Calibration, AGuestLeavesOutWhatExits) {
    const std::string slow_invlpg = figure("invlpg", 900'000, 950'000, 990'000);
    const Calibration c = devenv::read_calibration(machine("KVMKVMKVM", "BOCHS") + clock_lines + figures + slow_invlpg);
    ASSERT_EQ(judge(c).source, CalibrationSource::guest);
    const auto made = make_entries(c, CalibrationSource::guest);
    EXPECT_EQ(entry(made, "cpuid"), nullptr);
    EXPECT_EQ(entry(made, "invlpg"), nullptr);
    EXPECT_NE(entry(made, "swapgs"), nullptr);
    const auto document = overlay_document(c, judge(c), made, "2026-11-22");
    for (const auto& one : document["system"]) {
        EXPECT_EQ(one["measured"], "ring0_guest");
        EXPECT_NE(one["note"].get<std::string>().find("measured in a guest"), std::string::npos);
    }
    EXPECT_NE(document["measurements"]["ring0_guest"]["machine"].get<std::string>().find("KVM"), std::string::npos);
}

TEST(Calibration, EmulatorsAndUnknownOnesAreRefused) {
    const std::string rest = clock_lines + figures;
    EXPECT_EQ(source_of(machine("none") + rest), CalibrationSource::hardware);
    for (const std::string& who :
         {machine("TCGTCGTCGTCG", "BOCHS"), machine("ExoBoard", "EXO_OS"), machine("none", "BOCHS"),
          machine("none", "ALASKA", "QEMU_TCG_CPU_version_2_5"), machine("unnamed"), machine("SomethingNew")})
        EXPECT_EQ(source_of(who + rest), CalibrationSource::refused) << who;
    EXPECT_EQ(source_of(machine("none") + rest + figure("cpuid", 800, 900, 1000)), CalibrationSource::refused);
    std::string without = rest;  // an emulator that hides, with the figure lost that tells it
    for (std::size_t at; (at = without.find("calibrate.cpuid.")) != std::string::npos;) without[at + 10] = 'x';
    EXPECT_EQ(source_of(machine("none") + without), CalibrationSource::refused);
    EXPECT_EQ(source_of(rest), CalibrationSource::refused);                       // on what?
    EXPECT_EQ(source_of(machine("none") + figures), CalibrationSource::refused);  // no clock
    EXPECT_EQ(source_of(machine("none") + clock_lines), CalibrationSource::refused);
    EXPECT_EQ(source_of(""), CalibrationSource::refused);
}

TEST(Calibration, DamageIsNoticedWhereverItIs) {
    const std::string log = machine("none") + clock_lines + figures;
    const auto whole = devenv::read_calibration(log);
    for (std::size_t i = 0; i < log.size(); i += 3) {
        std::string bad = log;
        bad[i] = bad[i] == '7' ? '8' : '7';
        const Calibration c = devenv::read_calibration(bad);
        for (const auto& figure : c.figures) {  // what is taken is what was sent
            const auto* sent = whole.find(figure.name);
            ASSERT_NE(sent, nullptr) << figure.name;
            EXPECT_EQ(figure.median, sent->median) << i;
        }
        const Calibration cut = devenv::read_calibration(log.substr(0, i));
        EXPECT_LE(cut.figures.size(), whole.figures.size());
    }
    // A second start begins anew, also if its first result line is lost.
    EXPECT_EQ(devenv::read_calibration(log + first_line).figures.size(), 0u);
    const Calibration again = devenv::read_calibration(log + machine("TCGTCGTCGTCG") + clock_lines);
    EXPECT_EQ(again.figures.size(), 0u);
    EXPECT_EQ(again.machine.hypervisor, "TCGTCGTCGTCG");
    const Calibration odd = devenv::read_calibration(log + figure("wrong", 3, 2, 1));
    EXPECT_EQ(odd.find("wrong"), nullptr);
    EXPECT_EQ(odd.incomplete, 1u);
}

TEST_F(Calibrate, ImportsALog) {
    write("pc.log", hardware_log);
    ASSERT_EQ(shell("$DEV calibrate --import pc.log -o pc.json --date 2026-11-22 --json").status, 0)
        << read(folder / "err");
    const auto report = nlohmann::json::parse(read(folder / "out"));
    EXPECT_EQ(report["source"], "hardware");
    const auto document = nlohmann::json::parse(read(folder / "pc.json"));
    EXPECT_EQ(document, report["overlay"]);
    EXPECT_EQ(document["measurements"]["ring0"]["date"], "2026-11-22");
    EXPECT_EQ(document["system"].size(), 5u);  // cpuid, swapgs, invlpg, syscall, sysret
    std::string broken = hardware_log;
    std::replace(broken.begin(), broken.end(), '=', '-');
    write("broken.log", broken);
    const Result none = shell("$DEV calibrate --import broken.log");
    EXPECT_EQ(none.status, 1);
    EXPECT_NE(none.err.find("damaged"), std::string::npos) << none.err;
    EXPECT_EQ(none.out, "");
    write("empty.log", "");
    EXPECT_EQ(shell("$DEV calibrate --import empty.log").status, 1);
    for (const char* wrong :
         {"--import nosuch.log", "--import .", "--import ''", "--import pc.log --date tomorrow",
          "--import pc.log --date 2026-02-30", "--import pc.log --engine qemu", "--engine nosuch", "-o x", "--json"})
        EXPECT_EQ(shell("$DEV calibrate " + std::string(wrong)).status, 2) << wrong;
    EXPECT_EQ(shell("$DEV calibrate --import pc.log -o /dev/full/x").status, 1);
    // What cannot be given back is not replaced: a device's place, the log itself.
    EXPECT_EQ(shell("mkfifo place && $DEV calibrate --import pc.log -o place").status, 2);
    EXPECT_EQ(std::filesystem::status(folder / "place").type(), std::filesystem::file_type::fifo);
    EXPECT_EQ(shell("ln -s pc.log link && $DEV calibrate --import pc.log -o link").status, 2);
    EXPECT_EQ(read(folder / "pc.log"), hardware_log);
    EXPECT_EQ(shell("$DEV calibrate").status, 0);
}

// The scenario in two machines: what it prints is whole, and no source.
TEST_F(Calibrate, TheScenarioRunsAndAnEmulatorIsRefused) {
    for (const std::string engine : {"unicorn", "qemu"}) {
        ASSERT_EQ(shell("$DEV calibrate --json --engine " + engine).status, 0) << read(folder / "err");
        const auto json = nlohmann::json::parse(read(folder / "out"));
        EXPECT_EQ(json["source"], "refused");
        EXPECT_NE(json["reason"].get<std::string>().find("not hardware"), std::string::npos);
        EXPECT_GE(json["figures"].size(), 45u);
        EXPECT_EQ(json["figures"].size(), json["announced"]);
        EXPECT_EQ(json["damaged_lines"], 0);
        std::set<std::string> names;
        for (const auto& figure : json["figures"]) {
            names.insert(figure["name"]);
            EXPECT_GT(figure["median_millicycles"].get<std::uint64_t>(), 0u) << figure["name"];
        }
        for (const char* name : {"swapgs_pair", "mov_to_cr3", "sysret_syscall", "int3_iretq_ring3", "iretq", "xrstor"})
            EXPECT_TRUE(names.contains(name)) << name;
    }
    ASSERT_EQ(shell("$DEV run --scenario calibrate > console.log").status, 0) << read(folder / "err");
    const Result refused = shell("$DEV calibrate --import console.log");
    EXPECT_EQ(refused.status, 1);
    EXPECT_NE(refused.err.find("not hardware"), std::string::npos) << refused.err;
    const Result host = shell("$DEV run --engine host --scenario calibrate");
    EXPECT_EQ(host.status, 3);
    EXPECT_NE(host.out.find("not in ring 0"), std::string::npos) << host.out;
}

}  // namespace
