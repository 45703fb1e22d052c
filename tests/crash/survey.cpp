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

// Behind a file's end zeros: they may get to the disk before a smaller or larger size does.
bool held(Node const& node, u32 id, usize offset, std::string_view part)
{
    if (node.id != id)
        return false;
    auto known = *node.bytes;
    known.resize(std::max(known.size(), offset + part.size()));
    return std::string_view { known }.substr(offset, part.size()) == part;
}

bool sector_is_known(std::span<Tree const> trees, u32 id, usize offset, std::string_view part)
{
    for (auto const& tree : trees)
        for (auto const& [path, node] : tree)
            if (held(node, id, offset, part))
                return true;
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
            return path + " shows bytes at " + std::to_string(offset) + " that it did not have";
    return "";
}

// Whether `found` is this one of the trees.
std::string difference(std::span<Tree const> trees, Tree const& expected, Tree const& found)
{
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
    for (auto const& tree : trees) {
        auto wrong = difference(trees, tree, found);
        if (wrong.empty())
            return "";
        if (why.empty() || same_names(tree, found))
            why = std::move(wrong);
    }
    why += "; durable was step " + std::to_string(durable) + ", since then:";
    for (auto step = durable; step < begun; ++step)
        why += std::string { " " } + name_of(sequence.steps()[step].op) + " "
            + sequence.steps()[step].path + ",";
    return why;
}

} // namespace gemel::fs_crash
