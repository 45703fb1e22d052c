// Goal: the kernel's capabilities, ports, calls and messages do what the naive model does.
// Method: six threads in three tasks make random calls, one in three with a bad argument; every
// status, every received word and every handle is compared, and the books are audited on the way.
// GEMEL_MODEL_STEPS and GEMEL_MODEL_SEED choose another length and another run.
#include "tests/model/capability_model.hpp"
#include "tests/model/kernel_fixture.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

namespace gemel {

namespace {

using model::Model;
using model::Wait;

constexpr u64 flag_call = static_cast<u64>(ReceiveFlag::call) << 8;
constexpr u64 flag_send_first = static_cast<u64>(ReceiveFlag::send_first) << 8;
constexpr u64 flag_poll = static_cast<u64>(ReceiveFlag::poll) << 8;
constexpr usize rows_wanted = 120;

class Walk {
public:
    explicit Walk(u64 seed)
        : random_(seed)
    {
        kernel_.failures_checked_every = 37;
    }

    void prepare();
    void step();
    bool failed() const { return !trouble_.empty(); }
    std::string const& trouble() const { return trouble_; }
    std::string audit() { return kernel_.audit(); }

private:
    u64 below(u64 bound) { return random_() % bound; }
    u64 any_handle(u16 task);
    u64 own_handle(u16 task, ObjectType type);
    u64 any_token();
    Rights any_rights() { return static_cast<Rights>(below(3) ? rights_mask & ~4u : below(1024)); }
    u32 me() { return kernel_.current().id; }
    void settle();
    void idle();
    void message_words(u16 task, std::array<u64, 8>& words, u64 destination);

    void allocate();
    void derive();
    void move();
    void simple(u64 choice);
    void send();
    void receive();
    void send_and_receive();
    void call();

