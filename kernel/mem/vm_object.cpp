// SPDX-License-Identifier: MIT
#include <bit>
#include <mem/frames.hpp>
#include <mem/slab.hpp>
#include <mem/vm_object.hpp>

namespace exo {
namespace {

constinit ObjectCache<VmObject> objects("vm-object");
constinit ObjectCache<Quota> quotas("quota");

}  // namespace

Result<Ref<Quota>> Quota::make(std::uint64_t limit) { return Ref<Quota>::adopt(*EXO_TRY(quotas.make(limit))); }

void Quota::unref() {
    if (references.decrement()) quotas.destroy(*this);
}

Result<Ref<VmObject>> VmObject::make_contiguous(std::uint64_t pages, Quota& quota) {
    if (pages == 0 || pages > (std::uint64_t{1} << largest_order)) return Error::bad_argument;
    return make(pages, std::bit_ceil(pages), quota, &VmObject::take_block);
}

Result<Ref<VmObject>> VmObject::make_paged(std::uint64_t pages, Quota& quota) {
    if (pages == 0 || pages > paged_limit) return Error::bad_argument;
    return make(pages, pages, quota, &VmObject::take_pages);
}

Result<Ref<VmObject>> VmObject::make(std::uint64_t pages, std::uint64_t charged, Quota& quota,
                                     bool (VmObject::*take)()) {
    EXO_TRY(quota.charge(charged));
    const Result<VmObject*> object = objects.make(pages, charged, quota);
    if (object && ((*object)->*take)()) return Ref<VmObject>::adopt(**object);
    if (object) objects.destroy(**object);
    quota.release(charged);
    return Error::no_memory;
}

bool VmObject::take_block() {
    const auto block = frames_allocate(order_for_pages(charged_));
    if (!block) return false;
    block_ = *block;
    zero_pages(block_, charged_);
    return true;
}

bool VmObject::take_pages() {
    list_ = static_cast<hal::PhysAddr*>(heap_allocate(pages_ * sizeof(hal::PhysAddr)));
    if (list_ == nullptr) return false;
    for (std::uint64_t taken = 0; taken < pages_; ++taken) {
        const auto frame = frames_allocate(0);
        if (!frame) {
            free_pages(taken);
            return false;
        }
        zero_pages(*frame, 1);
        list_[taken] = *frame;
    }
    return true;
}

void VmObject::free_pages(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) frames_free(list_[i], 0);
    heap_free(list_, pages_ * sizeof(hal::PhysAddr));
    list_ = nullptr;
}

void VmObject::unref() {
    if (!references_.decrement()) return;
    if (contiguous()) frames_free(block_, order_for_pages(charged_));
    else free_pages(pages_);
    const Ref<Quota> quota = std::move(quota_);
    const std::uint64_t charged = charged_;
    objects.destroy(*this);
    quota->release(charged);
}

}  // namespace exo
