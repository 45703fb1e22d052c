#include "last_words.hpp"

#include "host.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <dlfcn.h>
#include <unistd.h>
#include <unwind.h>

namespace gemel::arch {

namespace {

constexpr usize calls_max = 24;
constexpr usize text_bytes_max = 4096;

struct Calls {
    std::array<u64, calls_max> at {};
    usize count = 0;
};

_Unwind_Reason_Code one_call(_Unwind_Context* context, void* raw)
{
    auto& calls = *static_cast<Calls*>(raw);
    if (calls.count == calls_max)
        return _URC_END_OF_STACK;
    calls.at[calls.count++] = _Unwind_GetIP(context);
    return _URC_NO_REASON;
}

// A handler allocates nothing: what does not fit is left out.
class Text {
public:
    template <typename... Values>
    void add(char const* format, Values... values)
    {
        auto const left = sizeof text_ - bytes_;
        auto const wanted = std::snprintf(text_ + bytes_, left, format, values...);
        if (wanted > 0)
            bytes_ += std::min(static_cast<usize>(wanted), left - 1);
    }
    void say() const { [[maybe_unused]] auto const said = ::write(STDERR_FILENO, text_, bytes_); }

private:
    char text_[text_bytes_max] = {};
    usize bytes_ = 0;
};

void add_place(Text& text, u64 at)
{
    Dl_info info {};
    if (::dladdr(reinterpret_cast<void*>(at), &info) == 0 || !info.dli_fname)
        return text.add("gemel:   %#lx\n", at);
    text.add("gemel:   addr2line -Cfpie %s %#lx\n", info.dli_fname,
        at - reinterpret_cast<u64>(info.dli_fbase));
}

} // namespace

void tell_of_fault(int signal, siginfo_t const& info, ucontext_t const& context)
{
    Text text;
    text.add("gemel: a fault in the kernel or a device model: signal %d, address %#lx", signal,
        reinterpret_cast<u64>(info.si_addr));
    if (host.processors)
        text.add(", processor %u", own().number);
    if (host.system)
        if (auto const* current = host.processors ? host.system->kernel().cpu(own().number).current
                                                  : host.system->kernel().cpu().current)
            text.add(", thread %u of task %s", current->id, current->task->name);
    text.add("\n");
    add_place(text, static_cast<u64>(context.uc_mcontext.gregs[REG_RIP]));
    text.say();
    // Of what was interrupted; whoever is in this handler comes first.
    Calls calls;
    _Unwind_Backtrace(one_call, &calls);
    Text path;
    bool below = false;
    for (usize index = 0; index < calls.count; ++index) {
        if (below)
            add_place(path, calls.at[index] - 1);
        below |= calls.at[index] == static_cast<u64>(context.uc_mcontext.gregs[REG_RIP]);
    }
    path.say();
}

} // namespace gemel::arch
