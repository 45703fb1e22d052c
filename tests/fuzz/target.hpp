// What a fuzz target is: the function libFuzzer calls, and good inputs to begin with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

std::vector<std::vector<std::uint8_t>> fuzz_seeds();
