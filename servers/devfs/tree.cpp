// The devices that need no driver of their own (see tree.hpp).
#include "servers/devfs/tree.hpp"

#include <algorithm>
#include <cstring>

namespace gemel::devfs {

using fskit::NodeId;

Tree::Tree(std::function<Result<u64>()> entropy)
    : entropy_(std::move(entropy))
    , null_(add_device("null"))
    , zero_(add_device("zero"))
    , full_(add_device("full"))
    , random_(add_device("random"))
    , console_(add_device("console"))
{
}

NodeId Tree::add_device(std::string_view name)
{
    return add(name, { .mode = 0666, .kind = FileKind::character_device }).value();
}

Result<usize> Tree::fill_random(std::span<std::byte> into)
{
    for (usize done = 0; done < into.size(); done += sizeof(u64)) {
        auto const word = TRY(entropy_());
        std::memcpy(into.data() + done, &word, std::min(sizeof(word), into.size() - done));
    }
    return into.size();
}

Result<usize> Tree::read(NodeId node, u64, std::span<std::byte> into)
{
    if (node == null_)
        return 0;
    if (node == random_)
        return fill_random(into);
    if (node == zero_ || node == full_) {
        std::fill(into.begin(), into.end(), std::byte { 0 });
        return into.size();
    }
    return node == root() ? Error::is_directory : Error::unavailable;
}

Result<usize> Tree::write(NodeId node, u64, std::span<std::byte const> from)
{
    if (node == full_)
        return Error::no_space;
    if (node == null_ || node == zero_ || node == random_)
        return from.size();
    return Error::unavailable;
}

Result<void> Tree::resize(NodeId node, u64)
{
    TRY(status(node));
    return {};
}

VolumeStatus Tree::volume()
{
    VolumeStatus status { .block_bytes = page_bytes };
    std::string_view("devfs").copy(status.type, sizeof(status.type) - 1);
    return status;
}

} // namespace gemel::devfs
