#include "servers/ext4/feature.hpp"
#include "servers/ext4/sentence.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4 {

namespace {

TEST(Feature, IsNamedAsMke2fsNamesIt)
{
    EXPECT_EQ(feature_names(FeatureWord::incompatible, 0x2'0040), "extent, casefold");
    EXPECT_EQ(feature_names(FeatureWord::compatible, 0x1020), "dir_index, orphan_file");
    EXPECT_EQ(feature_names(FeatureWord::read_only_compatible, 0x400), "metadata_csum");
}

TEST(Feature, IsNamedByItsBitWhenUnknown)
{
    EXPECT_EQ(feature_names(FeatureWord::incompatible, 0x8000'0001),
        "compression, unknown feature 0x80000000");
}

TEST(Sentence, JoinsTextAndNumbers)
{
    EXPECT_EQ(sentence("inode ", 12u, ": ", Hex { 0xC0FFEE }, ", ", Hex { 0 }),
        "inode 12: 0xc0ffee, 0x0");
}

} // namespace

} // namespace gemel::ext4
