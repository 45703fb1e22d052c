// Every way a call or a service can refuse. The numbers are the ABI (docs/errors.md): never reuse.
#pragma once

#include "core/base/types.hpp"

#include <string_view>

namespace gemel {

enum class Error : u8 {
    // The kernel's.
    invalid = 0x01, // an argument outside its range
    no_memory = 0x02, // the machine has no page left
    port_invalid = 0x03, // the handle names something that is not a port
    port_full = 0x04, // a one-way send met a full ring
    no_rights = 0x05, // the capability lacks the right
    cap_invalid = 0x06, // forged, stale or foreign handle
    align = 0x07, // an address that is not aligned as the call asks
    not_owner = 0x08, // a reply token that belongs to another task
    not_runnable = 0x09, // sched_switch to a thread that is not ready
    no_rights_sched = 0x0A, // only the registered scheduler may
    too_big = 0x0B, // over a named bound
    not_found = 0x0C,
    bad_call = 0x0D, // no such system call or broker operation
    timed_out = 0x0E,
    revoked = 0x0F, // the capability, or one it was derived from, was revoked or expired
    // Services'.
    io = 0x10,
    network = 0x11,
    invalid_request = 0x12, // a message that does not follow its protocol
    unavailable = 0x13, // not now: the service is starting, stopping or without a device
    // The kernel's again.
    quota = 0x14, // the task's own limit
    dead = 0x15, // the peer ended before it answered
    // Files' and names'.
    exists = 0x20,
    not_directory = 0x21,
    is_directory = 0x22,
    not_empty = 0x23,
    read_only = 0x24,
    name_too_long = 0x25,
    symlink_loop = 0x26,
    no_space = 0x27,
    corrupt = 0x28, // what is on the disk contradicts itself or its checksum
    unsupported = 0x29, // known, named, and not offered
    cross_device = 0x2A,
    interrupted = 0x2B, // a wait that was ended from outside: the kernel's, too
    too_many_open = 0x2C,
    syntax = 0x2D,
    busy = 0x2E, // in use: a mount point, or a name with one below it
    too_many_links = 0x2F, // a file with as many names as the file system can count
    no_attribute = 0x30, // the file has no extended attribute of that name
};

constexpr std::string_view name_of(Error error)
{
    switch (error) {
    case Error::invalid:
        return "invalid argument";
    case Error::no_memory:
        return "out of memory";
    case Error::port_invalid:
        return "not a port";
    case Error::port_full:
        return "port full";
    case Error::no_rights:
        return "no right to do that";
    case Error::cap_invalid:
        return "invalid capability";
    case Error::align:
        return "misaligned address";
    case Error::not_owner:
        return "not the owner";
    case Error::not_runnable:
        return "thread not runnable";
    case Error::no_rights_sched:
        return "not the scheduler";
    case Error::too_big:
        return "too big";
    case Error::not_found:
        return "not found";
    case Error::bad_call:
        return "no such call";
    case Error::timed_out:
        return "timed out";
    case Error::revoked:
        return "capability revoked";
    case Error::io:
        return "input/output error";
    case Error::network:
        return "network error";
    case Error::invalid_request:
        return "invalid request";
    case Error::unavailable:
        return "unavailable";
    case Error::quota:
        return "quota used up";
    case Error::dead:
        return "peer is dead";
    case Error::exists:
        return "already exists";
    case Error::not_directory:
        return "not a directory";
    case Error::is_directory:
        return "is a directory";
    case Error::not_empty:
        return "directory not empty";
    case Error::read_only:
        return "read-only file system";
    case Error::name_too_long:
        return "name too long";
    case Error::symlink_loop:
        return "too many levels of symbolic links";
    case Error::no_space:
        return "no space left";
    case Error::corrupt:
        return "structure needs cleaning";
    case Error::unsupported:
        return "not supported";
    case Error::cross_device:
        return "different file systems";
    case Error::interrupted:
        return "interrupted";
    case Error::too_many_open:
        return "too many open files";
    case Error::syntax:
        return "syntax error";
    case Error::busy:
        return "in use";
    case Error::too_many_links:
        return "too many links";
    case Error::no_attribute:
        return "no such attribute";
    }
    return "unknown error";
}

// The status word of a failed call: 0xFFFFFFFF in the upper half, the error below. 0 is success.
inline constexpr u64 status_ok = 0;

constexpr u64 status_of(Error error)
{
    return 0xFFFF'FFFF'0000'0000ull | static_cast<u64>(error);
}

} // namespace gemel
