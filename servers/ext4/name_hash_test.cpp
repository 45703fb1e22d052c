#include "servers/ext4/name_hash.hpp"

#include <gtest/gtest.h>

namespace gemel::ext4 {

namespace {

constexpr std::string_view long_name = "a long name of some fifty bytes, for two rounds of it";
constexpr std::string_view high_name = "h\xE9\xFFllo";

u32 hash_signed(HashKind kind, std::string_view name, std::array<u32, 4> seed = {})
{
    return hash_name({ kind, CharSign::is_signed, seed }, name);
}

// Goal: hashes are those of e2fsprogs. Method: what `debugfs -R "dx_hash -h KIND NAME"` prints, on
// a machine whose char is signed.
TEST(NameHash, IsWhatDebugfsComputes)
{
    EXPECT_EQ(hash_signed(HashKind::legacy, "a"), 0xE74B'53E2);
    EXPECT_EQ(hash_signed(HashKind::legacy, "abcdefgh"), 0x730D'F612);
    EXPECT_EQ(hash_signed(HashKind::legacy, long_name), 0xFE74'D3DE);
    EXPECT_EQ(hash_signed(HashKind::legacy, high_name), 0xFE1E'0B9C);
    EXPECT_EQ(hash_signed(HashKind::half_md4, "a"), 0xD5FA'7D7A);
    EXPECT_EQ(hash_signed(HashKind::half_md4, "abcdefgh"), 0x270C'69D4);
    EXPECT_EQ(hash_signed(HashKind::half_md4, long_name), 0x27E6'7E46);
    EXPECT_EQ(hash_signed(HashKind::tea, "a"), 0x6D0E'A4C0);
    EXPECT_EQ(hash_signed(HashKind::tea, "abcdefgh"), 0x75C7'D754);
    EXPECT_EQ(hash_signed(HashKind::tea, long_name), 0x2016'3516);
}

// The same with the seed 01234567-89ab-cdef-0123-456789abcdef.
TEST(NameHash, UsesTheVolumesSeed)
{
    std::array<u32, 4> const seed { 0x6745'2301, 0xEFCD'AB89, 0x6745'2301, 0xEFCD'AB89 };
    EXPECT_EQ(hash_signed(HashKind::half_md4, high_name, seed), 0x6891'4C32);
    EXPECT_EQ(hash_signed(HashKind::tea, high_name, seed), 0x6CEE'7C8A);
}

// Goal: sign matters for high bytes, and for them only.
TEST(NameHash, DependsOnSignForHighBytesOnly)
{
    for (auto const kind : { HashKind::legacy, HashKind::half_md4, HashKind::tea }) {
        HashMethod const plain { kind, CharSign::is_unsigned, {} };
        EXPECT_EQ(hash_name(plain, long_name), hash_signed(kind, long_name));
        EXPECT_NE(hash_name(plain, high_name), hash_signed(kind, high_name));
    }
}

// Goal: version bytes choose the method as the documentation says; unknown ones none.
TEST(NameHash, IsChosenByTheVersionByte)
{
    Superblock super {};
    super.hash_sign = CharSign::is_signed;
    EXPECT_EQ(hash_method(super, 1)->kind, HashKind::half_md4);
    EXPECT_EQ(hash_method(super, 1)->sign, CharSign::is_signed);
    EXPECT_EQ(hash_method(super, 4)->kind, HashKind::half_md4);
    EXPECT_EQ(hash_method(super, 4)->sign, CharSign::is_unsigned);
    super.hash_sign = CharSign::is_unsigned;
    EXPECT_EQ(hash_method(super, 2)->sign, CharSign::is_unsigned);
    EXPECT_FALSE(hash_method(super, 6));
    EXPECT_FALSE(hash_method(super, 255));
}

} // namespace

} // namespace gemel::ext4
