// SPDX-License-Identifier: GPL-2.0-or-later
// A random program's run, written to a trace and kept as text beside it: what a reader must give back.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "synthetic.hpp"

namespace recording {

class Folder {
  public:
    Folder() {
        char name[] = "/tmp/exo-trace-XXXXXX";
        if (!mkdtemp(name)) throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    std::filesystem::path operator/(const char* name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
    }

  private:
    std::filesystem::path path_;
};

inline std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

inline sim::TraceInfo start_info() {
    return {.engine = "synthetic",
            .engine_version = "1",
            .cpu = "none",
            .model = "out-of-order",
            .model_cpu = "znver4",
            .image_name = "fake.elf",
            .build_id = "00",
            .command_line = "tour",
            .clock = "instructions",
            .seed = 9,
            .jitter = true,
            .irq_at = {5, 700},
            .cpus = 2,
            .quantum = 600,
            .ram_bytes = 128 << 20};
}

inline std::string text(const sim::Access& a) {
    std::ostringstream out;
    out << a.instruction << ' ' << int(a.kind) << ' ' << int(a.size) << ' ' << a.io << ' ' << std::hex
        << a.virtual_address << ' ' << a.physical_address;
    return out.str();
}

inline std::string text(const sim::RetireTime& time) {
    std::ostringstream out;
    out << time.cycles << ' ' << time.placeholder_cycles << ' ' << time.less << ' ' << time.more << ' '
        << int(time.wait);
    return out.str();
}

// Everything that happened, a line each, whichever way it came.
class Record {
  public:
    std::vector<std::string> lines, codes;
    std::uint64_t instructions = 0, cycles = 0, placeholder_cycles = 0;

    bool keep = true;  // the lines, not the sums only

    void block(const sim::Block& b, std::span<const sim::RetireTime> times) {
        for (const sim::RetireTime& time : times) add(time);
        instructions += b.count;
        if (!keep) return;
        std::ostringstream out;
        out << "block " << b.cpu << ' ' << b.code->id << ' ' << b.first << ' ' << b.count << ' ' << b.first_index << ' '
            << b.taken;
        for (const sim::Access& a : b.accesses) out << ", " << text(a);
        for (const sim::RetireTime& time : times) out << "; " << text(time);
        lines.push_back(out.str());
    }
    void code(const sim::CodeBlock& c) {
        std::ostringstream out;
        out << "code " << c.id << ' ' << c.version << ' ' << c.address << ' ' << c.physical_address;
        for (std::uint8_t byte : c.bytes) out << ' ' << int(byte);
        for (const sim::Instruction& i : c.instructions) {
            out << "; " << i.address << ' ' << int(i.length) << ' ' << int(i.flow) << ' ' << int(i.special) << i.rep
                << i.locked << i.reads_flags << i.writes_flags << ' ' << i.reads << ' ' << i.writes;
            for (unsigned k = 0; k < i.operand_count; ++k)
                out << " [" << int(i.memory[k].base) << ' ' << int(i.memory[k].index) << ' ' << int(i.memory[k].kind)
                    << ' ' << i.memory[k].size << ' ' << i.memory[k].displacement << ']';
        }
        codes.push_back(out.str());
    }
    void transfer(const sim::Transfer& t, sim::RetireTime time) {
        std::ostringstream out;
        out << "transfer " << t.index << ' ' << int(t.kind) << ' ' << int(t.vector) << ' ' << t.has_error_code << ' '
            << t.error_code << ' ' << t.source << ' ' << t.target << ' ' << t.fault_address << ' ' << text(time);
        add(time);
        lines.push_back(out.str());
    }
    void input(const sim::Input& i) {
        lines.push_back("input " + std::to_string(i.index) + ' ' + std::to_string(int(i.kind)) + ' ' +
                        std::to_string(i.address) + ' ' + std::to_string(i.value));
    }
    void control(const sim::Control& c) {
        lines.push_back("control " + std::to_string(c.index) + ' ' + std::to_string(int(c.kind)) + ' ' +
                        std::to_string(c.which) + ' ' + std::to_string(c.value));
    }
    void halt(const sim::Halt& h) {
        lines.push_back("halt " + std::to_string(h.index) + ' ' + std::to_string(h.skipped_ticks));
    }

    // Code is stored ahead of the events of its chunk: kept apart.
    sim::TraceVisitor visitor() {
        sim::TraceVisitor v;
        v.code = [this](const sim::CodeBlock& c) { return code(c), true; };
        v.block = [this](const sim::Block& b, std::span<const sim::RetireTime> times, sim::Cycle before) {
            EXPECT_EQ(before, cycles);
            return block(b, times), true;
        };
        v.transfer_time = [this](const sim::Transfer& t, sim::RetireTime time) { return transfer(t, time), true; };
        v.transfer = [this](const sim::Transfer&, sim::Cycle at) { return at == cycles; };
        v.input = [this](const sim::Input& i, sim::Cycle) { return input(i), true; };
        v.control = [this](const sim::Control& c, sim::Cycle) { return control(c), true; };
        v.halt = [this](const sim::Halt& h, sim::Cycle) { return halt(h), true; };
        return v;
    }

  private:
    void add(sim::RetireTime time) {
        cycles += time.cycles;
        placeholder_cycles += time.placeholder_cycles;
    }
};

// Stands between program and writer: times each event, keeps it, stores it.
class Recorder final : public sim::EventSink {
  public:
    Recorder(sim::TraceWriter& writer, Record& record) : writer_(writer), record_(record) {}
    void on_code(const sim::CodeBlock& code) override {
        model_->on_code(code);
        writer_.on_code(code);
        record_.code(code);
    }
    void on_block(const sim::Block& block) override {
        times_.resize(block.count);
        model_->run(block, times_);
        writer_.on_block(block, times_);
        record_.block(block, times_);
    }
    void on_input(const sim::Input& input) override { writer_.on_input(input), record_.input(input); }
    void on_control(const sim::Control& control) override { writer_.on_control(control), record_.control(control); }
    void on_transfer(const sim::Transfer& transfer) override {
        sim::RetireTime time = model_->transfer(transfer);
        writer_.on_transfer(transfer, time);
        record_.transfer(transfer, time);
    }
    void on_halt(const sim::Halt& halt) override { writer_.on_halt(halt), record_.halt(halt); }

  private:
    std::unique_ptr<sim::TimingModel> model_ = sim::make_model(sim::default_cpu_model);
    std::vector<sim::RetireTime> times_;
    sim::TraceWriter& writer_;
    Record& record_;
};

inline Record record(const std::filesystem::path& path, std::uint32_t seed, std::uint64_t instructions,
                     bool keep = false, std::vector<std::uint8_t> image_file = {1, 2, 3}) {
    synthetic::FakeImage image;
    image.file = std::move(image_file);
    auto writer = sim::make_trace_writer(path, start_info(), image);
    Record all;
    all.keep = keep;
    Recorder recorder(*writer, all);
    synthetic::RandomProgram(seed).run(recorder, instructions);
    sim::TraceInfo end = start_info();
    end.stop = "power-off";
    std::uint64_t bytes = writer->finish(end);
    EXPECT_EQ(bytes, std::filesystem::file_size(path));
    return all;
}

}  // namespace recording
