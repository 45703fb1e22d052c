#include "servers/rt/object_server.hpp"

#include <utility>

namespace gemel {
namespace {

constexpr unsigned watch_shift = 32; // bits 32..63 of the notification word: objects by badge
constexpr unsigned watch_groups = 32;

u64 watch_bit(u64 badge)
{
    return u64 { 1 } << (watch_shift + badge % watch_groups);
}

} // namespace

Result<Handle> ObjectServer::publish_object(Ref<Object> object, Rights rights)
{
    auto table = table_.lock();
    if (table->entries.size() >= objects_max)
        return Error::too_big;
    auto const badge = table->next_badge;
    auto parent = TRY(port_.badged(badge, rights | Right::derive));
    TRY(parent.watch(port_, watch_bit(badge)));
    auto child = TRY(parent.derive(rights));
    table->entries.emplace(badge, Entry { std::move(object), std::move(parent) });
    ++table->next_badge;
    return child;
}

usize ObjectServer::count()
{
    return table_.lock()->entries.size();
}

std::optional<Ref<ObjectServer::Object>> ObjectServer::find(u64 badge)
{
    if (badge == 0) {
        auto const root = root_.lock();
        if (!*root)
            return std::nullopt;
        return (*root)->object;
    }
    auto const table = table_.lock();
    auto const at = table->entries.find(badge);
    if (at == table->entries.end())
        return std::nullopt;
    return at->second.object;
}

Disposition ObjectServer::dispatch(u64 badge, Incoming& in, ReplyToken& token)
{
    auto const object = find(badge);
    if (!object)
        return Outgoing::failed(Error::not_found);
    return (*object)->dispatch(in, token);
}

// The objects of the signalled groups that nobody has a capability to any more. They end after the
// lock is given back: their destructors may call other servers.
void ObjectServer::collect(u64 bits)
{
    std::vector<Entry> ended;
    auto table = table_.lock();
    for (auto at = table->entries.begin(); at != table->entries.end();) {
        auto const info
            = bits & watch_bit(at->first) ? at->second.parent.inspect() : Error::invalid;
        bool const wanted = !(bits & watch_bit(at->first)) || (info && info->children != 0);
        if (wanted) {
            ++at;
            continue;
        }
        ended.push_back(std::move(at->second));
        at = table->entries.erase(at);
    }
    table.unlock();
}

// They end outside the lock: an object may publish or look up others while it goes.
void ObjectServer::drop_all()
{
    auto entries = std::exchange(table_.lock()->entries, {});
    auto root = std::exchange(*root_.lock(), std::nullopt);
}

void ObjectServer::notified(u64 bits)
{
    auto const objects = bits >> watch_shift << watch_shift;
    if (objects)
        collect(objects);
    auto const others = bits & ~objects;
    if (others && notification_)
        notification_(others);
}

} // namespace gemel
