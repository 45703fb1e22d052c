// Where objects are thrown to when the heap is empty.
#pragma once

#include "core/base/types.hpp"

#include <atomic>

namespace gemel::libc {

struct ExceptionReserve {
    static constexpr usize slots = 4;
    static constexpr usize slot_bytes = 512;

    std::atomic<u8> taken[slots] {};
    alignas(16) unsigned char memory[slots][slot_bytes] {};
};

// Before anything is thrown. It lies in the frame of the program's first function, whose stack is
// there anyway: in its data it would cost each instance a page.
void use_exception_reserve(ExceptionReserve& reserve);

} // namespace gemel::libc
