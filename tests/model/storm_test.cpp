// Goal: whatever is called, in whatever order, on one processor or on two, the kernel's books
// balance and a call that fails changes nothing. Method: random calls and broker operations from
// the ABI's lists, faults, interrupts and ticks, by threads that are only registers; handles come
// from the table itself, three in ten are wrong. Tasks are made, die and are reaped on the way.
// GEMEL_STORM_STEPS and GEMEL_STORM_SEED choose another run.
#include "tests/model/scene.hpp"

#include "core/object/broker.hpp"

#include <cstdlib>
#include <random>

namespace gemel {
namespace {

class Storm {
public:
    Storm(u64 seed, u32 cpus)
        : random_(seed)
        , scene_(cpus)
    {
        scene_.failures_checked_every = 61;
    }

    void step();
    std::string audit() { return scene_.audit(); }
    u64 refused() const { return refused_; }
    u64 succeeded() const { return succeeded_; }
    u64 tasks_made() const { return tasks_made_; }

private:
    u64 below(u64 bound) { return random_() % bound; }
    bool wrong() { return below(10) < 3; }
    u64 number_in(u64 bound) { return wrong() ? bound + below(3) : below(bound); }
    u64 deadline() { return (scene_.now_ns + (1 + below(3)) * tick_ns) / 1000; }
    u64 row_of(ObjectType type, u32 wanted = 0);
    u64 handle(ObjectType type = ObjectType::none);
    u64 token();
    u64 address();
    void answer_calls_of_processors();
    void message();
    void memory();
    void capability();
    void operation();
    void other();
    void count();

