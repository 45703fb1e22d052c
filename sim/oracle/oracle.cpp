#include "sim/oracle/oracle.hpp"

namespace gemel::sim {

namespace {

// The finisher of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators",
// OOPSLA 2014): every input bit changes every output bit with a chance of one half.
constexpr u64 finish(u64 value)
{
    value = (value ^ value >> 30) * 0xBF58'476D'1CE4'E5B9;
    value = (value ^ value >> 27) * 0x94D0'49BB'1331'11EB;
    return value ^ value >> 31;
}

constexpr usize decisions_max = 1u << 20; // kept; a longer run is its seed's
constexpr u64 golden = 0x9E37'79B9'7F4A'7C15;
constexpr u64 domain_value = 256; // a second, independent answer for the same key
constexpr u64 domain_family = 512;
constexpr u64 domain_rate = 513;

// Whoever allows these has made the run for them.
constexpr bool is_always_drawn(Kind kind)
{
    return kind == Kind::power_cut || kind == Kind::recovery_cut || kind == Kind::disk_lie;
}

} // namespace

u64 mix(u64 seed, u64 domain, u64 entity, u64 ordinal)
{
    auto value = finish(seed + golden);
    value = finish(value ^ (domain + 1) * golden);
    value = finish(value ^ (entity + 1) * 0xD6E8'FEB8'6659'FD93);
    return finish(value ^ (ordinal + 1) * 0xA076'1D64'78BD'642F);
}

char const* name_of(Kind kind)
{
    constexpr char const* names[kinds] = { "entropy", "schedule", "task-kill", "site", "disk-error",
        "disk-delay", "interrupt-spurious", "interrupt-late", "clock-jump", "tick-early",
        "power-loss", "power-cut", "recovery-cut", "disk-lie", "preempt", "processor",
        "interrupt-lost", "interrupt-burst" };
    return static_cast<u32>(kind) < kinds ? names[static_cast<u32>(kind)] : "?";
}

Rates swarm(u64 seed, u32 allowed)
{
    // The most frequent that a rate may become: a power of two of tries. What ends a task is rarer.
    constexpr u32 rate_bits_most[kinds]
        = { 0, 0, 21, 26, 28, 30, 24, 30, 28, 27, 0, 29, 30, 31, 0, 0, 29, 29 };
    constexpr u32 octaves = 6;
    Rates rates;
    for (u32 kind = 0; kind < kinds; ++kind) {
        if ((allowed >> kind & 1) == 0 || rate_bits_most[kind] == 0)
            continue;
        auto const chosen = mix(seed, domain_family, kind, 0) % 2 != 0;
        if (!chosen && !is_always_drawn(static_cast<Kind>(kind)))
            continue;
        auto const draw = mix(seed, domain_rate, kind, 0);
        auto const bits = rate_bits_most[kind] - static_cast<u32>(draw % octaves);
        rates.of[kind] = (1u << bits) + static_cast<u32>(draw >> 32 & ((1u << bits) - 1));
    }
    return rates;
}

Oracle::Oracle(u64 seed, Rates const& rates)
    : seed_(seed)
    , entropy_seed_(seed)
    , rates_(rates)
{
}

Oracle::Oracle(u64 seed, std::span<Decision const> decisions)
    : seed_(seed)
    , entropy_seed_(seed)
    , replaying_(true)
{
    for (auto const& decision : decisions)
        given_[decision.key] = decision.value;
}

void Oracle::branch(u64 seed, Rates const& rates, Entropy entropy)
{
    seed_ = seed;
    if (entropy == Entropy::fresh)
        entropy_seed_ = seed;
    rates_ = rates;
    replaying_ = false;
}

Key Oracle::placed(Key key) const
{
    key.entity ^= boot_ << boot_shift;
    return key;
}

u32 Oracle::answered(Key key, u32 value, u32 usual)
{
    if (value != usual && decisions_.size() < decisions_max) {
        decisions_.push_back({ key, value });
        if (decision_hook_)
            decision_hook_(decisions_.back());
    }
    return value;
}

u32 Oracle::choose(Key asked, u32 count, u32 usual)
{
    ++asked_;
    auto const key = placed(asked);
    if (replaying_) {
        auto const found = given_.find(key);
        return answered(
            key, found != given_.end() && found->second < count ? found->second : usual, usual);
    }
    auto const domain = static_cast<u64>(key.kind);
    auto const rate = rates_.of[domain];
    if (rate == 0 || count < 2 || (is_fault(key.kind) && !faults_on_))
        return usual;
    if ((mix(seed_, domain, key.entity, key.ordinal) & 0xFFFF'FFFF) >= rate)
        return usual;
    auto const other = mix(seed_, domain + domain_value, key.entity, key.ordinal) % (count - 1);
    return answered(key, static_cast<u32>((usual + 1 + other) % count), usual);
}

u32 Oracle::decide(Key asked, u32 wanted, u32 usual)
{
    ++asked_;
    auto const key = placed(asked);
    if (!replaying_)
        return answered(key, wanted, usual);
    auto const found = given_.find(key);
    return answered(key, found != given_.end() ? found->second : usual, usual);
}

u64 Oracle::next_given(Kind kind, u32 entity, u64 from) const
{
    if (from > ~u32 { 0 })
        return ~0ull;
    auto const key = placed({ kind, entity, static_cast<u32>(from) });
    auto const found = given_.lower_bound(key);
    if (found == given_.end() || found->first.kind != kind || found->first.entity != key.entity)
        return ~0ull;
    return found->first.ordinal;
}

u64 Oracle::entropy()
{
    return mix(entropy_seed_, static_cast<u64>(Kind::entropy), 0, entropy_count_++);
}

} // namespace gemel::sim
