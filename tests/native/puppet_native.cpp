// Natively a puppet's task maps a copy of the code.
#include "tests/native/puppets.hpp"

extern "C" gemel::u8 const gemel_text_end[]; // servers/libc/program.ld

namespace gemel {

// The pages that the function stands in, as far as there are two.
PuppetCode puppet_code(u64 address)
{
    auto const code = raw::memory_new(2 * page_bytes);
    auto const begin = align_down<u64>(reinterpret_cast<u64>(&puppet), page_bytes);
    auto const end = align_up<u64>(reinterpret_cast<u64>(gemel_text_end), page_bytes);
    __builtin_memcpy(reinterpret_cast<void*>(code.address), reinterpret_cast<void const*>(begin),
        end - begin < 2 * page_bytes ? end - begin : 2 * page_bytes);
    return { code.region, address + reinterpret_cast<u64>(&puppet) % page_bytes };
}

} // namespace gemel
