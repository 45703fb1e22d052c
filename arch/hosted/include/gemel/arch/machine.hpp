// The hosted machine: physical memory is a memfd mapped at a fixed address, page tables are plain
// data that every mapping is made from, and a mapping really is a mapping: mmap of the memfd's
// pages at the task's address. Tasks have disjoint address windows, so they all live in the one
// process.
#pragma once

#include "core/abi/startup.hpp"
#include "core/arch/types.hpp"

#include <gemel/arch/frame.hpp>
#include <gemel/hosted/device.hpp>
#include <gemel/hosted/machine_memory.hpp>
#include <gemel/hosted/state.hpp>
#include <gemel/hosted/world.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace gemel::arch {

// Whether loads and stores of a task are kept to what its page tables allow (docs/security.md).
enum class Isolation : u8 { off, on };
enum class Access : u8 { read, write };

class Processors; // src/processors.hpp

#if defined(GEMEL_TSAN) // whose idea of memory is narrower
inline constexpr bool watches_races = true;
#else
inline constexpr bool watches_races = false;
#endif

class Machine {
public:
    // Where everything lies: equal in every run, clear of the sanitizers' shadows.
    static constexpr u64 arena_address = watches_races ? 0x7EA0'0000'0000 : 0x1100'0000'0000;
    static constexpr u64 windows_address = 0x2000'0000'0000;
    static constexpr u64 window_bytes = u64 { 1 } << 36;
    static constexpr u64 first_physical = 16 * page_bytes;
    // Of the kernel's own object and of the stacks that threads get amid a fault: behind the
    // largest memory. What lies there and in the memory may point at each other.
    static constexpr u64 kernel_address = arena_address + 0x10'0000'0000;
    static constexpr u64 fault_stacks_address = kernel_address + 0x1'0000'0000;

    // Reserves `memory_bytes` (a multiple of 2 MiB, at least 8 MiB), or clears and takes the
    // `memory` of one that is gone. Throws std::system_error when the host refuses.
    explicit Machine(u64 memory_bytes, Isolation isolation = Isolation::off,
        std::shared_ptr<hosted::MachineMemory> memory = nullptr);
    ~Machine();
    Machine(Machine const&) = delete;
    Machine& operator=(Machine const&) = delete;

    // --- the seam (core/arch/seam.hpp) ---
    void* at_physical(u64 physical) noexcept { return arena_ + physical; }
    u64 physical_of(void const* pointer) noexcept
    {
        return static_cast<u64>(static_cast<u8 const*>(pointer) - arena_);
    }
    // The host gives zeroes: what nobody used yet is not touched.
    void zero_page(void* page) noexcept
    {
        auto used = used_[physical_of(page) / page_bytes];
        if (used)
            __builtin_memset(page, 0, page_bytes);
        used = true;
        if constexpr (watches_races)
            forget_races(page);
    }
    u64 user_begin(u32 task) noexcept { return windows_address + task * window_bytes; }
    u64 user_end(u32 task) noexcept { return user_begin(task) + window_bytes; }
    // What a pager may map there when it is touched: no fault of the program's.
    bool is_pagers(u32 task, u64 address)
    {
        return address < user_end(task) && user_end(task) - address <= paged_bytes;
    }
    u64 table_entry(u64 physical) noexcept { return physical | present | writable | user; }
    u64 link_entry(u64 leaf, u16 flags) noexcept
    {
        return leaf | present | user | access_of(flags);
    }
    u64 page_entry(u64 physical, PageKind kind) noexcept
    {
        auto const write = kind == PageKind::memory || kind == PageKind::device;
        return physical | present | user | (write ? writable : 0);
    }
    u64 narrowed_entry(u64 entry, u16 flags) noexcept
    {
        auto const wanted = access_of(flags);
        return (entry & (~writable | (wanted & writable))) | (wanted & no_execute);
    }
    u64 entry_target(u64 entry) noexcept { return entry & target_mask; }
    void change_entry(u64& entry, u64 value) noexcept { entry = value; }
    void root_created(void*) noexcept { }
    void leaf_linked(u64 root, u64 address, void* leaf, u16 flags) noexcept;
    void leaf_unlinked(u64 root, u64 address, void* leaf) noexcept;
    void leaf_changed(void* leaf, u32 first, u32 count) noexcept;
    void leaf_emptied(void* leaf) noexcept;

