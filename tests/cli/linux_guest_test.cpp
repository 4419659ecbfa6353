// SPDX-License-Identifier: GPL-2.0-or-later
// The pure parts of the Linux guest: its archive and what it reports.
#include <gtest/gtest.h>

#include <devenv/linux_guest.hpp>

namespace {

using namespace devenv;

TEST(LinuxGuest, ArchiveEntriesAreAlignedAndCarryTheirSizes) {
    const std::string entry = newc_entry("init", 0100755, "12345");
    ASSERT_EQ(entry.size() % 4, 0u);
    EXPECT_EQ(entry.substr(0, 6), "070701");
    EXPECT_EQ(entry.substr(14, 8), "000081ed");  // mode
    EXPECT_EQ(entry.substr(54, 8), "00000005");  // bytes of content
    EXPECT_EQ(entry.substr(94, 8), "00000005");  // bytes of the name with its zero
    EXPECT_EQ(entry.substr(110, 5), std::string("init\0", 5));
    EXPECT_EQ(entry.substr(116, 5), "12345");  // 115 rounded up to 4
    EXPECT_EQ(entry.size(), 124u);
    EXPECT_EQ(newc_end().substr(110, 10), "TRAILER!!!");
}

TEST(LinuxGuest, ReportsAreReadWholeOrNotAtAll) {
    EXPECT_EQ(linux_init_tsc("[ 1.0] x\r\nlinux-init tsc=0x000000005bdac9ae\r\n"), 0x5bdac9aeu);
    EXPECT_EQ(linux_entry_tsc("kernel-entry tsc=0x0000000000f1365b\n"), 0xf1365bu);
    EXPECT_EQ(linux_init_tsc("kernel-entry tsc=0x0000000000f1365b\n"), std::nullopt);
    EXPECT_EQ(linux_init_tsc("linux-init tsc=0x00000000"), std::nullopt);
    EXPECT_EQ(linux_init_tsc("linux-init tsc=0x0000000Z5bdac9ae"), std::nullopt);
    EXPECT_EQ(linux_init_tsc(""), std::nullopt);
}

}  // namespace
