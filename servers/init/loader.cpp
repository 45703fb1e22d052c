#include "servers/init/loader.hpp"

#include "servers/rt/text.hpp"

#include <gemel/arch/program.hpp>

#include <algorithm>
#include <cstring>

namespace gemel::init {

namespace {

constexpr std::string_view bundle_prefix = "/gemel/";
// How far from its program the first stack lies at most, in regions.
constexpr u64 moved_regions = 1024;

// Who is led astray does not know where these lie; the other places are the program's to choose.
struct Chance {
    u64 base = 0; // of the program: somewhere in the first quarter of the task's addresses
    u64 stack_bytes = 0; // that its first stack lies further away
};

Result<Chance> take_chance(MachineBroker const& machine, Task const& task)
{
    auto const places = (task.end() - paged_bytes - task.begin()) / 4 / region_bytes_max;
    auto const bits = TRY(machine.entropy());
    return Chance { .base = task.begin() + bits % places * region_bytes_max,
        .stack_bytes = bits / places % moved_regions * region_bytes_max };
}

// Every instance has the same: nothing of it is written, nor depends on the base.
bool shareable(ProgramWindow const& window)
{
    return (window.access & static_cast<u16>(VmFlag::write)) == 0 && window.relocations.empty();
}

Result<Handle> filled(ProgramWindow const& window, u64 base)
{
    auto region = TRY(FreshRegion::create(window.pages));
    fill_window(window, { region.bytes(), window.pages * page_bytes }, base);
    return region.release();
}

// The program in `file`. One that needs more than its base is named.
Result<ProgramFile> read(Launch const& launch)
{
    std::optional<u32> foreign;
    auto program = read_program(launch.file,
        { .machine = arch::elf_machine, .relative = arch::elf_relative.type }, foreign);
    if (foreign)
        system::debug_print(
            concatenate("gemel: ", launch.name, ": its file has a relocation of type ", *foreign,
                "; only ", arch::elf_relative.name, " is applied\n"));
    return program;
}

// Strings one after the other, each ended by NUL.
Result<void> append(Startup& startup, std::string_view text)
{
    if (text.size() + 1 > startup_text_max - startup.text_bytes)
        return Error::too_big;
    std::memcpy(startup.text.data() + startup.text_bytes, text.data(), text.size());
    startup.text_bytes += static_cast<u32>(text.size() + 1);
    return {};
}

bool has_pager(Launch const& launch)
{
    return std::ranges::any_of(
        launch.capabilities, [](auto const& given) { return given.name == "pager"; });
}

// A pager puts memory into the programs that let it.
Result<void> give_itself(Startup& startup, Task& task)
{
    if (startup.capability_count == startup_capabilities_max)
        return Error::too_big;
    auto& entry = startup.capabilities[startup.capability_count++];
    constexpr std::string_view name = "task";
    std::memcpy(entry.name, name.data(), name.size());
    entry.handle = TRY(task.give_itself());
    return {};
}

} // namespace

// What instances share of a bundle program is made once; it lasts as long as init does.
Result<std::vector<Loader::Shared> const*> Loader::shared_windows(
    std::string const& path, ProgramFile const& program)
{
    auto const known = shared_.find(path);
    if (known != shared_.end())
        return &known->second;
    std::vector<Shared> windows;
    for (auto const& window : program.windows) {
        if (shareable(window))
            windows.push_back({ window.address, window.access, TRY(filled(window, 0)) });
    }
    return &shared_.emplace(path, std::move(windows)).first->second;
}

Result<Loader::Place> Loader::place_program(Task& task, Launch const& launch, u64 base)
{
    auto const program = TRY(read(launch));
    if (!program.linked.empty()) {
        auto const entry = arch::linked_program(program.linked);
        return entry ? Result(Place { entry, base }) : Error::not_found;
    }
    bool const share = launch.path.starts_with(bundle_prefix);
    if (share) {
        for (auto const& window : *TRY(shared_windows(launch.path, program)))
            TRY(task.map_shared(base + window.address, window.region, window.access));
    }
    for (auto const& window : program.windows) {
        if (!share || !shareable(window))
            TRY(task.map(base + window.address, TRY(filled(window, base)), window.access));
    }
    auto const end = program.windows.back().address + region_bytes_max;
    task.holds_program({ base, end });
    return Place { base + program.entry, base + end };
}

Result<void> Loader::place_bundle(Task& task, Place& place, Startup& startup)
{
    startup.bundle_address = place.free;
    startup.bundle_bytes = own_.bundle_bytes;
    for (auto const& region : bundle_) {
        TRY(task.map_shared(place.free, region, static_cast<u16>(VmFlag::read)));
        place.free += region_bytes_max;
    }
    return {};
}

Result<void> Loader::fill(Startup& startup, Task& task, Launch& launch)
{
    startup.task_id = task.id();
    startup.acpi_rsdp = own_.acpi_rsdp;
    startup.device_tree = own_.device_tree;
    startup.device_tree_bytes = own_.device_tree_bytes;
    startup.boot_ns = own_.boot_ns;
    startup.argument_count = static_cast<u32>(launch.arguments.size());
    startup.variable_count = static_cast<u32>(launch.variables.size());
    for (auto const& argument : launch.arguments)
        TRY(append(startup, argument));
    for (auto const& variable : launch.variables)
        TRY(append(startup, variable));
    if (launch.capabilities.size() > startup_capabilities_max)
        return Error::too_big;
    for (auto& given : launch.capabilities) {
        auto& entry = startup.capabilities[startup.capability_count++];
        std::memcpy(
            entry.name, given.name.data(), std::min(given.name.size(), sizeof entry.name - 1));
        entry.handle = TRY(task.give(std::move(given.handle)));
    }
    return has_pager(launch) ? give_itself(startup, task) : Result<void>();
}

// Below the stack lies the window of the startup page, of which all but that page is empty: a stack
// that grows too far faults.
Result<Task> Loader::load(Launch launch, Handle fault_port)
{
    auto task = TRY(Task::create(makers_, launch.quota, launch.name));
    auto const chance = TRY(take_chance(machine_, task));
    auto place = TRY(place_program(task, launch, chance.base));
    auto page = TRY(FreshRegion::create(1));
    auto& startup = *::new (page.bytes()) Startup;
    if (launch.sees_bundle)
        TRY(place_bundle(task, place, startup));
    place.free += chance.stack_bytes;
    auto const startup_address = place.free;
    startup.stack_base = place.free + region_bytes_max;
    startup.stack_bytes = launch.stack_pages * page_bytes;
    startup.address_begin = place.free + 2 * region_bytes_max;
    startup.address_end = task.end() - paged_bytes;
    startup.stack_guard = TRY(machine_.entropy()) << 8;
    startup.chance = TRY(machine_.entropy());
    TaskBroker::ThreadStart const start { .entry = place.entry,
        .stack_top = startup.stack_base + startup.stack_bytes,
        .argument = startup_address,
        .priority = launch.priority };
    auto stack = TRY(FreshRegion::create(launch.stack_pages));
    TRY(task.map(startup.stack_base, stack.release(), VmFlag::read | VmFlag::write));
    TRY(fill(startup, task, launch));
    TRY(task.map(startup_address, page.release(), static_cast<u16>(VmFlag::read)));
    TRY(task.set_thread(start, std::move(fault_port)));
    return task;
}

} // namespace gemel::init
