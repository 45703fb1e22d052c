#include "host.hpp"

#include <gemel/hosted/traced.hpp>

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>

namespace gemel::hosted {

namespace {

constexpr u8 switch_code[switch_bytes] = { 0x48, 0x89, 0xFC }; // movq %rdi, %rsp
constexpr usize jump_bytes_max = 128; // of jump_fcontext
constexpr u64 make_bytes_max = 256; // of make_fcontext, and of what it lets a fiber begin with

} // namespace

void const* running_word()
{
    return &arch::host.system;
}

bool is_first(SavedContext const& context)
{
    return context.rip - reinterpret_cast<u64>(&boost::context::detail::make_fcontext)
        < make_bytes_max;
}

u64 switch_begin()
{
    auto const* const code = reinterpret_cast<u8 const*>(&boost::context::detail::jump_fcontext);
    auto const* const end = code + jump_bytes_max;
    auto const* const found
        = std::search(code, end, std::begin(switch_code), std::end(switch_code));
    return found == end ? 0 : reinterpret_cast<u64>(found);
}

} // namespace gemel::hosted
