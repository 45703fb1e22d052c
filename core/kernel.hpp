// The kernel is one object. Every entry (system call, fault, interrupt) runs one of the three
// `on_` functions to its end and leaves `cpu.current` at the thread that runs next; the back end
// then leaves the kernel into that thread's frame.
//
// A system call that is refused ends in `fail(error)`, at any depth: the caller's status word says
// why, and the kernel is left from there. So whatever can be refused is looked at before the first
// change; what a call takes (pages, rows) is counted before it is taken.
#pragma once

#include "core/abi/call.hpp"
#include "core/abi/operation.hpp"
#include "core/abi/startup.hpp"
#include "core/arch/types.hpp"
#include "core/object/page.hpp"
#include "core/object/port.hpp"
#include "core/object/row.hpp"
#include "core/object/task.hpp"
#include "core/object/thread.hpp"
#include "core/sched/lock.hpp"

#include <gemel/arch/machine.hpp>

#include <span>

namespace gemel {

// Root-table entries that belong to the user half (47 bits of address).
inline constexpr u32 user_root_entries = 256;

// A processor's own part.
struct Cpu {
    Thread* current = nullptr; // null: idle
    u64 root = 0; // address space that is active
    Thread* loaded = nullptr; // whose registers the processor has beyond those in its frame
    u32 ready_levels = 0; // bit n: level n has a thread
    u8 number = 0;
    u8 bit = 1; // 1 << number
    u32 budget = 0; // ticks left of the slot that sched_switch opened; 0: none
    Queue ready[priority_levels];
    u64 since_ns = 0; // when current began to run, for run_ns
};

// A line that signals a port.
struct InterruptBinding {
    u32 row = 0;
    u32 row_generation = 0;
    u64 bits = 0;
};

struct ElfImage;

struct MemoryRange {
    u64 begin = 0; // physical, page aligned
    u64 end = 0;
};

// What boot code tells the kernel. Everything in it may be given back after boot().
struct BootInfo {
    std::span<MemoryRange const> memory; // free ranges, without kernel, bundle and device tree
    MemoryRange bundle; // newc cpio; page aligned begin
    u64 bundle_bytes = 0;
    u64 acpi_rsdp = 0;
    MemoryRange device_tree;
    u64 device_tree_bytes = 0;
    u64 chance = 0; // random bits: where init is loaded
    u64 init_entry = 0; // hosted: init's entry; 0: load gemel/servers/init from the bundle
    char const* command_line = ""; // key=value words: init's variables
    u32 cpus = 1; // processors that will enter: at most cpus_max
};

class Kernel : private arch::MachineHolder {
public:
    explicit Kernel(arch::Machine& machine)
        : MachineHolder(machine)
    {
    }
    Kernel(Kernel const&) = delete;
    Kernel& operator=(Kernel const&) = delete;

    // Takes the memory, makes the tables and init's task, and chooses the first thread. False: the
    // machine has too little memory or the bundle no init; said on the console.
    bool boot(BootInfo const& info);

    // More free memory: natively the boot code's own, which is used no more once boot() has chosen
    // a thread.
    void give_back(MemoryRange range);

    // Around every entry: the one lock, if there is anyone to lock out. A processor that has no
    // thread to leave into rests.
    [[gnu::always_inline]] void enter()
    {
        if (cpu_count_ != 1) [[unlikely]]
            enter_locked();
    }
    void leave()
    {
        if (cpu_count_ != 1) [[unlikely]]
            lock_.give();
    }
    // The idle processor waits, without the lock, for one interrupt. Before leaving, until there is
    // a thread to run.
    void rest();

    void on_system_call();
    void on_fault(arch::FaultReport const& report);
    void on_interrupt(u32 line);

    Cpu& cpu() { return *cpu_; }
    Cpu const& cpu(u32 number) const { return cpus_[number]; }
    u32 cpu_count() const { return cpu_count_; }
    u32 cpu_number() const { return cpu_->number; }
    arch::Machine& machine() { return machine_; }

    // For tests, the debugger and the simulator: reads only.
    std::span<Row const> rows() const { return { rows_, row_count_ }; }
    std::span<PageInfo const> pages() const { return { pages_, page_count_ }; }
    Thread const* thread(u32 id) const { return id < threads_max ? threads_[id] : nullptr; }
    Task const* task(u32 index) const { return index < tasks_max ? tasks_[index] : nullptr; }
    u32 free_pages() const { return free_pages_; }
    u32 free_rows() const { return free_rows_; }

private:
    friend struct KernelFixture;
    friend class Inspector; // the simulator's: chooses among ready threads and audits the books

