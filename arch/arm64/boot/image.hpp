// The kernel image's sections, from boot/kernel.ld. All bounds are page aligned.
#pragma once

#include "core/base/types.hpp"

extern "C" {
extern gemel::u8 image_begin[]; // also of the boot code
extern gemel::u8 init_code_end[];
extern gemel::u8 init_end[]; // boot code and data end: what follows is resident
extern gemel::u8 code_end[];
extern gemel::u8 constants_end[];
extern gemel::u8 data_begin[]; // after a page that stays unmapped, under the stack
extern gemel::u8 image_end[];
}

namespace gemel::arch {

inline u64 image_offset(u8 const* symbol)
{
    return static_cast<u64>(symbol - image_begin);
}

} // namespace gemel::arch
