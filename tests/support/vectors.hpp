// Every register of the FPU at once, for tests of who keeps them. In assembly, because between
// loading and storing no compiled code may run.
#pragma once

#include "core/base/types.hpp"

namespace gemel::test {

// x86_64: 16 vectors of 32 bytes, 8 of the old unit's registers in 16 bytes each (10 of them
// count), MXCSR, control word. arm64: 32 vectors of 16 bytes, FPCR, FPSR.
inline constexpr usize vector_words = 96;

struct alignas(32) Vectors {
    u64 words[vector_words] = {};
};

// Loads all registers from `in`, goes around `turns` times, stores them all to `out`.
extern "C" void gemel_vectors_hold(Vectors const* in, Vectors* out, u64 turns);
// Makes of any numbers a state that the machine can hold and that raises nothing.
extern "C" void gemel_vectors_allow(Vectors* state);

// One word of a sequence that differs for every seed.
constexpr u64 mixed(u64 seed, u64 index)
{
    auto value = seed * 0x9E37'79B9'7F4A'7C15 + index * 0xD1B5'4A32'D192'ED03;
    value = (value ^ value >> 30) * 0xBF58'476D'1CE4'E5B9;
    value = (value ^ value >> 27) * 0x94D0'49BB'1331'11EB;
    return value ^ value >> 31;
}

// Holds contents of its own `rounds` times; answers how often a bit had changed.
inline u64 vectors_wrong(u64 seed, u64 rounds, u64 turns_max)
{
    u64 wrong = 0;
    for (u64 round = 0; round < rounds; ++round) {
        Vectors in;
        Vectors out;
        for (u64 index = 0; index < vector_words; ++index)
            in.words[index] = mixed(seed << 32 | round, index);
        gemel_vectors_allow(&in);
        gemel_vectors_hold(&in, &out, mixed(seed, round) % turns_max);
        bool differs = false;
        for (u64 index = 0; index < vector_words; ++index)
            differs |= in.words[index] != out.words[index];
        wrong += differs;
    }
    return wrong;
}

} // namespace gemel::test
