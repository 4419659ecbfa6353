// SPDX-License-Identifier: MIT
// Address spaces beside a model: a map from page to frame and access. The tables are walked to compare.
#include <algorithm>
#include <map>
#include <mem/address_space.hpp>
#include <random>
#include <vector>

#include "memory_fixture.hpp"

namespace exo {
namespace {

using hal::Access;
using hal::VirtAddr;

constexpr Access read_write = Access::read | Access::write;
constexpr Access read_execute = Access::read | Access::execute;

class AddressSpaceTest : public test::MemoryTest {
  protected:
    Ref<VmObject> paged(std::uint64_t pages) { return *VmObject::make_paged(pages, quota_); }

    void expect_mapped(const AddressSpace& space, VirtAddr start, const VmObject& object, std::uint64_t first,
                       std::uint64_t pages, Access access) {
        for (std::uint64_t i = 0; i < pages; ++i) {
            const auto found = hal::translate(space.page_table(), start + i * page_bytes);
            ASSERT_TRUE(found.has_value());
            ASSERT_EQ(found->frame.page_floor(), object.page(first + i));
            ASSERT_EQ(found->access, access | Access::user);
        }
    }
    static bool mapped(const AddressSpace& space, VirtAddr page) {
        return hal::translate(space.page_table(), page).has_value();
    }

