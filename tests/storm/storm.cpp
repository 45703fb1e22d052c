#include "tests/storm/storm.hpp"

#include "servers/protocols/init.hpp"
#include "servers/protocols/log.hpp"
#include "servers/protocols/vfs.hpp"

namespace gemel::storm {

namespace {

// Long enough for an answer, short for what waits for a key or for a byte in a pipe.
constexpr u64 answer_ms = 3;

// What whoever holds the capability may do, and what would end the test: no server stops here.
bool ends_the_test(std::string_view service, u16 operation)
{
    using protocol::Init;
    using protocol::Vfs;
    if (service == "init")
        return operation == MessageFor<Init, Init::StopService>::number
            || operation == MessageFor<Init, Init::Shutdown>::number;
    if (service == "vfs")
        return operation == MessageFor<Vfs, Vfs::Mount>::number
            || operation == MessageFor<Vfs, Vfs::Unmount>::number;
    if (service == "log-tail") // then what came of it would not be seen
        return operation == MessageFor<protocol::Log, protocol::Log::SetLevel>::number;
    return false;
}

} // namespace

void Storm::run(u64 messages)
{
    for (; messages != 0; --messages)
        send_one();
}

u16 Storm::random_operation()
{
    return chooser_.one_in(16) ? static_cast<u16>(chooser_.next())
                               : operations_[chooser_.below(operations_.size())];
}

// A region, a port that nobody serves, a target, a region for reading only, or none that lives.
Handle Storm::random_capability()
{
    Result<Handle> made = Error::not_found;
    switch (chooser_.below(5)) {
    case 0:
        made = region_.handle_for_peer();
        break;
    case 1:
        made = region_.handle_for_peer(RegionAccess::read);
        break;
    case 2:
        if (auto port = system::port_allocate())
            made = Handle(*port);
        break;
    case 3:
        made = targets_.pick(chooser_).handle.derive(Right::call | Right::derive);
        break;
    default:
        return Handle(chooser_.next());
    }
    return made ? std::move(*made) : Handle();
}

void Storm::add_capabilities(system::Message& message)
{
    auto const count = chooser_.one_in(2) ? 0 : chooser_.below(message_capabilities_max + 1);
    message.tag |= count << tag_capabilities_shift;
    for (auto i = message_words - count; i < message_words; ++i)
        message.words[i] = random_capability().release();
    if (chooser_.one_in(4))
        message.tag |= chooser_.next() << 32;
}

void Storm::send_one()
{
    auto const& target = targets_.pick(chooser_);
    auto const service = target.service;
    auto const operation = random_operation();
    if (ends_the_test(service, operation))
        return;
    if (chooser_.one_in(3))
        scribble(chooser_, region_);
    system::Message message { .tag = tag_of(operation) };
    for (auto& word : message.words)
        word = random_word(chooser_, region_.bytes());
    add_capabilities(message);
    auto const answer
        = system::port_call(target.handle.value(), message, Deadline::after_ms(answer_ms));
    if (!answer) {
        count(answer.error());
        Incoming unsent { message }; // what was not taken is closed; what was, is stale by now
        return;
    }
    ++(static_cast<u16>(answer->tag) == 0 ? tally_.carried_out : tally_.refused);
    keep_capabilities(service, *answer);
}

void Storm::count(Error error)
{
    ++(error == Error::timed_out ? tally_.unanswered : tally_.not_sent);
}

void Storm::keep_capabilities(std::string_view service, system::Message const& answer)
{
    Incoming in { answer };
    for (unsigned member = 0; member < message_capabilities_max; ++member)
        if (auto object = in.take(member))
            targets_.add_found(service, std::move(object), chooser_);
}

} // namespace gemel::storm
