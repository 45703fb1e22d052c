// What a hostile task may try with system calls, by threads that do as they are told: task 0 has a
// server and an honest client, task 1 the attackers. docs/security.md says which promise each
// holds. Stands in for init; its last line counts. The same text on every face.
#include "tests/native/device.hpp"
#include "tests/native/line.hpp"
#include "tests/native/puppets.hpp"

#include "core/object/port.hpp"

namespace gemel {

using namespace raw;

namespace {

constexpr u64 blocked = ~u64 { 0 }; // the call has not ended yet
constexpr u64 flag_call = static_cast<u64>(ReceiveFlag::call);
constexpr u64 flag_poll = static_cast<u64>(ReceiveFlag::poll);

struct Words {
    u64 w[8] = {};
};

class Attack {
public:
    explicit Attack(Startup const& startup)
        : startup_(startup)
        , puppets_(startup)
    {
    }

    void run();
    u64 passed() const { return passed_; }
    u64 failed() const { return failed_; }

private:
    // What a puppet's call answers; `blocked` when it waits.
    Registers ask(u64 puppet, Call call, Words words = {}, u64 port = 0, u64 flags = 0);
    // The first half of it: the puppet is about to call.
    void tell(u64 puppet, Call call, Words words = {}, u64 port = 0, u64 flags = 0);
    // The same for one that was blocked: its results, should it have come back.
    Registers result(u64 puppet);
    u64 make_port(u64 puppet) { return ask(puppet, Call::port_allocate).words[2]; }
    u64 derive(u64 puppet, u64 handle, u64 rights, u64 to = 0);
    void expect(bool held, std::string_view what);

    void guessed_handles();
    void foreign_and_stale_handles();
    void reply_tokens();
    void badges();
    void handles_sent_twice();
    void flood();
    void exhaustion();
    void revoked_receiver();
    void memory_for_nothing();
    void right_that_ends_with_its_call();
    void revocation_races();
    u64 raced_revocations(u64 rounds);
    bool is_served();
    void interrupt_storm();

    static constexpr u64 server = 0;
    static constexpr u64 client = 1;
    static constexpr u64 attacker = 2;
    static constexpr u64 accomplice = 3;