    // object/page.cpp
    // Fails if the payer, or the machine, has not so many pages; and `others` more, of another
    // payer.
    void pages_wanted(Task const& payer, u64 pages, u32 others = 0);
    void* page_new(Task& payer, PageUse use, ObjectType type = ObjectType::none);
    void* object_new(Task& payer, ObjectType type, Task& owner, u64* words);
    void page_free(PageInfo& info);
    void page_free(void const* page) { page_free(info_of(page)); }
    PageInfo& info_of(void const* page) { return pages_[number_of(page)]; }
    // Pages are numbered from the lowest one the machine has.
    u32 number_of(void const* page)
    {
        return static_cast<u32>(
            static_cast<usize>(static_cast<u8 const*>(page) - memory_) / page_bytes);
    }
    // Of a page entry's target.
    PageInfo& info_at(u64 physical)
    {
        return pages_[static_cast<u32>(physical / page_bytes - page_base_)];
    }
    void* page_at(u32 number) { return memory_ + u64 { number } * page_bytes; }
    template <typename T>
    T* object_of(Row const& row)
    {
        return static_cast<T*>(page_at(row.object));
    }

    // object/row.cpp
    // The caller's row, if it was found alive since anything changed; null says nothing: look()
    // does.
    [[gnu::always_inline]] Row* known(Thread const& me, u64 handle)
    {
        auto const index = static_cast<u32>(handle);
        if (index >= row_count_)
            return nullptr;
        auto& row = rows_[index];
        return named(row, me, handle) ? &row : nullptr;
    }
    [[gnu::always_inline]] bool named(Row const& row, Thread const& me, u64 handle)
    {
        return row.generation == static_cast<u32>(handle >> 32) && row.owner == me.task_index
            && row.stamp == validity_epoch_;
    }
    Row& look(u64 handle);
    Row& look_closely(u64 handle);
    Row& look(u64 handle, ObjectType type, Rights all_of);
    Row& look_closely(u64 handle, ObjectType type, Rights all_of);
    Row& port_with_one(Row& row, Rights any_of);
    Row& owned(u64 handle); // alive or not
    bool alive(Row& row);
    Row* stored(u32 index, u32 generation);
    void signal_row(u32 index, u32 generation, u64 bits);
    Error why_dead(Row const& row);
    void row_wanted(Task const& owner); // fails if there is none for it
    Row& row_new(Task& owner, u32 object, Rights rights, Row* parent);
    void row_close(Row& row);
    void row_kill_children(Row& row);
    // The row's watcher, if it has one.
    [[gnu::always_inline]] void row_told(Row const& row)
    {
        if (row.watch != 0) [[unlikely]]
            row_tell(row);
    }
    void row_tell(Row const& row);
    u64 row_move(Row& row, Task& to); // the new handle. There is a row for it
    u64 handle_of(Row const& row) { return u64 { row.generation } << 32 | index_of(row); }
    u32 index_of(Row const& row) { return static_cast<u32>(&row - rows_); }
    void receiver_is(Row& row);
    Task& receiving_task(Port& port);
    void object_abandoned(Row& row);
    void object_destroy(Row& row);

    // object/port.cpp
    // The first of a port's queue, if it waits like this.
    [[gnu::always_inline]] static Thread* first_of(Port& port, ThreadState state)
    {
        auto* first = port.queue.next;
        return first->state == state ? static_cast<Thread*>(first) : nullptr;
    }
    [[gnu::always_inline]] static Thread* receiver_of(Port& port)
    {
        return first_of(port, ThreadState::receiving);
    }
    void receivers_check(Port& port);
    [[gnu::always_inline]] static void queue_add(Port& port, Thread& thread, ThreadState state)
    {
        thread.waits_on = &port;
        port.queue.add(thread, state);
    }
    // Puts a message into a receiver's registers, but for the words that it carries.
    [[gnu::always_inline]] static void put_message(Thread& receiver, u64 badge, u64 tag, u64 token)
    {
        auto* to = receiver.frame.words();
        to[0] = badge;
        to[1] = tag;
        receiver.frame.status() = status_ok;
        receiver.frame.port() = token;
    }
    // The caller waits for the receiver's reply from now on.
    [[gnu::always_inline]] static void received(Thread& caller, Thread const& receiver)
    {
        caller.state = ThreadState::awaiting_reply;
        caller.reply_owner = receiver.task_index;
    }
    void hand_message(Thread& receiver, u64 const* carried, u64 badge, u64 tag, Thread* caller);
    void notified(Thread& receiver, Port& port);
    Thread* deliver(Port& port, u64 const* carried, u64 badge, u64 tag);
    void signal_port(Port& port, u64 bits);
    void port_destroy(Port& port);

