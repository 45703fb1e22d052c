// Everything that can be asked of the kernel, and every error that each may answer: the list that
// tests of refusals and random calls are measured by. An error that is not here fails them, and so
// does one that is here and never came.
#pragma once

#include "core/abi/call.hpp"
#include "core/abi/operation.hpp"

#include <array>
#include <string>
#include <string_view>

namespace gemel {

// What the system calls do, as far as one does several things; behind them the broker operations in
// their table's order.
enum class Deed : u8 {
    port_allocate,
    send,
    reply,
    receive,
    call,
    end, // a call to one's own fault port
    send_and_receive,
    memory_new,
    memory_map,
    memory_unmap,
    derive,
    move,
    revoke,
    close,
    destroy,
    badge,
    limit,
    watch,
    inspect,
    no_capability_operation,
    spawn,
    yield,
    switch_to,
    time,
    print,
    signal,
    no_call,
    no_operation,
    operations_from,
};

inline constexpr usize deeds_count = static_cast<usize>(Deed::operations_from) + operations.size();

// A set of errors: the kernel's numbers are below 64.
using Errors = u64;
template <typename... Each>
constexpr Errors any_of(Each... each)
{
    return ((u64 { 1 } << static_cast<u8>(each)) | ... | u64 { 0 });
}
constexpr bool has(Errors errors, Error error)
{
    return (errors >> static_cast<u8>(error) & 1) != 0;
}

std::string_view name_of(Deed deed);
// Every error that it may answer.
Errors errors_of(Deed deed);
// Of those the ones that random calls need not meet: they take a machine that is full, or a chain
// of steps that hardly happens. tests/model/refusals_test.cpp makes each.
Errors rare_errors_of(Deed deed);

// Which deed the registers ask for. `is_broker`: word 0 is a broker's handle.
Deed deed_of(u64 const* words, u64 number, bool is_broker);
constexpr Deed deed_of(Operation operation)
{
    usize at = 0;
    while (operations[at].operation != operation)
        ++at;
    return static_cast<Deed>(static_cast<usize>(Deed::operations_from) + at);
}

// How often each was tried, and what it answered.
class Ledger {
public:
    void add(Deed deed, u64 status);
    void add(Ledger const& other);
    u64 tried(Deed deed) const;
    u64 succeeded(Deed deed) const { return counts_[static_cast<usize>(deed)][0]; }
    u64 refused(Deed deed, Error error) const
    {
        return counts_[static_cast<usize>(deed)][static_cast<u8>(error)];
    }

    enum class Rare : u8 { wanted, not_wanted };
    // What is wrong with a run that was to meet everything: one line each. A deed that blocks for
    // ever or ends the machine need not succeed.
    std::string missing(Rare rare) const;
    // A line for each deed.
    void print() const;

private:
    static constexpr usize outcomes = 64; // 0: success
    std::array<std::array<u64, outcomes>, deeds_count> counts_ {};
};

} // namespace gemel
