// The walk through a tree of nodes (see node_tree.hpp).
#include "servers/fskit/node_tree.hpp"

#include "servers/fskit/path.hpp"

namespace gemel::fskit {

Result<u64> NodeTree::seek(NodeId node, u64 offset, SeekKind kind)
{
    auto const size = TRY(status(node)).size;
    if (offset >= size)
        return Error::not_found;
    return kind == SeekKind::data ? offset : size;
}

Result<std::variant<Place, LinkMet>> walk(NodeTree& tree, std::string_view path, LastLink last)
{
    if (path.size() > path_bytes_max)
        return Error::name_too_long;
    Place place { .parent = tree.root(), .name = {}, .node = tree.root() };
    for (u32 component = 0; !path.empty(); ++component) {
        auto const directory = place.node;
        if (!directory)
            return Error::not_found;
        auto const name = take_component(path);
        TRY(check_name(name));
        auto const found = tree.find(*directory, name);
        if (!found && found.error() != Error::not_found)
            return found.error();
        place = { .parent = *directory, .name = name, .node = {} };
        if (!found)
            continue;
        place.node = *found;
        if (path.empty() && last == LastLink::keep)
            break;
        if (TRY(tree.status(*found)).kind == FileKind::symlink)
            return std::variant<Place, LinkMet>(LinkMet { component, TRY(tree.link_text(*found)) });
    }
    return std::variant<Place, LinkMet>(place);
}

} // namespace gemel::fskit
