#include "tests/model/kernel_fixture.hpp"

#include <cstring>

namespace gemel {

namespace {

u64 hash_of(void const* bytes, usize count)
{
    u64 value = 0xCBF2'9CE4'8422'2325;
    for (usize i = 0; i + sizeof(u64) <= count; i += sizeof(u64)) {
        u64 word = 0;
        std::memcpy(&word, static_cast<u8 const*>(bytes) + i, sizeof word);
        value = (value ^ word) * 0x0000'0100'0000'01B3;
        value ^= value >> 29;
    }
    return value;
}

// Where vm_allocate begins to look is no fact: what it finds is the same.
u64 hash_of(Task task)
{
    task.next_address = 0;
    return hash_of(&task, sizeof task);
}

} // namespace

// The page of a thread, but for the status of the caller: that is how a call is refused.
u64 KernelFixture::thread_fact(Thread const& thread)
{
    alignas(64) u8 copy[sizeof(Thread)];
    std::memcpy(copy, &thread, sizeof copy);
    if (&thread == kernel.cpu_->current)
        reinterpret_cast<Thread*>(copy)->frame.status() = 0;
    return hash_of(copy, sizeof copy);
}

u64 KernelFixture::content_fact(PageInfo const& page, void const* at)
{
    if (page.use != PageUse::object || page.type == ObjectType::region)
        return hash_of(at, page_bytes);
    if (page.type == ObjectType::port) {
        Port port = *static_cast<Port const*>(at);
        port.stamp = 0;
        return hash_of(&port, sizeof port);
    }
    if (page.type == ObjectType::task)
        return hash_of(*static_cast<Task const*>(at));
    return page.type == ObjectType::thread ? thread_fact(*static_cast<Thread const*>(at)) : 0;
}

Facts KernelFixture::facts()
{
    Facts all;
    auto const add = [&](char const* what, u64 index, u64 value) {
        all.push_back({ what, static_cast<u32>(index), value });
    };
    for (u32 i = 1; i < kernel.row_count_; ++i) {
        if (kernel.rows_[i].owner == 0)
            continue;
        auto row = kernel.rows_[i];
        row.stamp = 0;
        row.waited = false;
        add("row", i, hash_of(&row, sizeof row));
    }
    for (u32 i = 0; i < kernel.page_count_; ++i) {
        auto const& page = kernel.pages_[i];
        if (page.use == PageUse::free || page.use == PageUse::reserved)
            continue;
        add("page", i, hash_of(&page, sizeof page));
        add("content of page", i, content_fact(page, kernel.page_at(i)));
    }
    for (u32 id = 0; id < threads_max; ++id) {
        add("thread", id, kernel.threads_[id] ? kernel.threads_[id]->id : 0);
        add("reply token", id, kernel.threads_[id] ? kernel.reply_tokens_[id] : 0);
    }
    for (u32 line = 0; line < arch::interrupt_lines_max; ++line)
        add("interrupt", line, hash_of(&kernel.interrupts_[line], sizeof(InterruptBinding)));
    add("free pages", 0, kernel.free_pages_);
    add("free rows", 0, kernel.free_rows_);
    add("threads", 0, kernel.thread_count_);
    add("tasks", 0, kernel.task_count_);
    add("scheduler", 0, u64 { kernel.scheduler_task_ } << 32 | kernel.scheduler_row_);
    add("scheduler's bits", 0, kernel.scheduler_bits_);
    add("first limit", 0, kernel.next_expiry_);
    add("first deadline", 0, kernel.next_deadline_ns_);
    add("current", 0, kernel.cpu_->current ? kernel.cpu_->current->id : 0);
    add("budget", 0, kernel.cpu_->budget);
    return all;
}

std::string difference(Facts const& before, Facts const& after)
{
    for (usize i = 0; i < before.size() || i < after.size(); ++i) {
        if (i < before.size() && i < after.size() && before[i] == after[i])
            continue;
        auto const& fact = i < before.size() ? before[i] : after[i];
        return std::string(fact.what) + " " + std::to_string(fact.index);
    }
    return {};
}

} // namespace gemel
