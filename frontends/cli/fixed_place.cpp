#include "frontends/cli/fixed_place.hpp"

#include "sim/trace/trace.hpp"

#include <gemel/hosted/system.hpp>

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string>
#include <sys/personality.h>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace gemel::cli {

namespace {

constexpr unsigned long what_it_is = 0xFFFF'FFFF; // of personality(2)
constexpr rlim_t stack_bytes = 8u << 20; // what lies below the stack lies by its limit

// The linker's hash of an object, from its notes (elf(5), NT_GNU_BUILD_ID); 0: it has none.
u64 hash_in(dl_phdr_info const& info)
{
    u64 identity = 0;
    for (int i = 0; i < info.dlpi_phnum; ++i) {
        auto const& part = info.dlpi_phdr[i];
        if (part.p_type != PT_NOTE)
            continue;
        auto const* at = reinterpret_cast<u8 const*>(info.dlpi_addr + part.p_vaddr);
        auto const* end = at + part.p_memsz;
        while (at + sizeof(ElfW(Nhdr)) <= end) {
            ElfW(Nhdr) head;
            std::memcpy(&head, at, sizeof head);
            auto const* text = at + sizeof head + align_up<u64>(head.n_namesz, 4);
            if (head.n_type == NT_GNU_BUILD_ID && head.n_descsz >= sizeof identity)
                std::memcpy(&identity, text, sizeof identity);
            at = text + align_up<u64>(head.n_descsz, 4);
        }
    }
    return identity;
}

// The kernel's own object is none of ours: nobody stands in it.
bool is_the_hosts(dl_phdr_info const& info)
{
    return info.dlpi_name && std::strstr(info.dlpi_name, "linux-vdso");
}

// False: nothing had to be changed, or nothing could be.
bool change_process()
{
    rlimit stack {};
    ::getrlimit(RLIMIT_STACK, &stack);
    auto const usual = std::min(stack_bytes, stack.rlim_max);
    auto const current = ::personality(what_it_is);
    auto const at_random = (current & ADDR_NO_RANDOMIZE) == 0;
    if (!at_random && stack.rlim_cur == usual)
        return false;
    stack.rlim_cur = usual;
    if (::setrlimit(RLIMIT_STACK, &stack) != 0)
        return false;
    return !at_random
        || ::personality(static_cast<unsigned long>(current) | ADDR_NO_RANDOMIZE) >= 0;
}

std::string own_words()
{
    std::string text;
    auto const file = ::open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    char bytes[4096];
    for (ssize_t got = 0; file >= 0 && (got = ::read(file, bytes, sizeof bytes)) > 0;)
        text.append(bytes, static_cast<usize>(got));
    if (file >= 0)
        ::close(file);
    return text;
}

} // namespace

void go_to_fixed_place()
{
    if (!change_process())
        return;
    auto words = own_words();
    std::vector<char*> pointers;
    for (usize at = 0; at < words.size(); at += std::strlen(words.c_str() + at) + 1)
        pointers.push_back(words.data() + at);
    pointers.push_back(nullptr);
    ::execv("/proc/self/exe", pointers.data());
}

u64 place_identity()
{
    sim::Hash hash;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* to) {
            if (is_the_hosts(*info))
                return 0;
            static_cast<sim::Hash*>(to)->add(info->dlpi_addr);
            static_cast<sim::Hash*>(to)->add(hash_in(*info));
            return 0;
        },
        &hash);
    return hash.high ^ hash.low;
}

u64 program_identity()
{
    u64 identity = 0;
    ::dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* to) {
            *static_cast<u64*>(to) = hash_in(*info);
            return 1; // the program alone, not its libraries
        },
        &identity);
    return identity;
}

} // namespace gemel::cli