    u64 now_ns() noexcept;
    void wake_at(u64 nanoseconds) noexcept;
    void wait_for_interrupt() noexcept { taken_ = wait(); }
    u32 interrupt_taken() noexcept { return taken_; }
    u32 cpu_number() noexcept { return cpu_; }
    void interrupt_cpu(u32 number) noexcept;
    // The jump costs what calls that are answered at once need not pay: they are not attempted.
    template <typename Work>
    [[gnu::noinline]] void attempt(Work&& work) noexcept
    {
        void* here[5];
        attempted_ = here;
        if (__builtin_setjmp(here) == 0)
            work();
    }
    [[noreturn, gnu::noinline]] void give_up() noexcept { __builtin_longjmp(attempted_, 1); }
    void lock_waits() noexcept { } // nobody waits: see Processors::take
    void will_idle() noexcept { }
    void interrupt_unmask(u32 line) noexcept;
    MsiTarget msi_target(u32 first) noexcept;
    void console_write(char character) noexcept;
    u64 entropy() noexcept;
    void power_off(u8 status) noexcept; // returns only where processors are host threads
    u32 pio_read(u32 port, u32 bytes) noexcept;
    void pio_write(u32 port, u32 bytes, u32 value) noexcept;
    void save_thread(Frame&, FpuState&) noexcept { }
    template <typename Saved>
    void switch_thread(Saved*, Saved&) noexcept
    {
    }
    void prepare_fpu(FpuState&) noexcept { }
    void activate(u64) noexcept { }

    // --- the host's side ---
    // A device answers at ports [first, first + count). It must outlive the machine's run.
    void attach(u32 first, u32 count, hosted::Device& device);
    // The line becomes pending; it reaches the kernel at its next exit, or ends idling. Any time,
    // but on the machine's own host thread.
    void raise(u32 line) noexcept;
    // Lines from `first` on are messages that devices write: unmasked, and nobody masks them. No
    // device model sends any; raise() stands for one that does.
    void messages_from(u32 first) noexcept;
    // Called (in the kernel, on whatever stack) when `descriptor` becomes readable.
    void watch(int descriptor, std::function<void()> ready);
    void unwatch(int descriptor);
    // Where early output goes; standard output unless said otherwise.
    void on_console(std::function<void(std::string_view)> sink) { console_sink_ = std::move(sink); }
    // Before idling, and at the end: whoever buffers writes out.
    void on_idle(std::function<void()> idle) { idle_ = std::move(idle); }
    // Asked before the machine sleeps: true if it has found a reason not to (a line was raised).
    void before_sleep(std::function<bool()> watchful) { watchful_ = std::move(watchful); }
    void flush_console();

    // Time is what `nanoseconds` says, and nothing ticks by itself: for tests and the simulator.
    void use_virtual_time(u64 const& nanoseconds) { virtual_time_ = &nanoseconds; }

    void start_clock(); // time is counted from here
    // What Linux would answer: for a world that is live.
    u64 host_ns() const { return raw_now() - started_ns_; }
    void host_clock_is(u64 nanoseconds) { started_ns_ = raw_now() - nanoseconds; }
    static u64 host_entropy();
    void sleep(u64 now); // until a descriptor is ready or the kernel's tick is due
    // Asks `world` in place of Linux from now on. It outlives the machine's run.
    void live_in(hosted::World& world) { world_ = &world; }
    hosted::World* world() const { return world_; }
    u64 wake_ns() const { return wake_ns_; } // the tick that the kernel waits for
    // Its processors are host threads from now on; null: no more.
    void run_on(Processors* processors) { processors_ = processors; }

    u64 memory_bytes() const { return memory_bytes_; }
    std::shared_ptr<hosted::MachineMemory> const& memory() const { return memory_; }

    // What a task's page tables say of an address. The kernel's memory must be visible.
    bool allows(u64 root, u64 address, Access access);
    // With isolation the process maps no more than the running task has touched, and the kernel's
    // memory is there only in the kernel: a translation buffer in software, flushed by switches.
    bool isolated() const { return isolation_ == Isolation::on; }
    // Maps the region around an address that the task may access so. False: it may not, or it is
    // there already.
    bool show(u64 root, u64 address, Access access);
    // Hides what tasks of other address spaces have touched, and the kernel's memory.
    void hide_all_but(u64 root);
    void show_kernel();
    // Beside the machine's memory: the pages that hold the kernel itself.
    void kernel_is_at(void* pages, usize bytes) { kernel_pages_ = { pages, bytes }; }
    bool interrupt_pending() const { return (pending_ & ~masked_) != 0 || tick_pending_; }
    u32 take_interrupt() noexcept; // masks it; interrupt_lines_max: none
    // Whose turn it is among the virtual processors (src/system.cpp).
    void turn_to(u32 cpu) { cpu_ = cpu; }
    u32 take_called_cpus() { return std::exchange(called_cpus_, 0); }
    // False: a signal came first.
    bool poll_descriptors(int timeout_ms);
    int poll_descriptor() const { return poll_descriptor_; } // readable: there is something to poll
    void before_idle(); // what is buffered is written out
    // For a process that was forked from one in which a machine stands: its memory becomes a copy
    // that is its own (a fork shares it). Allocates nothing, so that it may be called wherever the
    // process stood, but within a call of leaf_*. False: no machine stands, it is
    // isolated, or the host refused.
    static bool own_memory() noexcept;

