#include "sim/record/page_pack.hpp"
#include "sim/record/restart_point.hpp"

#include <algorithm>
#include <array>
#include <gtest/gtest.h>

namespace gemel::sim {
namespace {

using Page = std::array<u8, page_bytes>;

// Numbers that look like chance, the same in every run.
class Chance {
public:
    u32 next()
    {
        state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
        return static_cast<u32>(state_ >> 33);
    }

private:
    u64 state_ = 1;
};

Page zeroes()
{
    return {};
}

Page noise()
{
    Chance chance;
    Page page;
    for (auto& byte : page)
        byte = static_cast<u8>(chance.next());
    return page;
}

// Like a table of pointers: most bytes repeat.
Page pointers()
{
    Page page {};
    for (usize at = 0; at < page_bytes; at += 16) {
        u64 const pointer = 0x1100'0012'3000 + at * 37;
        std::memcpy(page.data() + at, &pointer, sizeof pointer);
    }
    return page;
}

Page text()
{
    Chance chance;
    constexpr char const* words[] = { "port ", "task ", "region ", "page\n", "thread " };
    Page page;
    for (usize at = 0; at < page_bytes;)
        for (auto const* letter = words[chance.next() % 5]; *letter != 0 && at < page_bytes;)
            page[at++] = static_cast<u8>(*letter++);
    return page;
}

// Goal: a page comes back from its packed bytes, whatever it holds.
TEST(PagePack, ComesBack)
{
    for (auto const& page : { zeroes(), pointers(), text() }) {
        u8 packed[packed_bytes_max];
        auto const bytes = pack_page(page.data(), packed);
        ASSERT_NE(bytes, 0u);
        EXPECT_LT(bytes, page_bytes / 2);
        Page back;
        back.fill(0xEE);
        ASSERT_TRUE(unpack_page({ packed, bytes }, back.data()));
        EXPECT_EQ(back, page);
    }
    u8 packed[packed_bytes_max];
    EXPECT_EQ(pack_page(noise().data(), packed), 0u);
}

// Goal: pages between noise and zeroes come back, with changes at every place.
TEST(PagePack, ComesBackWithAnyChange)
{
    Chance chance;
    auto page = text();
    for (u32 round = 0; round < 2000; ++round) {
        auto const at = chance.next() % page_bytes;
        auto const count = std::min<usize>(chance.next() % 200, page_bytes - at);
        auto const value = static_cast<u8>(chance.next());
        std::fill_n(page.begin() + at, count, value);
        u8 packed[packed_bytes_max];
        auto const bytes = pack_page(page.data(), packed);
        if (bytes == 0)
            continue;
        Page back;
        ASSERT_TRUE(unpack_page({ packed, bytes }, back.data()));
        ASSERT_EQ(back, page) << "round " << round;
    }
}

// Goal: what is cut off, goes on too long or reaches before the page's begin is no page.
TEST(PagePack, OtherBytesAreNoPage)
{
    auto const page = text();
    u8 packed[packed_bytes_max + 2];
    auto const bytes = pack_page(page.data(), packed);
    Page back;
    for (usize length = 0; length < bytes; ++length)
        EXPECT_FALSE(unpack_page({ packed, length }, back.data()));
    packed[bytes] = 0;
    packed[bytes + 1] = 'x';
    EXPECT_FALSE(unpack_page({ packed, bytes + 2 }, back.data()));
    u8 const before[] = { 0, 'x', 0x80, 1, 0 };
    EXPECT_FALSE(unpack_page(before, back.data()));
}

// Goal: lists of pages come back with their numbers, over several records, and a page that nobody
// has a place for ends it.
TEST(PageList, ComesBack)
{
    PageList list;
    u64 next = 0;
    std::vector<std::pair<u64, Page>> got;
    auto const put = [&](u64 number, u8 const* bytes) {
        auto& back = got.emplace_back(number, Page {});
        std::copy_n(bytes, page_bytes, back.second.begin());
        return number < 1000;
    };
    list.add(0, text().data());
    list.add(7, noise().data());
    ASSERT_TRUE(take_pages(list.bytes(), next, put));
    list.clear();
    list.add(8, pointers().data());
    ASSERT_TRUE(take_pages(list.bytes(), next, put));
    ASSERT_EQ(got.size(), 3u);
    EXPECT_EQ(got[0], std::pair(u64 { 0 }, text()));
    EXPECT_EQ(got[1], std::pair(u64 { 7 }, noise()));
    EXPECT_EQ(got[2], std::pair(u64 { 8 }, pointers()));
    list.clear();
    list.add(1000, text().data());
    EXPECT_FALSE(take_pages(list.bytes(), next, put));
}

// Goal: a state comes back word by word, and one that is cut off says so.
TEST(State, ComesBack)
{
    hosted::StateWriter to;
    to(u32 { 7 });
    to(std::string { "typed" });
    to(u8 { 3 });
    u32 first = 0;
    std::string text;
    u8 last = 0;
    hosted::StateReader from { to.bytes() };
    from(first);
    from(text);
    from(last);
    EXPECT_TRUE(from.ok() && from.at_end());
    EXPECT_EQ(first, 7u);
    EXPECT_EQ(text, "typed");
    EXPECT_EQ(last, 3u);
    for (usize length = 0; length < to.bytes().size(); ++length) {
        hosted::StateReader cut { to.bytes().first(length) };
        cut(first);
        cut(text);
        cut(last);
        EXPECT_FALSE(cut.ok());
    }
}

} // namespace
} // namespace gemel::sim