    Startup const& startup_;
    Puppets puppets_;
    u64 to_attacker_ = 0; // the server's capability to the attackers' task
    u64 port_ = 0; // the server's, as the server holds it
    u64 attackers_port_ = 0; // what the attackers hold of it: they may call
    u64 passed_ = 0;
    u64 failed_ = 0;
};

void Attack::expect(bool held, std::string_view what)
{
    ++(held ? passed_ : failed_);
    print(held ? "ok      " : "FAILED  ");
    print(what);
    print("\n");
}

Registers Attack::result(u64 number)
{
    constexpr u64 wait_us = 20'000;
    auto& puppet = puppets_.puppet(number);
    while (puppet.token == 0 && puppets_.collect(now_ns() / 1000 + wait_us)) { }
    auto result = *puppet.box;
    if (puppet.token == 0)
        result.number = blocked;
    return result;
}

void Attack::tell(u64 number, Call call, Words words, u64 port, u64 flags)
{
    auto& puppet = puppets_.puppet(number);
    auto& box = *puppet.box;
    for (unsigned i = 0; i < 8; ++i)
        box.words[i] = words.w[i];
    box.port = port;
    box.number = static_cast<u64>(call) | flags << 8;
    puppets_.tell(puppet);
}

Registers Attack::ask(u64 number, Call call, Words words, u64 port, u64 flags)
{
    tell(number, call, words, port, flags);
    return result(number);
}

u64 Attack::derive(u64 puppet, u64 handle, u64 rights, u64 to)
{
    auto const made = ask(puppet, Call::cap_move, { { handle, to, rights } });
    return made.number == status_ok ? made.words[2] : 0;
}

// Every row of the table, with generations that are likely, and with none of them.
void Attack::guessed_handles()
{
    constexpr u64 rows = 600;
    u64 worked = 0;
    u64 known = 0;
    for (u64 row = 0; row < rows; ++row)
        for (u64 const generation : { 0, 1, 2, 3, 0x7FFF'FFFF }) {
            auto const guess = ask(attacker, Call::signal, { { generation << 32 | row, 1 } });
            worked += guess.number == status_ok;
            known += guess.number == status_of(Error::cap_invalid)
                || guess.number == status_of(Error::not_owner)
                || guess.number == status_of(Error::port_invalid)
                || guess.number == status_of(Error::no_rights);
        }
    expect(worked == 0 && known == rows * 5, "no guessed handle works");
}

void Attack::foreign_and_stale_handles()
{
    auto const foreign = ask(attacker, Call::signal, { { port_, 1 } });
    expect(foreign.number == status_of(Error::not_owner), "another task's handle does not work");
    auto const own = make_port(attacker);
    ask(attacker, Call::cap_move, { { own, 0, static_cast<u64>(CapOperation::close) << 16 } });
    auto const stale = ask(attacker, Call::signal, { { own, 1 } });
    expect(stale.number == status_of(Error::cap_invalid), "a handle that was closed does not work");
    auto const lent = derive(server, port_, Right::send | Right::derive, to_attacker_);
    auto const before = ask(attacker, Call::signal, { { lent, 1 } });
    ask(server, Call::cap_move, { { port_, 0, static_cast<u64>(CapOperation::revoke) << 16 } });
    auto const after = ask(attacker, Call::signal, { { lent, 1 } });
    expect(before.number == status_ok && after.number == status_of(Error::revoked),
        "a handle that was revoked does not work");
    ask(server, Call::port_receive, {}, port_, flag_poll); // the signal from before
    attackers_port_ = derive(server, port_, Right::call | Right::derive, to_attacker_);
}

void Attack::reply_tokens()
{
    auto const to = derive(server, port_, rights_of(Right::call));
    ask(client, Call::port_receive, { { to, 1, 7 } }, 0, flag_call);
    auto const call = ask(server, Call::port_receive, {}, port_);
    auto const token = call.port;
    expect(call.words[2] == 7 && (token & reply_token_bit) != 0, "the server receives a call");
    auto const stolen = ask(attacker, Call::port_send, { { token, 0, 666 } });
    expect(stolen.number == status_of(Error::not_owner), "another task cannot answer with a token");
    u64 guessed = 0;
    for (u64 generation = 0; generation < 64; ++generation)
        guessed += ask(attacker, Call::port_send,
                       { { reply_token_bit | generation << 32 | (token & 0xFFFF'FFFF), 0, 666 } })
                       .number
            == status_ok;
    expect(guessed == 0, "nor with a guessed one");
    auto const answered = ask(server, Call::port_send, { { token, 0, 8 } });
    auto const heard = result(client);
    auto const again = ask(server, Call::port_send, { { token, 0, 9 } });
    expect(answered.number == status_ok && heard.words[2] == 8, "the answer arrives");
    expect(again.number == status_of(Error::cap_invalid), "a token answers once");
    ask(client, Call::port_receive, { { to, 1, 10 } }, 0, flag_call);
    auto const replayed = ask(server, Call::port_send, { { token, 0, 9 } });
    expect(replayed.number == status_of(Error::cap_invalid), "nor does it answer a later call");
    auto const second = ask(server, Call::port_receive, {}, port_);
    ask(server, Call::port_send, { { second.port, 0, 11 } });
    expect(result(client).words[2] == 11, "which waits for its own");
}

// Who speaks is what the server put into the capability, not what the caller says.
void Attack::badges()
{
    auto const badge = static_cast<u64>(CapOperation::badge) << 16;
    auto const made = ask(server, Call::cap_move,
        { { port_, to_attacker_, Right::call | Right::derive | badge, 42 } });
    auto const badged = made.words[2];
    ask(attacker, Call::port_receive, { { badged, 1, 7, 7, 7, 7, 7, 7 } }, 0, flag_call);
    auto const call = ask(server, Call::port_receive, {}, port_);
    expect(call.words[0] == 42, "a caller is known by the badge it was given");
    ask(server, Call::port_send, { { call.port } });
    result(attacker);
    auto const other
        = ask(attacker, Call::cap_move, { { badged, 0, rights_of(Right::call) | badge, 1 } });
    expect(other.number == status_of(Error::no_rights), "and cannot choose another");
    auto const derived = derive(attacker, badged, rights_of(Right::call));
    auto const again
        = ask(attacker, Call::cap_move, { { derived, 0, rights_of(Right::call) | badge, 1 } });
    expect(derived != 0 && again.number != status_ok, "not by deriving either");
    auto const more
        = ask(attacker, Call::cap_move, { { badged, 0, u64 { rights_of(Right::receive) } } });
    expect(more.number == status_of(Error::no_rights), "nor gain a right");
}

void Attack::handles_sent_twice()
{
    auto const gift = make_port(attacker);
    auto const own = make_port(attacker);
    auto const twice
        = ask(attacker, Call::port_send, { { own, tag_of(1, 2), 0, 0, 0, 0, gift, gift } });
    expect(twice.number == status_of(Error::invalid), "a handle is not sent twice in a message");
    auto const kept = ask(attacker, Call::signal, { { gift, 1 } });
    expect(kept.number == status_ok, "and stays with the sender then");
    ask(attacker, Call::port_receive, { { attackers_port_, tag_of(1, 1), 0, 0, 0, 0, 0, gift } }, 0,
        flag_call);
    auto const call = ask(server, Call::port_receive, {}, port_);
    auto const theirs = ask(server, Call::signal, { { call.words[7], 1 } });
    auto const mine = ask(accomplice, Call::signal, { { gift, 1 } });
    expect(theirs.number == status_ok && mine.number != status_ok,
        "what was sent belongs to the receiver alone");
    ask(server, Call::port_send, { { call.port } });
    result(attacker);
    for (auto const handle : { own })
        ask(attacker, Call::cap_move,
            { { handle, 0, static_cast<u64>(CapOperation::close) << 16 } });
}

void Attack::flood()
{
    auto const sent = ask(attacker, Call::port_send, { { attackers_port_, 1 } });
    auto const signalled = ask(attacker, Call::signal, { { attackers_port_, 1 } });
    expect(sent.number == status_of(Error::no_rights)
            && signalled.number == status_of(Error::no_rights),
        "who may only call cannot fill a ring");
    auto const trusted = derive(server, port_, rights_of(Right::send), to_attacker_);
    u64 taken = 0;
    while (ask(attacker, Call::port_send, { { trusted, 1, taken } }).number == status_ok)
        ++taken;
    auto const full = ask(attacker, Call::port_send, { { trusted, 1 } });
    expect(taken == port_ring_messages && full.number == status_of(Error::port_full),
        "who may send fills the ring, and hears so");
    auto const to = derive(server, port_, rights_of(Right::call));
    ask(client, Call::port_receive, { { to, 2, 77 } }, 0, flag_call);
    Registers message {};
    for (u64 turn = 0; turn <= taken && (message.port & reply_token_bit) == 0; ++turn)
        message = ask(server, Call::port_receive, {}, port_);
    ask(server, Call::port_send, { { message.port, 0, 78 } });
    expect(message.words[2] == 77 && result(client).words[2] == 78,
        "a call through a full port is answered");
}

void Attack::exhaustion()
{
    u64 ports = 0;
    Registers last {};
    while ((last = ask(attacker, Call::port_allocate)).number == status_ok)
        ++ports;
    expect(ports != 0 && last.number == status_of(Error::quota),
        "ports and rows end with the attacker's own quota");
    auto const refused = ask(attacker, Call::vm_allocate, { { 0, region_bytes_max, 3 } });
    expect(refused.number == status_of(Error::quota), "so does memory");
    auto const theirs = ask(client, Call::port_allocate);
    auto const memory = ask(client, Call::vm_allocate, { { 0, page_bytes, 3 } });
    expect(theirs.number == status_ok && memory.number == status_ok,
        "others go on and get what they ask for");
    expect(is_served(), "and are served");
}

// The honest client calls the server, and is answered.
bool Attack::is_served()
{
    auto const to = derive(server, port_, rights_of(Right::call));
    ask(client, Call::port_receive, { { to, 2, 5 } }, 0, flag_call);
    auto const call = ask(server, Call::port_receive, {}, port_);
    ask(server, Call::port_send, { { call.port, 0, 6 } });
    ask(server, Call::cap_move, { { to, 0, static_cast<u64>(CapOperation::close) << 16 } });
    return result(client).words[2] == 6;
}

// In how many rounds all was well: a send and the revocation of what it is made with meet. It is
// sent, or it is refused; what was sent arrives; and afterwards nothing is sent any more.
u64 Attack::raced_revocations(u64 rounds)
{
    auto const port = make_port(server);
    auto const parent = derive(server, port, Right::send | Right::derive);
    u64 good = 0;
    for (u64 round = 0; round < rounds; ++round) {
        auto const lent = derive(server, parent, rights_of(Right::send), to_attacker_);
        tell(attacker, Call::port_send, { { lent, 1, round } });
        tell(server, Call::cap_move,
            { { parent, 0, static_cast<u64>(CapOperation::revoke) << 16 } });
        auto const sent = result(attacker).number;
        auto const revoked = result(server).number;
        auto const late = ask(accomplice, Call::port_send, { { lent, 1, round } }).number;
        u64 arrived = 0;
        while (ask(server, Call::port_receive, {}, port, flag_poll).number == status_ok)
            ++arrived;
        good += revoked == status_ok && late == status_of(Error::revoked)
            && (sent == status_ok || sent == status_of(Error::revoked))
            && arrived == (sent == status_ok ? 1u : 0u);
        ask(attacker, Call::cap_move, { { lent, 0, static_cast<u64>(CapOperation::close) << 16 } });
    }
    ask(server, Call::cap_move, { { port, 0, static_cast<u64>(CapOperation::destroy) << 16 } });
    return good;
}

void Attack::revocation_races()
{
    constexpr u64 rounds = 200;
    expect(raced_revocations(rounds) == rounds,
        "a revocation that meets a send on another processor is whole");
}

// A device of the machine's own asks over and over, and is acknowledged each time.
void Attack::interrupt_storm()
{
    Device device(startup_);
    if (device.line() == 0)
        return;
    constexpr u64 rounds = 400;
    Registers port {};
    call(port, Call::port_allocate);
    auto const irq = capability(startup_, "broker-irq");
    Registers bind {};
    bind.words[2] = device.line();
    bind.words[3] = port.words[2];
    bind.words[4] = 1;
    auto const bound = operate(bind, irq, Operation::irq_bind) == status_ok;
    u64 heard = 0;
    u64 served = 0;
    for (u64 round = 0; round < rounds; ++round) {
        device.ask();
        if (round % 40 == 0)
            served += is_served();
        Registers message {};
        message.port = port.words[2];
        heard += call(message, Call::port_receive, flag_poll) == status_ok;
        Registers acknowledged {};
        acknowledged.words[2] = device.line();
        operate(acknowledged, irq, Operation::irq_acknowledge);
    }
    device.quiet();
    expect(bound && heard > rounds / 4 && heard <= rounds,
        "a device that asks over and over is heard");
    expect(served == rounds / 40, "and stops nobody");
    cap(port.words[2], CapOperation::destroy);
}

// A capability in a message goes to who may receive now.
void Attack::revoked_receiver()
{
    auto const port = make_port(server);
    auto const lent = derive(server, port, Right::receive | Right::derive, to_attacker_);
    ask(server, Call::cap_move, { { port, 0, static_cast<u64>(CapOperation::revoke) << 16 } });
    auto const late = ask(attacker, Call::port_receive, {}, lent, flag_poll);
    auto const gift = make_port(client);
    ask(client, Call::port_send, { { port, tag_of(1, 1), 0, 0, 0, 0, 0, gift } });
    auto const message = ask(server, Call::port_receive, {}, port, flag_poll);
    auto const mine = ask(server, Call::signal, { { message.words[7], 1 } });
    expect(late.number == status_of(Error::revoked) && mine.number == status_ok,
        "a revoked receiver gets no capabilities");
    auto const again = derive(server, port, Right::receive | Right::derive, to_attacker_);
    auto const waits = ask(attacker, Call::port_receive, {}, again);
    ask(server, Call::cap_move, { { port, 0, static_cast<u64>(CapOperation::revoke) << 16 } });
    auto const to = derive(server, port, rights_of(Right::send));
    ask(client, Call::port_send, { { to, 7 } });
    auto const heard = result(attacker);
    auto const kept = ask(server, Call::port_receive, {}, port, flag_poll);
    expect(waits.number == blocked && heard.number == status_of(Error::revoked)
            && kept.number == status_ok && kept.words[1] == 7,
        "nor what comes while it waits");
}

// Maps, revokes and forgets, over and over: what was cut is still mapped, and somebody's to pay.
void Attack::memory_for_nothing()
{
    constexpr u64 turns_max = 200; // more pages than the task may have
    constexpr u64 flags = static_cast<u64>(VmFlag::read) | static_cast<u64>(VmFlag::region);
    auto const own = ask(attacker, Call::vm_allocate, { { 0, page_bytes, 3 } });
    auto const close = static_cast<u64>(CapOperation::close) << 16;
    auto const revoke = static_cast<u64>(CapOperation::revoke) << 16;
    u64 addresses[turns_max];
    u64 turns = 0;
    u64 refused = 0;
    for (; turns < turns_max && refused == 0; ++turns) {
        auto const lent = derive(attacker, own.words[3], rights_of(Right::read));
        auto const mapped = ask(attacker, Call::vm_allocate, { { 0, lent, flags } });
        addresses[turns] = mapped.words[2];
        ask(attacker, Call::cap_move, { { own.words[3], 0, revoke } });
        ask(attacker, Call::cap_move, { { lent, 0, close } });
        if (mapped.number != status_ok) {
            refused = mapped.number;
            break;
        }
    }
    expect(refused == status_of(Error::quota), "mapping and revoking gives no memory for nothing");
    for (u64 turn = 0; turn < turns; ++turn)
        ask(attacker, Call::vm_deallocate, { { addresses[turn], 1 } });
    ask(attacker, Call::vm_deallocate, { { own.words[2], 1 } });
    ask(attacker, Call::cap_move, { { own.words[3], 0, close } });
}

// The caller's right is good for one call, and the port that it calls is told of its end: whoever
// waits there must have the call first, or the server keeps what it was given and never hears of
// it.
void Attack::right_that_ends_with_its_call()
{
    auto const port = make_port(server);
    auto const watch = static_cast<u64>(CapOperation::watch) << 16;
    auto const once = derive(server, port, Right::send_once | Right::derive, to_attacker_);
    auto const told = derive(server, port, Right::send | Right::derive, to_attacker_);
    ask(attacker, Call::cap_move, { { once, 0, watch, told, 1 } });
    auto const gift = make_port(attacker);
    auto const waits = ask(server, Call::port_receive, {}, port);
    ask(attacker, Call::port_receive, { { once, tag_of(1, 1), 0, 0, 0, 0, 0, gift } }, 0,
        flag_call);
    auto const call = result(server);
    auto const given = ask(server, Call::signal, { { call.words[7], 1 } });
    ask(server, Call::port_send, { { call.port } });
    expect(waits.number == blocked && call.words[1] == tag_of(1, 1) && given.number == status_ok
            && result(attacker).number == status_ok,
        "a capability is the server's with the call that gave it");
    ask(server, Call::cap_move, { { port, 0, static_cast<u64>(CapOperation::destroy) << 16 } });
}

void Attack::run()
{
    if (!puppets_.begin()) {
        expect(false, "two tasks are there");
        return;
    }
    to_attacker_ = puppets_.give(0, puppets_.task(1).handle, rights_of(Right::grant));
    port_ = make_port(server);
    guessed_handles();
    foreign_and_stale_handles();
    reply_tokens();
    badges();
    handles_sent_twice();
    flood();
    revoked_receiver();
    right_that_ends_with_its_call();
    memory_for_nothing();
    revocation_races();
    interrupt_storm();
    exhaustion();
    expect(puppets_.end(), "both tasks end");
}

} // namespace

} // namespace gemel

void gemel_program_start(gemel::Startup const* startup)
{
    using namespace gemel;
    Attack attack(*startup);
    attack.run();
    Line()
        .number(attack.passed())
        .text(" passed, ")
        .number(attack.failed())
        .text(" failed, 0 skipped")
        .print();
    power_off(*startup, attack.failed() == 0 ? 0 : 2);
}
