// Copying, filling and comparing memory: sixteen bytes at a time, unaligned, which every machine of
// ours does at full speed. Compiled without the compiler's own idea of these functions, or a loop
// would become a call to itself.
#include "core/base/types.hpp"

namespace {

using Block [[gnu::vector_size(16), gnu::aligned(1), gnu::may_alias]] = unsigned char;
constexpr gemel::usize block_bytes = sizeof(Block);

void copy_forward(unsigned char* to, unsigned char const* from, gemel::usize bytes)
{
    for (; bytes >= 2 * block_bytes; bytes -= 2 * block_bytes) {
        auto const first = *reinterpret_cast<Block const*>(from);
        auto const second = *reinterpret_cast<Block const*>(from + block_bytes);
        *reinterpret_cast<Block*>(to) = first;
        *reinterpret_cast<Block*>(to + block_bytes) = second;
        to += 2 * block_bytes;
        from += 2 * block_bytes;
    }
    while (bytes-- > 0)
        *to++ = *from++;
}

void copy_backward(unsigned char* to, unsigned char const* from, gemel::usize bytes)
{
    for (; bytes >= block_bytes; bytes -= block_bytes) {
        auto const last = *reinterpret_cast<Block const*>(from + bytes - block_bytes);
        *reinterpret_cast<Block*>(to + bytes - block_bytes) = last;
    }
    while (bytes-- > 0)
        to[bytes] = from[bytes];
}

} // namespace

extern "C" {

void* memcpy(void* __restrict to, void const* __restrict from, gemel::usize bytes)
{
    copy_forward(static_cast<unsigned char*>(to), static_cast<unsigned char const*>(from), bytes);
    return to;
}

void* memmove(void* to, void const* from, gemel::usize bytes)
{
    auto* const target = static_cast<unsigned char*>(to);
    auto const* const source = static_cast<unsigned char const*>(from);
    // Backward only when the target begins inside the source. Thirty-two bytes are loaded before
    // the first of them is stored, so a forward copy may overlap.
    if (target > source && target < source + bytes)
        copy_backward(target, source, bytes);
    else
        copy_forward(target, source, bytes);
    return to;
}

void* memset(void* to, int value, gemel::usize bytes)
{
    auto* target = static_cast<unsigned char*>(to);
    auto const byte = static_cast<unsigned char>(value);
    auto const block = Block {} + byte;
    for (; bytes >= block_bytes; bytes -= block_bytes, target += block_bytes)
        *reinterpret_cast<Block*>(target) = block;
    while (bytes-- > 0)
        *target++ = byte;
    return to;
}

int memcmp(void const* left, void const* right, gemel::usize bytes)
{
    auto const* a = static_cast<unsigned char const*>(left);
    auto const* b = static_cast<unsigned char const*>(right);
    using Word [[gnu::aligned(1), gnu::may_alias]] = gemel::u64;
    for (; bytes >= sizeof(Word); bytes -= sizeof(Word), a += sizeof(Word), b += sizeof(Word)) {
        if (*reinterpret_cast<Word const*>(a) != *reinterpret_cast<Word const*>(b))
            break;
    }
    for (; bytes > 0; --bytes, ++a, ++b) {
        if (*a != *b)
            return *a - *b;
    }
    return 0;
}

void* memchr(void const* memory, int value, gemel::usize bytes)
{
    auto const* byte = static_cast<unsigned char const*>(memory);
    for (; bytes > 0; --bytes, ++byte) {
        if (*byte == static_cast<unsigned char>(value))
            return const_cast<unsigned char*>(byte);
    }
    return nullptr;
}

} // extern "C"
