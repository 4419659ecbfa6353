// SPDX-License-Identifier: MIT
// Names, error codes and the page-fault code's bits.
#include <gtest/gtest.h>

#include <regs/exceptions.hpp>
#include <set>

namespace {

using namespace regs;

TEST(Exceptions, EachHasItsOwnName) {
    std::set<std::string_view> names;
    for (unsigned i = 0; i < vector::first_interrupt; ++i) names.insert(exception_name(i));
    EXPECT_EQ(names.size(), vector::first_interrupt);
    EXPECT_EQ(exception_name(14), "#PF page fault");
    EXPECT_EQ(exception_name(32), "interrupt");
    EXPECT_EQ(exception_name(~0u), "interrupt");
}

TEST(Exceptions, ErrorCodesAsInTheManualsTable) {
    const std::set<unsigned> with{8, 10, 11, 12, 13, 14, 17, 21, 29, 30};
    for (unsigned i = 0; i < vector::count; ++i) EXPECT_EQ(pushes_error_code(i), with.contains(i)) << i;
}

TEST(Exceptions, PageFaultCode) {
    for (std::uint64_t bits = 0; bits < 32; ++bits) {
        const PageFaultCode code{bits};
        EXPECT_EQ(code.protection() * 1u + code.write() * 2u + code.user() * 4u + code.reserved_bit() * 8u +
                      code.fetch() * 16u,
                  bits);
    }
}

}  // namespace
