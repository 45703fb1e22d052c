#include "tests/bench/edges.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

namespace gemel::bench {

namespace {

u64 next(u64& state)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

// Nested loops of few instructions: counting costs most here.
u64 checksum(u64 seed)
{
    std::vector<u8> bytes(40'000);
    for (auto& byte : bytes)
        byte = static_cast<u8>(next(seed));
    u32 sum = ~0u;
    for (auto const byte : bytes) {
        sum ^= byte;
        for (int bit = 0; bit < 8; ++bit)
            sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xEDB8'8320u : 0);
    }
    return ~sum;
}

u64 sort(u64 seed)
{
    std::vector<u64> numbers(30'000);
    for (auto& number : numbers)
        number = next(seed);
    std::sort(numbers.begin(), numbers.end());
    return numbers[numbers.size() / 2];
}

u64 tree(u64 seed)
{
    std::map<u64, u64> by_key;
    for (u64 i = 0; i < 10'000; ++i)
        by_key[next(seed) % 5000] += i;
    u64 sum = 0;
    for (auto const& [key, value] : by_key)
        sum = sum * 31 + key + value;
    return sum;
}

u64 text(u64 seed)
{
    std::string line;
    u64 words = 0;
    for (u32 i = 0; i < 4000; ++i) {
        line += std::to_string(next(seed) % 100'000);
        line += ' ';
    }
    for (usize begin = 0; begin < line.size();) {
        auto const end = line.find(' ', begin);
        words = words * 31 + std::stoul(line.substr(begin, end - begin));
        begin = end + 1;
    }
    return words;
}

// An interpreter: a loop over a switch, as in a shell or a virtual machine.
u64 interpret(u64 seed)
{
    std::array<u8, 256> program {};
    for (auto& operation : program)
        operation = static_cast<u8>(next(seed) % 6);
    std::array<u64, 4> r { 1, 2, 3, 4 };
    for (u32 step = 0; step < 150'000; ++step) {
        auto const place = step % 256;
        switch (program[place]) {
        case 0:
            r[0] += r[1];
            break;
        case 1:
            r[1] ^= r[2] << 3;
            break;
        case 2:
            r[2] = r[3] * 5;
            break;
        case 3:
            r[3] -= r[0] >> 2;
            break;
        case 4:
            std::swap(r[0], r[2]);
            break;
        case 5:
            r[1] += place;
            break;
        }
    }
    return r[0] ^ r[1] ^ r[2] ^ r[3];
}

} // namespace

Kind const kinds[5] = { { "checksum", checksum }, { "sort", sort }, { "tree", tree },
    { "text", text }, { "interpret", interpret } };

} // namespace gemel::bench
