// A program's memory from the pager: there when it is touched (servers/protocols/pager.hpp).
#pragma once

#include "servers/protocols/file.hpp"
#include "servers/protocols/pager.hpp"
#include "servers/rt/env.hpp"

#include <span>

namespace gemel {

// A session. Its regions end with it, whatever still points there. Touching what cannot be had (a
// file's server that answers with an error, no memory left) ends the program, and init says why.
class PagedMemory {
public:
    using Protocol = protocol::PagedMemory;
    using Bytes = std::span<std::byte>;

    // With what the program was given as "pager" and "task", which are taken. not_found: it was
    // given none.
    static Result<PagedMemory> open(Env& env);

    // Zeros; at least one unmapped window of 2 MiB lies on either side. invalid: none.
    Result<Bytes> zeros(u64 bytes) const;
    // A private copy of a file from `offset` on, a multiple of a page. Not past its last page.
    Result<Bytes> file(Client<File> const& file, u64 offset, u64 bytes) const;
    // What `region`, which must be one of those, holds now.
    Result<Bytes> snapshot(Bytes region) const;
    Result<void> unmap(Bytes region) const;
    Result<Protocol::Usage::Reply> usage() const { return session_.call(Protocol::Usage {}); }
    Client<Protocol> const& client() const { return session_; }

private:
    explicit PagedMemory(Client<Protocol> session)
        : session_(std::move(session))
    {
    }
    Client<Protocol> session_;
};

} // namespace gemel
