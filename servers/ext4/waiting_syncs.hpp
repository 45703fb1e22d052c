// Syncs that were asked for and are not answered yet. All that wait at the server's port by the
// time the first one could be answered share its commit and its flushes.
#pragma once

#include "servers/ext4/volume_writer.hpp"
#include "servers/protocols/directory.hpp"
#include "servers/protocols/file.hpp"
#include "servers/rt/reply.hpp"

#include <array>
#include <variant>

namespace gemel::ext4 {

class WaitingSyncs {
public:
    static constexpr usize waiting_max = 32;

    using OfFile = Deferred<File, File::Sync>;
    using OfDirectory = Deferred<Directory, Directory::Sync>;
    using Asker = std::variant<std::monostate, OfFile, OfDirectory>;

    // When as many wait as can, they are answered before it.
    void add(VolumeWriter& writer, Durable what, Asker asker);
    bool any() const { return count_ > 0; }
    // One sync for all of them.
    void answer(VolumeWriter& writer);

private:
    std::array<Asker, waiting_max> askers_;
    usize count_ = 0;
    Durable what_ = Durable::contents; // for all of them
};

} // namespace gemel::ext4