    // object/thread.cpp
    Thread& thread_new(Task& task, Task& owner, u64 const* start, u8 priority, u64* words);
    void thread_free(Thread& thread);
    void halt(Thread& thread);
    void wake(Thread& thread, Error error);

    // object/task.cpp
    Task& task_new(Task& creator, u32 pages, u32 rows, u32 threads, u64 const* name);
    void task_destroy(Task& task);
    u64 task_reap(Task& task, u64 cursor);
    void reap_page(Task& task, u32 number);
    void reap_tables(Task& task);
    void reap_table(Task& task, u64* table, unsigned shift, u64 base);

    // mm/region.cpp
    u64* region_new(Task& payer, u32 pages, u64* words);
    u64* region_physical(Task& payer, u64 first_page, u64 pages, u64 flags, u64* words);
    void region_destroy(u64* leaf);
    PageInfo* region_orphaned(u64* leaf);
    void region_end(u64* leaf);
    void region_disown(u64* leaf);
    void leaf_retire(PageInfo& info);
    bool leaf_full(PageInfo const& info) const;
    u64* shared_leaf(u64* leaf);
    void region_cut(u64* leaf);
    void shared_changed(u64 const* leaf, u64 first, u64 pages);
    enum class Tables : bool { found, made };
    bool in_space(Task const& task, u64 address);
    u64* walk(Task& task, u64 address, Tables tables);
    u64* slot(Task& task, u64 address);
    u64* map_wanted(Task& task, u64 address, u16 flags, Rights rights);
    void region_map(Task& task, u64 address, Row& region, u16 flags);
    void region_link(Task& task, u64 address, u64& entry, u64* leaf, u16 flags);
    u64& record_of(u64* entry);
    bool region_restore(Task& task, u64 address);
    u64 region_bytes(u64 const* leaf);
    void region_unmap(Task& task, u64 address);
    void region_unlink(u64 root, u64 address, u64& entry);
    void region_protect(Row const& region, u64 const* words);
    bool region_fill(Row const& target, Row const& source, u64 const* words);
    void data_release(u64 physical);
    u64 free_address(Task& task);

    // sched/dispatcher.cpp
    void make_ready(Thread& thread);
    void give_way(Thread& thread);
    u32 processor_for(Thread const& thread) const;
    Thread* stolen();
    void settle(Thread& thread);
    void enter_locked();
    void unready(Thread& thread);
    void run(Thread& thread);
    void dispatch();
    void hand_over(Thread* next);
    void hand_over_with(Thread* receiver, u64 const* carried, Thread& caller);
    void tick();
    void deadlines_check();
    void set_deadline(Thread& thread, u64 deadline_us);
    void interrupt_arrived(u32 line);
    void advance_time();
    void preempt();
    void idle();

    // syscall/message.cpp
    bool call_at_once(Thread& me, u64 number);
    bool answer_at_once(Thread& me, u64 number);
    void fill_and_resume(Thread& me, Port& port, Thread& faulted);
    void held_up(Thread& me);
    Thread* send(u64* words);
    Thread* reply(u64 token, u64* words);
    void answer(Thread& caller, u64 const* words);
    // The token that answers the thread's next call: each call has its own, so that one which was
    // used, or whose call has ended, is stale.
    u64 next_reply(Thread const& caller)
    {
        auto& token = reply_tokens_[caller.id];
        return token = (token + (u64 { 1 } << 32)) | reply_token_bit;
    }
    Thread* resume_faulted(Thread& thread, u64 const* words);
    void call(Thread& me, u64 number);
    Thread* call_on(Port& port, Thread& caller, u64 badge, u64 tag);
    void system_receive(Thread& me, u64 number);
    void capabilities_move(u64* words, Task& to, bool waits = false);
    void passable(Row const& row); // fails if it is not
    void capabilities_follow(Task const& giver, Thread& me, bool from_ring);
    bool take_message(Port& port, Thread& me);
    Thread* fault_call(Thread& thread, u64 tag, PendingCall pending);
    Thread* fault_call_closely(Thread& thread, u64 tag, PendingCall pending);