    std::mt19937_64 random_;
    KernelFixture kernel_;
    Model model_;
    std::vector<u64> tokens_;
    std::string trouble_;
    u16 init_task_ = 0;
    u32 idle_thread_ = 0;
    u64 steps_ = 0;
};

// Three tasks of two threads, each holding capabilities to all three tasks, and an idle thread.
void Walk::prepare()
{
    auto const broker = kernel_.capability("broker-task");
    auto const self = kernel_.capability("task-self");
    u64 tasks[3];
    int objects[3];
    u16 indices[3];
    for (unsigned i = 0; i < 3; ++i) {
        kernel_.operate(broker, Operation::task_new, { 600, 900, 4, 'a' + i, 0 });
        ASSERT_EQ(kernel_.status(), status_ok);
        tasks[i] = kernel_.word(2);
    }
    for (unsigned i = 0; i < 3; ++i) {
        for (unsigned k = 0; k < 2; ++k) {
            kernel_.operate(broker, Operation::thread_new, { tasks[i], 1, 4096, 0, 3, 0 });
            auto const thread = kernel_.word(2);
            kernel_.operate(broker, Operation::thread_run, { thread });
            ASSERT_EQ(kernel_.status(), status_ok);
        }
    }
    kernel_.operate(broker, Operation::thread_new, { self, 1, 4096, 0, 0, 0 });
    kernel_.operate(broker, Operation::thread_run, { kernel_.word(2) });
    for (u32 id = 2; id < threads_max; ++id) {
        auto const* thread = kernel_.kernel.thread(id);
        if (!thread)
            continue;
        if (thread->priority == 0)
            idle_thread_ = id;
        else
            model_.threads[id].task = thread->task->index;
    }
    for (unsigned i = 0; i < 3; ++i) {
        indices[i] = static_cast<u16>(i + 2);
        objects[i] = model_.add_object(ObjectType::task, indices[i]);
        model_.add_row(tasks[i], 1, objects[i], rights_all, 0, -1);
    }
    for (unsigned i = 0; i < 3; ++i) {
        for (unsigned k = 0; k < 3; ++k) {
            auto const rights = rights_all & ~static_cast<Rights>(Right::destroy);
            kernel_.trap({ tasks[k], tasks[i], rights }, static_cast<u64>(Call::cap_move));
            ASSERT_EQ(kernel_.status(), status_ok);
            model_.add_row(kernel_.word(2), indices[i], objects[k], rights, 0,
                static_cast<int>(tasks[k] & 0xFFFF'FFFF));
        }
    }
    init_task_ = 1;
    kernel_.trap({}, static_cast<u64>(Call::port_allocate));
    kernel_.trap({}, static_cast<u64>(Call::port_receive), kernel_.word(2));
}

u64 Walk::any_handle(u16 task)
{
    switch (below(8)) {
    case 0:
        if (!model_.stale.empty())
            return model_.stale[below(model_.stale.size())];
        return random_();
    case 1: {
        auto at = model_.by_handle.begin();
        std::advance(at, static_cast<long>(below(model_.by_handle.size())));
        return at->first;
    }
    case 2:
        return below(4) ? own_handle(task, ObjectType::none) ^ (1ull << 32)
                        : random_() >> below(64);
    default:
        return own_handle(task, below(4) ? ObjectType::port : ObjectType::none);
    }
}

u64 Walk::own_handle(u16 task, ObjectType type)
{
    std::vector<u64> mine;
    for (auto const& [index, row] : model_.rows)
        if (row.owner == task
            && (type == ObjectType::none
                || model_.objects[static_cast<usize>(row.object)].type == type))
            mine.push_back(row.handle);
    return mine.empty() ? 0x7F00'0000'0000'0001 : mine[below(mine.size())];
}

u64 Walk::any_token()
{
    if (tokens_.empty() || below(10) == 0)
        return reply_token_bit | random_() >> below(40);
    return tokens_[tokens_.size() - 1 - below(std::min<u64>(tokens_.size(), 6))];
}

void Walk::message_words(u16 task, std::array<u64, 8>& words, u64 destination)
{
    words[0] = destination;
    auto const capabilities = below(4) == 0 ? below(4) : 0;
    words[1] = below(20) == 0
        ? random_()
        : tag_of(static_cast<u16>(below(100)), static_cast<unsigned>(capabilities));
    for (unsigned i = 2; i < 8; ++i)
        words[i] = random_();
    auto const count = words[1] >> tag_capabilities_shift & 3;
    for (u64 i = 0; i < count; ++i)
        words[8 - count + i] = any_handle(task);
}

void Walk::allocate()
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    kernel_.trap({}, static_cast<u64>(Call::port_allocate));
    model_.threads[thread].status = status_ok;
    auto const handle = kernel_.kernel.thread(thread)->frame.words()[2];
    auto const object = model_.add_object(ObjectType::port, task);
    model_.add_row(handle, task, object, rights_all, 0, -1);
}

void Walk::derive()
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    auto const source = any_handle(task);
    auto const to = below(3) ? 0 : any_handle(task);
    auto const rights = any_rights();
    auto const badge = below(3) == 0 ? below(5) + 1 : 0;
    auto const operation = badge != 0 ? static_cast<u64>(CapOperation::badge)
                                      : static_cast<u64>(CapOperation::derive);
    u16 owner = 0;
    auto const status = model_.derive(task, source, to, rights, badge != 0, badge, owner);
    kernel_.trap({ source, to, rights | operation << 16, badge }, static_cast<u64>(Call::cap_move));
    auto& mine = model_.threads[thread];
    mine.status = status;
    if (status != status_ok)
        return;
    auto const parent = model_.by_handle.at(source);
    auto const handle = kernel_.kernel.thread(thread)->frame.words()[2];
    model_.add_row(handle, owner, model_.rows[parent].object, rights,
        badge != 0 ? badge : model_.rows[parent].badge, parent);
}

void Walk::move()
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    auto const source = any_handle(task);
    auto const to = below(3) ? own_handle(task, ObjectType::task) : any_handle(task);
    auto const status = model_.move(task, source, to);
    kernel_.trap({ source, to, static_cast<u64>(CapOperation::move) << 16 },
        static_cast<u64>(Call::cap_move));
    model_.threads[thread].status = status;
}

// The operations on one handle that do not block.
void Walk::simple(u64 choice)
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    auto const handle = any_handle(task);
    auto const cap = [&](CapOperation operation, u64 first = 0, u64 second = 0) {
        kernel_.trap({ handle, 0, static_cast<u64>(operation) << 16, first, second },
            static_cast<u64>(Call::cap_move));
    };
    u64 status = 0;
    switch (choice) {
    case 0:
        status = model_.revoke(task, handle);
        cap(CapOperation::revoke);
        break;
    case 1:
        status = model_.close(task, handle);
        cap(CapOperation::close);
        break;
    case 2: {
        // Tasks stay: their end is another test's. Every step is a call.
        auto const found = model_.by_handle.find(handle);
        auto const is_task = found != model_.by_handle.end()
            && model_.objects[static_cast<usize>(model_.rows[found->second].object)].type
                == ObjectType::task;
        if (is_task)
            return simple(6);
        status = model_.destroy(task, handle);
        cap(CapOperation::destroy);
        break;
    }
    case 3: {
        auto const bits = random_() & random_();
        status = model_.signal(task, handle, bits);
        kernel_.trap({ handle, bits }, static_cast<u64>(Call::signal));
        break;
    }
    case 4: {
        auto const limit = below(4) ? below(200) * 1'000'000 : 0;
        status = model_.limit(task, handle, limit);
        cap(CapOperation::time_to_live, limit);
        break;
    }
    case 5: {
        auto const port = any_handle(task);
        auto const bits = below(8) ? 1ull << below(64) : random_();
        status = model_.watch(task, handle, port, bits);
        cap(CapOperation::watch, port, bits);
        break;
    }
    default: {
        std::array<u64, 8> words {};
        status = model_.inspect(task, handle, words);
        cap(CapOperation::inspect);
        auto const* got = kernel_.kernel.thread(thread)->frame.words();
        if (status == status_ok && (got[2] != words[2] || got[3] != words[3] || got[5] != words[5]))
            trouble_ = "inspect differs";
        break;
    }
    }
    model_.threads[thread].status = status;
}

