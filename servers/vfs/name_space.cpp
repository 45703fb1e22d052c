// What all sessions share (see name_space.hpp).
#include "servers/vfs/name_space.hpp"

#include "servers/fskit/mounts_page.hpp"

namespace gemel::vfs {

namespace {

// Bits of the notification word that are the handler's (servers/rt/object_server.hpp).
constexpr u32 ledger_bits = 32;

// A space, tab, newline or backslash as three octal digits, as /proc/mounts has it.
void append_escaped(std::string& out, std::string_view text)
{
    for (char const character : text) {
        if (character == ' ' || character == '\t' || character == '\n' || character == '\\') {
            auto const code = static_cast<unsigned>(character);
            out += '\\';
            for (unsigned const shift : { 6u, 3u, 0u })
                out += static_cast<char>('0' + (code >> shift & 7));
        } else {
            out += character;
        }
    }
}

} // namespace

NameSpace::NameSpace(Handle const& port, SharedRegion mounts_page)
    : mounts_page_(std::move(mounts_page))
    , mounts_(make_ref<Mounts const>())
    , objects_(port)
{
}

Ref<Mounts const> NameSpace::mounts()
{
    return *mounts_.lock();
}

std::string NameSpace::text_of(Mounts const& mounts)
{
    std::string text;
    for (auto const& mount : mounts.list()) {
        append_escaped(text, mount->type);
        text += ' ';
        append_escaped(text, mount->path);
        text += ' ';
        append_escaped(text, mount->type);
        text += mount->read_only ? " ro\n" : " rw\n";
    }
    return text;
}

void NameSpace::publish(Mounts changed)
{
    fskit::write_mounts(mounts_page_.span(), text_of(changed));
    *mounts_.lock() = Ref<Mounts const>(make_ref<Mounts const>(std::move(changed)));
}

Result<void> NameSpace::mount(MountOptions options, Client<protocol::Directory> root)
{
    options.id = next_mount_id_++;
    auto made = make_ref<Mount>(std::move(options), std::move(root), mounts_page_);
    TRY(made->connect());
    // What cannot be written is shown and refused as read-only, whatever was asked for.
    if (auto const status = made->statfs(); status && status->read_only != 0)
        made->read_only = true;
    auto const turn = changing_.lock();
    auto changed = *mounts();
    TRY(changed.put(std::move(made)));
    publish(std::move(changed));
    return {};
}

Result<void> NameSpace::unmount(std::string_view path)
{
    auto const turn = changing_.lock();
    auto changed = *mounts();
    TRY(changed.remove(path));
    publish(std::move(changed));
    return {};
}

NameSpace::Ledger NameSpace::add_ledger(u32 files_max)
{
    auto ledgers = ledgers_.lock();
    Ledger const ledger { make_ref<OpenFiles>(files_max), u64 { 1 } << ledgers->next };
    ledgers->all.push_back(ledger);
    ledgers->next = (ledgers->next + 1) % ledger_bits;
    return ledger;
}

void NameSpace::remove_ledger(Ref<OpenFiles> const& files)
{
    auto ledgers = ledgers_.lock();
    std::erase_if(ledgers->all, [&](Ledger const& ledger) { return ledger.files == files; });
}

void NameSpace::closed(u64 bits)
{
    auto const all = ledgers_.lock()->all; // sweeping asks the kernel: not under the lock
    for (auto const& ledger : all)
        if (ledger.bits & bits)
            ledger.files->sweep();
}

} // namespace gemel::vfs