    // For a restart point, in the kernel: what it is beside its memory, its world and its devices.
    void save(hosted::StateWriter& to) const;
    // The same of another machine, whose memory is in place already. False: it cannot be that; the
    // machine is of no use then.
    bool load(hosted::StateReader& from);
    // A page of that memory, before. False: there is none of that number.
    bool put_page(u64 number, u8 const* bytes);

    void tick_arrived() { tick_pending_ = true; }
    void stop_timer();
    bool powered_off() const { return powered_off_; }
    int exit_status() const { return exit_status_; }

private:
    static constexpr u32 lines_max = 64;
    static constexpr u64 messages_address = 0xFEE0'0000;
    static constexpr u64 present = 1;
    static constexpr u64 writable = 2;
    static constexpr u64 user = 4;
    static constexpr u64 no_execute = u64 { 1 } << 63;
    static constexpr u64 target_mask = 0x000F'FFFF'FFFF'F000;

    struct Mapping {
        u64 root;
        u64 address;
        u16 flags;
    };
    struct PortRange {
        u32 first;
        u32 count;
        hosted::Device* device;
    };

    struct Shown {
        u64 root;
        u64 address; // of a region
        bool operator==(Shown const&) const = default;
    };
    static constexpr u32 shown_max = 64; // then the oldest is hidden again
    struct KernelPages {
        void* begin = nullptr;
        usize bytes = 0;
    };

    Shown* shown(u64 root, u64 address);
    static void hide(Shown& one);
    u64* link_of(u64 root, u64 address);
    static constexpr u64 access_of(u16 flags)
    {
        auto const write = flags & static_cast<u16>(VmFlag::write);
        auto const execute = flags & static_cast<u16>(VmFlag::execute);
        return (write ? writable : 0) | (execute ? 0 : no_execute);
    }
    void forget_races(void* page) noexcept;
    void map_pages(Mapping const& mapping, u64 const* leaf, u32 first, u32 count);
    // False: the host refused.
    bool try_map(Mapping const& mapping, u64 const* leaf, u32 first, u32 count);
    PortRange const* range_of(u32 port) const;
    u64 raw_now() const;
    template <typename Visitor>
    void visit_words(Visitor& visit);
    bool is_leaf(u64 physical) const;
    bool copy_memory(int to) const;
    bool move_memory() noexcept;
    void idle(u64 now);
    bool is_live() const { return !world_ || world_->live(); }
    u32 delivered(u32 line) noexcept;

    u32 wait() noexcept;

    std::shared_ptr<hosted::MachineMemory> memory_;
    u8* arena_ = nullptr; // the memory's begin
    std::vector<bool> used_; // pages that were given away once
    Processors* processors_ = nullptr; // null: all processors are on one host thread
    u32 cpu_ = 0;
    u32 called_cpus_ = 0; // bit n: another processor wants number n in the kernel
    u32 taken_ = interrupt_lines_max;
    u64 memory_bytes_;
    Isolation isolation_;
    bool kernel_shown_ = true;
    KernelPages kernel_pages_;
    // No vector: a signal handler adds to it amid a task's own use of the heap.
    Shown shown_[shown_max] = {};
    u32 shown_next_ = 0;
    int memory_descriptor_ = -1; // the memory's file
    int poll_descriptor_ = -1;
    u64 started_ns_ = 0;
    u64 const* virtual_time_ = nullptr;
    hosted::World* world_ = nullptr;
    void* timer_ = nullptr;
    bool timer_armed_ = false;
    u64 wake_ns_ = ~0ull;
    u64 pending_ = 0; // a bit for each line
    u64 masked_ = ~0ull;
    u32 messages_from_ = lines_max; // from here on no line
    bool tick_pending_ = false;
    bool powered_off_ = false;
    int exit_status_ = 0;
    std::string console_;
    std::function<void(std::string_view)> console_sink_;
    std::function<void()> idle_;
    std::function<bool()> watchful_;
    std::unordered_multimap<void*, Mapping> mappings_;
    std::map<int, std::function<void()>> descriptors_;
    std::vector<PortRange> ports_;
    void** attempted_ = nullptr; // where give_up() goes on
};

// What the kernel keeps of its machine: a process may hold several.
struct MachineHolder {
    explicit MachineHolder(Machine& machine) noexcept
        : machine_(machine)
    {
    }
    Machine& machine_;
};

} // namespace gemel::arch