    Quota quota_{100000};
};

TEST_F(AddressSpaceTest, MapsFindsAndUnmaps) {
    AddressSpace* space = *AddressSpace::create();
    const Ref<VmObject> object = paged(10);
    const VirtAddr at{0x40'0000};
    const VirtAddr reached = *space->map(*object, 2, 5, read_execute, at, 77);
    EXPECT_EQ(reached, hal::user_alias(at, object->page(2)));
    expect_mapped(*space, at, *object, 2, 5, read_execute);
    EXPECT_FALSE(mapped(*space, at - page_bytes));
    EXPECT_FALSE(mapped(*space, at + 5 * page_bytes));
    EXPECT_EQ(object->references(), 2u);

    const auto found = space->find(at + 4 * page_bytes + 123);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->start, at);
    EXPECT_EQ(found->user_address, reached);
    EXPECT_EQ(found->pages, 5u);
    EXPECT_EQ(found->first_page, 2u);
    EXPECT_EQ(found->tag, 77u);
    EXPECT_FALSE(space->find(at - 1).has_value());
    EXPECT_FALSE(space->find(at + 5 * page_bytes).has_value());

    EXPECT_EQ(space->unmap(at + page_bytes).error(), Error::bad_address) << "only whole mappings";
    EXPECT_TRUE(space->unmap(reached).ok());
    EXPECT_EQ(space->unmap(reached).error(), Error::bad_address);
    EXPECT_FALSE(mapped(*space, at));
    EXPECT_EQ(object->references(), 1u);
    AddressSpace::destroy(space);
}

TEST_F(AddressSpaceTest, MappingsAnywhereHaveAGuardPageBetween) {
    AddressSpace* space = *AddressSpace::create();
    const Ref<VmObject> object = paged(3);
    std::vector<VirtAddr> starts;
    for (std::uint32_t tag = 1; tag <= 4; ++tag) {
        ASSERT_TRUE(space->map(*object, 0, 3, read_write, map_anywhere, tag).ok());
        starts.push_back(VirtAddr(0x100'0000'0000) + (tag - 1) * 4 * page_bytes);
        ASSERT_TRUE(space->find(starts.back()).has_value());
        EXPECT_EQ(space->find(starts.back())->tag, tag);
        EXPECT_FALSE(mapped(*space, starts.back() + 3 * page_bytes));
    }
    EXPECT_EQ(space->unmap_tagged(2), 1u);
    EXPECT_EQ(space->unmap_tagged(2), 0u);
    EXPECT_FALSE(mapped(*space, starts[1]));
    ASSERT_TRUE(space->map(*object, 0, 3, read_write, map_anywhere, 9).ok());
    EXPECT_EQ(space->find(starts[1])->tag, 9u) << "the first gap that is large enough";
    // A gap that holds the pages but not the guards is none.
    EXPECT_EQ(space->unmap_tagged(9), 1u);
    const Ref<VmObject> four = paged(4);
    ASSERT_TRUE(space->map(*four, 0, 4, read_write, map_anywhere, 10).ok());
    EXPECT_EQ(space->find(starts[3] + 4 * page_bytes)->tag, 10u);
    AddressSpace::destroy(space);
}

TEST_F(AddressSpaceTest, AFixedMappingGetsItsGuardFromTheOneThatGoesAnywhere) {
    AddressSpace* space = *AddressSpace::create();
    const Ref<VmObject> object = paged(3);
    const VirtAddr first{0x100'0000'0000};
    ASSERT_TRUE(space->map(*object, 0, 2, read_write, first - 2 * page_bytes).ok());
    ASSERT_TRUE(space->map(*object, 0, 1, read_write, first + 4 * page_bytes).ok());
    ASSERT_TRUE(space->map(*object, 0, 3, read_write, map_anywhere, 5).ok());
    EXPECT_FALSE(mapped(*space, first)) << "no guard above the lower neighbour";
    EXPECT_FALSE(mapped(*space, first + 3 * page_bytes)) << "no guard below the upper one";
    EXPECT_EQ(space->find(first + 6 * page_bytes)->tag, 5u);
    ASSERT_TRUE(space->map(*object, 0, 2, read_write, map_anywhere, 6).ok());
    EXPECT_EQ(space->find(first + page_bytes)->tag, 6u) << "exactly large enough with both guards";
    AddressSpace::destroy(space);
}

TEST_F(AddressSpaceTest, BadRequestsChangeNothing) {
    AddressSpace* space = *AddressSpace::create();
    const Ref<VmObject> object = paged(4);
    const VirtAddr at{0x40'0000};
    ASSERT_TRUE(space->map(*object, 0, 2, read_write, at).ok());
    const auto error = [&](std::uint64_t first, std::uint64_t pages, Access access, std::uint64_t address) {
        return space->map(*object, first, pages, access, VirtAddr(address)).error();
    };
    EXPECT_EQ(error(0, 0, read_write, 0), Error::bad_argument);
    EXPECT_EQ(error(0, 5, read_write, 0), Error::bad_argument);
    EXPECT_EQ(error(4, 1, read_write, 0), Error::bad_argument);
    EXPECT_EQ(error(~std::uint64_t{0}, 2, read_write, 0), Error::bad_argument);
    EXPECT_EQ(error(2, ~std::uint64_t{0}, read_write, 0), Error::bad_argument);
    EXPECT_EQ(error(0, 1, Access::none, 0), Error::bad_argument);
    EXPECT_EQ(error(0, 1, Access::write, 0), Error::bad_argument);
    EXPECT_EQ(error(0, 1, read_write | Access::execute, 0), Error::bad_argument);
    EXPECT_EQ(error(0, 1, read_write, 0x40'0800), Error::bad_argument);
    EXPECT_EQ(error(0, 1, read_write, 0x1000), Error::bad_argument) << "null pointers must fault";
    EXPECT_EQ(error(0, 1, read_write, hal::user_limit.value()), Error::bad_argument);
    EXPECT_EQ(error(0, 2, read_write, hal::user_limit.value() - page_bytes), Error::bad_argument);
    EXPECT_EQ(error(0, 1, read_write, ~std::uint64_t{0} - page_bytes + 1), Error::bad_argument);
    EXPECT_EQ(error(0, 1, read_write, 0x8000'0000'0000'0000), Error::bad_argument);
    EXPECT_EQ(error(0, 2, read_write, at.value() + page_bytes), Error::busy);
    EXPECT_EQ(error(0, 2, read_write, at.value() - page_bytes), Error::busy);
    EXPECT_EQ(error(0, 4, read_write, at.value() - page_bytes), Error::busy);
    EXPECT_EQ(space->mappings(), 1u);
    EXPECT_EQ(object->references(), 2u);
    EXPECT_TRUE(space->map(*object, 0, 1, Access::read, hal::user_limit - page_bytes).ok()) << "the last page";
    EXPECT_TRUE(space->map(*object, 0, 1, Access::read, at - page_bytes).ok()) << "no guard for fixed places";
    AddressSpace::destroy(space);
    EXPECT_EQ(object->references(), 1u);
}

TEST_F(AddressSpaceTest, CreationSurvivesEveryFailure) {
    const int failures = fail_at_each_step([] {
        const auto space = AddressSpace::create();
        if (!space) {
            EXPECT_EQ(space.error(), Error::no_memory);
            return false;
        }
        AddressSpace::destroy(*space);
        return true;
    });
    EXPECT_EQ(failures, 2) << "the root table, a slab for the space";
}

TEST_F(AddressSpaceTest, MappingSurvivesEveryFailure) {
    const int failures = fail_at_each_step([&] {
        const std::uint64_t nothing_used = quota_.used_pages;
        const auto space = AddressSpace::create();
        if (!space) return false;
        bool done = false;
        if (const auto object = VmObject::make_paged(100, quota_)) {
            // Across a 2 MiB border: two page tables.
            const VirtAddr at{0x80'0000'0000 + 2 * MiB - 50 * page_bytes};
            const auto first = (*space)->map(**object, 0, 100, read_write, at);
            const auto second = first ? (*space)->map(**object, 10, 20, Access::read) : first;
            done = second.ok();
            if (!first) {
                EXPECT_EQ(first.error(), Error::no_memory);
                EXPECT_EQ((*space)->mappings(), 0u);
                for (std::uint64_t i = 0; i < 100; ++i) EXPECT_FALSE(mapped(**space, at + i * page_bytes));
                EXPECT_EQ((*object)->references(), 1u);
            } else if (!second) {
                EXPECT_EQ((*space)->mappings(), 1u);
                expect_mapped(**space, at, **object, 0, 100, read_write);
                EXPECT_EQ((*object)->references(), 2u);
            }
        }
        AddressSpace::destroy(*space);
        EXPECT_EQ(quota_.used_pages, nothing_used);
        return done;
    });
    // Root, space slab, object slab, list slab, 100 frames, mapping slab, 4 tables, 3 more for the second place.
    EXPECT_EQ(failures, 112);
}

TEST_F(AddressSpaceTest, RandomOperationsMatchTheModel) {
    std::mt19937_64 random(8);
    struct Mapped {
        VirtAddr start;
        Ref<VmObject> object;
        std::uint64_t first, pages;
        Access access;
        std::uint32_t tag;
    };
    AddressSpace* space = *AddressSpace::create();
    std::vector<Ref<VmObject>> objects;
    for (int i = 0; i < 6; ++i)
        objects.push_back(i % 2 == 0 ? paged(1 + random() % 60)
                                     : *VmObject::make_contiguous(1 + random() % 60, quota_));
    std::map<VirtAddr, Mapped> model;
    const VirtAddr window{0x7f'ffe0'0000};  // borders of every level of table are near
    const auto overlaps = [&](VirtAddr start, std::uint64_t pages) {
        return std::any_of(model.begin(), model.end(), [&](const auto& entry) {
            return entry.first < start + pages * page_bytes && start < entry.first + entry.second.pages * page_bytes;
        });
    };
    for (int step = 0; step < 4000; ++step) {
        const Ref<VmObject>& object = objects[random() % objects.size()];
        const std::uint64_t pages = 1 + random() % object->pages();
        const std::uint64_t first = random() % (object->pages() - pages + 1);
        const Access access = random() % 2 != 0 ? read_write : random() % 2 != 0 ? read_execute : Access::read;
        const auto tag = static_cast<std::uint32_t>(step + 1);
        if (random() % 5 < 2 && !model.empty()) {
            auto victim = std::next(model.begin(), static_cast<long>(random() % model.size()));
            ASSERT_EQ(space->unmap_tagged(victim->second.tag), 1u);
            for (std::uint64_t i = 0; i < victim->second.pages; ++i)
                ASSERT_FALSE(mapped(*space, victim->first + i * page_bytes));
            model.erase(victim);
        } else if (random() % 3 != 0) {
            const VirtAddr at = window + random() % 1024 * page_bytes;
            const bool taken = overlaps(at, pages);
            const auto result = space->map(*object, first, pages, access, at, tag);
            ASSERT_EQ(result.ok(), !taken);
            if (result) model.emplace(at, Mapped{at, object, first, pages, access, tag});
        } else if (model.size() < 60) {
            ASSERT_TRUE(space->map(*object, first, pages, access, map_anywhere, tag).ok());
            // Where it went shows in the tables only; the tag finds it.
            VirtAddr at{0x100'0000'0000};
            for (;; at = at + page_bytes) {
                const auto info = space->find(at);
                if (info && info->tag == tag) break;
            }
            ASSERT_FALSE(overlaps(at - page_bytes, pages + 2)) << "no guard page";
            model.emplace(at, Mapped{at, object, first, pages, access, tag});
        }
        ASSERT_EQ(space->mappings(), model.size());
        if (step % 40 != 0) continue;
        for (const auto& [start, one] : model) {
            expect_mapped(*space, start, *one.object, one.first, one.pages, one.access);
            ASSERT_EQ(space->find(start + random() % (one.pages * page_bytes))->tag, one.tag);
        }
        if (HasFatalFailure()) break;
    }
    model.clear();
    AddressSpace::destroy(space);
    for (const Ref<VmObject>& object : objects) EXPECT_EQ(object->references(), 1u);
}

TEST_F(AddressSpaceTest, AnObjectOutlivesItsCreatorWhileMapped) {
    AddressSpace* first = *AddressSpace::create();
    AddressSpace* second = *AddressSpace::create();
    VmObject* object = nullptr;
    {
        const Ref<VmObject> shared = *VmObject::make_contiguous(2, quota_);
        object = shared.get();
        ASSERT_TRUE(first->map(*shared, 0, 2, read_write, VirtAddr(0x40'0000)).ok());
        ASSERT_TRUE(second->map(*shared, 1, 1, Access::read, VirtAddr(0x50'0000)).ok());
    }
    EXPECT_EQ(object->references(), 2u);
    AddressSpace::destroy(first);
    EXPECT_EQ(quota_.used_pages, 2u);
    expect_mapped(*second, VirtAddr(0x50'0000), *object, 1, 1, Access::read);
    AddressSpace::destroy(second);
    EXPECT_EQ(quota_.used_pages, 0u);
}

TEST_F(AddressSpaceTest, AProgramReachesWhatTheKernelWrote) {
    AddressSpace* space = *AddressSpace::create();
    {
        const Ref<VmObject> object = *VmObject::make_contiguous(4, quota_);
        object->data(3)[5] = std::byte{42};
        const VirtAddr at = *space->map(*object, 2, 2, read_write);
        const hal::IrqGuard masked;
        space->activate();
        if constexpr (!hal::isolation_enforced) {
            EXPECT_EQ(reinterpret_cast<const std::byte*>(at.value())[page_bytes + 5], std::byte{42});
        }
    }
    AddressSpace::destroy(space);
}

}  // namespace
}  // namespace exo
