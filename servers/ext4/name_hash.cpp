// Three mixing functions over the name's bytes packed into big-endian words. The packing widens
// each byte as a `char` of the machine that made the volume would be, which is why sign matters.
#include "servers/ext4/name_hash.hpp"

#include <algorithm>
#include <bit>

namespace gemel::ext4 {

namespace {

using State = std::array<u32, 4>;

// The initial state of MD4 (RFC 1320 3.3).
constexpr State default_seed { 0x6745'2301, 0xEFCD'AB89, 0x98BA'DCFE, 0x1032'5476 };
// Names whose hash would mean "end of directory" get the one before it.
constexpr u32 end_of_directory = 0xFFFF'FFFE;
constexpr u8 first_unsigned_version = 3;
constexpr u8 versions = 6;

u32 widen(char byte, CharSign sign)
{
    if (sign == CharSign::is_unsigned)
        return static_cast<u8>(byte);
    return static_cast<u32>(static_cast<i32>(static_cast<i8>(byte)));
}

u32 hash_legacy(std::string_view name, CharSign sign)
{
    u32 hash = 0x12A3'FE2D;
    u32 previous = 0x37AB'E8F9;
    for (char const byte : name) {
        auto next = previous + (hash ^ (widen(byte, sign) * 7152373));
        if ((next & 0x8000'0000) != 0)
            next -= 0x7FFF'FFFF;
        previous = hash;
        hash = next;
    }
    return hash << 1;
}

// The next words of the name; what it does not fill is padded with its length.
template <usize words>
std::array<u32, words> pack(std::string_view rest, CharSign sign)
{
    auto const length = static_cast<u32>(rest.size());
    auto const padding = (length | length << 8) | (length | length << 8) << 16;
    std::array<u32, words> packed;
    packed.fill(padding);
    auto const bytes = std::min(rest.size(), words * 4);
    for (usize index = 0; index < bytes; ++index) {
        auto const before = index % 4 == 0 ? padding : packed[index / 4];
        packed[index / 4] = widen(rest[index], sign) + (before << 8);
    }
    return packed;
}

void mix_tea(State& state, std::array<u32, 4> const& key)
{
    u32 sum = 0;
    auto left = state[0];
    auto right = state[1];
    for (int round = 0; round < 16; ++round) {
        sum += 0x9E37'79B9;
        left += ((right << 4) + key[0]) ^ (right + sum) ^ ((right >> 5) + key[1]);
        right += ((left << 4) + key[2]) ^ (left + sum) ^ ((left >> 5) + key[3]);
    }
    state[0] += left;
    state[1] += right;
}

// One round of MD4 over half its words: the order and the rotations are the round's.
template <typename Mix>
void half_round(State& state, std::array<u32, 8> const& words, std::array<u8, 8> const& order,
    std::array<u8, 4> const& rotations, u32 constant, Mix mix)
{
    for (usize step = 0; step < order.size(); ++step) {
        auto& target = state[(4 - step % 4) % 4];
        auto const x = state[(5 - step % 4) % 4];
        auto const y = state[(6 - step % 4) % 4];
        auto const z = state[(7 - step % 4) % 4];
        target
            = std::rotl(target + mix(x, y, z) + words[order[step]] + constant, rotations[step % 4]);
    }
}

void mix_half_md4(State& state, std::array<u32, 8> const& words)
{
    auto mixed = state;
    half_round(mixed, words, { 0, 1, 2, 3, 4, 5, 6, 7 }, { 3, 7, 11, 19 }, 0,
        [](u32 x, u32 y, u32 z) { return z ^ (x & (y ^ z)); });
    half_round(mixed, words, { 1, 3, 5, 7, 0, 2, 4, 6 }, { 3, 5, 9, 13 }, 0x5A82'7999,
        [](u32 x, u32 y, u32 z) { return (x & y) + ((x ^ y) & z); });
    half_round(mixed, words, { 3, 7, 2, 6, 1, 5, 0, 4 }, { 3, 9, 11, 15 }, 0x6ED9'EBA1,
        [](u32 x, u32 y, u32 z) { return x ^ y ^ z; });
    for (usize index = 0; index < state.size(); ++index)
        state[index] += mixed[index];
}

template <usize words, typename Mix>
State digest(HashMethod const& method, std::string_view name, Mix mix)
{
    bool const seeded = method.seed != std::array<u32, 4> {};
    auto state = seeded ? method.seed : default_seed;
    while (!name.empty()) {
        mix(state, pack<words>(name, method.sign));
        name.remove_prefix(std::min(name.size(), words * 4));
    }
    return state;
}

u32 raw_hash(HashMethod const& method, std::string_view name)
{
    switch (method.kind) {
    case HashKind::legacy:
        return hash_legacy(name, method.sign);
    case HashKind::half_md4:
        return digest<8>(method, name, mix_half_md4)[1];
    case HashKind::tea:
        return digest<4>(method, name, mix_tea)[0];
    }
    return 0;
}

} // namespace

std::optional<HashMethod> hash_method(Superblock const& super, u8 version)
{
    if (version >= versions)
        return std::nullopt;
    bool const is_unsigned
        = version >= first_unsigned_version || super.hash_sign == CharSign::is_unsigned;
    return HashMethod { static_cast<HashKind>(version % first_unsigned_version),
        is_unsigned ? CharSign::is_unsigned : CharSign::is_signed, super.hash_seed };
}

u32 hash_name(HashMethod const& method, std::string_view name)
{
    auto const hash = raw_hash(method, name) & ~1u;
    return hash == end_of_directory ? end_of_directory - 2 : hash;
}

} // namespace gemel::ext4
