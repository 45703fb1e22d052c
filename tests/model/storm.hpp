// Random calls on the real kernel, of every kind that there is, by threads that are only registers:
// handles come from the kernel's own table, three in ten are wrong. Tasks are made, die amid
// anything, and are reaped on the way; devices interrupt, threads fault, time passes.
#pragma once

#include "tests/model/deeds.hpp"
#include "tests/model/scene.hpp"

#include <optional>
#include <random>

namespace gemel {

class Storm {
public:
    Storm(u64 seed, u32 cpus);

    void step();
    // What is wrong with the kernel, or with what it has answered. Empty: nothing.
    std::string trouble();
    Ledger const& ledger() const { return ledger_; }
    u64 faults() const { return faults_; }
    u64 interrupts() const { return interrupts_; }
    u64 tasks_ended() const { return tasks_ended_; }

private:
    static constexpr u32 rows_looked_at = 400;
    static constexpr u32 threads_looked_at = 60;
    static constexpr u32 messages_first = 48;

    // What a thread has asked that was not answered yet.
    struct Asked {
        Deed deed = Deed::time;
        u32 life = 0; // of the thread's page: another thread may have its number by now
    };

    u64 below(u64 bound) { return random_() % bound; }
    bool one_in(u64 count) { return below(count) == 0; }
    bool wrong() { return below(10) < 3; }
    u64 number_in(u64 bound) { return wrong() ? bound + below(3) : below(bound); }
    u64 deadline() { return (scene_.now_ns + (1 + below(3)) * tick_ns) / 1000; }
    Row const& row(u32 index) { return scene_.kernel.rows()[index]; }
    ObjectType type(u32 index) { return scene_.kernel.pages()[row(index).object].type; }
    u64 handle_of(u32 index) { return u64 { row(index).generation } << 32 | index; }
    u16 me() { return scene_.current().task->index; }
    bool mine(u32 index) { return row(index).owner == me(); }

    template <typename Fits>
    u64 any_row(Fits&& fits);
    u64 own(ObjectType type = ObjectType::none);
    u64 handle(ObjectType type = ObjectType::none);
    u64 deepest();
    u64 broker(Operation operation);
    u64 token();
    u64 address();
    u64 object(ObjectType type);
    Task const* task_of(u32 index);
    Thread const* thread_of(u32 index);

    void prepare();
    u64 furnish(u64 task);
    // --- one call each, into words_, port_ and number_ ---
    void choose();
    bool persist();
    void fill_message(u64 to);
    void fill_of_fault();
    void fill_receive(unsigned flags);
    void fill_memory(Deed deed);
    void fill_capability(Deed deed);
    void fill_other(Deed deed);
    void fill_operation(OperationInfo const& info);
    void fill_arguments(Operation operation);

    void answer_calls_of_processors();
    void enter();
    void settle(Thread& thread, Deed deed);
    void fault();

    std::mt19937_64 random_;
    Scene scene_;
    u64 words_[8] {};
    u64 port_ = 0;
    u64 number_ = 0;
    std::array<std::optional<Asked>, threads_max> asked_ {};
    Ledger ledger_;
    Deed last_ = Deed::time;
    std::string trouble_;
    u64 persisted_ = 0; // the port that is flooded; 0: none, a chain grows
    u64 persist_left_ = 0;
    u64 faults_ = 0;
    u64 interrupts_ = 0;
    u64 tasks_ended_ = 0;
};

} // namespace gemel
