// Hosted IPC: a round trip between two threads through the kernel, beside a raw Boost.Context
// switch pair in the same run. Prints one line a figure; p50 and p99 over batches.
#include "tests/support/in_system.hpp"

#include <boost/context/detail/fcontext.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace gemel {

using namespace test;

namespace {

constexpr int batches = 400;
constexpr int batches_isolated = 5; // each switch there is some twenty system calls and faults
constexpr int calls_in_batch = 2000;

struct Spread {
    double median;
    double late; // 99th percentile
};

template <typename F>
Spread measure(F&& batch, int batches = gemel::batches)
{
    std::vector<double> samples;
    for (int i = 0; i < batches; ++i) {
        auto const begin = std::chrono::steady_clock::now();
        batch();
        auto const end = std::chrono::steady_clock::now();
        samples.push_back(
            std::chrono::duration<double, std::nano>(end - begin).count() / calls_in_batch);
    }
    std::sort(samples.begin(), samples.end());
    return { samples[samples.size() / 2], samples[samples.size() * 99 / 100] };
}

void echo(u64 port)
{
    arch::Registers registers;
    registers.port = port;
    registers.number = static_cast<u64>(Call::port_receive);
    arch::system_call(registers);
    for (;;) {
        registers.words[0] = registers.port;
        registers.words[1] = 0;
        registers.port = port;
        registers.number
            = static_cast<u64>(Call::port_receive) | receive_flags(ReceiveFlag::send_first) << 8;
        arch::system_call(registers);
    }
}

Spread round_trips(Init const& init, int batches)
{
    auto const port = init.port();
    init.spawn(echo, port);
    auto const trips = [&] {
        arch::Registers registers;
        for (int i = 0; i < calls_in_batch; ++i) {
            registers.words[0] = port;
            registers.words[1] = 1;
            registers.number
                = static_cast<u64>(Call::port_receive) | receive_flags(ReceiveFlag::call) << 8;
            arch::system_call(registers);
            if (registers.number != status_ok)
                std::printf("call failed\n");
        }
    };
    return measure(trips, batches);
}

Spread null_calls()
{
    return measure([] {
        arch::Registers registers;
        for (int i = 0; i < calls_in_batch; ++i) {
            registers.words[0] = 0;
            registers.number = static_cast<u64>(Call::debug_print);
            arch::system_call(registers);
        }
    });
}

namespace context = boost::context::detail;

void bounce(context::transfer_t from)
{
    for (;;)
        from = context::jump_fcontext(from.fctx, nullptr);
}

Spread raw_pairs()
{
    std::vector<char> stack(65536);
    auto fiber = context::make_fcontext(stack.data() + stack.size(), stack.size(), bounce);
    return measure([&] {
        for (int i = 0; i < calls_in_batch; ++i)
            fiber = context::jump_fcontext(fiber, nullptr).fctx;
    });
}

} // namespace
} // namespace gemel

int main()
{
    using namespace gemel;
    Spread trips {};
    Spread calls {};
    Spread isolated {};
    test::in_system([&](test::Init const& init) {
        trips = round_trips(init, batches);
        calls = null_calls();
    });
    constexpr u64 memory_bytes = 32u << 20;
    test::in_system([&](test::Init const& init) { isolated = round_trips(init, batches_isolated); },
        memory_bytes, {}, 1, arch::Isolation::on);
    auto const pairs = raw_pairs();
    std::printf("ipc.round_trip_ns p50=%.1f p99=%.1f\n", trips.median, trips.late);
    std::printf("ipc.null_call_ns p50=%.1f p99=%.1f\n", calls.median, calls.late);
    std::printf("ipc.raw_switch_pair_ns p50=%.1f p99=%.1f\n", pairs.median, pairs.late);
    std::printf("ipc.round_trip_per_switch_pair ratio=%.2f\n", trips.median / pairs.median);
    std::printf("ipc.isolated_round_trip_ns p50=%.1f p99=%.1f\n", isolated.median, isolated.late);
    std::printf("ipc.isolated_per_plain ratio=%.0f\n", isolated.median / trips.median);
    return 0;
}
