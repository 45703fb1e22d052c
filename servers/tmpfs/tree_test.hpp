// A tree to try things on, addressed by path.
#pragma once

#include "servers/tmpfs/tree.hpp"

#include <gtest/gtest.h>

#include <set>

namespace gemel::tmpfs {

class TreeTest : public testing::Test {
protected:
    explicit TreeTest(TreeOptions options = {})
        : tree_([&] {
            options.now_ns = [this] { return now_ns_; };
            return options;
        }())
    {
    }

    fskit::Place place(std::string_view path)
    {
        auto const met = fskit::walk(tree_, path, LastLink::keep);
        EXPECT_TRUE(met) << path;
        return std::get<fskit::Place>(*met);
    }
    NameIn name(std::string_view path)
    {
        auto const found = place(path);
        return { found.parent, found.name };
    }
    NodeId node(std::string_view path) { return place(path).node.value_or(0); }
    Result<NodeId> make(std::string_view path, FileKind kind = FileKind::regular)
    {
        return tree_.make(name(path), { .kind = kind, .mode = 0644 });
    }
    Result<void> rename(
        std::string_view from, std::string_view to, RenameMode mode = RenameMode::replace)
    {
        return tree_.rename(name(from), name(to), mode);
    }
    usize write(NodeId node, std::string_view text)
    {
        return tree_.write(node, 0, std::as_bytes(std::span(text.data(), text.size()))).value();
    }
    std::string read(NodeId node)
    {
        std::string text(100, '?');
        auto const bytes = std::as_writable_bytes(std::span(text.data(), text.size()));
        text.resize(tree_.read(node, 0, bytes).value());
        return text;
    }
    u32 links(std::string_view path) { return tree_.status(node(path)).value().links; }

    i64 now_ns_ = 1'000;
    Tree tree_;
};

} // namespace gemel::tmpfs
