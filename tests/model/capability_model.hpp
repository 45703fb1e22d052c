// What the kernel's capabilities, ports and messages should do, written the slow and obvious way:
// trees are walked, nothing is cached, every death is spread to every descendant at once.
#pragma once

#include "core/abi/call.hpp"
#include "core/abi/operation.hpp"

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace gemel::model {

struct Message {
    std::array<u64, 8> words {};
};

struct Object {
    ObjectType type = ObjectType::none;
    bool dead = false;
    // a port's
    u16 owner = 0; // a task object: its index
    u16 payer = 0;
    u64 receiver = 0; // handle that was last given the receive right
    u64 notification = 0;
    std::deque<Message> ring;
    std::deque<u32> receivers; // thread ids
    std::deque<u32> callers;
};

struct Row {
    u64 handle = 0;
    u16 owner = 0;
    int object = 0;
    Rights rights = 0;
    u64 badge = 0;
    int parent = -1;
    bool revoked = false; // an ancestor was revoked or closed
    bool cut = false; // its own parent was: it no longer counts as a child
    u32 expiry_tick = 0;
    u32 depth = 0;
    std::vector<int> children; // live ones
    u64 watch_handle = 0;
    u64 watch_bits = 0;
};

enum class Wait : u8 { none, receiving, calling, awaiting_reply };

struct Thread {
    u16 task = 0;
    Wait wait = Wait::none;
    int port = -1;
    u64 by = 0; // the handle it receives with
    u64 deadline_ns = 0;
    Message message; // of a queued call: badge, tag, words
    u32 generation = 0; // of its calls, for their reply tokens
    u16 reply_owner = 0;
    // What the thread must see when it runs again; words are checked only when told.
    u64 status = 0;
    std::optional<Message> words;
    std::optional<u64> port_word;
};

class Model {
public:
    std::vector<Object> objects;
    std::map<int, Row> rows;
    std::map<u64, int> by_handle;
    std::map<u32, Thread> threads;
    u64 now_ns = 0;
    u32 tick_now = 1;
    std::vector<u64> stale; // handles that once were good

    int add_object(ObjectType type, u16 owner);
    int add_row(u64 handle, u16 owner, int object, Rights rights, u64 badge, int parent);

    // The calls. Each answers the status the caller must see (unless it blocks).
    u64 derive(
        u16 task, u64 source, u64 to_task, Rights rights, bool set_badge, u64 badge, u16& owner);
    u64 move(u16 task, u64 source, u64 to_task);
    u64 revoke(u16 task, u64 handle);
    u64 close(u16 task, u64 handle);
    u64 destroy(u16 task, u64 handle);
    u64 limit(u16 task, u64 handle, u64 nanoseconds);
    u64 watch(u16 task, u64 handle, u64 port, u64 bits);
    u64 inspect(u16 task, u64 handle, std::array<u64, 8>& words);
    u64 signal(u16 task, u64 handle, u64 bits);
    u64 send(u32 thread, std::array<u64, 8> words);
    // Nothing: the thread blocks.
    std::optional<u64> receive(u32 thread, u64 port, bool poll, u64 deadline_ns);
    std::optional<u64> receive_from(u32 thread, int object, u64 handle, bool poll, u64 deadline_ns);
    std::optional<u64> call(u32 thread, std::array<u64, 8> words, u64 deadline_ns);
    void tick();
    // As if every capability were used.
    void end_all_receivers();

    // The row behind a handle, or the error a look-up must give. Tells watchers as the kernel does.
    std::optional<int> look(u16 task, u64 handle, Rights needed, u64& status);
    std::optional<int> look_port(u16 task, u64 handle, Rights needed, u64& status);

private:
    bool alive(Row const& row) const;
    u16 receiving_task(int object) const;
    void revoke_tree(int row);
    void kill_below(int row);
    void tell(int row);
    void signal_object(int object, u64 bits);
    void port_destroy(int object);
    void close_row(int row);
    void wake(u32 thread, Error error);
    void end_receivers(int object);
    void take(u32 id, int object, Message message, std::optional<u32> caller);
    void hand(u32 receiver, Message const& message, u64 badge, u64 tag, std::optional<u32> caller);
    u64 reply(u32 thread, std::array<u64, 8> words);
    u64 move_row(int row, u16 to);
    u64 move_capabilities(u16 task, std::array<u64, 8>& words, u16 to, bool waits = false);
    std::optional<u16> task_of(u16 task, u64 handle, u64& status);
};

} // namespace gemel::model
