// Memory, time, interrupts and devices of the hosted machine.
#include "core/base/assert.hpp"
#include "core/boot/tables.hpp"
#include "processors.hpp"
#include "race.hpp"

#include <gemel/arch/machine.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <system_error>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace gemel::arch {

namespace {

constexpr int events_max = 16;

// The addresses are about to be somebody else's: what stacks left poisoned there is forgotten.
void forget_poison([[maybe_unused]] u64 address)
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(reinterpret_cast<void*>(address), region_bytes_max);
#endif
}

#if defined(GEMEL_TSAN)
// ThreadSanitizer's own mmap refuses addresses that are no memory to it: task windows are none, the
// pages behind them are (race.hpp).
void* map_window(void* address, usize bytes, int access, int memory, u64 offset)
{
    return reinterpret_cast<void*>(
        syscall(SYS_mmap, address, bytes, access, MAP_SHARED | MAP_FIXED, memory, offset));
}
void unmap_window(void* address, usize bytes)
{
    (void)syscall(SYS_munmap, address, bytes);
}
#else
void* map_window(void* address, usize bytes, int access, int memory, u64 offset)
{
    return mmap(address, bytes, access, MAP_SHARED | MAP_FIXED, memory, static_cast<off_t>(offset));
}
void unmap_window(void* address, usize bytes)
{
    munmap(address, bytes);
}
#endif

[[noreturn]] void refuse(char const* what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

Machine* standing = nullptr; // whoever holds the one address

} // namespace

Machine::Machine(
    u64 memory_bytes, Isolation isolation, std::shared_ptr<hosted::MachineMemory> memory)
    : memory_(std::move(memory))
    , used_(memory_bytes / page_bytes)
    , memory_bytes_(memory_bytes)
    , isolation_(isolation)
{
    if (memory_)
        memory_->clear();
    else
        memory_ = std::make_shared<hosted::MachineMemory>(arena_address, memory_bytes);
    auto const pages = static_cast<u32>(memory_bytes / page_bytes);
    auto const tables = page_table_bytes(pages) + row_table_bytes(pages);
    memory_->expect({ 0, std::min(tables, memory_bytes) }); // all of it is written at once
    ASSERT(memory_->bytes() == memory_bytes);
    arena_ = memory_->begin();
    memory_descriptor_ = memory_->descriptor();
    poll_descriptor_ = epoll_create1(EPOLL_CLOEXEC);
    if (poll_descriptor_ < 0)
        refuse("epoll_create1");
    struct sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGALRM;
    timer_t timer {};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        refuse("timer_create");
    timer_ = timer;
    standing = this;
}

Machine::~Machine()
{
    standing = nullptr;
    flush_console();
    timer_delete(timer_);
    for (auto const& [leaf, mapping] : mappings_) {
        unmap_window(reinterpret_cast<void*>(mapping.address), region_bytes_max);
        race::mapped(mapping.address, nullptr);
    }
    close(poll_descriptor_);
}

