// SPDX-License-Identifier: GPL-2.0-or-later
#include <sim/timing/memory.hpp>

namespace sim::timing {

namespace {

constexpr std::uint64_t lines_a_page = 64, lines_a_large_page = 512 * lines_a_page;
constexpr Cache::Entry dirty = Cache::flag(0);  // in the L3

std::uint64_t lines_in(unsigned kib) { return std::uint64_t{kib} * 1024 >> line_bits; }

// A line of page table. Tables lie anywhere, beyond all physical memory; entries in a table in order.
std::uint64_t table_line(std::uint64_t root, std::uint64_t virtual_address, unsigned level) {
    const std::uint64_t table = (virtual_address & linear_bits) >> (12 + 9 * level);
    std::uint64_t hash = (table ^ root << 20 ^ std::uint64_t{level} << 60) * 0x9e3779b97f4a7c15ull;
    hash ^= hash >> 29;
    const std::uint64_t entry = virtual_address >> (12 + 9 * (level - 1)) & 511;
    return 1ull << 52 | hash >> 18 << 6 | entry >> 3;
}

}  // namespace

SharedMemory::SharedMemory(const Machine& machine)
    : machine_(machine), l3_(lines_in(machine.l3_kib), machine.l3_ways) {}

bool SharedMemory::insert(std::uint64_t line, Cache::Entry flags) { return l3_.insert(line, flags) & dirty; }

bool SharedMemory::write_back(std::uint64_t line) {
    if (Cache::Entry* const entry = l3_.find(line)) {
        *entry |= dirty;
        return false;
    }
    return insert(line, dirty);
}

void SharedMemory::take(const Memory& owner, std::uint64_t line) {
    for (Memory* cpu : cpus_)
        if (cpu != &owner) cpu->drop(line);
}

SharedMemory::Reply SharedMemory::fetch(const Memory& asker, std::uint64_t line, bool own) {
    bool modified = false, held = false;
    for (Memory* cpu : cpus_) {
        if (cpu == &asker) continue;
        Cache::Entry* const entry = cpu->l2_.peek(line);
        if (!entry) continue;
        held = true;
        modified |= (*entry & Memory::written) != 0;
        if (own) {
            cpu->drop(line);
        } else {
            *entry = (*entry & ~Memory::written) | Memory::shared;
            if (Cache::Entry* const first = cpu->l1_.peek(line)) *first &= ~Memory::written;
        }
    }
    if (modified) return {machine_.transfer(), Wait::coherence, !own, write_back(line)};
    if (l3_.find(line)) return {machine_.l3_latency, Wait::l3, held && !own, false};
    return {machine_.dram_latency, Wait::memory, held && !own, insert(line, 0)};
}

SharedMemory::Reply SharedMemory::claim(const Memory& asker, std::uint64_t line) {
    bool modified = false;
    for (Memory* cpu : cpus_) {
        if (cpu == &asker) continue;
        const Cache::Entry* const entry = cpu->l2_.peek(line);
        if (!entry) continue;
        modified |= (*entry & Memory::written) != 0;
        cpu->drop(line);
    }
    if (modified) return {machine_.transfer(), Wait::coherence, false, write_back(line)};
    return {machine_.l3_latency, Wait::l3, false, !l3_.find(line) && insert(line, 0)};
}

bool SharedMemory::flush(std::uint64_t line, bool evict) {
    bool modified = false;
    for (Memory* cpu : cpus_) {
        Cache::Entry* const entry = cpu->l2_.peek(line);
        if (!entry) continue;
        modified |= (*entry & Memory::written) != 0;
        *entry &= ~Memory::written;
        if (Cache::Entry* const first = cpu->l1_.peek(line)) *first &= ~Memory::written;
        if (evict) cpu->drop(line);
    }
    if (Cache::Entry* const entry = l3_.peek(line)) {
        modified |= (*entry & dirty) != 0;
        *entry &= ~dirty;
        if (evict) l3_.remove(line);
    }
    return modified;
}

Memory::Memory(const Machine& machine, SharedMemory& below)
    : machine_(machine),
      shared_(below),
      l1_(lines_in(machine.l1_data_kib), machine.l1_data_ways),
      l1_code_(lines_in(machine.l1_code_kib), machine.l1_code_ways),
      l2_(lines_in(machine.l2_kib), machine.l2_ways),
      data_tlb_(machine.l1_data_tlb, machine.l2_data_tlb, machine.l2_data_tlb_ways),
      code_tlb_(machine.l1_code_tlb, machine.l2_code_tlb, machine.l2_code_tlb_ways),
      walked_{{machine.walk_cache, 4}, {machine.walk_cache, 4}, {machine.walk_cache, 4}},
      l1_misses_(machine.l1_misses),
      l2_misses_(machine.l2_misses),
      walkers_(machine.page_walkers),
      l2_path_(machine.l2_interval),
      l2_writes_(machine.l2_interval),
      l3_path_(machine.l3_interval),
      dram_path_(machine.dram_interval),
      dram_writes_(machine.dram_write_interval),
      l1_streams_(machine.l1_lines_ahead),
      l2_streams_(machine.l2_lines_ahead) {
    combining_.fill(~0ull);
    shared_.enter(*this);
}

Memory::~Memory() { shared_.leave(*this); }

// Another CPU writes it.
void Memory::drop(std::uint64_t line) {
    if (l2_.remove(line) == Cache::no_line) return;  // the L2 holds all that the first level holds
    l1_.remove(line);
    l1_code_.remove(line);
}

// Whether it was this CPU's alone; it is now.
bool Memory::own_in_l2(std::uint64_t line) {
    Cache::Entry* const entry = l2_.peek(line);
    if (!entry) return true;
    const bool alone = !(*entry & shared);
    if (!alone) shared_.take(*this, line);
    *entry = (*entry & ~shared) | written;
    return alone;
}

// A line comes from below into the L2, and another one leaves. The place among the misses, which is `first`, is free
// again when both are through.
Memory::Arrival Memory::arrive(std::uint64_t line, std::uint64_t at, const SharedMemory::Reply& reply,
                               Cache::Entry flags) {
    std::uint64_t& slot = l2_misses_.first();
    slot = at + (reply.cycles > machine_.l2_latency ? reply.cycles - machine_.l2_latency : 0);
    if (reply.to_dram) slot = std::max(slot, dram_writes_.book(at));
    const Cache::Entry victim = l2_.insert(line, flags | (reply.shared ? shared : 0));
    if (victim != Cache::no_line) {
        const std::uint64_t gone = victim & Cache::line_mask;
        l1_.remove(gone);
        l1_code_.remove(gone);
        if (victim & written && shared_.write_back(gone)) slot = std::max(slot, dram_writes_.book(at));
    }
    const Arrival arrival{at + machine_.beyond_l1(reply.cycles), reply.from};
    l2_fills_.start(line, arrival.at, arrival.from);
    return arrival;
}

Memory::Arrival Memory::beyond_l2(std::uint64_t line, std::uint64_t cycle, bool own, Cache::Entry flags, For whom) {
    std::uint64_t at = l3_path_.book(std::max(cycle, l2_misses_.first()));
    const SharedMemory::Reply reply = shared_.fetch(*this, line, own);
    if (whom == For::instruction) misses_.note(Miss::l2);
    if (whom == For::instruction && reply.from == Wait::memory) misses_.note(Miss::l3);
    if (reply.from == Wait::memory) at = dram_path_.book(at);
    return arrive(line, at, reply, flags | (own ? written : 0));
}

// A request of the first level, of a prefetcher of it, or of a page walk.
Memory::Arrival Memory::beyond_l1(const Place& place, std::uint64_t cycle, bool own, For whom, bool learn) {
    const std::uint64_t line = place.line;
    Arrival arrival{};
    if (Cache::Entry* const entry = l2_.find(line)) {
        arrival = {l2_path_.book(cycle) + machine_.beyond_l1(machine_.l2_latency), Wait::l2};
        if (const Fills::Fill* fill = l2_fills_.find(line, arrival.at)) arrival = {fill->at, fill->from};
        learn &= (*entry & prefetched) != 0;
        *entry &= ~prefetched;
        if (own && !own_in_l2(line)) arrival = {arrival.at + machine_.transfer(), Wait::coherence};
    } else {
        arrival = beyond_l2(line, cycle, own, 0, whom);
    }
    if (learn)
        l2_streams_.observe(place.virtual_line, [&](int distance) {
            const std::optional<Place> next = ahead(place, distance);
            if (!next) return false;
            if (l2_.peek(next->line)) return true;
            if (l2_misses_.first() > cycle) return false;
            beyond_l2(next->line, cycle, false, prefetched, For::machine);
            return true;
        });
    return arrival;
}

std::optional<Memory::Place> Memory::ahead(const Place& place, int distance) const {
    const auto add = [distance](std::uint64_t line) {
        return line + static_cast<std::uint64_t>(std::int64_t{distance});
    };
    const Place next{add(place.line), add(place.virtual_line), place.large};
    const std::uint64_t page_lines = place.large ? lines_a_large_page : lines_a_page;
    if (next.virtual_line / page_lines == place.virtual_line / page_lines) return next;
    if (place.large) return std::nullopt;
    const std::uint64_t page = next.virtual_line / lines_a_page;
    const Mapping& mapping = mappings_[page % mappings_.size()];
    if (mapping.virtual_page != page) return std::nullopt;
    return Place{mapping.physical_page * lines_a_page + next.virtual_line % lines_a_page, next.virtual_line, false};
}

Memory::Arrival Memory::miss(const Place& place, std::uint64_t cycle, bool own, Cache::Entry flags) {
    const std::uint64_t line = place.line;
    std::uint64_t& slot = l1_misses_.first();
    const For whom = flags & prefetched ? For::machine : For::instruction;
    if (whom == For::instruction) misses_.note(Miss::l1_data);
    const Arrival arrival = beyond_l1(place, std::max(cycle, slot), own, whom);
    slot = arrival.at;
    if (l1_.insert(line, flags | (own ? written : 0)) & written)  // written back to the L2
        slot = std::max(slot, l2_writes_.book(arrival.at));
    l1_fills_.start(line, arrival.at, arrival.from);
    return arrival;
}

Memory::Arrival Memory::line_at(const Place& place, std::uint64_t cycle, bool own) {
    const std::uint64_t line = place.line;
    Arrival arrival{cycle, Wait::none};
    bool learn = true;
    if (Cache::Entry* const entry = l1_.find(line)) {
        if (const Fills::Fill* fill = l1_fills_.find(line, cycle)) arrival = {fill->at, fill->from};
        learn = *entry & prefetched;
        *entry &= ~prefetched;
        if (own && !(*entry & written)) {
            *entry |= written;
            if (!own_in_l2(line)) arrival = {arrival.at + machine_.beyond_l1(machine_.transfer()), Wait::coherence};
        }
    } else {
        arrival = miss(place, cycle, own, 0);
    }
    if (learn)
        l1_streams_.observe(place.virtual_line, [&](int distance) {
            const std::optional<Place> next = ahead(place, distance);
            if (!next) return false;
            if (l1_.peek(next->line)) return true;
            if (l1_misses_.first() > cycle) return false;
            miss(*next, cycle, false, prefetched);
            return true;
        });
    return arrival;
}

Memory::Delay Memory::slow(const Access& access, std::uint64_t cycle, bool own) {
    const Page page = page_of(space_, access.virtual_address, access.physical_address);
    const unsigned translation = translate_data(page, access, cycle);
    const std::uint64_t line = access.physical_address >> line_bits, start = cycle + translation;
    const Place place{line, access.virtual_address >> line_bits, page.large};
    Arrival arrival = line_at(place, start, own);
    if ((access.physical_address & 63) + access.size > 64)
        if (const Arrival second = line_at({line + 1, place.virtual_line + 1, page.large}, start, own);
            second.at > arrival.at)
            arrival = second;
    const auto cycles = static_cast<unsigned>(arrival.at - cycle);
    return {cycles, cycles && translation >= arrival.at - start ? Wait::tlb : arrival.from};
}

Memory::Delay Memory::store_line(const Access& access, std::uint64_t cycle) {
    const std::uint64_t line = access.physical_address >> line_bits;
    if (access.size < 64 || l2_.peek(line)) return store(access, cycle);
    misses_.note(Miss::l1_data);
    misses_.note(Miss::l2);
    const Page page = page_of(space_, access.virtual_address, access.physical_address);
    const std::uint64_t start = cycle + translate_data(page, access, cycle);
    const std::uint64_t at = l3_path_.book(std::max(start, l2_misses_.first()));
    const Arrival arrival = arrive(line, at, shared_.claim(*this, line), written);
    if (l1_.insert(line, written) & written) l2_writes_.book(arrival.at);
    l1_fills_.start(line, arrival.at, arrival.from);
    return {static_cast<unsigned>(arrival.at - cycle), arrival.from};
}

Memory::Delay Memory::store_past(const Access& access, std::uint64_t cycle) {
    const std::uint64_t line = access.physical_address >> line_bits;
    const Page page = page_of(space_, access.virtual_address, access.physical_address);
    const unsigned translation = translate_data(page, access, cycle);
    if (std::ranges::find(combining_, line) != combining_.end())
        return {translation, translation ? Wait::tlb : Wait::none};
    combining_[combining_next_++ % combining_.size()] = line;
    shared_.flush(line, true);
    const std::uint64_t at = dram_writes_.book(cycle + translation);
    return {static_cast<unsigned>(at - cycle), at > cycle ? Wait::memory : Wait::none};
}

Memory::Delay Memory::fetch(std::uint64_t virtual_address, std::uint64_t physical_address, std::uint64_t cycle) {
    const Page page = page_of(space_, virtual_address, physical_address);
    const unsigned translation = translate(code_tlb_, Miss::code_tlb, page, virtual_address, cycle);
    const std::uint64_t line = physical_address >> line_bits, start = cycle + translation;
    const auto miss = [&](std::uint64_t missed, Cache::Entry flags) {
        const For whom = flags & prefetched ? For::machine : For::instruction;
        if (whom == For::instruction) misses_.note(Miss::l1_code);
        const Arrival arrival =
            beyond_l1({missed, (virtual_address >> line_bits) + (missed - line), page.large}, start, false, whom);
        l1_code_.insert(missed, flags);
        code_fills_.start(missed, arrival.at, arrival.from);
        return arrival;
    };
    Arrival arrival{start, Wait::none};
    bool learn = true;
    if (Cache::Entry* const entry = l1_code_.find(line)) {
        if (const Fills::Fill* fill = code_fills_.find(line, start)) arrival = {fill->at, fill->from};
        learn = *entry & prefetched;
        *entry &= ~prefetched;
    } else {
        arrival = miss(line, 0);
    }
    // Code is walked forwards: the next lines of the page.
    for (std::uint64_t next = line + 1; learn && next <= line + machine_.code_lines_ahead; ++next)
        if (next / lines_a_page == line / lines_a_page && !l1_code_.peek(next)) miss(next, prefetched);
    const auto cycles = static_cast<unsigned>(arrival.at - cycle);
    return {cycles, cycles && translation >= arrival.at - start ? Wait::tlb : arrival.from};
}

// Who asks for a page that is being walked for waits for the same walk.
unsigned Memory::translate_data(const Page& page, const Access& access, std::uint64_t cycle) {
    if (const Fills::Fill* known = translations_.find(page.key, cycle)) return static_cast<unsigned>(known->at - cycle);
    const unsigned cycles = translate(data_tlb_, Miss::data_tlb, page, access.virtual_address, cycle);
    if (!cycles) return 0;
    translations_.start(page.key, cycle + cycles, Wait::tlb);
    const std::uint64_t number = access.virtual_address >> 12;
    if (!page.large) mappings_[number % mappings_.size()] = {number, access.physical_address >> 12};
    return cycles;
}

// Cycles until the translation is known.
unsigned Memory::translate(Tlb& tlb, Miss miss, const Page& page, std::uint64_t virtual_address, std::uint64_t cycle) {
    if (tlb.hit(page)) return 0;
    switch (tlb.look_up(page)) {
        case Tlb::Level::first:
            return 0;
        case Tlb::Level::second:
            misses_.note(miss);
            return machine_.l2_tlb_latency;
        case Tlb::Level::none:
            break;
    }
    misses_.note(miss);
    misses_.note(Miss::page_walk);
    return machine_.l2_tlb_latency + walk(page, virtual_address, cycle + machine_.l2_tlb_latency);
}

// From the lowest table that a page-walk cache knows down to the page's entry.
unsigned Memory::walk(const Page& page, std::uint64_t virtual_address, std::uint64_t cycle) {
    const unsigned leaf = page.large ? 2 : 1;
    const std::uint64_t canonical = virtual_address & linear_bits, tag = space_.tag(virtual_address) << 45;
    unsigned level = leaf;
    while (level < 4 && !walked_[level - 1].touch(canonical >> (12 + 9 * level) | tag)) ++level;
    std::uint64_t& slot = walkers_.first();
    std::uint64_t at = std::max(cycle, slot);
    for (; level >= leaf; --level)
        at = beyond_l1({table_line(space_.root(virtual_address), virtual_address, level), 0, false}, at, false,
                       For::machine, false)
                 .at;
    slot = at;
    return static_cast<unsigned>(at - cycle);
}

void Memory::control(const Control& control) {
    const auto clear_walks = [&] {
        for (Cache& cache : walked_) cache.clear();
    };
    switch (control.kind) {
        case ControlKind::cr3:
            space_.switch_to(control.value);
            break;
        case ControlKind::cr4:
            space_.set_cr4(control.value);
            [[fallthrough]];
        case ControlKind::cr0:
        case ControlKind::invalidate_all:
            data_tlb_.clear();
            code_tlb_.clear();
            clear_walks();
            break;
        case ControlKind::invalidate_page:
            for (const bool large : {false, true}) {
                const Page page = page_of(space_, control.which, large);
                data_tlb_.drop(page);
                code_tlb_.drop(page);
            }
            clear_walks();  // INVLPG drops all cached upper levels (APM2 5.5.2)
            break;
        default:
            break;
    }
}

}  // namespace sim::timing
