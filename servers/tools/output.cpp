#include "servers/tools/output.hpp"

namespace gemel::tools {

void Output::write(std::string_view text)
{
    if (error_)
        return;
    buffer_ += text;
    if (buffer_.size() >= buffer_bytes)
        flush();
}

void Output::flush()
{
    if (!error_ && !buffer_.empty())
        if (auto const written = file_.write(std::string_view(buffer_)); !written)
            error_ = written.error();
    buffer_.clear();
}

} // namespace gemel::tools
