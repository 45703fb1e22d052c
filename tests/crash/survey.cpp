#include "tests/crash/survey.hpp"

#include <algorithm>

namespace gemel::fs_crash {

namespace {

constexpr usize sector_bytes = 512;

Result<void> survey_below(fskit::Files& files, std::string const& path, Tree& tree)
{
    auto const status = TRY(files.status(path, LastLink::keep));
    Node node { static_cast<u32>(status.inode), status.kind, nullptr };
    std::string bytes;
    if (status.kind == FileKind::regular)
        bytes = TRY(files.read_all(path));
    else if (status.kind == FileKind::symlink)
        bytes = TRY(files.link_text(path));
    node.bytes = std::make_shared<std::string const>(std::move(bytes));
    tree[path] = node;
    if (status.kind == FileKind::directory)
        for (auto const& entry : TRY(files.list(path)))
            TRY(survey_below(files, path + "/" + entry.name, tree));
    return {};
}

bool same_names(Tree const& left, Tree const& right)
{
    return std::equal(
        left.begin(), left.end(), right.begin(), right.end(), [](auto const& one, auto const& two) {
            return one.first == two.first && one.second.kind == two.second.kind;
        });
}

Node const* find(Tree const& tree, u32 id)
{
    auto const found = std::find_if(
        tree.begin(), tree.end(), [&](auto const& each) { return each.second.id == id; });
    return found == tree.end() ? nullptr : &found->second;
}

// Behind an end that a later step gave the file, zeros: they may get to the disk before the size.
bool sector_is_known(std::span<Tree const> trees, u32 id, usize offset, std::string_view part)
{
    usize size_max = 0;
    for (auto const& tree : trees) {
        auto const* const node = find(tree, id);
        if (!node)
            continue;
        auto known = *node->bytes;
        size_max = std::max(size_max, known.size());
        known.resize(size_max);
        if (known.size() >= offset + part.size()
            && std::string_view { known }.substr(offset, part.size()) == part)
            return true;
    }
    return false;
}

std::string contents_wrong(
    std::span<Tree const> trees, std::string const& path, Node const& expected, Node const& found)
{
    if (expected.bytes->size() != found.bytes->size())
        return path + " has " + std::to_string(found.bytes->size()) + " bytes, not "
            + std::to_string(expected.bytes->size());
    if (expected.kind != FileKind::regular)
        return *expected.bytes == *found.bytes ? "" : path + " leads elsewhere";
    auto const bytes = std::string_view { *found.bytes };
    for (usize offset = 0; offset < bytes.size(); offset += sector_bytes)
        if (!sector_is_known(trees, expected.id, offset, bytes.substr(offset, sector_bytes)))
            return path + " shows bytes at " + std::to_string(offset)
                + " that it did not have then or later";
    return "";
}

// Whether `found` is the first of the trees, with contents of this or a later one.
std::string difference(std::span<Tree const> trees, Tree const& found)
{
    auto const& expected = trees.front();
    if (!same_names(expected, found)) {
        std::string names = "its names are those of no step:";
        for (auto const& [path, node] : found)
            names += " " + path;
        return names;
    }
    std::map<u32, u32> inodes;
    for (auto const& [path, node] : expected) {
        auto const& other = found.at(path);
        if (inodes.try_emplace(node.id, other.id).first->second != other.id)
            return path + " is another file";
        if (auto wrong = contents_wrong(trees, path, node, other); !wrong.empty())
            return wrong;
    }
    return "";
}

} // namespace

Result<Tree> survey(fskit::Files& files)
{
    Tree tree;
    auto const there = files.status("/crash", LastLink::keep);
    if (!there && there.error() == Error::not_found)
        return tree;
    TRY(survey_below(files, "/crash", tree));
    return tree;
}

std::string judge(Sequence const& sequence, Tree const& found, usize durable, usize begun)
{
    auto const trees = std::span { sequence.trees() }.subspan(durable, begun - durable + 1);
    std::string why;
    for (usize first = 0; first < trees.size(); ++first) {
        auto wrong = difference(trees.subspan(first), found);
        if (wrong.empty())
            return "";
        if (why.empty() || same_names(trees[first], found))
            why = std::move(wrong);
    }
    why += "; durable was step " + std::to_string(durable) + ", since then:";
    for (auto step = durable; step < begun; ++step)
        why += std::string { " " } + name_of(sequence.steps()[step].op) + " "
            + sequence.steps()[step].path + ",";
    return why;
}

} // namespace gemel::fs_crash
