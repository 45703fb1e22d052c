#include "servers/scheduler/reservations.hpp"

namespace gemel::scheduler {

namespace {

// Of a processor, in thousandths: what deadlines may take together.
constexpr u64 deadlines_max = 900;

u64 thousandths(Terms const& terms)
{
    return terms.budget_ns * 1000 / terms.period_ns;
}

} // namespace

// The object behind a client's capability.
class ReservedThread {
public:
    using Messages = protocol::Reservation;

    ReservedThread(Reservations& set, Terms const& terms, std::unique_ptr<ThreadSubject> subject)
        : set_(set)
        , index_(subject->index())
        , reservation_(terms, std::move(subject), system::time_ns())
    {
        set_.all_.push_back(this);
    }
    ~ReservedThread() { std::erase(set_.all_, this); }
    ReservedThread(ReservedThread const&) = delete;

    u32 index() const { return index_; }
    Reservation& reservation() { return reservation_; }

    void on(Messages::NextPeriod const&, Deferred<Messages, Messages::NextPeriod> deferred)
    {
        auto const outcome = reservation_.end_job(system::time_ns());
        waiting_ = std::move(deferred);
        if (outcome == Reservation::Outcome::begins)
            begin_job();
        set_.advance(system::time_ns());
    }
    Result<Messages::Status::Reply> on(Messages::Status const&)
    {
        set_.advance(system::time_ns());
        return reservation_.counts();
    }
    void on(Messages::Hold const&, Deferred<Messages, Messages::Hold> deferred)
    {
        holders_.push_back(std::move(deferred));
        set_.advance(system::time_ns());
    }

    void answer()
    {
        if (waiting_ && (!reservation_.waits_for_period() || reservation_.gone()))
            begin_job();
        if (!reservation_.gone())
            return;
        for (auto& holder : std::exchange(holders_, {}))
            static_cast<void>(holder.reply(Messages::Hold::Reply {}));
    }

private:
    void begin_job()
    {
        auto waiting = std::exchange(waiting_, std::nullopt);
        static_cast<void>(
            waiting->reply(Messages::NextPeriod::Reply { reservation_.counts().missed }));
    }

    Reservations& set_;
    u32 index_;
    Reservation reservation_;
    std::optional<Deferred<Messages, Messages::NextPeriod>> waiting_;
    std::vector<Deferred<Messages, Messages::Hold>> holders_;
};

static_assert(Serves<ReservedThread, protocol::Reservation>);

bool Reservations::admits(Terms const& terms) const
{
    if (terms.policy != protocol::ReservationPolicy::deadline)
        return true;
    auto sum = thousandths(terms);
    for (auto* const one : all_)
        if (auto const& other = one->reservation();
            !other.gone() && other.terms().policy == protocol::ReservationPolicy::deadline)
            sum += thousandths(other.terms());
    return sum <= deadlines_max;
}

Result<Handle> Reservations::reserve(ObjectServer& server, Terms const& terms, Handle thread)
{
    TRY(check(terms));
    if (all_.size() == reservations_max)
        return Error::too_big;
    if (!admits(terms))
        return Error::quota;
    auto subject = TRY(ThreadSubject::create(powers_, std::move(thread), terms.priority));
    for (auto* const one : all_)
        if (one->index() == subject->index() && !one->reservation().gone())
            return Error::exists;
    auto reserved = make_ref<ReservedThread>(*this, terms, std::move(subject));
    auto handle = server.publish<protocol::Reservation>(std::move(reserved));
    advance(system::time_ns());
    return handle;
}

void Reservations::advance(u64 now)
{
    Reservation* earliest = nullptr;
    for (auto* const one : all_) {
        auto& reservation = one->reservation();
        reservation.advance(now);
        if (reservation.urgent()
            && (!earliest || reservation.deadline_ns() < earliest->deadline_ns()))
            earliest = &reservation;
    }
    for (auto* const one : all_)
        if (one->reservation().urgent())
            one->reservation().set_level(
                &one->reservation() == earliest ? first_deadline_level : other_deadlines_level);
    for (auto* const one : all_)
        one->answer();
}

std::optional<u64> Reservations::next_ns(u64 now) const
{
    auto next = ~u64 { 0 };
    for (auto* const one : all_)
        next = std::min(next, one->reservation().next_ns(now));
    return next == ~u64 { 0 } ? std::nullopt : std::optional(next);
}

} // namespace gemel::scheduler
