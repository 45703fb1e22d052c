#include "tests/ext4/crash/history.hpp"

#include "tests/ext4/host.hpp"

#include <algorithm>
#include <stdexcept>

namespace gemel::ext4::test {

namespace {

constexpr usize sector_bytes = 512;

Node read_node(Volume& volume, Inode const& inode)
{
    Node node { inode.number, inode.type() };
    node.mode = inode.mode;
    node.modified = inode.modified;
    node.changed = inode.changed;
    if (node.type == FileType::regular)
        node.bytes = std::make_shared<std::vector<u8> const>(read_all(volume, inode));
    if (node.type == FileType::symbolic_link) {
        auto const text = volume.read_link(inode).value();
        node.bytes = std::make_shared<std::vector<u8> const>(text.begin(), text.end());
    }
    auto names = volume.list_extended(inode).value();
    for (usize end = 0; (end = names.find('\0')) != std::string::npos; names.erase(0, end + 1)) {
        auto const each = names.substr(0, end);
        node.extended[each] = volume.get_extended(inode, each).value();
    }
    return node;
}

void read_directory(Volume& volume, Inode const& directory, std::string const& path, Tree& tree)
{
    auto cursor = volume.list(directory, 0);
    while (cursor) {
        auto const entry = cursor->next();
        if (!entry)
            throw std::runtime_error("cannot list " + path);
        if (!entry->has_value())
            return;
        std::string const name((*entry)->name);
        if (name == "." || name == ".." || name == "lost+found")
            continue;
        auto const inode = volume.inode((*entry)->inode);
        if (!inode)
            throw std::runtime_error("cannot read " + path + "/" + name);
        auto const& node = tree[path + "/" + name] = read_node(volume, *inode);
        if (node.type == FileType::directory)
            read_directory(volume, *inode, path + "/" + name, tree);
    }
}

bool same_names(Tree const& left, Tree const& right)
{
    return left.size() == right.size()
        && std::equal(
            left.begin(), left.end(), right.begin(), [](auto const& one, auto const& two) {
                return one.first == two.first && one.second.type == two.second.type;
            });
}

Node const* find(Tree const& tree, u32 id)
{
    auto const found = std::find_if(
        tree.begin(), tree.end(), [&](auto const& each) { return each.second.id == id; });
    return found == tree.end() ? nullptr : &found->second;
}

} // namespace

Tree read_tree(Volume& volume)
{
    Tree tree;
    read_directory(volume, volume.inode(root_inode).value(), "", tree);
    return tree;
}

void History::add(Tree tree, std::string name)
{
    trees_.push_back(std::move(tree));
    names_.push_back(std::move(name));
}

u32 History::promise(Durable what)
{
    promises_.push_back({ steps(), what == Durable::all ? steps() : promises_.back().times });
    return static_cast<u32>(promises_.size() - 1);
}

bool History::sector_is_known(usize step, u32 id, usize offset, std::span<u8 const> bytes) const
{
    usize size_max = 0;
    for (; step < trees_.size(); ++step) {
        auto const* const node = find(trees_[step], id);
        if (!node)
            continue;
        auto known = *node->bytes;
        size_max = std::max(size_max, known.size());
        known.resize(size_max);
        if (known.size() >= offset + bytes.size()
            && std::equal(
                bytes.begin(), bytes.end(), known.begin() + static_cast<std::ptrdiff_t>(offset)))
            return true;
    }
    return false;
}

std::optional<std::string> History::contents_differ(
    usize step, std::string const& path, Node const& found) const
{
    auto const& expected = trees_[step].at(path);
    auto const& bytes = *found.bytes;
    if (expected.bytes->size() != bytes.size()
        || (expected.type == FileType::symbolic_link && *expected.bytes != bytes))
        return path + " has " + std::to_string(bytes.size()) + " bytes";
    if (expected.type != FileType::regular)
        return {};
    for (usize offset = 0; offset < bytes.size(); offset += sector_bytes) {
        auto const part
            = std::span(bytes).subspan(offset, std::min(sector_bytes, bytes.size() - offset));
        if (!sector_is_known(step, expected.id, offset, part))
            return path + ", of " + std::to_string(bytes.size()) + " bytes, shows bytes at "
                + std::to_string(offset) + " that it did not have then or later";
    }
    return {};
}

bool History::had_times(usize since, u32 id, Node const& found) const
{
    return std::any_of(
        trees_.begin() + static_cast<std::ptrdiff_t>(since), trees_.end(), [&](Tree const& tree) {
            auto const* const node = find(tree, id);
            return node && node->modified == found.modified && node->changed == found.changed;
        });
}

std::optional<std::string> History::difference(usize step, Tree const& found, usize times) const
{
    std::map<u32, u32> inodes;
    for (auto const& [path, node] : trees_[step]) {
        auto const& other = found.at(path);
        if (inodes.try_emplace(node.id, other.id).first->second != other.id)
            return path + " is another file";
        if (node.extended != other.extended)
            return path + " has other extended attributes";
        if (node.mode != other.mode)
            return path + " has other permissions";
        if (node.type != FileType::directory) {
            if (auto wrong = contents_differ(step, path, other))
                return wrong;
        }
        if (!had_times(times, node.id, other))
            return path + " has times that it did not have since they were made durable";
    }
    return {};
}

std::optional<std::string> History::judge(Tree const& found, u32 promise) const
{
    auto const [first, times] = promises_[promise];
    std::string why = "its names are those of no step";
    for (auto step = first; step < trees_.size(); ++step) {
        if (!same_names(trees_[step], found))
            continue;
        auto const wrong = difference(step, found, times);
        if (!wrong)
            return {};
        why = *wrong;
    }
    why = "not a state since step " + std::to_string(first) + ": " + why + "; since then";
    for (auto step = first; step < names_.size(); ++step)
        why += " " + names_[step] + ",";
    return why;
}

} // namespace gemel::ext4::test
