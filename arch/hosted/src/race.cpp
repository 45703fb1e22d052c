#include "race.hpp"

#include "core/base/assert.hpp"
#include "processor.hpp"

#include <atomic>
#include <cstdio>
#include <cstring>
#include <sanitizer/tsan_interface.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

extern "C" {
extern char __executable_start;
extern char etext;

void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_set_fiber_name(void* fiber, char const* name);
void __sanitizer_symbolize_pc(void* at, char const* format, char* text, unsigned long bytes);
void __tsan_ignore_thread_begin();
void __tsan_ignore_thread_end();
void __tsan_read_range_pc(void* at, unsigned long bytes, void* place);
void __tsan_write_range_pc(void* at, unsigned long bytes, void* place);
void gemel_signal_return(); // src/race.S
int __tsan_get_report_data(void* report, char const** description, int* count, int* stack_count,
    int* access_count, int* location_count, int* mutex_count, int* thread_count,
    int* unique_thread_count, void** sleep_trace, unsigned long trace_size);
int __tsan_get_report_mop(void* report, unsigned long index, int* thread, void** address,
    int* bytes, int* write, int* atomic, void** trace, unsigned long trace_size);

// Interceptors see addresses of task windows, which are not one place a page: what our code asks
// for by memcpy and the like is told below instead. Nothing may be opened in the jail, so places
// are told by number.
char const* __tsan_default_options()
{
    return "ignore_interceptors_accesses=1:symbolize=0:report_signal_unsafe=0:die_after_fork=0:"
           "report_thread_leaks=0:exitcode=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:"
           "handle_sigill=0:handle_abort=0:atexit_sleep_ms=0"; // nor may _exit sleep there
}
}