    std::mt19937_64 random_;
    Scene scene_;
    u64 words_[8] {};
    u64 refused_ = 0;
    u64 succeeded_ = 0;
    u64 tasks_made_ = 0;
};

// One of the current task's handles of a type (a broker: that may do `wanted`), searched from
// anywhere. 0: it has none.
u64 Storm::row_of(ObjectType type, u32 wanted)
{
    auto const rows = scene_.kernel.rows();
    auto const pages = scene_.kernel.pages();
    constexpr u64 rows_used = 400;
    auto const from = below(rows_used);
    for (u64 i = 0; i < rows_used; ++i) {
        auto const index = (from + i) % rows_used;
        auto const& row = rows[index];
        if (row.owner != scene_.current().task->index)
            continue;
        auto const is = pages[row.object].type;
        auto const fits = type == ObjectType::none || is == type;
        if (fits && (type != ObjectType::broker || BrokerRange::of(row.badge).allows(wanted)))
            return u64 { row.generation } << 32 | index;
    }
    return 0;
}

u64 Storm::handle(ObjectType type)
{
    auto const own = row_of(wrong() ? ObjectType::none : type);
    if (!wrong())
        return own;
    u64 const others[] = { 0, own ^ u64 { 1 } << 32, u64 { 1 } << 32 | below(400), ~u64 { 0 },
        random_(), own | reply_token_bit };
    return others[below(6)];
}

u64 Storm::token()
{
    auto const from = static_cast<u32>(below(40));
    for (u32 i = 0; i < 40; ++i) {
        auto const id = 1 + (from + i) % 40;
        auto const* thread = scene_.kernel.thread(id);
        if (thread && thread->state == ThreadState::awaiting_reply
            && (thread->reply_owner == scene_.current().task->index || wrong()))
            return scene_.reply_token(id);
    }
    return reply_token_bit | random_() >> 1;
}

u64 Storm::address()
{
    auto const task = wrong() ? 1 + below(5) : scene_.current().task->index;
    auto const begin = scene_.machine.user_begin(static_cast<u32>(task));
    auto const good = begin + (u64 { 1 } << 31) + below(8) * region_bytes_max;
    u64 const others[] = { 0, good + page_bytes, ~u64 { 0 } << 21, good + (u64 { 1 } << 33),
        begin - region_bytes_max };
    return wrong() ? others[below(5)] : good;
}

void Storm::message()
{
    words_[0] = below(3) == 0 ? token() : handle(ObjectType::port);
    auto const count = below(4) == 0 ? below(4) : 0;
    words_[1] = tag_of(static_cast<u16>(below(3)), static_cast<unsigned>(count));
    for (u64 i = 0; i < count; ++i)
        words_[7 - i] = handle();
    if (below(100) == 0)
        words_[0] = own_fault_port;
    auto const port = handle(ObjectType::port);
    switch (below(4)) {
    case 0:
        return scene_.trap(words_, number_of(Call::port_send));
    case 1:
        return scene_.trap(words_, number_of(Call::port_receive, flag_call, deadline()), port);
    default:
        return scene_.trap(words_,
            number_of(Call::port_receive, static_cast<unsigned>(below(4)) << 1, deadline()), port);
    }
}

void Storm::memory()
{
    words_[0] = below(3) == 0 ? 0 : address();
    if (below(3) == 0) {
        words_[1] = number_in(3) * region_bytes_max + below(2);
        return scene_.trap(words_, number_of(Call::vm_deallocate));
    }
    auto const old = below(2) == 0;
    words_[1] = old ? handle(ObjectType::region) : number_in(5) * page_bytes;
    words_[2] = (wrong() ? below(32) : 1 + below(2) * 2) & ~u64 { 8 };
    words_[2] |= old ? u64 { vm_region } : 0;
    scene_.trap(words_, number_of(Call::vm_allocate));
}

void Storm::capability()
{
    auto const operation = below(10);
    words_[0] = handle(below(3) == 0 ? ObjectType::none : ObjectType::port);
    words_[1] = below(2) == 0 ? handle(ObjectType::task) : 0;
    words_[2] = (below(2) == 0 ? below(2048) : rights_all) | operation << 16;
    words_[3] = operation == static_cast<u64>(CapOperation::watch)  ? handle(ObjectType::port)
        : operation == static_cast<u64>(CapOperation::time_to_live) ? below(8) * tick_ns
                                                                    : below(3);
    words_[4] = u64 { 1 } << below(64);
    scene_.trap(words_, number_of(Call::cap_move));
}

void Storm::operation()
{
    auto const& info = operations[below(operations.size())];
    if (info.operation == Operation::power_off)
        return;
    words_[0] = scene_.current().task->index == 1
        ? scene_.capability("broker-task") + static_cast<u64>(info.broker)
        : row_of(ObjectType::broker, static_cast<u32>(info.operation));
    for (unsigned i = 2; i < 8; ++i)
        words_[i] = number_in(8);
    words_[1] = static_cast<u64>(info.operation);
    if (info.operation == Operation::task_new) {
        words_[2] = 10 + below(40);
        words_[3] = 4 + below(12);
    }
    if (info.operation == Operation::thread_new)
        words_[7] = below(2) == 0 ? 0 : handle(ObjectType::port);
    if (info.operation == Operation::task_reap)
        words_[3] = 0;
    if (info.operation == Operation::map || info.operation == Operation::unmap)
        words_[info.operation == Operation::map ? 4 : 3] = address();
    for (auto const& wanted : { info.first, info.second })
        if (wanted.word != 0)
            words_[wanted.word] = handle(wanted.type);
    // The cursor is the kernel's to say: whoever reaps asks for it first.
    if (info.operation == Operation::task_reap)
        if (auto const index = words_[2] & 0xFFFF'FFFF; index < scene_.kernel.rows().size())
            for (u32 i = 2; i < tasks_max; ++i)
                if (auto const* task = scene_.kernel.task(i); task && task->dead && !wrong())
                    words_[3] = task->reap_cursor;
    scene_.trap(words_, number_of(Call::port_receive, flag_call, deadline()));
    tasks_made_
        += info.operation == Operation::task_new && !scene_.idles() && scene_.status() == status_ok;
}

void Storm::other()
{
    words_[0] = handle(ObjectType::port);
    words_[1] = below(16);
    switch (below(6)) {
    case 0:
        return scene_.trap(words_, number_of(Call::port_allocate));
    case 1:
        return scene_.trap(words_, number_of(Call::signal));
    case 2:
        return scene_.trap({ 1, page_bytes, 0 }, number_of(Call::sched_spawn));
    case 3:
        return scene_.trap({ handle(ObjectType::thread), below(3) }, number_of(Call::sched_switch));
    case 4:
        return scene_.trap(words_, 13 + below(240));
    default:
        return scene_.yield();
    }
}

// Processors that were asked to look do so.
void Storm::answer_calls_of_processors()
{
    while (auto const called = scene_.machine.take_called_cpus())
        for (u32 cpu = 0; cpu < scene_.kernel.cpu_count(); ++cpu)
            if ((called >> cpu & 1) != 0) {
                scene_.on_processor(cpu);
                scene_.kernel.on_interrupt(arch::interrupt_lines_max);
            }
}

void Storm::count()
{
    if (scene_.idles())
        return;
    ++(scene_.status() == status_ok ? succeeded_ : refused_);
}

void Storm::step()
{
    answer_calls_of_processors();
    scene_.on_processor(static_cast<u32>(below(scene_.kernel.cpu_count())));
    if (scene_.idles() || below(16) == 0) {
        scene_.now_ns += tick_ns / 2;
        return scene_.kernel.on_interrupt(arch::tick_line);
    }
    if (scene_.current().frame.take_restart())
        return scene_.enter();
    if (below(40) == 0)
        return scene_.kernel.on_fault(
            { .kind = FaultKind::page, .address = address() + below(4096), .code = 0 });
    if (below(40) == 0)
        scene_.machine.raise(static_cast<u32>(1 + below(8)));
    for (auto& word : words_)
        word = 0;
    switch (below(8)) {
    case 0:
    case 1:
        message();
        break;
    case 2:
        memory();
        break;
    case 3:
    case 4:
        capability();
        break;
    case 5:
        other();
        break;
    default:
        operation();
        break;
    }
    count();
}

u64 number_from(char const* name, u64 otherwise)
{
    auto const* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

} // namespace

TEST(Storm, TheBooksBalance)
{
    constexpr u64 steps_in_run = 300; // most threads wait for nobody by then
    auto const steps = number_from("GEMEL_STORM_STEPS", 30'000);
    auto const first = number_from("GEMEL_STORM_SEED", 1);
    u64 refused = 0;
    u64 succeeded = 0;
    u64 tasks = 0;
    for (u64 run = 0; run * steps_in_run < steps; ++run) {
        Storm storm(first + run, 1 + run % 2);
        for (u64 i = 0; i < steps_in_run; ++i) {
            storm.step();
            if (i % 8 == 0) {
                ASSERT_EQ(storm.audit(), "") << "seed " << first + run << ", step " << i;
            }
        }
        refused += storm.refused();
        succeeded += storm.succeeded();
        tasks += storm.tasks_made();
    }
    EXPECT_GT(succeeded, steps / 40);
    EXPECT_GT(refused, steps / 40);
    EXPECT_GT(tasks, steps / 1000);
}

} // namespace gemel
