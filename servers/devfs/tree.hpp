// The devices that need no driver of their own: null, zero, full, random. The console is listed
// here; its file is made by the console server (main.cpp).
#pragma once

#include "servers/fskit/fixed_tree.hpp"

#include <functional>

namespace gemel::devfs {

class Tree final : public fskit::FixedTree {
public:
    // Where random bytes come from, 64 bits at a time.
    explicit Tree(std::function<Result<u64>()> entropy);

    fskit::NodeId console() const { return console_; }

    // zero, full and random never end; null is always at its end. The console's node ->
    // unavailable: its reads do not come here.
    Result<usize> read(fskit::NodeId node, u64 offset, std::span<std::byte> into) override;
    // null, zero and random take everything and keep nothing; full -> no_space.
    Result<usize> write(fskit::NodeId node, u64 offset, std::span<std::byte const> from) override;
    // What `> /dev/null` asks for: nothing happens.
    Result<void> resize(fskit::NodeId node, u64 size) override;
    VolumeStatus volume() override;

private:
    fskit::NodeId add_device(std::string_view name);
    Result<usize> fill_random(std::span<std::byte> into);

    std::function<Result<u64>()> entropy_;
    fskit::NodeId null_;
    fskit::NodeId zero_;
    fskit::NodeId full_;
    fskit::NodeId random_;
    fskit::NodeId console_;
};

} // namespace gemel::devfs
