#include "servers/tmpfs/file_data.hpp"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace gemel::tmpfs {
namespace {

std::span<std::byte const> bytes_of(std::string_view text)
{
    return std::as_bytes(std::span(text.data(), text.size()));
}

std::string text_of(FileData const& data, u64 offset, usize count)
{
    std::string text(count, '?');
    text.resize(data.read(offset, std::as_writable_bytes(std::span(text.data(), count))));
    return text;
}

// Goal: reads give what writes, cuts and growth left, byte for byte.
// Method: 4,000 random changes beside a plain string.
TEST(FileData, AgreesWithAPlainString)
{
    PageBudget budget(64);
    FileData data(budget);
    std::string model;
    std::mt19937 random(42);
    for (int step = 0; step < 4'000; ++step) {
        auto const offset = random() % 40'000;
        if (random() % 4 == 0) {
            ASSERT_TRUE(data.resize(offset));
            model.resize(offset, '\0');
        } else {
            std::string const text(1 + random() % 9'000, static_cast<char>('a' + random() % 26));
            ASSERT_EQ(data.write(offset, bytes_of(text)).value(), text.size());
            if (model.size() < offset + text.size())
                model.resize(offset + text.size(), '\0');
            model.replace(offset, text.size(), text);
        }
        auto const from = random() % 50'000;
        auto const expected = from < model.size() ? model.substr(from, 9'999) : "";
        ASSERT_EQ(text_of(data, from, 9'999), expected) << step;
        ASSERT_EQ(data.size(), model.size());
    }
}

// Goal: when space ends a write is short, then refused, and cutting gives the space back.
// Method: a budget of two pages.
TEST(FileData, StopsWhenSpaceEnds)
{
    PageBudget budget(2);
    FileData data(budget);
    std::string const text(3 * page_bytes, 'x');
    EXPECT_EQ(data.write(10, bytes_of(text)).value(), 2 * page_bytes - 10);
    EXPECT_EQ(data.size(), 2 * page_bytes);
    EXPECT_EQ(data.write(data.size(), bytes_of("y")).error(), Error::no_space);
    EXPECT_EQ(data.size(), 2 * page_bytes);
    ASSERT_TRUE(data.resize(1));
    EXPECT_EQ(budget.used(), 1u);
    EXPECT_EQ(data.write(page_bytes, bytes_of("y")).value(), 1u);
    { // a file that goes gives back what it took
        FileData other(budget);
        EXPECT_EQ(other.write(0, bytes_of("z")).error(), Error::no_space);
    }
    ASSERT_TRUE(data.resize(0));
    EXPECT_EQ(budget.used(), 0u);
}

// Goal: holes cost nothing, and offsets near the end of the number space are refused, not wrapped.
// Method: far writes.
TEST(FileData, HolesAndFarOffsets)
{
    PageBudget budget(4);
    FileData data(budget);
    EXPECT_EQ(data.write(1ull << 40, bytes_of("far")).value(), 3u);
    EXPECT_EQ(budget.used(), 1u);
    EXPECT_EQ(text_of(data, (1ull << 40) - 2, 10), std::string("\0\0far", 5));
    EXPECT_EQ(data.write(~0ull, bytes_of("x")).error(), Error::too_big);
    EXPECT_EQ(data.write((1ull << 63) - 1, bytes_of("x")).error(), Error::too_big);
    EXPECT_EQ(data.resize(1ull << 63).error(), Error::too_big);
    EXPECT_EQ(text_of(data, ~0ull, 10), "");
}

} // namespace
} // namespace gemel::tmpfs