void Walk::send()
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    std::array<u64, 8> words {};
    message_words(task, words, below(2) ? any_token() : any_handle(task));
    auto const status = model_.send(thread, words);
    kernel_.trap(words.data(), static_cast<u64>(Call::port_send));
    model_.threads[thread].status = status;
}

void Walk::receive()
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    auto const port = any_handle(task);
    auto const poll = below(3) == 0;
    auto const deadline_us = (kernel_.now_ns / 1000) + below(60'000);
    auto const outcome = model_.receive(thread, port, poll, deadline_us * 1000);
    if (outcome)
        model_.threads[thread].status = *outcome;
    kernel_.trap({},
        static_cast<u64>(Call::port_receive) | (poll ? flag_poll : 0) | deadline_us << 16, port);
}

void Walk::send_and_receive()
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    std::array<u64, 8> words {};
    message_words(task, words, below(4) ? any_token() : any_handle(task));
    auto const port = any_handle(task);
    auto const deadline_us = (kernel_.now_ns / 1000) + 1 + below(60'000);
    u64 status = 0;
    // The receive half is checked first: a bad one sends nothing.
    if (auto const row = model_.look_port(task, port, rights_of(Right::receive), status)) {
        auto const object = model_.rows[*row].object;
        status = model_.send(thread, words);
        if (status == status_ok)
            if (auto const outcome
                = model_.receive_from(thread, object, port, false, deadline_us * 1000))
                status = *outcome;
    }
    auto const number = static_cast<u64>(Call::port_receive) | flag_send_first | deadline_us << 16;
    if (model_.threads[thread].wait == Wait::none && !model_.threads[thread].words)
        model_.threads[thread].status = status;
    kernel_.trap(words.data(), number, port);
}