u64 Machine::raw_now() const
{
    timespec now {};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

// A machine in a closed world has no clock to start, and may be made where none can be read.
void Machine::start_clock()
{
    if (is_live() && !virtual_time_)
        started_ns_ = raw_now();
}

u64 Machine::now_ns() noexcept
{
    if (world_) [[unlikely]]
        return world_->now_ns();
    return virtual_time_ ? *virtual_time_ : raw_now() - started_ns_;
}

// --- memory ---

// Runs of pages that are neighbours in memory, with equal access, become one host mapping.
bool Machine::try_map(Mapping const& mapping, u64 const* leaf, u32 first, u32 count)
{
    for (u32 i = first; i < first + count;) {
        auto* address = reinterpret_cast<void*>(mapping.address + i * page_bytes);
        auto const entry = leaf[i];
        u32 run = 1;
        if (entry == 0) {
            while (i + run < first + count && leaf[i + run] == 0)
                ++run;
            unmap_window(address, run * page_bytes);
            i += run;
            continue;
        }
        while (i + run < first + count && leaf[i + run] == entry + run * page_bytes)
            ++run;
        auto const write = (entry & writable) && (mapping.flags & static_cast<u16>(VmFlag::write));
        auto* got = map_window(address, run * page_bytes, PROT_READ | (write ? PROT_WRITE : 0),
            memory_descriptor_, entry_target(entry));
        if (got != address)
            return false;
        i += run;
    }
    return true;
}

void Machine::map_pages(Mapping const& mapping, u64 const* leaf, u32 first, u32 count)
{
    auto const mapped = try_map(mapping, leaf, first, count);
    ASSERT(mapped);
}

void Machine::leaf_linked(u64 root, u64 address, void* leaf, u16 flags) noexcept
{
    Mapping const mapping { root, address, flags };
    mappings_.emplace(leaf, mapping);
    forget_poison(address);
    race::mapped(address, leaf);
    if (!isolated()) // otherwise when it is touched
        map_pages(mapping, static_cast<u64 const*>(leaf), 0, region_pages_max);
}

void Machine::leaf_unlinked(u64 root, u64 address, void* leaf) noexcept
{
    auto const [begin, end] = mappings_.equal_range(leaf);
    for (auto at = begin; at != end; ++at) {
        if (at->second.root != root || at->second.address != address)
            continue;
        unmap_window(reinterpret_cast<void*>(address), region_bytes_max);
        race::mapped(address, nullptr);
        mappings_.erase(at);
        if (auto* one = shown(root, address))
            *one = {};
        return;
    }
    ASSERT(false);
}

void Machine::leaf_changed(void* leaf, u32 first, u32 count) noexcept
{
    auto const [begin, end] = mappings_.equal_range(leaf);
    for (auto at = begin; at != end; ++at)
        if (!isolated() || shown(at->second.root, at->second.address))
            map_pages(at->second, static_cast<u64 const*>(leaf), first, count);
}

void Machine::leaf_emptied(void* leaf) noexcept
{
    auto const [begin, end] = mappings_.equal_range(leaf);
    for (auto at = begin; at != end; ++at)
        unmap_window(reinterpret_cast<void*>(at->second.address), region_bytes_max);
}

void Machine::forget_races([[maybe_unused]] void* page) noexcept
{
    race::forget(static_cast<u8*>(page), memory_descriptor_, physical_of(page));
}

// Only what is there: reading a hole would fill it.
bool Machine::copy_memory(int to) const
{
    for (auto begin = lseek(memory_descriptor_, 0, SEEK_DATA); begin >= 0;) {
        auto const end = lseek(memory_descriptor_, begin, SEEK_HOLE);
        while (begin < end) {
            auto const wrote = pwrite(to, arena_ + begin, static_cast<usize>(end - begin), begin);
            if (wrote <= 0)
                return false;
            begin += wrote;
        }
        begin = lseek(memory_descriptor_, end, SEEK_DATA);
    }
    return true;
}

// The descriptor keeps its number, and every mapping its place.
bool Machine::move_memory() noexcept
{
    auto const copy = memfd_create("gemel-memory", MFD_CLOEXEC);
    if (copy < 0)
        return false;
    auto const moved = ftruncate(copy, static_cast<off_t>(memory_bytes_)) == 0 && copy_memory(copy)
        && dup3(copy, memory_descriptor_, O_CLOEXEC) >= 0
        && mmap(arena_, memory_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
               memory_descriptor_, 0)
            == arena_;
    close(copy);
    if (moved)
        for (auto const& [leaf, mapping] : mappings_)
            map_pages(mapping, static_cast<u64 const*>(leaf), 0, region_pages_max);
    return moved;
}

bool Machine::own_memory() noexcept
{
    return standing && !standing->isolated() && standing->move_memory();
}

// --- interrupts and time ---

void Machine::raise(u32 line) noexcept
{
    ASSERT(line < lines_max);
    if (world_ && !world_->raises(line))
        return;
    pending_ |= u64 { 1 } << line;
}

void Machine::interrupt_cpu(u32 number) noexcept
{
    if (processors_)
        processors_->call(number);
    else
        called_cpus_ |= 1u << number;
}

void Machine::interrupt_unmask(u32 line) noexcept
{
    if (line < lines_max)
        masked_ &= ~(u64 { 1 } << line);
}

void Machine::messages_from(u32 first) noexcept
{
    ASSERT(first < lines_max);
    messages_from_ = first;
    masked_ &= (u64 { 1 } << first) - 1;
}

MsiTarget Machine::msi_target(u32 first) noexcept
{
    auto const line = first < messages_from_ ? messages_from_ : first;
    if (line >= lines_max)
        return {};
    return { messages_address, line, line };
}

u32 Machine::take_interrupt() noexcept
{
    if (tick_pending_) {
        tick_pending_ = false;
        if (is_live())
            poll_descriptors(0); // a busy system still hears its devices
        return delivered(tick_line);
    }
    auto const lines = pending_ & ~masked_;
    if (lines == 0)
        return interrupt_lines_max;
    auto const line = static_cast<u32>(__builtin_ctzll(lines));
    pending_ &= ~(u64 { 1 } << line);
    if (line < messages_from_)
        masked_ |= u64 { 1 } << line;
    return delivered(line);
}

u32 Machine::delivered(u32 line) noexcept
{
    if (world_) [[unlikely]]
        world_->interrupted(line);
    return line;
}

// The timer runs at 100 Hz while threads run, and stands still while the machine idles.
void Machine::wake_at(u64 nanoseconds) noexcept
{
    if (processors_) [[unlikely]]
        return processors_->wake_at(nanoseconds);
    wake_ns_ = nanoseconds;
    if (timer_armed_ || virtual_time_ || nanoseconds == ~0ull || !is_live())
        return;
    itimerspec const every { { 0, static_cast<long>(tick_ns) }, { 0, static_cast<long>(tick_ns) } };
    timer_settime(timer_, 0, &every, nullptr);
    timer_armed_ = true;
}

void Machine::stop_timer()
{
    if (!timer_armed_)
        return;
    itimerspec const never {};
    timer_settime(timer_, 0, &never, nullptr);
    timer_armed_ = false;
}

bool Machine::poll_descriptors(int timeout_ms)
{
    epoll_event events[events_max];
    auto const count = epoll_wait(poll_descriptor_, events, events_max, timeout_ms);
    if (count < 0)
        return false;
    for (int i = 0; i < count; ++i) {
        auto const found = descriptors_.find(events[i].data.fd);
        if (found != descriptors_.end())
            std::function<void()>(found->second)(); // a copy: it may unwatch itself
    }
    return true;
}

u32 Machine::wait() noexcept
{
    if (processors_) [[unlikely]]
        return processors_->wait();
    for (;;) {
        if ((pending_ & ~masked_) != 0)
            return take_interrupt();
        auto const now = now_ns();
        if (wake_ns_ <= now) {
            tick_pending_ = false;
            return delivered(tick_line);
        }
        idle(now);
    }
}

void Machine::before_idle()
{
    flush_console();
    if (idle_)
        idle_();
}

void Machine::idle(u64 now)
{
    before_idle();
    if (world_)
        return world_->idle(wake_ns_);
    sleep(now);
}

// The timer runs on until it ticks once while nothing runs: whoever sleeps for less would pay for
// stopping and starting it each time.
void Machine::sleep(u64 now)
{
    if (watchful_ && watchful_())
        return;
    auto const wait_ns = wake_ns_ - now;
    auto const timeout = wake_ns_ == ~0ull ? -1 : static_cast<int>((wait_ns + 999'999) / 1'000'000);
    if (poll_descriptors(timeout))
        return;
    stop_timer();
    if (!world_)
        tick_pending_ = false; // nobody ran whose turn could be over
}

void Machine::watch(int descriptor, std::function<void()> ready)
{
    epoll_event event {};
    event.events = EPOLLIN;
    event.data.fd = descriptor;
    if (epoll_ctl(poll_descriptor_, EPOLL_CTL_ADD, descriptor, &event) != 0)
        refuse("epoll_ctl");
    descriptors_[descriptor] = std::move(ready);
}

void Machine::unwatch(int descriptor)
{
    epoll_ctl(poll_descriptor_, EPOLL_CTL_DEL, descriptor, nullptr);
    descriptors_.erase(descriptor);
}

// --- devices ---

void Machine::attach(u32 first, u32 count, hosted::Device& device)
{
    ports_.push_back({ first, count, &device });
}

Machine::PortRange const* Machine::range_of(u32 port) const
{
    for (auto const& range : ports_)
        if (port >= range.first && port - range.first < range.count)
            return &range;
    return nullptr;
}

// Like a bus: nobody there reads as ones.
u32 Machine::pio_read(u32 port, u32 bytes) noexcept
{
    if (auto const* range = range_of(port))
        return range->device->read(port - range->first, bytes);
    return bytes == 4 ? ~0u : (1u << (bytes * 8)) - 1;
}

void Machine::pio_write(u32 port, u32 bytes, u32 value) noexcept
{
    if (auto const* range = range_of(port))
        range->device->write(port - range->first, bytes, value);
}

void Machine::console_write(char character) noexcept
{
    console_ += character;
    if (character == '\n')
        flush_console();
}

void Machine::flush_console()
{
    if (console_.empty())
        return;
    auto const text = std::move(console_);
    console_.clear();
    if (console_sink_)
        return console_sink_(text);
    std::string_view left = text;
    while (!left.empty()) {
        auto const wrote = write(STDOUT_FILENO, left.data(), left.size());
        if (wrote <= 0)
            return;
        left.remove_prefix(static_cast<usize>(wrote));
    }
}

u64 Machine::entropy() noexcept
{
    return world_ ? world_->entropy() : host_entropy();
}

u64 Machine::host_entropy()
{
    u64 value = 0;
    auto const got = getrandom(&value, sizeof value, 0);
    ASSERT(got == sizeof value);
    return value;
}

} // namespace gemel::arch
