// Random calls and broker operations from the ABI's own lists, three words in ten of them wrong.
#pragma once

#include "tests/native/puppets.hpp"
#include "tests/storm/chooser.hpp"

namespace gemel {

// Handles as the trace and the generator know them: by the order in which they appeared.
class Handles {
public:
    void clear() { count_ = 0; }
    u64 first() const { return known_[0].handle; }
    // Its number; a new one when it was not known. `task`: who holds it.
    u64 learn(u64 handle, u64 task, ObjectType type = ObjectType::none);
    // Its number, or ~0.
    u64 find(u64 handle) const;
    ObjectType type_of(u64 handle) const;
    // One of the task's, of the type unless that is `none`. 0: there is none.
    u64 any(storm::Chooser& random, u64 task, ObjectType type = ObjectType::none) const;

private:
    static constexpr u64 handles_max = 512;
    struct Known {
        u64 handle;
        u64 task;
        ObjectType type;
    };
    Known known_[handles_max];
    u64 count_ = 0;
};

// Who holds what is no handle of a task: its capabilities to brokers, and reply tokens.
constexpr u64 broker_of(u64 task, Broker broker)
{
    return 2 + task * 8 + static_cast<u64>(broker);
}
constexpr u64 tokens_of(u64 task)
{
    return 64 + task;
}

enum class Scope : u8 {
    everything,
    portable, // only what gives the same on every machine, at any speed
};

class Generator {
public:
    Generator(Puppets& puppets, u64 seed, Scope scope)
        : puppets_(puppets)
        , random_(seed)
        , scope_(scope)
    {
    }

    Handles& handles() { return handles_; }
    storm::Chooser& random() { return random_; }
    // What the task knows itself by.
    void own_task(u64 task, u64 handle)
    {
        own_task_[task] = handle;
        recent_[task] = {};
    }
    // A call for the puppet, into its mailbox.
    void choose(Puppet& puppet);
    // Learns the handles that the call has answered with.
    void results(Puppet const& puppet, raw::Registers const& asked);

private:
    bool wrong() { return random_.below(10) < 3; }
    u64 handle(u64 task, ObjectType type = ObjectType::none);
    u64 address(u64 task);
    u64 bytes();
    u64 number_in(u64 bound);
    u64 rights();
    u64 deadline();
    void message(raw::Registers& box, u64 task);
    void receive(raw::Registers& box, u64 task);
    void memory(raw::Registers& box, u64 task);
    void capability(raw::Registers& box, u64 task);
    void operation(raw::Registers& box, u64 task);
    void threads(raw::Registers& box, u64 task);
    bool planned(raw::Registers& box, u64 task);
    void arguments(raw::Registers& box, u64 task, OperationInfo const& info);
    void portable_arguments(raw::Registers& box, OperationInfo const& info);

    void likely_arguments(raw::Registers& box, u64 task, OperationInfo const& info);

    // What a task got last: what else would be hit by chance only.
    struct Recent {
        u64 thread = 0;
        u64 child = 0; // a task that it made
        u64 cursor = 0; // of its reaping
        u64 address = 0; // where something was mapped
        u64 object = 0; // a port's page
        u64 plan = 0; // calls that follow one another
    };
    Recent recent_[tasks_in_round] {};

    Puppets& puppets_;
    Handles handles_;
    u64 own_task_[tasks_in_round] {};
    storm::Chooser random_;
    Scope scope_;
};

} // namespace gemel
