// Tasks: an address space and quotas, taken from the creator's and given back when it is reaped.
#include "core/kernel.hpp"

namespace gemel {

namespace {

constexpr u32 reap_step = 1024; // rows or pages looked at in one task_reap

} // namespace

// The creator pays for the task's page and keeps a row for its handle.
Task& Kernel::task_new(Task& creator, u32 pages, u32 rows, u32 threads, u64 const* name)
{
    if (pages < 2 || pages >= creator.pages || rows >= creator.rows || threads > creator.threads)
        fail(Error::quota);
    u16 index = 1;
    while (index < tasks_max && tasks_[index])
        ++index;
    if (index == tasks_max)
        fail(Error::no_memory);
    pages_wanted(creator, 1, 1);
    row_wanted(creator);
    auto* page = page_new(creator, PageUse::object, ObjectType::task);
    auto* task = static_cast<Task*>(page); // zero is what a new one consists of, but for:
    task->index = index;
    task->creator = creator.index;
    task->pages = task->pages_quota = pages;
    task->rows = task->rows_quota = rows;
    task->threads = task->threads_quota = threads;
    copy_name(task->name, name);
    auto* root = page_new(*task, PageUse::table);
    machine_.root_created(root);
    task->root = machine_.physical_of(root);
    task->next_address = machine_.user_begin(index);
    creator.pages -= pages;
    creator.rows -= rows;
    creator.threads -= threads;
    tasks_[index] = task;
    ++task_count_;
    return *task;
}

// A task ends with who made it: what it has is the creator's. Stops everything that they run;
// whoever waits for their answer hears DEAD.
void Kernel::task_destroy(Task& task)
{
    task.dead = true;
    for (bool more = true; more;) {
        more = false;
        for (auto* child : tasks_)
            if (child && !child->dead && tasks_[child->creator]->dead)
                child->dead = more = true;
    }
    for (u32 id = 1; id < threads_max; ++id) {
        auto* thread = threads_[id];
        if (!thread)
            continue;
        if (thread->task->dead)
            halt(*thread);
        else if (thread->state == ThreadState::awaiting_reply && tasks_[thread->reply_owner]->dead)
            wake(*thread, Error::dead);
    }
}

// One bounded step, once whom it made is gone: threads first, then rows, then pages. Answers the
// next cursor, 0 at the end.
u64 Kernel::task_reap(Task& task, u64 cursor)
{
    if (cursor == 0) {
        for (u32 id = 1; id < threads_max; ++id)
            if (threads_[id] && threads_[id]->task == &task)
                thread_free(*threads_[id]);
        return 1;
    }
    auto at = cursor - 1;
    for (u32 step = 0; step < reap_step && at < row_count_; ++step, ++at)
        if (rows_[at].owner == task.index)
            row_close(rows_[at]);
    if (at < row_count_)
        return at + 1;
    for (u32 step = 0; step < reap_step && at < u64 { row_count_ } + page_count_; ++step, ++at)
        reap_page(task, static_cast<u32>(at - row_count_));
    if (at < u64 { row_count_ } + page_count_)
        return at + 1;
    reap_tables(task);
    auto& creator = *tasks_[task.creator];
    creator.pages += task.pages_quota;
    creator.rows += task.rows_quota;
    creator.threads += task.threads_quota;
    if (scheduler_task_ == task.index)
        scheduler_task_ = 0;
    tasks_[task.index] = nullptr;
    --task_count_;
    page_free(&task);
    return 0;
}

// Objects the dead task paid for end with it, whoever else holds a capability to them. Pages of
// another's region that it paid for stay, and leaves that were cut while they are mapped: nobody
// pays for them any more.
void Kernel::reap_page(Task& task, u32 number)
{
    auto& info = pages_[number];
    if (info.owner != task.index)
        return;
    if (info.use == PageUse::data || info.use == PageUse::zombie_leaf)
        info.owner = 0;
    auto* page = page_at(number);
    switch (info.type) {
    case ObjectType::port:
        return port_destroy(*static_cast<Port*>(page));
    case ObjectType::region:
        return region_disown(static_cast<u64*>(page));
    case ObjectType::none:
    case ObjectType::task:
    case ObjectType::thread:
    case ObjectType::broker:
        return;
    }
}

// Unlinks what is still mapped, then frees the tables.
void Kernel::reap_tables(Task& task)
{
    auto const root = task.root;
    reap_table(task, static_cast<u64*>(machine_.at_physical(root)), 39, 0);
    page_free(machine_.at_physical(root));
    task.root = 0;
}

void Kernel::reap_table(Task& task, u64* table, unsigned shift, u64 base)
{
    auto const entries = shift == 39 ? user_root_entries : u32 { 512 };
    for (u32 i = 0; i < entries; ++i) {
        if (table[i] == 0)
            continue;
        auto const address = base + (u64 { i } << shift);
        auto* next = static_cast<u64*>(machine_.at_physical(machine_.entry_target(table[i])));
        if (shift == 21) {
            region_unlink(task.root, address, table[i]);
            continue;
        }
        table[i] = 0;
        reap_table(task, next, shift - 9, address);
        if (auto const records = info_of(next).next; records != 0)
            page_free(page_at(records));
        page_free(next);
    }
}

} // namespace gemel