    // syscall/call.cpp
    void any_call(Thread& me, u64 number);
    void system_call(Thread& me, u64 number);
    void signal(u64 const* words);
    void rare_call(Thread& me, u64 number);
    void port_allocate(Task& task, u64* words);
    void vm_allocate(Task& task, u64* words);
    void vm_deallocate(Task& task, u64 address, u64 bytes);
    void cap_move(Thread& me, u64* words);
    void cap_rarely(CapOperation operation, u64* words);
    void cap_derive(Thread& me, CapOperation operation, u64* words);
    void cap_destroy(Row& source);
    void cap_limit(Row& source, u64 nanoseconds);
    void cap_watch(Row& source, u64 const* words);
    void cap_inspect(Row& source, u64* words);
    void spawn(Thread& me, u64* words);
    void switch_to(Thread& me, u64 const* words);
    void debug_print(u64 const* words);

    // syscall/broker.cpp
    void broker_call(Row const& broker, u32 number, u64* words);
    bool fill_at_once(Thread const& me, u64 const* words);
    void operate(Operation operation, Row* first, Row* second, u64* words);
    void task_create(u64* words);
    void thread_create(Task& task, u64* words);
    void thread_run(Thread& thread);
    void thread_stop(Thread& thread);
    u64* register_of(Thread& thread, u64 index);
    void thread_priority(Thread& thread, u64 priority);
    void thread_affinity(Thread& thread, u64 cpus);
    void task_reap_step(Task& task, u64* words);
    void operate_mapping(Operation operation, Task& task, Row* region, u64* words);
    void region_address(u64 const* leaf, u64* words);
    void bind_interrupt(u32 line, Row const& port, u64 bits);
    void interrupt_enable(Row const* port, u64 const* words);
    void msi_allocate(Row const& port, u64* words);
    void port_access(Operation operation, u64* words);
    void audit_row(u64* words);
    void audit_thread(u64* words);
    void audit_task(u64* words);
    void audit_port(u64* words);
    void audit_totals(u64* words);
    Row* argument(u32 packed, u64 const* words);

    // boot/boot.cpp
    void add_free(MemoryRange range);
    bool take_memory(BootInfo const& info);
    bool start_init(BootInfo const& info);
    bool boot_has(Task const& task, u64 pages) const;
    u64 boot_map(Task& init, u64 const* words, VmFlag more);
    u64 map_bundle(Task& init, Startup& startup, BootInfo const& info);
    void fill_startup(Task& init, Startup& startup, BootInfo const& info);
    bool load_elf(Task& task, std::span<u8 const> file, u64 chance, u64& entry);
    bool load_window(Task& task, ElfImage const& image, u16 segment, u64 window);
    void say(char const* text);

    [[noreturn]] void fail(Error error);
    [[noreturn]] void again();
    [[noreturn]] void give_up();
    [[gnu::always_inline]] void call_ended() // whatever has become ready may be more urgent
    {
        if (cpu_->ready_levels != 0) [[unlikely]]
            preempt();
    }

    // Small fields first, the tables last: what lies near the kernel's beginning has short
    // addresses.
    Cpu* cpu_ = cpus_; // whose entry this is
    u32 cpu_count_ = cpus_max; // 1: nobody else can be in the kernel. Until boot() knows, the lock
                               // is taken
    u32 idle_cpus_ = 0; // bit n: number n waits for work
    u8 tables_missing_ = 0; // for the address that walk() has not found
    Row* rows_ = nullptr;
    u32 row_count_ = 0;
    u32 row_free_ = 0;
    u32 free_rows_ = 0;
    u64 validity_epoch_ = 1;
    PageInfo* pages_ = nullptr;
    u8* memory_ = nullptr; // where page number 0 would be
    u64 page_base_ = 0; // its physical page number
    u32 page_count_ = 0;
    u32 page_free_ = 0;
    u32 free_pages_ = 0;
    u32 zombie_leaves_ = 0; // tables may point at a leaf that was cut
    u32 tick_now_ = 1;
    u32 next_expiry_ = ~0u;
    u64 next_deadline_ns_ = ~0ull;
    u64 calls_ = 0;
    u64 number_ = 0; // of the call that is made, for again()
    u32 broker_object_ = 0; // the page that every broker row names
    u32 total_pages_ = 0;
    u32 thread_count_ = 0;
    u32 task_count_ = 0;
    u16 scheduler_task_ = 0;
    u32 scheduler_row_ = 0;
    u32 scheduler_generation_ = 0;
    u64 scheduler_bits_ = 0;
    TicketLock lock_;
    Cpu cpus_[cpus_max];
    Task kernel_task_; // index 0: pays for what belongs to nobody
    Thread* threads_[threads_max] = {};
    u64 reply_tokens_[threads_max]; // of the last call of each: generation and index
    Task* tasks_[tasks_max] = {};
    InterruptBinding interrupts_[arch::interrupt_lines_max] = {};
};

} // namespace gemel
