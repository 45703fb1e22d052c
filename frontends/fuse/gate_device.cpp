#include "frontends/fuse/gate_device.hpp"

#include "core/base/assert.hpp"
#include "frontends/fuse/private_stack.hpp"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utility>

namespace gemel::fuse {

using hostmount::DriverState;
using hostmount::Operation;
using hostmount::Register;
using hostmount::Request;

namespace {

// What stands before the bytes of a write (Linux include/uapi/linux/fuse.h, fuse_in_header and
// fuse_write_in). Requests are read in so that those bytes land at the slot's data.
constexpr u32 write_header_bytes = 80;

// FUSE's first exchange, as far as it is looked at here (fuse.h, fuse_init_in and fuse_init_out).
constexpr u32 init_operation = 26;
constexpr usize operation_offset = 4;
constexpr usize init_in_flags_offset = 40 + 12;
constexpr usize init_out_flags_offset = 16 + 12;
constexpr u32 handle_killpriv_v2 = 1u << 28;
// What libfuse keeps to itself of later messages (fuse_write_in and fuse_setattr_in).
constexpr usize write_flags_offset = 40 + 20;
constexpr u32 write_kill_privileges = 1u << 2;
constexpr usize setattr_valid_offset = 40;
constexpr u32 setattr_kill_privileges = 1u << 11;

} // namespace

GateDevice::GateDevice(
    hosted::System& system, Events events, Sharing sharing, Caching caching, Lists lists)
    : machine_(system.machine())
    , events_(std::move(events))
    , sharing_(sharing)
    , caching_(caching)
    , lists_(lists)
    , memory_(static_cast<u8*>(machine_.at_physical(system.device_memory())))
    , first_page_(system.device_memory() / page_bytes)
{
    for (u32 index = hostmount::slots_max; index-- > 0;)
        free_.push_back(index);
}

GateDevice::~GateDevice()
{
    if (watching_ && mounted_)
        machine_.unwatch(fuse_session_fd(session_));
    if (mounted_)
        on_private_stack([this] { fuse_session_unmount(session_); });
    if (session_)
        fuse_session_destroy(session_);
}

bool GateDevice::open_session(fuse_args& arguments)
{
    if (session_)
        fuse_session_destroy(session_);
    session_ = fuse_session_new(&arguments, &operations(), sizeof(fuse_lowlevel_ops), this);
    return session_ != nullptr;
}

bool GateDevice::mount(std::string const& directory)
{
    on_private_stack([&] { mounted_ = fuse_session_mount(session_, directory.c_str()) == 0; });
    if (!mounted_)
        return false;
    if (sharing_ == Sharing::alone)
        placement_.emplace();
    fuse_custom_io const io { .writev = answer_host_raw,
        .read = read_host,
        .splice_receive = nullptr,
        .splice_send = nullptr };
    fuse_session_custom_io(session_, &io, fuse_session_fd(session_));
    auto const descriptor = fuse_session_fd(session_);
    ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    machine_.watch(descriptor, [this] { receive(); });
    watching_ = true;
    if (placement_)
        machine_.before_sleep([this] { return look_before_sleep(); });
    return true;
}

// Whether a write takes privileges away is asked of the file before each one (getxattr
// security.capability), unless the file system says that it sees to that: this libfuse has no word
// for it, so it is said in the first exchange.
ssize_t GateDevice::read_host(int descriptor, void* bytes, size_t count, void* device)
{
    auto const got = ::read(descriptor, bytes, count);
    auto const word = [&](usize offset) {
        u32 value = 0;
        if (got >= static_cast<ssize_t>(offset + sizeof value))
            std::memcpy(&value, static_cast<u8*>(bytes) + offset, sizeof value);
        return value;
    };
    if (word(operation_offset) == init_operation) {
        auto& self = *static_cast<GateDevice*>(device);
        self.kills_privileges_ = self.sharing_ == Sharing::alone
            && (word(init_in_flags_offset) & handle_killpriv_v2) != 0;
        self.greeting_ = true;
    }
    return got;
}

ssize_t GateDevice::answer_host_raw(int descriptor, iovec* parts, int count, void* device)
{
    auto& self = *static_cast<GateDevice*>(device);
    if (std::exchange(self.greeting_, false) && self.kills_privileges_ && count == 2
        && parts[1].iov_len >= init_out_flags_offset - parts[0].iov_len + sizeof(u32)) {
        auto* const place
            = static_cast<u8*>(parts[1].iov_base) + init_out_flags_offset - parts[0].iov_len;
        u32 flags = 0;
        std::memcpy(&flags, place, sizeof flags);
        flags |= handle_killpriv_v2;
        std::memcpy(place, &flags, sizeof flags);
    }
    return ::writev(descriptor, parts, count);
}

// True: a request came, and the machine has work.
bool GateDevice::look_before_sleep()
{
    if (!placement_ || full_ || !placement_->waits())
        return false;
    do {
        receive();
        if (!waiting_.empty())
            return true;
    } while (placement_ && placement_->looks_on());
    return false;
}

// One request: who waits for its answer seldom sends another meanwhile, and if there is one, the
// descriptor says so again.
void GateDevice::receive()
{
    if (free_.empty()) {
        full_ = true;
        machine_.unwatch(fuse_session_fd(session_));
        return;
    }
    current_ = free_.back();
    begun_ = false;
    fuse_buf buffer {};
    buffer.mem = slot(current_) + hostmount::data_offset - write_header_bytes;
    auto const got = fuse_session_receive_buf(session_, &buffer);
    if (got == -EAGAIN || got == -EINTR)
        return;
    if (got <= 0)
        return end_mount();
    fuse_session_process_buf(session_, &buffer);
    if (begun_)
        submit(current_);
    if (fuse_session_exited(session_))
        end_mount();
}

void GateDevice::submit(u32 index)
{
    ASSERT(free_.back() == index);
    free_.pop_back();
    waiting_.push_back(index);
    if (auto* const asked = asked_[index].request; placement_ && asked) {
        constexpr u64 large_bytes = 32 * 1024;
        auto const& request = *reinterpret_cast<Request const*>(slot(index));
        bool const moves
            = request.operation == Operation::read || request.operation == Operation::write;
        placement_->note(fuse_req_ctx(asked)->pid,
            moves && request.bytes > large_bytes ? Placement::Size::large : Placement::Size::small);
    }
    machine_.raise(hostmount::device_line);
}

// The last request: everything is to be durable.
void GateDevice::end_mount()
{
    if (!watching_)
        return;
    watching_ = false;
    if (!full_)
        machine_.unwatch(fuse_session_fd(session_));
    full_ = false;
    if (events_.unmounted)
        events_.unmounted();
    placement_.reset();
    ASSERT(!free_.empty());
    current_ = free_.back();
    begin(nullptr, sharing_ == Sharing::alone ? Operation::stop : Operation::leave);
    submit(current_);
}

hostmount::Request& GateDevice::begin(fuse_req_t request, Operation operation)
{
    begun_ = true;
    auto& place = *reinterpret_cast<Request*>(slot(current_) + hostmount::request_offset);
    place = Request {};
    place.operation = operation;
    place.open_untold = opens_untold_ ? 1 : 0;
    asked_[current_] = { .request = request, .operation = operation };
    if (request) {
        auto const* const context = fuse_req_ctx(request);
        place.uid = context->uid;
        place.gid = context->gid;
        fuse_req_interrupt_func(request, interrupted, &place);
    }
    return place;
}

void GateDevice::put_name(std::string_view name)
{
    auto* const at = slot(current_);
    auto const bytes = std::min<usize>(name.size(), hostmount::name_bytes_max);
    std::memcpy(at + hostmount::name_offset, name.data(), bytes);
    reinterpret_cast<Request*>(at)->name_bytes = static_cast<u32>(bytes);
}

void GateDevice::put_second_name(std::string_view name)
{
    auto* const at = slot(current_);
    auto const bytes = std::min<usize>(name.size(), hostmount::name_bytes_max);
    std::memcpy(at + hostmount::second_name_offset, name.data(), bytes);
    reinterpret_cast<Request*>(at)->second_name_bytes = static_cast<u32>(bytes);
}

std::span<std::byte> GateDevice::data()
{
    auto* const at = slot(current_) + hostmount::data_offset;
    return { reinterpret_cast<std::byte*>(at), hostmount::data_bytes_max };
}

u32 GateDevice::message_word(usize offset) const
{
    u32 word = 0;
    auto const* const message = slot(current_) + hostmount::data_offset - write_header_bytes;
    std::memcpy(&word, message + offset, sizeof word);
    return word;
}

bool GateDevice::write_takes_privileges() const
{
    return kills_privileges_ && (message_word(write_flags_offset) & write_kill_privileges) != 0;
}

bool GateDevice::change_takes_privileges() const
{
    return kills_privileges_ && (message_word(setattr_valid_offset) & setattr_kill_privileges) != 0;
}

double GateDevice::timeout_seconds() const
{
    constexpr double for_good = 1e6; // seconds; what changes, the host itself changes
    return sharing_ == Sharing::alone ? for_good : 0;
}

// libfuse's lock is held: only the request is told.
void GateDevice::interrupted(fuse_req_t, void* request)
{
    static_cast<Request*>(request)->interrupted = 1;
}

u32 GateDevice::take()
{
    if (waiting_.empty())
        return hostmount::slot_none;
    auto const index = waiting_.front();
    waiting_.pop_front();
    auto const& request = *reinterpret_cast<Request const*>(slot(index));
    asked_[index].bytes = request.bytes;
    asked_[index].node = request.node;
    asked_[index].offset = request.offset;
    return index | (waiting_.empty() ? 0 : hostmount::slot_more);
}

void GateDevice::answer(u32 index)
{
    if (index >= hostmount::slots_max)
        return;
    auto const asked = std::exchange(asked_[index], {});
    if (asked.request) {
        fuse_req_interrupt_func(asked.request, nullptr, nullptr);
        answer_host(*this, asked, { slot(index), hostmount::slot_bytes });
    }
    free_.push_back(index);
    if (full_) {
        full_ = false;
        machine_.watch(fuse_session_fd(session_), [this] { receive(); });
    }
}

u32 GateDevice::read(u32 offset, u32)
{
    switch (static_cast<Register>(offset)) {
    case Register::magic:
        return hostmount::device_magic;
    case Register::version:
        return hostmount::device_version;
    case Register::slots:
        return hostmount::slots_max;
    case Register::first_page:
        return static_cast<u32>(first_page_);
    case Register::pages:
        return static_cast<u32>(memory_bytes / page_bytes);
    case Register::take:
        return take();
    case Register::answer:
    case Register::state:
        break;
    }
    return 0;
}

void GateDevice::write(u32 offset, u32, u32 value)
{
    if (offset == static_cast<u32>(Register::answer))
        answer(value);
    else if (offset == static_cast<u32>(Register::state) && events_.serving)
        events_.serving(static_cast<DriverState>(value));
}

} // namespace gemel::fuse
