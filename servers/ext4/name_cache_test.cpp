#include "servers/ext4/name_cache.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4 {

namespace {

// Goal: a name means what was put last, in its own directory only; absence is a meaning.
TEST(NameCache, KeepsNamesOfEachDirectoryApart)
{
    NameCache cache;
    EXPECT_FALSE(cache.find(2, "a"));
    cache.put(2, "a", Found { 7, FileType::regular });
    cache.put(3, "a", std::nullopt);
    ASSERT_TRUE(cache.find(2, "a") && *cache.find(2, "a"));
    EXPECT_EQ((*cache.find(2, "a"))->inode, 7u);
    ASSERT_TRUE(cache.find(3, "a"));
    EXPECT_FALSE(cache.find(3, "a")->has_value());
    cache.put(2, "a", std::nullopt);
    EXPECT_FALSE(cache.find(2, "a")->has_value());
    cache.forget(2, "a");
    EXPECT_FALSE(cache.find(2, "a"));
    EXPECT_TRUE(cache.find(3, "a"));
    cache.clear();
    EXPECT_FALSE(cache.find(3, "a"));
}

// Goal: the bound holds, and what is left is right. Method: four times as many names as fit.
TEST(NameCache, IsBoundedAndNeverWrong)
{
    NameCache cache;
    constexpr u32 count = 4 * NameCache::entries_max_default;
    for (u32 each = 1; each <= count; ++each)
        cache.put(2, std::to_string(each), Found { each, FileType::regular });
    usize known = 0;
    for (u32 each = 1; each <= count; ++each) {
        auto const* const meaning = cache.find(2, std::to_string(each));
        if (!meaning)
            continue;
        ++known;
        ASSERT_TRUE(*meaning);
        EXPECT_EQ((*meaning)->inode, each);
    }
    EXPECT_LE(known, NameCache::entries_max_default);
    EXPECT_GT(known, NameCache::entries_max_default / 2);
}

// Goal: a name too long to be kept is not known, and does no harm.
TEST(NameCache, LeavesLongNamesOut)
{
    NameCache cache;
    std::string const name(NameCache::name_bytes_max + 1, 'n');
    cache.put(2, name, Found { 7, FileType::regular });
    EXPECT_FALSE(cache.find(2, name));
    cache.forget(2, name);
}

} // namespace

} // namespace gemel::ext4
