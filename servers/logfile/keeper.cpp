#include "servers/logfile/keeper.hpp"

#include "servers/rt/system.hpp"

#include <algorithm>

namespace gemel::logfile {

Result<void> Keeper::follow(Handle port)
{
    cursor_ = TRY(log_.call(protocol::Log::Follow { more_bit, std::move(port) })).cursor;
    return {};
}

Result<Keeper::Found> Keeper::read()
{
    for (usize count = 0; count < batch_bytes;) {
        auto const piece = TRY(log_.call(protocol::Log::ReadTail { cursor_ }));
        auto const text = piece.text.view();
        if (text.empty())
            return Found::end;
        auto const begin = piece.cursor - text.size();
        if (begin != cursor_) { // it wrote faster than we read, and goes on at a line's start
            waiting_.resize(waiting_.rfind('\n') + 1);
            passed_bytes_ += begin - cursor_;
        }
        waiting_ += text;
        cursor_ = piece.cursor;
        count += text.size();
    }
    return Found::more;
}

Result<void> Keeper::keep()
{
    for (auto found = Found::more; found == Found::more;) {
        found = TRY(read());
        write();
        TRY(log_.call(protocol::Log::Keep { cursor_ - waiting_.size() }));
    }
    return {};
}

// What the file says of what it lacks, in the log's own form.
std::string Keeper::report() const
{
    std::string text;
    auto const add = [&](auto const&... pieces) {
        text += concatenate(seconds_text(system::time_ns()), " WARN logfile: ", pieces..., '\n');
    };
    if (lost_lines_ != 0)
        add(lost_lines_, " lines were lost: ", trouble_.value_or(Error::no_space));
    if (passed_bytes_ != 0)
        add(passed_bytes_, " bytes were lost: the log went on meanwhile");
    return text;
}

void Keeper::write()
{
    auto const missing = report();
    auto const text = missing + waiting_.substr(0, waiting_.rfind('\n') + 1);
    if (text.empty())
        return;
    std::string_view left = text;
    auto const written = file_.append(left);
    auto const done = text.size() - left.size();
    if (done >= missing.size()) {
        lost_lines_ = 0;
        passed_bytes_ = 0;
        waiting_.erase(0, done - missing.size());
    }
    if (written)
        trouble_.reset();
    else
        failed(written.error());
}

// Said once: saying it brings us here again, which finds that it is known.
void Keeper::failed(Error error)
{
    make_room();
    if (!std::exchange(trouble_, error))
        says_.warn(file_.path(), " cannot be written: ", error);
}

void Keeper::make_room()
{
    if (waiting_.size() <= waiting_bytes_max)
        return;
    auto const end = waiting_.find('\n', waiting_.size() - waiting_bytes_max);
    auto const gone
        = waiting_.begin() + static_cast<std::ptrdiff_t>(end == waiting_.npos ? 0 : end + 1);
    lost_lines_ += static_cast<u64>(std::count(waiting_.begin(), gone, '\n'));
    waiting_.erase(waiting_.begin(), gone);
}

// A log that does not answer is dead, and init starts this service again with the next.
void Keeper::notified(u64)
{
    (void)keep();
}

Result<protocol::Keeper::Flush::Reply> Keeper::on(protocol::Keeper::Flush const&)
{
    TRY(keep());
    if (trouble_)
        return *trouble_;
    return protocol::Keeper::Flush::Reply {};
}

} // namespace gemel::logfile
