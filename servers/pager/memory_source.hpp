// Where the pager's memory comes from: init, or a test.
#pragma once

#include "servers/rt/handle.hpp"

namespace gemel::pager {

class MemorySource {
public:
    // A region of `pages` zeroed pages, with the rights to map it, fill it and fill from it.
    virtual Result<Handle> take(u32 pages) = 0;
    // What `take` gave. Not mapped here any more.
    virtual void give_back(Handle region) = 0;

protected:
    ~MemorySource() = default;
};

} // namespace gemel::pager
