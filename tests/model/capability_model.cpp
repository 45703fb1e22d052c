#include "tests/model/capability_model.hpp"

#include "core/object/port.hpp"
#include "core/object/row.hpp"

#include <algorithm>

namespace gemel::model {

namespace {

u64 bad(Error error)
{
    return status_of(error);
}

bool tag_allowed(u64 tag)
{
    return (tag & 0x0FFF'0000) == 0 && (tag & 0xFFFF) < 0xFF00;
}

u64 next_handle(u64 handle)
{
    auto generation = ((handle >> 32 & handle_generation_max) + 1) & handle_generation_max;
    if (generation == 0)
        generation = 1;
    return generation << 32 | (handle & 0xFFFF'FFFF);
}

} // namespace

int Model::add_object(ObjectType type, u16 owner)
{
    objects.emplace_back();
    objects.back().type = type;
    objects.back().owner = owner;
    objects.back().payer = owner;
    return static_cast<int>(objects.size()) - 1;
}

int Model::add_row(u64 handle, u16 owner, int object, Rights rights, u64 badge, int parent)
{
    auto const index = static_cast<int>(handle & 0xFFFF'FFFF);
    auto& row = rows[index];
    row = Row {};
    row.handle = handle;
    row.owner = owner;
    row.object = object;
    row.rights = rights;
    row.badge = badge;
    row.parent = parent;
    if (parent >= 0) {
        row.depth = rows[parent].depth + 1;
        row.expiry_tick = rows[parent].expiry_tick;
        rows[parent].children.push_back(index);
    }
    by_handle[handle] = index;
    if (parent >= 0 && has(rights, Right::receive)
        && objects[static_cast<usize>(object)].type == ObjectType::port)
        objects[static_cast<usize>(object)].receiver = handle;
    return index;
}

bool Model::alive(Row const& row) const
{
    if (objects[static_cast<usize>(row.object)].dead || row.revoked)
        return false;
    for (auto const* at = &row;;) {
        if (at->expiry_tick != 0 && tick_now >= at->expiry_tick)
            return false;
        if (at->parent < 0)
            return true;
        at = &rows.at(at->parent);
    }
}

std::optional<int> Model::look(u16 task, u64 handle, Rights needed, u64& status)
{
    auto const found = by_handle.find(handle);
    if (found == by_handle.end()) {
        status = bad(Error::cap_invalid);
        return {};
    }
    auto& row = rows[found->second];
    if (row.owner != task) {
        status = bad(Error::not_owner);
        return {};
    }
    if (!alive(row)) {
        status = bad(objects[static_cast<usize>(row.object)].dead ? Error::dead : Error::revoked);
        tell(found->second);
        return {};
    }
    end_receivers(row.object);
    if (needed & ~row.rights) {
        status = bad(Error::no_rights);
        return {};
    }
    status = status_ok;
    return found->second;
}

std::optional<int> Model::look_port(u16 task, u64 handle, Rights needed, u64& status)
{
    auto const row = look(task, handle, 0, status);
    if (!row)
        return {};
    if (objects[static_cast<usize>(rows[*row].object)].type != ObjectType::port) {
        status = bad(Error::port_invalid);
        return {};
    }
    if (needed & ~rows[*row].rights) {
        status = bad(Error::no_rights);
        return {};
    }
    return row;
}

// Who was last given the receive right; or else who paid for the port.
u16 Model::receiving_task(int object) const
{
    auto const& port = objects[static_cast<usize>(object)];
    auto const found = by_handle.find(port.receiver);
    return found != by_handle.end() && alive(rows.at(found->second)) ? rows.at(found->second).owner
                                                                     : port.payer;
}

void Model::revoke_tree(int index)
{
    rows[index].revoked = true;
    for (auto const child : rows[index].children)
        revoke_tree(child);
}

void Model::kill_below(int index)
{
    for (auto const child : rows[index].children) {
        rows[child].cut = true;
        revoke_tree(child);
    }
    rows[index].children.clear();
}

void Model::tell(int index)
{
    auto const& row = rows[index];
    if (row.watch_bits == 0)
        return;
    auto const port = by_handle.find(row.watch_handle);
    if (port == by_handle.end() || !alive(rows[port->second]))
        return;
    auto const bits = row.watch_bits;
    end_receivers(rows[port->second].object);
    signal_object(rows[port->second].object, bits);
}

void Model::signal_object(int object, u64 bits)
{
    auto& port = objects[static_cast<usize>(object)];
    port.notification |= bits;
    if (port.notification == 0 || port.receivers.empty())
        return;
    auto const receiver = port.receivers.front();
    port.receivers.pop_front();
    auto& thread = threads[receiver];
    thread.wait = Wait::none;
    thread.status = status_ok;
    thread.words = Message {};
    thread.words->words[1] = static_cast<u64>(KernelTag::notification);
    thread.words->words[2] = port.notification;
    thread.port_word = 0;
    port.notification = 0;
}

void Model::wake(u32 id, Error error)
{
    auto& thread = threads[id];
    if (thread.wait == Wait::receiving || thread.wait == Wait::calling) {
        auto& port = objects[static_cast<usize>(thread.port)];
        std::erase(port.receivers, id);
        std::erase(port.callers, id);
    }
    thread.wait = Wait::none;
    thread.status = bad(error);
    thread.words.reset();
    thread.port_word.reset();
}

// Whoever has lost the right that he receives with hears so as soon as anybody uses a capability to
// the port.
void Model::end_receivers(int object)
{
    auto const all = objects[static_cast<usize>(object)].receivers;
    for (auto const id : all) {
        auto const by = by_handle.find(threads[id].by);
        if (by == by_handle.end() || !alive(rows.at(by->second))
            || rows.at(by->second).owner != threads[id].task)
            wake(id, Error::revoked);
    }
}

void Model::end_all_receivers()
{
    for (auto const& [index, row] : rows)
        if (alive(row))
            end_receivers(row.object);
}

void Model::port_destroy(int object)
{
    auto& port = objects[static_cast<usize>(object)];
    while (!port.receivers.empty())
        wake(port.receivers.front(), Error::dead);
    while (!port.callers.empty())
        wake(port.callers.front(), Error::dead);
    port.dead = true;
}

void Model::close_row(int index)
{
    kill_below(index);
    tell(index);
    auto& row = rows[index];
    row.watch_bits = 0;
    if (row.parent >= 0) {
        if (!row.cut) {
            auto& siblings = rows[row.parent].children;
            std::erase(siblings, index);
            if (siblings.empty())
                tell(row.parent);
        }
    } else if (objects[static_cast<usize>(row.object)].type == ObjectType::port
        && !objects[static_cast<usize>(row.object)].dead) {
        port_destroy(row.object);
    }
    stale.push_back(row.handle);
    by_handle.erase(row.handle);
    rows.erase(index);
}

std::optional<u16> Model::task_of(u16 task, u64 handle, u64& status)
{
    if (handle == 0)
        return task;
    auto const row = look(task, handle, 0, status);
    if (!row)
        return {};
    auto const& object = objects[static_cast<usize>(rows[*row].object)];
    if (object.type != ObjectType::task) {
        status = bad(Error::cap_invalid);
        return {};
    }
    if (!has(rows[*row].rights, Right::grant)) {
        status = bad(Error::no_rights);
        return {};
    }
    return object.owner;
}

u64 Model::derive(
    u16 task, u64 source, u64 to_task, Rights rights, bool set_badge, u64 badge, u16& owner)
{
    u64 status = 0;
    auto const row = look(task, source, 0, status);
    if (!row)
        return status;
    auto const to = task_of(task, to_task, status);
    if (!to)
        return status;
    auto const& from = rows[*row];
    if (!has(from.rights, Right::derive))
        return bad(Error::no_rights);
    Rights allowed = from.rights | Right::send_once;
    if (has(from.rights, Right::send))
        allowed = allowed | Right::call;
    if (rights & ~allowed)
        return bad(Error::no_rights);
    if (set_badge && from.badge != 0)
        return bad(Error::no_rights);
    if (from.depth >= row_depth_max)
        return bad(Error::too_big);
    (void)badge;
    owner = *to;
    return status_ok;
}

u64 Model::move_row(int index, u16 to)
{
    auto& row = rows[index];
    stale.push_back(row.handle);
    by_handle.erase(row.handle);
    row.handle = next_handle(row.handle);
    row.owner = to;
    by_handle[row.handle] = index;
    if (has(row.rights, Right::receive)
        && objects[static_cast<usize>(row.object)].type == ObjectType::port)
        objects[static_cast<usize>(row.object)].receiver = row.handle;
    return row.handle;
}

u64 Model::move(u16 task, u64 source, u64 to_task)
{
    u64 status = 0;
    auto const row = look(task, source, 0, status);
    if (!row)
        return status;
    auto const to = task_of(task, to_task, status);
    if (!to)
        return status;
    if (!has(rows[*row].rights, Right::derive))
        return bad(Error::no_rights);
    move_row(*row, *to);
    return status_ok;
}

u64 Model::revoke(u16 task, u64 handle)
{
    u64 status = 0;
    auto const row = look(task, handle, 0, status);
    if (!row)
        return status;
    kill_below(*row);
    tell(*row);
    return status_ok;
}

u64 Model::close(u16 task, u64 handle)
{
    auto const found = by_handle.find(handle); // alive or not
    if (found == by_handle.end())
        return bad(Error::cap_invalid);
    if (rows[found->second].owner != task)
        return bad(Error::not_owner);
    close_row(found->second);
    return status_ok;
}

u64 Model::destroy(u16 task, u64 handle)
{
    u64 status = 0;
    auto const row = look(task, handle, 0, status);
    if (!row)
        return status;
    if (!has(rows[*row].rights, Right::destroy))
        return bad(Error::no_rights);
    if (objects[static_cast<usize>(rows[*row].object)].type != ObjectType::port)
        return bad(Error::invalid);
    port_destroy(rows[*row].object);
    close_row(*row);
    return status_ok;
}

u64 Model::limit(u16 task, u64 handle, u64 nanoseconds)
{
    u64 status = 0;
    auto const row = look(task, handle, 0, status);
    if (!row)
        return status;
    auto const tick = static_cast<u32>((now_ns + nanoseconds + tick_ns - 1) / tick_ns) + 1;
    auto& expiry = rows[*row].expiry_tick;
    if (expiry == 0 || tick < expiry)
        expiry = tick;
    if (nanoseconds == 0)
        expiry = 1;
    return status_ok;
}

u64 Model::watch(u16 task, u64 handle, u64 port, u64 bits)
{
    u64 status = 0;
    auto const row = look(task, handle, 0, status);
    if (!row)
        return status;
    if (bits == 0 || (bits & (bits - 1)))
        return bad(Error::invalid);
    if (!look_port(task, port, rights_of(Right::send), status))
        return status;
    rows[*row].watch_handle = port;
    rows[*row].watch_bits = bits;
    return status_ok;
}

u64 Model::inspect(u16 task, u64 handle, std::array<u64, 8>& words)
{
    u64 status = 0;
    auto const row = look(task, handle, 0, status);
    if (!row)
        return status;
    auto const& r = rows[*row];
    words[2] = r.rights | u64 { static_cast<u8>(objects[static_cast<usize>(r.object)].type) } << 16
        | u64 { r.children.size() } << 32;
    words[3] = r.badge;
    words[5] = r.depth;
    return status_ok;
}

u64 Model::signal(u16 task, u64 handle, u64 bits)
{
    u64 status = 0;
    auto const row = look_port(task, handle, rights_of(Right::send), status);
    if (!row)
        return status;
    signal_object(rows[*row].object, bits);
    return status_ok;
}

// All of them or none; the words then hold the new handles, unless the message is to wait: then
// they stay the giver's.
u64 Model::move_capabilities(u16 task, std::array<u64, 8>& words, u16 to, bool waits)
{
    auto const count = words[1] >> tag_capabilities_shift & 3;
    std::vector<int> moved;
    for (u64 i = 0; i < count; ++i) {
        u64 status = 0;
        auto const row = look(task, words[8 - count + i], rights_of(Right::derive), status);
        if (!row)
            return status;
        if (std::find(moved.begin(), moved.end(), *row) != moved.end())
            return bad(Error::invalid);
        moved.push_back(*row);
    }
    for (u64 i = 0; i < count && !waits; ++i)
        words[8 - count + i] = move_row(moved[i], to);
    return status_ok;
}

// A message that waited. What a call gives is its caller's still; what the ring holds was the
// receiver's at once, or the payer's of the port while nobody received.
void Model::take(u32 id, int object, Message message, std::optional<u32> caller)
{
    auto const count = message.words[1] >> tag_capabilities_shift & 3;
    auto const task = threads[id].task;
    auto const giver = caller ? threads[*caller].task : objects[static_cast<usize>(object)].payer;
    for (u64 i = 8 - count; i < 8; ++i) {
        auto const found = by_handle.find(message.words[i]);
        auto const* const row = found == by_handle.end() ? nullptr : &rows.at(found->second);
        if (row && !caller && row->owner == task)
            continue;
        auto const gives = row && row->owner == giver && has(row->rights, Right::derive);
        auto const lives = gives && alive(*row);
        if (lives)
            end_receivers(row->object);
        message.words[i] = lives ? move_row(found->second, task) : 0;
        if (gives && message.words[i] == 0)
            close_row(found->second);
    }
    hand(id, message, message.words[0], message.words[1], caller);
}

void Model::hand(
    u32 receiver, Message const& message, u64 badge, u64 tag, std::optional<u32> caller)
{
    auto& thread = threads[receiver];
    thread.wait = Wait::none;
    thread.status = status_ok;
    thread.words = message;
    thread.words->words[0] = badge;
    thread.words->words[1] = tag;
    thread.port_word = 0;
    if (caller) {
        auto& from = threads[*caller];
        from.wait = Wait::awaiting_reply;
        from.reply_owner = thread.task;
        thread.port_word
            = reply_token_bit | u64 { from.generation & handle_generation_max } << 32 | *caller;
    }
}

u64 Model::reply(u32 id, std::array<u64, 8> words)
{
    auto const target = static_cast<u32>(words[0]);
    auto const found = threads.find(target);
    if (found == threads.end() || found->second.wait != Wait::awaiting_reply
        || (found->second.generation & handle_generation_max)
            != (words[0] >> 32 & handle_generation_max))
        return bad(Error::cap_invalid);
    auto& caller = found->second;
    auto const task = threads[id].task;
    if (caller.reply_owner != task)
        return bad(Error::not_owner);
    if (!tag_allowed(words[1]))
        return bad(Error::invalid);
    if (auto const status = move_capabilities(task, words, caller.task); status != status_ok)
        return status;
    caller.wait = Wait::none;
    caller.status = status_ok;
    words[0] = 0;
    caller.words = Message { words };
    caller.port_word.reset();
    return status_ok;
}

u64 Model::send(u32 id, std::array<u64, 8> words)
{
    if (words[0] & reply_token_bit)
        return reply(id, words);
    if (!tag_allowed(words[1]))
        return bad(Error::invalid);
    auto const task = threads[id].task;
    u64 status = 0;
    auto const row = look(task, words[0], 0, status);
    if (!row)
        return status;
    auto const object = rows[*row].object;
    if (objects[static_cast<usize>(object)].type != ObjectType::port)
        return bad(Error::port_invalid);
    if ((rows[*row].rights & (Right::send | Right::send_once)) == 0)
        return bad(Error::no_rights);
    if (objects[static_cast<usize>(object)].receivers.empty()
        && objects[static_cast<usize>(object)].ring.size() == port_ring_messages)
        return bad(Error::port_full);
    status = move_capabilities(task, words, receiving_task(object));
    if (status != status_ok)
        return status;
    auto const badge = rows[*row].badge;
    if (has(rows[*row].rights, Right::send_once))
        close_row(*row);
    auto& port = objects[static_cast<usize>(object)];
    if (port.dead)
        return status_ok; // it closed the port's own root capability
    if (!port.receivers.empty()) {
        auto const receiver = port.receivers.front();
        port.receivers.pop_front();
        hand(receiver, Message { words }, badge, words[1], {});
        return status_ok;
    }
    words[0] = badge;
    port.ring.push_back(Message { words });
    return status_ok;
}

std::optional<u64> Model::receive(u32 id, u64 handle, bool poll, u64 deadline_ns)
{
    u64 status = 0;
    auto const row = look_port(threads[id].task, handle, rights_of(Right::receive), status);
    if (!row)
        return status;
    return receive_from(id, rows[*row].object, handle, poll, deadline_ns);
}

std::optional<u64> Model::receive_from(u32 id, int object, u64 handle, bool poll, u64 deadline_ns)
{
    auto& thread = threads[id];
    auto& port = objects[static_cast<usize>(object)];
    auto const by = by_handle.find(handle);
    if (by == by_handle.end() || !alive(rows.at(by->second)))
        return bad(Error::revoked); // what it sent first was its own right to receive
    thread.by = handle;
    if (port.notification != 0) {
        port.receivers.push_front(id);
        signal_object(object, 0);
        return {};
    }
    if (!port.ring.empty()) {
        auto const message = port.ring.front();
        port.ring.pop_front();
        take(id, object, message, {});
        return {};
    }
    if (!port.callers.empty()) {
        auto const caller = port.callers.front();
        port.callers.pop_front();
        take(id, object, threads[caller].message, caller);
        return {};
    }
    if (poll || (deadline_ns != 0 && deadline_ns <= now_ns))
        return bad(Error::timed_out);
    thread.wait = Wait::receiving;
    thread.port = object;
    thread.deadline_ns = deadline_ns;
    port.receivers.push_back(id);
    return {};
}

std::optional<u64> Model::call(u32 id, std::array<u64, 8> words, u64 deadline_ns)
{
    if (!tag_allowed(words[1]))
        return bad(Error::invalid);
    auto const task = threads[id].task;
    u64 status = 0;
    auto const row = look(task, words[0], 0, status);
    if (!row)
        return status;
    auto const object = rows[*row].object;
    if (objects[static_cast<usize>(object)].type != ObjectType::port)
        return bad(Error::port_invalid);
    if ((rows[*row].rights & (Right::call | Right::send | Rights(Right::send_once))) == 0)
        return bad(Error::no_rights);
    auto const waits = objects[static_cast<usize>(object)].receivers.empty();
    status = move_capabilities(task, words, receiving_task(object), waits);
    if (status != status_ok)
        return status;
    auto const badge = rows[*row].badge;
    auto& thread = threads[id];
    auto& port = objects[static_cast<usize>(object)];
    ++thread.generation;
    thread.deadline_ns = deadline_ns;
    if (!port.receivers.empty()) {
        auto const receiver = port.receivers.front();
        port.receivers.pop_front();
        hand(receiver, Message { words }, badge, words[1], id);
    } else {
        thread.message = Message { words };
        thread.message.words[0] = badge;
        thread.wait = Wait::calling;
        thread.port = object;
        port.callers.push_back(id);
    }
    // When the receiver has the call: a watcher that is told waits for more.
    if (has(rows[*row].rights, Right::send_once))
        close_row(*row);
    return {};
}

void Model::tick()
{
    tick_now = static_cast<u32>(now_ns / tick_ns) + 1;
    for (auto& [id, thread] : threads)
        if (thread.wait != Wait::none && thread.deadline_ns != 0 && thread.deadline_ns <= now_ns)
            wake(id, Error::timed_out);
}

} // namespace gemel::model
