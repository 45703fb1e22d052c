// From a list of memory ranges to init's first instruction. Runs once; natively this code is in
// .init and its memory is given back.
#include "core/boot/bundle.hpp"
#include "core/boot/tables.hpp"
#include "core/kernel.hpp"

#include <new>

namespace gemel {

namespace {

constexpr u32 init_stack_pages = 128;
constexpr u8 init_priority = 5;
constexpr u32 pages_kept = 16; // not init's: the kernel's own last reserve
constexpr u32 pages_for_tables = 16; // more than a mapping at boot takes, or the objects of init

struct BrokerStart {
    char const* name;
    Broker broker;
};

constexpr BrokerStart brokers[] = {
    { "broker-task", Broker::task },
    { "broker-mm", Broker::mm },
    { "broker-phys", Broker::phys },
    { "broker-irq", Broker::irq },
    { "broker-pio", Broker::pio },
    { "broker-sched", Broker::sched },
    { "broker-audit", Broker::audit },
    { "broker-machine", Broker::machine },
};

// The badge that allows a broker's operations: their numbers are consecutive.
constexpr u64 whole_broker(Broker broker)
{
    u32 first = 0xFF;
    u32 last = 0;
    for (auto const& info : operations) {
        if (info.broker != broker)
            continue;
        auto const number = static_cast<u32>(info.operation);
        first = number < first ? number : first;
        last = number > last ? number : last;
    }
    return broker_badge(static_cast<Operation>(first), last - first + 1);
}

void add_capability(Startup& startup, char const* name, u64 handle)
{
    auto& entry = startup.capabilities[startup.capability_count++];
    for (usize i = 0; i + 1 < sizeof entry.name && name[i] != 0; ++i)
        entry.name[i] = name[i];
    entry.handle = handle;
}

// Splits the command line into NUL-terminated words; those with '=' are init's variables.
void add_variables(Startup& startup, char const* line)
{
    while (*line != 0) {
        while (*line == ' ')
            ++line;
        auto const* end = line;
        bool variable = false;
        while (*end != 0 && *end != ' ')
            variable |= *end++ == '=';
        auto const bytes = static_cast<u32>(end - line);
        if (variable && startup.text_bytes + bytes + 1 <= startup_text_max) {
            for (u32 i = 0; i < bytes; ++i)
                startup.text[startup.text_bytes + i] = line[i];
            startup.text_bytes += bytes + 1;
            ++startup.variable_count;
        }
        line = end;
    }
}

} // namespace

void Kernel::say(char const* text)
{
    while (*text != 0)
        machine_.console_write(*text++);
}

// In front of the list, in ascending order: memory is handed out upwards.
void Kernel::add_free(MemoryRange range)
{
    for (auto at = range.end; at > range.begin;) {
        at -= page_bytes;
        auto const number = static_cast<u32>(at / page_bytes - page_base_);
        pages_[number].use = PageUse::free;
        pages_[number].next = page_free_;
        page_free_ = number;
        ++free_pages_;
    }
}

// Natively the boot code's own memory, with its last steps: before the first thread asks for a
// page.
void Kernel::give_back(MemoryRange range)
{
    add_free(range);
    auto const pages = static_cast<u32>((range.end - range.begin) / page_bytes);
    total_pages_ += pages;
    kernel_task_.pages += pages;
}

// The page and row tables go to the start of the largest range; the rest is free memory.
bool Kernel::take_memory(BootInfo const& info)
{
    u64 lowest = ~0ull;
    u64 highest = 0;
    MemoryRange largest;
    for (auto const& range : info.memory) {
        lowest = range.begin < lowest ? range.begin : lowest;
        highest = range.end > highest ? range.end : highest;
        if (range.end - range.begin > largest.end - largest.begin)
            largest = range;
    }
    if (highest <= lowest)
        return false;
    page_base_ = lowest / page_bytes - 1; // number 0 means none
    memory_ = static_cast<u8*>(machine_.at_physical(page_base_ * page_bytes));
    page_count_ = static_cast<u32>(highest / page_bytes - page_base_);
    row_count_ = rows_for(page_count_);
    auto const page_table = page_table_bytes(page_count_);
    auto const row_table = row_table_bytes(page_count_);
    if (largest.end - largest.begin < page_table + row_table + 256 * page_bytes)
        return false;
    pages_ = static_cast<PageInfo*>(machine_.at_physical(largest.begin));
    rows_ = static_cast<Row*>(machine_.at_physical(largest.begin + page_table));
    for (u32 i = 0; i < page_count_; ++i)
        ::new (&pages_[i]) PageInfo;
    for (u32 i = row_count_; i-- > 0;) {
        ::new (&rows_[i]) Row;
        rows_[i].parent = i + 1 < row_count_ ? i + 1 : 0;
    }
    row_free_ = 1;
    free_rows_ = row_count_ - 1;
    auto const tables_end = largest.begin + page_table + row_table;
    for (auto const& range : info.memory)
        add_free(range.begin == largest.begin ? MemoryRange { tables_end, range.end } : range);
    total_pages_ = free_pages_;
    return true;
}

bool Kernel::boot(BootInfo const& info)
{
    if (!take_memory(info)) {
        say("gemel: not enough memory to start\n");
        return false;
    }
    cpu_count_ = info.cpus;
    for (u32 number = 0; number < cpus_max; ++number) {
        cpus_[number].number = static_cast<u8>(number);
        cpus_[number].bit = static_cast<u8>(1u << number);
    }
    kernel_task_.pages = free_pages_;
    kernel_task_.rows = free_rows_;
    kernel_task_.threads = threads_max;
    tasks_[0] = &kernel_task_;
    for (u32 id = 0; id < threads_max; ++id)
        reply_tokens_[id] = id;
    if (!start_init(info)) {
        say("gemel: cannot start init (is gemel/servers/init in the boot bundle, and is there "
            "memory?)\n");
        return false;
    }
    return true;
}

// Nothing that is made at boot may be refused: there is no caller yet who could hear of it.
bool Kernel::boot_has(Task const& task, u64 pages) const
{
    return task.pages >= pages + pages_for_tables && free_pages_ >= pages + pages_for_tables;
}

// The bundle, read-only, over as many regions as it needs, one after the other; init gets a
// capability to each, in this order. 0: it does not fit.
u64 Kernel::map_bundle(Task& init, Startup& startup, BootInfo const& info)
{
    auto const pages = align_up<u64>(info.bundle_bytes, page_bytes) / page_bytes;
    u64 begin = 0;
    for (u64 done = 0; done < pages; done += region_pages_max) {
        if (!boot_has(init, 1) || startup.capability_count == startup_capabilities_max)
            return 0;
        auto const left = pages - done;
        auto const count = left < region_pages_max ? left : region_pages_max;
        u64 words[8] = {};
        region_physical(init, info.bundle.begin / page_bytes + done, count, 0, words);
        auto& row = rows_[static_cast<u32>(words[2])];
        row.rights = rights_all & ~Rights(Right::write);
        auto const address = boot_map(init, words, VmFlag::read);
        begin = begin == 0 ? address : begin;
        add_capability(startup, "bundle", handle_of(row));
    }
    return begin;
}

void Kernel::fill_startup(Task& init, Startup& startup, BootInfo const& info)
{
    startup.task_id = init.index;
    startup.address_begin = machine_.user_begin(init.index);
    startup.address_end = machine_.user_end(init.index);
    startup.bundle_bytes = info.bundle_bytes;
    startup.acpi_rsdp = info.acpi_rsdp;
    startup.device_tree = info.device_tree.begin;
    startup.device_tree_bytes = info.device_tree_bytes;
    startup.boot_ns = machine_.now_ns();
    startup.cpus = cpu_count_;
    add_variables(startup, info.command_line);
    auto& self = row_new(init, number_of(&init), rights_all, nullptr);
    add_capability(startup, "task-self", handle_of(self));
    for (auto const& start : brokers) {
        auto& row = row_new(init, broker_object_, Right::call | Right::derive, nullptr);
        row.badge = whole_broker(start.broker);
        add_capability(startup, start.name, handle_of(row));
    }
}

// Where the kernel chooses, and the next search begins there.
u64 Kernel::boot_map(Task& init, u64 const* words, VmFlag more)
{
    auto const address = free_address(init);
    region_map(init, address, rows_[static_cast<u32>(words[2])],
        static_cast<u16>(static_cast<u16>(VmFlag::read) | static_cast<u16>(more)));
    init.next_address = address;
    return address;
}

bool Kernel::start_init(BootInfo const& info)
{
    u64 const name[2] = { 0x74696E69, 0 }; // "init"
    if (!boot_has(kernel_task_, pages_kept))
        return false;
    broker_object_ = number_of(page_new(kernel_task_, PageUse::object, ObjectType::broker));
    auto& init
        = task_new(kernel_task_, free_pages_ - pages_kept, free_rows_ - 1, threads_max - 1, name);
    auto entry = info.init_entry;
    auto const* bundle = static_cast<u8 const*>(machine_.at_physical(info.bundle.begin));
    if (entry == 0
        && !load_elf(init, bundle_find({ bundle, info.bundle_bytes }, "gemel/servers/init"),
            info.chance, entry))
        return false;
    if (!boot_has(init, init_stack_pages))
        return false;
    u64 startup_words[8] = {};
    u64 stack_words[8] = {};
    auto* const leaf = region_new(init, 1, startup_words);
    region_new(init, init_stack_pages, stack_words);
    auto& startup = *::new (machine_.at_physical(machine_.entry_target(leaf[0]))) Startup;
    fill_startup(init, startup, info);
    startup.bundle_address = map_bundle(init, startup, info);
    if (!boot_has(init, 1))
        return false;
    auto const startup_address = boot_map(init, startup_words, VmFlag::read);
    startup.stack_base = boot_map(init, stack_words, VmFlag::write);
    startup.stack_bytes = init_stack_pages * page_bytes;
    u64 words[8] = {};
    u64 const start[] = { entry, startup.stack_base + startup.stack_bytes, startup_address };
    auto& thread = thread_new(init, init, start, init_priority, words);
    row_close(rows_[static_cast<u32>(words[2])]); // nobody's: it has no handle
    copy_name(thread.name, name);
    make_ready(thread);
    machine_.wake_at(machine_.now_ns() + tick_ns);
    dispatch();
    return true;
}

} // namespace gemel