namespace gemel::arch::race {

namespace {

constexpr u64 windows_end = Machine::windows_address + tasks_max * Machine::window_bytes;
constexpr u64 target_mask = 0x000F'FFFF'FFFF'F000;
constexpr unsigned no_order = 1; // of a switch to a fiber
constexpr u32 accesses = 2;
constexpr u64 sa_restorer = 0x0400'0000;

u64 first_word_of(sigset_t const& set)
{
    u64 word;
    std::memcpy(&word, &set, sizeof word);
    return word;
}

constexpr u32 frames = 8;

struct Watch {
    void* maker
        = nullptr; // of fibers: one comes after all that its maker did, and this does nothing
    void* threads[threads_max] = {};
    hosted::HostThreads host_threads = hosted::HostThreads::one;
    u64 const** leaves = nullptr; // by 2 MiB of the windows
    char memory_of_threads[threads_max] = {}; // only their addresses matter: what orders threads
    char starts = 0; // what orders a thread's start
    char faults = 0; // and what was done before a fault: whose port hears of it is not looked up
    char ends = 0; // and the run's end
    std::atomic<u32> found_count = 0;
    std::atomic<bool> found_whole = false; // `found` is to be told
    char found[256] = {};
};
Watch watch;

u64 const** leaves()
{
    if (!watch.leaves) {
        constexpr auto count = (windows_end - Machine::windows_address) / region_bytes_max;
        auto* got = mmap(nullptr, count * sizeof(u64*), PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        ASSERT(got != MAP_FAILED);
        watch.leaves = static_cast<u64 const**>(got);
    }
    return watch.leaves;
}

// The object that a handle names orders who sends to it and who receives from it.
u8* object_of(Kernel& kernel, u64 handle)
{
    auto const index = static_cast<u32>(handle);
    auto const rows = kernel.rows();
    if (index >= rows.size() || rows[index].object >= kernel.pages().size())
        return nullptr;
    return reinterpret_cast<u8*>(
        Machine::arena_address + Machine::first_physical + rows[index].object * page_bytes);
}

bool is_port(Kernel& kernel, u64 handle)
{
    auto const index = static_cast<u32>(handle);
    auto const rows = kernel.rows();
    return index < rows.size() && rows[index].object < kernel.pages().size()
        && kernel.pages()[rows[index].object].type == ObjectType::port;
}

// For a while, as that fiber.
class As {
public:
    explicit As(void* fiber)
        : before_(__tsan_get_current_fiber())
    {
        __tsan_switch_to_fiber(fiber, no_order);
    }
    ~As() { __tsan_switch_to_fiber(before_, no_order); }
    As(As const&) = delete;
    As& operator=(As const&) = delete;

private:
    void* before_;
};

// Of our own code: the innermost frame that is.
u64 place_of(void* const (&trace)[frames])
{
    for (auto* const frame : trace) {
        auto const at = reinterpret_cast<u64>(frame);
        if (at >= reinterpret_cast<u64>(&__executable_start) && at < reinterpret_cast<u64>(&etext))
            return at - reinterpret_cast<u64>(&__executable_start);
    }
    return 0;
}

} // namespace

void begin_run(hosted::HostThreads threads)
{
    watch.host_threads = threads;
    watch.found_count = 0;
    if (!watch.maker)
        watch.maker = __tsan_create_fiber(0);
    if (threads == hosted::HostThreads::one)
        __tsan_ignore_thread_begin();
}

void end_run()
{
    __tsan_acquire(&watch.ends);
    if (watch.host_threads == hosted::HostThreads::one)
        __tsan_ignore_thread_end();
}

void become(Frame::Fiber& own)
{
    own.tsan = __tsan_get_current_fiber();
}

// Whatever the thread did comes before what the kernel does now; not the other way round.
void begin_kernel(Frame::Fiber const& own)
{
    __tsan_switch_to_fiber(own.tsan, 0);
}

void end_kernel(u32 thread)
{
    __tsan_switch_to_fiber(watch.threads[thread], no_order);
}

// A thread that has the id of one that ended goes on as its fiber.
void prepare(u32 thread)
{
    auto& fiber = watch.threads[thread];
    if (fiber)
        return;
    As const maker(watch.maker);
    fiber = __tsan_create_fiber(0);
}

// What the kernel did at boot for the first of all comes before it, too.
void first_turn(u32 thread)
{
    if (thread == 1)
        __tsan_release(&watch.starts);
    As const starting(watch.threads[thread]);
    __tsan_acquire(&watch.starts);
}

u8 const* sends(Kernel& kernel, Thread const& thread, Registers const& call)
{
    auto const number = static_cast<Call>(call.number & 0xFF);
    auto const handle = call.words[0];
    auto const receiving = number == Call::port_receive;
    auto const sending = number == Call::port_send || number == Call::signal
        || (receiving && (call.number >> 8 & 3) != 0);
    auto const* const from = receiving ? object_of(kernel, call.port) : nullptr;
    auto* const object = sending ? object_of(kernel, handle) : nullptr;
    auto const starts = number == Call::sched_spawn
        || (sending && (handle & reply_token_bit) == 0 && !is_port(kernel, handle)); // by a broker
    As const sender(watch.threads[thread.id]);
    __tsan_release(&watch.ends);
    if (starts)
        __tsan_release(&watch.starts);
    if (sending && (handle & reply_token_bit) != 0)
        __tsan_release(&watch.memory_of_threads[static_cast<u32>(handle) % threads_max]);
    else if (object)
        __tsan_release(object);
    return from;
}

void received(u32 thread, u64 number, u8 const* from)
{
    if (static_cast<Call>(number & 0xFF) != Call::port_receive)
        return;
    As const receiver(watch.threads[thread]);
    __tsan_acquire(&watch.memory_of_threads[thread]);
    __tsan_acquire(&watch.faults);
    if (from)
        __tsan_acquire(const_cast<u8*>(from));
}

void faults(u32 thread)
{
    As const sender(watch.threads[thread]);
    __tsan_release(&watch.faults);
}

void mended(u32 thread)
{
    As const receiver(watch.threads[thread]);
    __tsan_acquire(&watch.memory_of_threads[thread]);
}

void mapped(u64 address, void const* leaf)
{
    leaves()[(address - Machine::windows_address) / region_bytes_max]
        = static_cast<u64 const*>(leaf);
}

// ThreadSanitizer forgets what happened to memory that is mapped anew: the same pages, once more.
void forget(u8* page, int memory, u64 offset)
{
    auto* got = mmap(page, page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memory,
        static_cast<off_t>(offset));
    ASSERT(got == page);
}

// Which modules there are.
void before_jail()
{
    char name[256];
    __sanitizer_symbolize_pc(reinterpret_cast<void*>(&before_jail), "%m", name, sizeof name);
}

// The kernel's own form of sigaction(2): its C library adds the way back.
void handle(int signal, struct sigaction const& action)
{
    struct {
        void (*handler)(int, siginfo_t*, void*);
        u64 flags;
        void (*restorer)();
        u64 mask;
    } const bare { action.sa_sigaction, static_cast<u64>(action.sa_flags) | sa_restorer,
        gemel_signal_return, first_word_of(action.sa_mask) };
    auto const done = syscall(SYS_rt_sigaction, signal, &bare, nullptr, sizeof bare.mask);
    ASSERT(done == 0);
}

std::string take_found()
{
    if (!watch.found_whole.load(std::memory_order_acquire))
        return "";
    std::string found = watch.found;
    watch.found_whole.store(false, std::memory_order_release);
    return found;
}

u32 found_count()
{
    return watch.found_count;
}

} // namespace gemel::arch::race

namespace {

alignas(64) constinit thread_local char kernels_place[64] = {};

}

// Where a task's address lies in the machine's memory: equal for all who map the page. The kernel
// runs on its callers' stacks, and they are no concern of others: what it does there is nothing.
extern "C" gemel::u64 gemel_race_place(gemel::u64 address)
{
    using namespace gemel;
    using arch::Machine;
    if (!arch::in_task_here())
        return reinterpret_cast<u64>(kernels_place) + address % 16;
    if (address < Machine::windows_address || address >= arch::race::windows_end
        || !arch::race::watch.leaves)
        return address;
    auto const* leaf
        = arch::race::watch.leaves[(address - Machine::windows_address) / region_bytes_max];
    auto const entry = leaf ? leaf[address % region_bytes_max / page_bytes] : 0;
    if (entry == 0)
        return address; // it faults there
    return Machine::arena_address + (entry & arch::race::target_mask) + address % page_bytes;
}

namespace {

// Pages that are neighbours for a task need not be so in the machine.
void tell_range(
    void const* from, gemel::usize bytes, void* place, void (*tell)(void*, unsigned long, void*))
{
    using namespace gemel;
    auto at = reinterpret_cast<u64>(from);
    while (bytes != 0 && arch::in_task_here()) {
        auto const here = std::min<u64>(bytes, page_bytes - at % page_bytes);
        tell(reinterpret_cast<void*>(gemel_race_place(at)), here, place);
        at += here;
        bytes -= here;
    }
}

} // namespace

extern "C" {

void* __real_memcpy(void* to, void const* from, gemel::usize bytes);
void* __real_memmove(void* to, void const* from, gemel::usize bytes);
void* __real_memset(void* to, int value, gemel::usize bytes);

void* __wrap_memcpy(void* to, void const* from, gemel::usize bytes)
{
    tell_range(from, bytes, __builtin_return_address(0), __tsan_read_range_pc);
    tell_range(to, bytes, __builtin_return_address(0), __tsan_write_range_pc);
    return __real_memcpy(to, from, bytes);
}

void* __wrap_memmove(void* to, void const* from, gemel::usize bytes)
{
    tell_range(from, bytes, __builtin_return_address(0), __tsan_read_range_pc);
    tell_range(to, bytes, __builtin_return_address(0), __tsan_write_range_pc);
    return __real_memmove(to, from, bytes);
}

void* __wrap_memset(void* to, int value, gemel::usize bytes)
{
    tell_range(to, bytes, __builtin_return_address(0), __tsan_write_range_pc);
    return __real_memset(to, value, bytes);
}
}

// ThreadSanitizer asks before it prints. True: it does not; the world tells, from a calm place.
namespace __tsan {

class ReportDesc;
bool OnReport(ReportDesc const* report, bool suppressed);
bool OnReport(ReportDesc const* report, bool suppressed)
{
    using namespace gemel::arch::race;
    auto* raw = const_cast<ReportDesc*>(report);
    char const* description = nullptr;
    int count[8] = {};
    void* sleep[1] = {};
    if (suppressed || !gemel::hosted::running())
        return true;
    watch.found_count.fetch_add(1);
    if (watch.found_whole.load(std::memory_order_acquire))
        return true; // one at a time; ThreadSanitizer's lock is ours here
    __tsan_get_report_data(raw, &description, &count[0], &count[1], &count[2], &count[3], &count[4],
        &count[5], &count[6], sleep, 1);
    auto length = 0;
    for (int i = 0; i < count[2] && i < static_cast<int>(accesses); ++i) {
        int thread = 0, bytes = 0, write = 0, atomic = 0;
        void* address = nullptr;
        void* trace[frames] = {};
        __tsan_get_report_mop(raw, static_cast<unsigned long>(i), &thread, &address, &bytes, &write,
            &atomic, trace, frames);
        length += std::snprintf(watch.found + length,
            sizeof watch.found - static_cast<gemel::usize>(length), "%s%s of %d bytes at @0x%llx",
            i == 0 ? "" : ", and another thread's ", write ? "write" : "read", bytes,
            static_cast<unsigned long long>(place_of(trace)));
    }
    if (length == 0)
        std::snprintf(watch.found, sizeof watch.found, "%s", description);
    watch.found_whole.store(true, std::memory_order_release);
    return true;
}

} // namespace __tsan
