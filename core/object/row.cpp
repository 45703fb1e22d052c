// Capability rows: constant-time look-up and revocation. A row remembers the epoch its parent had
// when it was derived; revoking bumps the parent's epoch, and every row below it is found dead when
// it is next used, because the validity epoch moved as well.
#include "core/base/site.hpp"
#include "core/kernel.hpp"

namespace gemel {

// Walks up to the first ancestor known to be alive in this validity epoch. Nobody reaches a port
// but by a row that was found alive since anything changed: so who receives there is looked at
// here.
bool Kernel::alive(Row& row)
{
    if (row.stamp == validity_epoch_)
        return true;
    if (pages_[row.object].generation != row.object_generation)
        return false;
    for (auto* at = &row;;) {
        if (at->expiry_tick != 0 && tick_now_ >= at->expiry_tick)
            return false;
        if (at->parent == 0)
            break;
        auto* parent = &rows_[at->parent];
        if (at->parent_epoch != parent->epoch)
            return false;
        if (parent->stamp == validity_epoch_)
            break;
        at = parent;
    }
    row.stamp = validity_epoch_;
    if (row.type == ObjectType::port)
        receivers_check(*object_of<Port>(row));
    return true;
}

// A row that was remembered; null: it is another's by now, or dead. Row 0 is nobody's, ever.
[[gnu::noinline]] Row* Kernel::stored(u32 index, u32 generation)
{
    auto& row = rows_[index];
    return row.generation == generation && row.owner != 0 && alive(row) ? &row : nullptr;
}

// Signals the port of a row that was remembered, if that capability still lives.
void Kernel::signal_row(u32 index, u32 generation, u64 bits)
{
    if (auto* row = stored(index, generation))
        signal_port(*object_of<Port>(*row), bits);
}

Error Kernel::why_dead(Row const& row)
{
    return pages_[row.object].generation != row.object_generation ? Error::dead : Error::revoked;
}

[[gnu::noinline]] Row& Kernel::look(u64 handle)
{
    if (auto* row = known(*cpu_->current, handle)) [[likely]]
        return *row;
    return look_closely(handle);
}

// All at once, and nothing to be kept for later: what does not fit is looked at anew.
[[gnu::noinline]] Row& Kernel::look(u64 handle, ObjectType type, Rights all_of)
{
    auto* const row = known(*cpu_->current, handle);
    if (row && row->type == type && (all_of & ~row->rights) == 0) [[likely]]
        return *row;
    return look_closely(handle, type, all_of);
}

// One of the rights is enough.
Row& Kernel::port_with_one(Row& row, Rights any_of)
{
    if (row.type != ObjectType::port)
        fail(Error::port_invalid);
    if ((row.rights & any_of) == 0)
        fail(Error::no_rights);
    return row;
}

Row& Kernel::owned(u64 handle)
{
    auto const index = static_cast<u32>(handle);
    if (index >= row_count_ || rows_[index].generation != handle >> 32)
        fail(Error::cap_invalid);
    auto& row = rows_[index];
    if (row.owner != cpu_->current->task_index)
        fail(row.owner == 0 ? Error::cap_invalid : Error::not_owner);
    return row;
}

// Why the handle is no good; or the row, found alive.
[[gnu::noinline]] Row& Kernel::look_closely(u64 handle)
{
    auto& row = owned(handle);
    if (!alive(row)) {
        auto const why = why_dead(row);
        row_told(row);
        fail(why);
    }
    return row;
}

[[gnu::noinline]] Row& Kernel::look_closely(u64 handle, ObjectType type, Rights all_of)
{
    auto& row = look_closely(handle);
    if (row.type != type)
        fail(type == ObjectType::port ? Error::port_invalid : Error::cap_invalid);
    if ((all_of & ~row.rights) != 0)
        fail(Error::no_rights);
    return row;
}

void Kernel::row_wanted(Task const& owner)
{
    if (owner.rows == 0)
        fail(Error::quota);
    if (row_free_ == 0 || (cpu_->current && BUGGIFY("kernel.no_row")))
        fail(Error::no_memory);
}

// Of those that were wanted.
Row& Kernel::row_new(Task& owner, u32 object, Rights rights, Row* parent)
{
    auto const index = row_free_;
    auto& row = rows_[index];
    row_free_ = row.parent;
    --free_rows_;
    --owner.rows;
    row.badge = 0;
    row.stamp = validity_epoch_; // its parent was just found alive
    row.object = object;
    row.object_generation = pages_[object].generation;
    row.type = pages_[object].type;
    row.watch = 0;
    row.expiry_tick = 0;
    row.owner = owner.index;
    row.rights = rights;
    row.children = 0;
    row.waited = false;
    // Its badge is the deriver's to give, and its parent's limit is found on the way up.
    if (parent) {
        ++parent->children;
        row.parent = index_of(*parent);
        row.parent_epoch = parent->epoch;
        row.depth = static_cast<u16>(parent->depth + 1);
    } else {
        row.parent = 0;
        row.depth = 0;
    }
    return row;
}

// If the watcher's own capability still lives.
[[gnu::noinline]] void Kernel::row_tell(Row const& row)
{
    signal_row(row.watch, row.watch_generation, 1ull << row.watch_bit);
}

void Kernel::row_kill_children(Row& row)
{
    if (row.children != 0) {
        ++row.epoch;
        ++validity_epoch_;
        row.children = 0;
    }
    if (row.type == ObjectType::region && pages_[row.object].generation == row.object_generation)
        region_cut(object_of<u64>(row));
    row_told(row);
}

// Drops the row. What was derived from it dies with it; a root row takes its object along.
void Kernel::row_close(Row& row)
{
    row_kill_children(row);
    row.watch = 0;
    if (row.parent != 0) {
        auto& parent = rows_[row.parent];
        if (parent.epoch == row.parent_epoch && --parent.children == 0)
            row_told(parent);
    } else if (pages_[row.object].generation == row.object_generation) {
        object_abandoned(row);
    }
    ++tasks_[row.owner]->rows;
    if (row.waited)
        ++validity_epoch_;
    row.owner = 0;
    row.stamp = 0;
    // One that has used up its numbers is nobody's for ever: what remembers it would find another.
    if (row.generation == handle_generation_max || row.epoch == row_epoch_max)
        return;
    ++row.generation;
    row.parent = row_free_;
    row_free_ = index_of(row);
    ++free_rows_;
}

// The row, which is passable, changes hands; the old handle is stale at once.
u64 Kernel::row_move(Row& row, Task& to)
{
    --to.rows;
    ++tasks_[row.owner]->rows;
    row.owner = to.index;
    ++row.generation;
    if (row.waited)
        ++validity_epoch_;
    receiver_is(row);
    return handle_of(row);
}

// Capabilities in messages go to the task that was last given the receive right.
void Kernel::receiver_is(Row& row)
{
    if (!has(row.rights, Right::receive) || row.type != ObjectType::port)
        return;
    auto& port = *object_of<Port>(row);
    port.receiver = index_of(row);
    port.receiver_generation = row.generation;
}

// When that one has given the right up or lost it: the one that paid for the port and dies with it.
Task& Kernel::receiving_task(Port& port)
{
    auto& row = rows_[port.receiver];
    auto const holds = row.generation == port.receiver_generation && row.owner != 0 && alive(row);
    return *tasks_[holds ? row.owner : info_of(&port).owner];
}

// The root capability of an object is gone: nobody can name it any more.
void Kernel::object_abandoned(Row& row)
{
    switch (row.type) {
    case ObjectType::port:
        return port_destroy(*object_of<Port>(row));
    case ObjectType::region:
        region_orphaned(object_of<u64>(row));
        return;
    case ObjectType::none:
    case ObjectType::task:
    case ObjectType::thread:
    case ObjectType::broker:
        return;
    }
}

// A destroyed task stays as a name until task_reap has taken it apart.
void Kernel::object_destroy(Row& row)
{
    switch (row.type) {
    case ObjectType::port:
        return port_destroy(*object_of<Port>(row));
    case ObjectType::region:
        return region_end(object_of<u64>(row));
    case ObjectType::thread:
        return thread_free(*object_of<Thread>(row));
    case ObjectType::none:
    case ObjectType::task:
    case ObjectType::broker:
        fail(Error::invalid);
    }
}

} // namespace gemel
