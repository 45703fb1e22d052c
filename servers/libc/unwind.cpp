// How libgcc's unwinder finds the frame tables of a program: there is one piece of text, and the
// linker made one sorted table for it.
#include "core/base/types.hpp"

// As in glibc's <dlfcn.h> from 2.35, which libgcc was built against.
struct dl_find_object {
    unsigned long long dlfo_flags;
    void* dlfo_map_start;
    void* dlfo_map_end;
    void* dlfo_link_map;
    void* dlfo_eh_frame; // of the PT_GNU_EH_FRAME segment
    unsigned long long reserved[7];
};

extern "C" {

[[gnu::visibility("hidden")]] extern char const gemel_text_begin[];
[[gnu::visibility("hidden")]] extern char const gemel_text_end[];
[[gnu::visibility("hidden")]] extern char const gemel_eh_frame_hdr[];

int _dl_find_object(void* address, dl_find_object* result) noexcept
{
    auto const* const at = static_cast<char const*>(address);
    if (at < gemel_text_begin || at >= gemel_text_end)
        return -1;
    *result = {};
    result->dlfo_map_start = const_cast<char*>(gemel_text_begin);
    result->dlfo_map_end = const_cast<char*>(gemel_text_end);
    result->dlfo_eh_frame = const_cast<char*>(gemel_eh_frame_hdr);
    return 0;
}

} // extern "C"
