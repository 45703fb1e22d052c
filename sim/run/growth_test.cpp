#include "sim/run/growth.hpp"

#include <gtest/gtest.h>

namespace gemel::sim {
namespace {

std::string found(std::vector<u32> const& rows, std::vector<u32> const& pages)
{
    Growth growth;
    for (usize i = 0; i < rows.size(); ++i)
        growth.look({ { 1, "init", 5, 5 }, { 7, "vfs", rows[i], pages[i] } });
    return growth.found();
}

// Goal: what grows in each of the last rounds is told, with its task.
TEST(Growth, TellsWhatGrows)
{
    EXPECT_NE(found({ 9, 10, 11, 12, 13 }, { 1, 1, 1, 1, 1 }).find("vfs"), std::string::npos);
    EXPECT_NE(found({ 9, 9, 9, 9, 9 }, { 1, 2, 4, 6, 7 }).find("vfs"), std::string::npos);
}

// Goal: what stops growing, goes up and down, or is a task's that came later, is no leak.
TEST(Growth, KeepsStillOtherwise)
{
    EXPECT_EQ(found({ 1, 10, 20, 20, 20, 20, 20 }, { 1, 1, 1, 1, 1, 1, 1 }), "");
    EXPECT_EQ(found({ 9, 10, 9, 10, 9 }, { 5, 4, 3, 2, 1 }), "");
    EXPECT_EQ(found({ 9, 10, 11 }, { 1, 2, 3 }), "");
    Growth growth;
    for (u32 i = 0; i < 8; ++i)
        growth.look({ { i, "cat", i, i } });
    EXPECT_EQ(growth.found(), "");
}

} // namespace
} // namespace gemel::sim
