// The answer to a listing: entries in the slot's data, as many as the host's own answer holds.
#pragma once

#include "servers/hostmount/channel.hpp"

namespace gemel::hostmount {

class Listing {
public:
    Listing(Slot const& slot, Request const& request)
        : into_(slot.bytes(data_offset, data_bytes_max))
        , host_left_(std::min<u64>(request.bytes, data_bytes_max))
        , entry_extra_(request.operation == Operation::list_with_status ? host_status_bytes : 0)
    {
    }

    bool fits(std::string_view name) const
    {
        return host_entry_bytes(name.size()) + entry_extra_ <= host_left_
            && listed_bytes(name.size()) <= into_.size() - used_;
    }
    // `name` fits.
    void add(ListedName entry, std::string_view name)
    {
        entry.name_bytes = static_cast<u32>(name.size());
        std::memcpy(into_.data() + used_, &entry, sizeof(entry));
        std::memcpy(into_.data() + used_ + sizeof(entry), name.data(), name.size());
        used_ += listed_bytes(name.size());
        host_left_ -= host_entry_bytes(name.size()) + entry_extra_;
    }
    u32 bytes() const { return static_cast<u32>(used_); }

private:
    std::span<std::byte> into_;
    usize used_ = 0;
    usize host_left_;
    usize entry_extra_;
};

} // namespace gemel::hostmount
