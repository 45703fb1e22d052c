// Runs a fuzz target without a fuzzer: its seeds, then many inputs made from them by a generator
// with a fixed seed, so that every run is the same. With libFuzzer this file is left out.
#include "core/base/assert.hpp"
#include "tests/fuzz/target.hpp"

#include <cstdio>
#include <cstdlib>

namespace {

// xorshift64*, Vigna 2016.
class Random {
public:
    std::uint64_t next()
    {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1D;
    }
    std::size_t below(std::size_t bound) { return next() % bound; }

private:
    std::uint64_t state_ = 0x9E3779B97F4A7C15;
};

using Bytes = std::vector<std::uint8_t>;

void mutate(Bytes& bytes, Random& random)
{
    constexpr std::uint8_t interesting[] = { 0, 1, 0x7F, 0x80, 0xFF, '"', '[', '\n' };
    for (auto changes = 1 + random.below(8); changes > 0; --changes) {
        auto const at = bytes.empty() ? 0 : random.below(bytes.size());
        switch (random.below(bytes.empty() ? 1 : 5)) {
        case 0:
            bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                static_cast<std::uint8_t>(random.next()));
            break;
        case 1:
            bytes[at] = static_cast<std::uint8_t>(random.next());
            break;
        case 2:
            bytes[at] ^= static_cast<std::uint8_t>(1u << random.below(8));
            break;
        case 3:
            bytes[at] = interesting[random.below(std::size(interesting))];
            break;
        default:
            bytes.resize(random.below(8) == 0 ? at : bytes.size());
        }
    }
}

} // namespace

void gemel::assertion_failed(char const* expression, char const* file, int line)
{
    std::fprintf(stderr, "%s:%d: %s does not hold\n", file, line, expression);
    std::abort();
}

int main(int count, char** arguments)
{
    auto const seeds = fuzz_seeds();
    auto const rounds = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 20'000ul;
    for (auto const& seed : seeds)
        LLVMFuzzerTestOneInput(seed.data(), seed.size());
    Random random;
    for (unsigned long round = 0; round < rounds; ++round) {
        auto bytes = seeds[random.below(seeds.size())];
        mutate(bytes, random);
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::printf("%lu inputs from %zu seeds\n", rounds, seeds.size());
}
