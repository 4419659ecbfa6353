// SPDX-License-Identifier: GPL-2.0-or-later
// The old devices of a PC by their ports, against their data sheets.
#include <gtest/gtest.h>

#include <sim/devices/chipset.hpp>
#include <sim/engine.hpp>

namespace sim {
namespace {

// Vectors 0x20 and 0x28, nothing masked.
PicPair remapped(std::uint8_t word4 = 0x01) {
    PicPair pics;
    for (const std::uint16_t base : {0x20, 0xa0}) {
        pics.write(base, 0x11);
        pics.write(std::uint16_t(base + 1), base == 0x20 ? 0x20 : 0x28);
        pics.write(std::uint16_t(base + 1), base == 0x20 ? 4 : 2);
        pics.write(std::uint16_t(base + 1), word4);
    }
    return pics;
}

TEST(Pic, IsMaskedUntilAGuestSaysOtherwise) {
    PicPair pics;
    EXPECT_EQ(pics.read(0x21), 0xff);
    EXPECT_EQ(pics.read(0xa1), 0xff);
    pics.set_line(0, true);
    EXPECT_FALSE(pics.requests());
    pics.write(0x21, 0xfe);
    EXPECT_TRUE(pics.requests()) << "the edge was latched behind the mask";
}

TEST(Pic, HigherPriorityInterruptsALowerOneAndNotTheOtherWayRound) {
    PicPair pics = remapped();
    pics.set_line(4, true);
    EXPECT_EQ(pics.acknowledge(), 0x24);
    pics.set_line(5, true);
    EXPECT_FALSE(pics.requests());
    pics.set_line(1, true);
    ASSERT_TRUE(pics.requests());
    EXPECT_EQ(pics.acknowledge(), 0x21);
    pics.write(0x20, 0x0b);  // OCW3: read what is in service
    EXPECT_EQ(pics.read(0x20), 0x12);
    pics.write(0x20, 0x0a);  // what is requested
    EXPECT_EQ(pics.read(0x20), 0x20);
    pics.write(0x20, 0x20);  // ends the higher one
    EXPECT_FALSE(pics.requests());
    pics.write(0x20, 0x64);  // ends number 4 by name
    EXPECT_EQ(pics.acknowledge(), 0x25);
}

TEST(Pic, TheSecondOneComesThroughInputTwoAndNeedsTwoEnds) {
    PicPair pics = remapped();
    pics.set_line(12, true);
    ASSERT_TRUE(pics.requests());
    EXPECT_EQ(pics.acknowledge(), 0x2c);
    pics.write(0x20, 0x0b), pics.write(0xa0, 0x0b);
    EXPECT_EQ(pics.read(0x20), 0x04);
    EXPECT_EQ(pics.read(0xa0), 0x10);
    pics.set_line(3, true);
    EXPECT_FALSE(pics.requests()) << "input 2 of the first is in service, and input 3 is below it";
    pics.write(0xa0, 0x20);
    EXPECT_FALSE(pics.requests());
    pics.write(0x20, 0x20);
    EXPECT_EQ(pics.acknowledge(), 0x23);
}

TEST(Pic, ALineThatFallsInTimeLeavesASpuriousInterrupt) {
    PicPair pics = remapped();
    pics.set_line(3, true);
    pics.set_line(3, false);
    EXPECT_EQ(pics.acknowledge(), 0x27);
    pics.write(0x20, 0x0b);
    EXPECT_EQ(pics.read(0x20), 0) << "a spurious interrupt is not in service";
}

TEST(Pic, AutomaticEndAndRotation) {
    PicPair pics = remapped(0x03);  // ICW4: automatic end
    pics.set_line(0, true);
    EXPECT_EQ(pics.acknowledge(), 0x20);
    pics.write(0x20, 0x0b);
    EXPECT_EQ(pics.read(0x20), 0);
    pics.write(0x20, 0xc2);  // number 2 has the lowest priority now, 3 the highest
    for (const unsigned irq : {1u, 5u, 3u}) pics.set_line(irq, true);
    EXPECT_EQ(pics.acknowledge(), 0x23);
    EXPECT_EQ(pics.acknowledge(), 0x25);
    EXPECT_EQ(pics.acknowledge(), 0x21);
}

TEST(Pic, PollAndSpecialMask) {
    PicPair pics = remapped();
    pics.set_line(6, true);
    pics.write(0x20, 0x0c);
    EXPECT_EQ(pics.read(0x20), 0x86);
    pics.set_line(7, true);
    EXPECT_FALSE(pics.requests());
    pics.write(0x20, 0x68);  // special mask mode: what is in service does not hold off others
    EXPECT_TRUE(pics.requests());
    pics.write(0x20, 0x48);
    EXPECT_FALSE(pics.requests());
}

std::uint64_t ticks(std::uint64_t clocks) { return (clocks * tsc_hz + pit_hz - 1) / pit_hz; }

void program(Pit& pit, unsigned channel, unsigned mode, std::uint16_t count, std::uint64_t now = 0) {
    pit.write(0x43, std::uint8_t(channel << 6 | 0x30 | mode << 1), now);
    pit.write(std::uint16_t(0x40 + channel), std::uint8_t(count), now);
    pit.write(std::uint16_t(0x40 + channel), std::uint8_t(count >> 8), now);
}
unsigned read_count(Pit& pit, unsigned channel, std::uint64_t now) {
    const auto port = std::uint16_t(0x40 + channel);
    const unsigned low = pit.read(port, now);
    return low | unsigned{pit.read(port, now)} << 8;
}

TEST(Pit, PeriodicChannelRisesEveryCount) {
    for (const unsigned mode : {2u, 3u}) {
        Pit pit;
        EXPECT_EQ(pit.next_rise_ticks(), Pit::never);
        program(pit, 0, mode, 1193);
        for (unsigned i = 1; i <= 5; ++i) {
            const std::uint64_t at = pit.next_rise_ticks();
            EXPECT_EQ(at, ticks(1 + std::uint64_t{i} * 1193)) << mode;
            EXPECT_FALSE(pit.take_rise(at - ticks(1)));
            EXPECT_TRUE(pit.take_rise(at));
            EXPECT_FALSE(pit.take_rise(at)) << "told once";
        }
        EXPECT_TRUE(pit.take_rise(ticks(1'000'000))) << "many at once are one edge";
        EXPECT_FALSE(pit.take_rise(ticks(1'000'001)));
    }
}

TEST(Pit, OneShotModesRiseOnce) {
    for (const unsigned mode : {0u, 4u}) {
        Pit pit;
        program(pit, 0, mode, 100);
        EXPECT_EQ(pit.output(0), mode == 4);
        const std::uint64_t at = pit.next_rise_ticks();
        EXPECT_EQ(at, ticks(mode == 0 ? 101 : 102));
        EXPECT_TRUE(pit.take_rise(at));
        EXPECT_TRUE(pit.output(at));
        EXPECT_EQ(pit.next_rise_ticks(), Pit::never);
    }
}

TEST(Pit, LatchesAndReadsBack) {
    Pit pit;
    program(pit, 0, 2, 1000);
    pit.write(0x43, 0x00, ticks(101));  // latch channel 0 at its 100th clock
    EXPECT_EQ(read_count(pit, 0, ticks(500)), 900u);
    EXPECT_EQ(read_count(pit, 0, ticks(501)), 500u) << "not latched any more";
    pit.write(0x43, 0xc2, ticks(601));  // read-back: status and count of channel 0
    EXPECT_EQ(pit.read(0x40, ticks(700)), 0xb4) << "output high, both bytes, mode 2";
    EXPECT_EQ(read_count(pit, 0, ticks(700)), 400u);
}

TEST(Pit, GateOfChannelTwoStopsAndStartsIt) {
    Pit pit;
    pit.write(0x61, 0, 0);
    program(pit, 2, 0, 1000);
    EXPECT_EQ(pit.read(0x61, ticks(5000)) & 0x21, 0) << "the gate is shut";
    pit.write(0x61, 1, ticks(5000));
    EXPECT_EQ(pit.read(0x61, ticks(5900)) & 0x21, 0x01);
    pit.write(0x61, 0, ticks(5900));
    EXPECT_EQ(pit.read(0x61, ticks(9000)) & 0x21, 0) << "stands still";
    pit.write(0x61, 1, ticks(9000));
    EXPECT_EQ(pit.read(0x61, ticks(9090)) & 0x20, 0);
    EXPECT_EQ(pit.read(0x61, ticks(9110)) & 0x21, 0x21);
}

TEST(Uart, TheEmptyTransmitterInterrupts) {
    std::string output;
    Uart uart([&](std::string_view text) { output += text; });
    uart.write(1, 2);
    EXPECT_FALSE(uart.interrupt()) << "OUT2 is not set";
    uart.write(4, 0x0b);
    EXPECT_TRUE(uart.interrupt()) << "enabled while empty";
    EXPECT_EQ(uart.read(2), 0x02);
    EXPECT_FALSE(uart.interrupt()) << "reading the identity ends it";
    EXPECT_EQ(uart.read(2), 0x01);
    uart.write(0, 'x');
    EXPECT_TRUE(uart.interrupt());
    uart.write(1, 0);
    EXPECT_FALSE(uart.interrupt());
    uart.flush();
    EXPECT_EQ(output, "x");
}

TEST(Chipset, OnlyAnEdgeThatWouldReachTheCpuIsWaitedFor) {
    Chipset chipset({});
    chipset.write(0x43, 0x34, 0);
    chipset.write(0x40, 100, 0), chipset.write(0x40, 0, 0);
    EXPECT_EQ(chipset.deadline_ticks(), Pit::never) << "masked";
    chipset.write(0x21, 0xfe, 0);
    const std::uint64_t at = chipset.deadline_ticks();
    EXPECT_EQ(at, ticks(101));
    chipset.advance(at - 1);
    EXPECT_FALSE(chipset.requests());
    chipset.advance(at);
    ASSERT_TRUE(chipset.requests());
    EXPECT_EQ(chipset.next_vector(), 8);
    EXPECT_EQ(chipset.next_vector(), 8) << "looking changes nothing";
    EXPECT_EQ(chipset.acknowledge(), 8);
    EXPECT_EQ(chipset.deadline_ticks(), Pit::never) << "in service";
    chipset.write(0x20, 0x20, at);
    EXPECT_EQ(chipset.deadline_ticks(), ticks(201));
}

TEST(Chipset, ResetsAreNamedByTheirPort) {
    for (const auto& [port, value] : {std::pair{0x64, 0xfe}, {0xcf9, 0x06}, {0x92, 0x01}}) {
        Chipset chipset({});
        chipset.write(std::uint16_t(port), 0, 0);
        EXPECT_FALSE(chipset.reset_port());
        chipset.write(std::uint16_t(port), std::uint8_t(value), 0);
        EXPECT_EQ(chipset.reset_port(), port);
    }
}

TEST(Chipset, TheClockStandsAtItsDate) {
    Chipset chipset({});
    const auto cmos = [&](std::uint8_t index) {
        chipset.write(0x70, std::uint8_t(0x80 | index), 0);
        return chipset.read(0x71, 0);
    };
    EXPECT_EQ(cmos(0x09), 0x24);
    EXPECT_EQ(cmos(0x32), 0x20);
    EXPECT_EQ(cmos(0x0a) & 0x80, 0) << "no update is in progress";
    EXPECT_EQ(chipset.read(0x1234, 0), 0xff) << "nobody answers";
    EXPECT_EQ(chipset.read(0x64, 0), 0xff) << "there is no keyboard controller, only its reset line";
}

}  // namespace
}  // namespace sim
