// Many objects behind one port. A client's capability *is* the object: its badge, which the client
// can neither see nor change, finds it. An object ends when the last capability to it is gone.
#pragma once

#include "servers/rt/ref.hpp"
#include "servers/rt/serve.hpp"

#include <functional>
#include <map>

namespace gemel {

inline constexpr usize objects_max = 65'536; // of one server

class ObjectServer final : public Service {
public:
    // `port` must outlive the server. Badge 0 is the root object; other badges that no object has
    // answer not_found.
    explicit ObjectServer(Handle const& port)
        : port_(port)
    {
    }

    // The object behind capabilities without a badge of this server's.
    template <Protocol P, typename T>
    requires Serves<T, P>
    void set_root(Ref<T> object)
    {
        *root_.lock() = Entry { make_ref<Typed<P, T>>(std::move(object)), Handle() };
    }

    // A capability for a client (rights `rights`); the object lives until it and everything derived
    // from it are closed. Errors: quota, no_memory, too_big.
    template <Protocol P, typename T>
    requires Serves<T, P> Result<Handle> publish(
        Ref<T> object, Rights rights = Right::call | Right::derive)
    {
        return publish_object(make_ref<Typed<P, T>>(std::move(object)), rights);
    }
    template <Protocol P, typename T>
    requires Serves<T, P> Result<Handle> publish(
        Own<T> object, Rights rights = Right::call | Right::derive)
    {
        return publish<P>(Ref<T>(std::move(object)), rights);
    }

    // How many objects are published.
    usize count();
    // Ends them all, and the root: before what they work on goes.
    void drop_all();
    // Other bits of the port's notification word (0..31) go here. Set before run.
    void on_notification(std::function<void(u64)> function) { notification_ = std::move(function); }
    // Called after each message; for a server that must wake up by itself. Set before run.
    void on_deadline(std::function<Deadline()> next, std::function<void()> passed)
    {
        next_deadline_ = std::move(next);
        deadline_passed_ = std::move(passed);
    }

    Result<void> run(ServeOptions const& options = {}) { return serve_with(port_, *this, options); }
    Handle const& port() const { return port_; }

    Disposition dispatch(u64 badge, Incoming& in, ReplyToken& token) override;
    void notified(u64 bits) override;
    Deadline next_deadline() override
    {
        return next_deadline_ ? next_deadline_() : Deadline::none();
    }
    void deadline_passed() override
    {
        if (deadline_passed_)
            deadline_passed_();
    }

private:
    class Object {
    public:
        virtual ~Object() = default;
        virtual Disposition dispatch(Incoming& in, ReplyToken& token) = 0;
    };
    template <typename P, typename T>
    class Typed final : public Object {
    public:
        explicit Typed(Ref<T> object)
            : object_(std::move(object))
        {
        }
        Disposition dispatch(Incoming& in, ReplyToken& token) override
        {
            return gemel::dispatch<P>(*object_, in, token);
        }

    private:
        Ref<T> object_;
    };
    struct Entry {
        Ref<Object> object;
        Handle parent; // the capability that clients' ones are derived from; watched
    };

    Result<Handle> publish_object(Ref<Object> object, Rights rights);
    std::optional<Ref<Object>> find(u64 badge);
    void collect(u64 bits);

    Handle const& port_;
    std::function<void(u64)> notification_;
    std::function<Deadline()> next_deadline_;
    std::function<void()> deadline_passed_;
    Guarded<std::optional<Entry>> root_;
    struct Table {
        std::map<u64, Entry> entries;
        u64 next_badge = 1;
    };
    Guarded<Table> table_;
};

} // namespace gemel
