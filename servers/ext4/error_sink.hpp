// Who is told about damage found while the volume is in use.
#pragma once

#include <string_view>

namespace gemel::ext4 {

class ErrorSink {
public:
    virtual ~ErrorSink() = default;

    // One sentence without a line end, naming inode and block. It must not call back into the
    // volume.
    virtual void report(std::string_view sentence) = 0;
};

} // namespace gemel::ext4