void Walk::call()
{
    auto const thread = me();
    auto const task = model_.threads[thread].task;
    std::array<u64, 8> words {};
    message_words(task, words, any_handle(task));
    auto const deadline_us = (kernel_.now_ns / 1000) + 1 + below(60'000);
    auto const outcome = model_.call(thread, words, deadline_us * 1000);
    if (outcome)
        model_.threads[thread].status = *outcome;
    kernel_.trap(
        words.data(), static_cast<u64>(Call::port_receive) | flag_call | deadline_us << 16);
}

// Everyone waits: time passes.
void Walk::idle()
{
    kernel_.now_ns += tick_ns;
    model_.now_ns = kernel_.now_ns;
    model_.tick();
    kernel_.kernel.on_interrupt(arch::tick_line);
    if (me() != idle_thread_)
        return;
    if (kernel_.is_checked_next())
        model_.end_all_receivers();
    kernel_.trap({}, static_cast<u64>(Call::sched_yield));
}

// What the model says the thread that now runs must see.
void Walk::settle()
{
    auto const id = me();
    if (id == idle_thread_)
        return;
    auto& thread = model_.threads[id];
    auto const& frame = kernel_.kernel.thread(id)->frame;
    auto& current = const_cast<arch::Frame&>(frame);
    if (thread.wait != Wait::none) {
        trouble_ = "thread " + std::to_string(id) + " runs but must wait";
        return;
    }
    if (current.status() != thread.status) {
        char text[128];
        std::snprintf(text, sizeof text, "thread %u: status %llx, wanted %llx", id,
            static_cast<unsigned long long>(current.status()),
            static_cast<unsigned long long>(thread.status));
        trouble_ = text;
        return;
    }
    if (thread.port_word) {
        if (current.port() != *thread.port_word)
            trouble_ = "reply token differs";
        else if (current.port() != 0)
            tokens_.push_back(current.port());
        thread.port_word.reset();
    }
    if (thread.words) {
        auto const notification
            = thread.words->words[1] == static_cast<u64>(KernelTag::notification);
        for (unsigned i = 0; i < (notification ? 3u : 8u); ++i)
            if (current.words()[i] != thread.words->words[i])
                trouble_ = "word " + std::to_string(i)
                    + " differs: " + std::to_string(current.words()[i]) + ", wanted "
                    + std::to_string(thread.words->words[i]) + ", tag "
                    + std::to_string(thread.words->words[1]);
        thread.words.reset();
    }
}

void Walk::step()
{
    ++steps_;
    settle();
    if (failed())
        return;
    if (me() == idle_thread_)
        return idle();
    if (kernel_.is_checked_next())
        model_.end_all_receivers();
    if (model_.rows.size() > rows_wanted && below(2))
        return simple(1);
    switch (below(16)) {
    case 0:
        return allocate();
    case 1:
    case 2:
    case 3:
        return derive();
    case 4:
        return move();
    case 5:
    case 6:
        return simple(below(7));
    case 7:
        return simple(3);
    case 8:
    case 9:
        return send();
    case 10:
    case 11:
        return receive();
    case 12:
        return send_and_receive();
    default:
        return call();
    }
}

u64 number_from(char const* name, u64 otherwise)
{
    auto const* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 0) : otherwise;
}

} // namespace

TEST(Model, TheKernelDoesWhatTheModelDoes)
{
    constexpr u64 steps_in_run = 20'000;
    auto const steps = number_from("GEMEL_MODEL_STEPS", 1'000'000);
    auto const first = number_from("GEMEL_MODEL_SEED", 1);
    for (u64 run = 0; run * steps_in_run < steps; ++run) {
        Walk random(first + run);
        random.prepare();
        for (u64 i = 0; i < steps_in_run; ++i) {
            random.step();
            ASSERT_FALSE(random.failed())
                << random.trouble() << " (seed " << first + run << ", step " << i << ")";
            if (i % 256 == 0) {
                auto const wrong = random.audit();
                ASSERT_EQ(wrong, "") << "seed " << first + run << ", step " << i;
            }
        }
    }
}

} // namespace gemel
