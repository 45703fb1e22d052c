// The host's end of a mount (servers/hostmount/ring.hpp): a device whose far end is /dev/fuse.
// libfuse reads a request straight into a slot's memory and answers from there, so the bytes of
// files are copied by the host's kernel and by the file system, and by nobody between.
#pragma once

#include "frontends/fuse/placement.hpp"
#include "servers/hostmount/ring.hpp"

#include <gemel/hosted/system.hpp>

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <array>
#include <deque>
#include <functional>
#include <string>
#include <vector>

namespace gemel::fuse {

// How long the host may keep names and attributes.
enum class Sharing : u8 {
    alone, // nobody else changes the file system: for good
    shared, // tasks of the system do too: not at all, each use asks
};

// What the host keeps for itself.
enum class Caching : u8 { reads, write_back };

// Access control lists.
enum class Lists : u8 {
    unchecked, // as any attribute
    by_the_host, // it checks permissions, and these too
};

class GateDevice final : public hosted::Device {
public:
    static constexpr u64 memory_bytes = u64 { hostmount::slots_max } * hostmount::slot_bytes;

    struct Events {
        // The file system is there: mount it.
        std::function<void(hostmount::DriverState)> serving;
        std::function<void()> unmounted; // the host let go
    };

    // The machine was made with `memory_bytes` of device memory; it outlives the device.
    GateDevice(
        hosted::System& system, Events events, Sharing sharing, Caching caching, Lists lists);
    ~GateDevice() override;
    GateDevice(GateDevice const&) = delete;

    // Before mount: libfuse's session with these options (fuse_session_new's), in place of an
    // earlier one. False: it said why.
    bool open_session(fuse_args& arguments);
    // Mounts and begins to serve. False: libfuse said why on standard error.
    bool mount(std::string const& directory);
    bool mounted() const { return mounted_; }
    fuse_session* session() { return session_; }

    u32 read(u32 offset, u32 bytes) override;
    void write(u32 offset, u32 bytes, u32 value) override;

    // --- for the operations (operations.cpp) ---
    // The request that is being read in becomes this one; its place for names and data.
    hostmount::Request& begin(fuse_req_t request, hostmount::Operation operation);
    void put_name(std::string_view name);
    void put_second_name(std::string_view name);
    std::span<std::byte> data();
    // Whether the write (the setattr) that is being read in takes the bits that lend an identity
    // away, because of who asks: the host leaves that to us (read_host).
    bool write_takes_privileges() const;
    bool change_takes_privileges() const;
    // An open directory needs no handle here.
    double timeout_seconds() const;
    Sharing sharing() const { return sharing_; }
    // The host opens, creates and closes files without asking: requests name nodes alone.
    bool opens_untold() const { return opens_untold_; }
    // What the host told at the connection's start.
    void connected(fuse_conn_info& connection);

    // What an answer needs to know of its question.
    struct Asked {
        fuse_req_t request = nullptr;
        hostmount::Operation operation = hostmount::Operation::stop;
        u64 bytes = 0;
        u64 node = 0;
        u64 offset = 0;
    };

private:
    u8* slot(u32 index) const { return memory_ + u64 { index } * hostmount::slot_bytes; }
    void receive();
    bool look_before_sleep();
    void submit(u32 index);
    u32 message_word(usize offset) const;
    static ssize_t read_host(int descriptor, void* bytes, size_t count, void* device);
    static ssize_t answer_host_raw(int descriptor, iovec* parts, int count, void* device);
    void end_mount();
    u32 take();
    void answer(u32 index);
    static void interrupted(fuse_req_t request, void* slot);

    arch::Machine& machine_;
    Events events_;
    Sharing sharing_;
    Caching caching_;
    Lists lists_;
    u8* memory_;
    u64 first_page_;
    fuse_session* session_ = nullptr;
    bool mounted_ = false;
    bool watching_ = false;
    bool kills_privileges_ = false; // the host offers to leave that to us
    bool opens_untold_ = false;
    bool greeting_ = false; // the first exchange is under way
    bool full_ = false; // the descriptor waits for a free slot
    std::array<Asked, hostmount::slots_max> asked_;
    std::vector<u32> free_; // last freed, first used: its memory is warm
    std::deque<u32> waiting_;
    std::optional<Placement> placement_; // where the machine does nothing else
    u32 current_ = 0; // while a request is read in
    bool begun_ = false;
};

// The operations that libfuse calls, with the GateDevice as their user data.
fuse_lowlevel_ops const& operations();
// Answers the question with what lies in the slot.
void answer_host(GateDevice& device, GateDevice::Asked const& asked, std::span<u8> slot);

} // namespace gemel::fuse
