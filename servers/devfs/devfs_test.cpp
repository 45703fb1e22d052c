#include "servers/devfs/tree.hpp"

#include <gtest/gtest.h>

namespace gemel::devfs {
namespace {

class Devices : public testing::Test {
protected:
    fskit::NodeId node(std::string_view name) { return tree_.find(1, name).value(); }
    Result<usize> read(std::string_view name, usize count)
    {
        bytes_.assign(count, std::byte { 0xAA });
        return tree_.read(node(name), 12'345, bytes_);
    }

    u64 entropy_ = 0;
    bool broken_ = false;
    Tree tree_ { [this]() -> Result<u64> {
        if (broken_)
            return Error::unavailable;
        return ++entropy_;
    } };
    std::vector<std::byte> bytes_;
};

// Goal: each device reads as its name says.
// Method: read each at some offset.
TEST_F(Devices, Read)
{
    EXPECT_EQ(read("null", 10).value(), 0u);
    EXPECT_EQ(read("zero", 100).value(), 100u);
    EXPECT_EQ(bytes_, std::vector<std::byte>(100));
    EXPECT_EQ(read("full", 5).value(), 5u);
    EXPECT_EQ(read("random", 13).value(), 13u);
    EXPECT_EQ(bytes_[0], std::byte { 1 });
    EXPECT_EQ(bytes_[8], std::byte { 2 });
    EXPECT_EQ(entropy_, 2u);
    broken_ = true;
    EXPECT_EQ(read("random", 13).error(), Error::unavailable);
}

// Goal: each device writes as its name says, and `>` may cut it.
// Method: write to each.
TEST_F(Devices, Write)
{
    bytes_.resize(7);
    for (auto const name : { "null", "zero", "random" })
        EXPECT_EQ(tree_.write(node(name), 0, bytes_).value(), 7u) << name;
    EXPECT_EQ(tree_.write(node("full"), 0, bytes_).error(), Error::no_space);
    EXPECT_TRUE(tree_.resize(node("null"), 0));
    EXPECT_EQ(tree_.make({ 1, "new" }, {}).error(), Error::read_only);
    EXPECT_EQ(tree_.status(node("null")).value().kind, FileKind::character_device);
}

} // namespace
} // namespace gemel::devfs
