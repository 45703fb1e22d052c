// procfs: the audit of the machine as files.
#include "servers/fskit/directory_server.hpp"
#include "servers/procfs/tree.hpp"
#include "servers/rt/env.hpp"

namespace gemel::procfs {

namespace {

class KernelAudit final : public Audit {
public:
    explicit KernelAudit(AuditBroker broker)
        : broker_(std::move(broker))
    {
    }
    Result<AuditBroker::Row> row(u32 index) override { return broker_.row(index); }
    Result<AuditBroker::Thread> thread(u32 index) override { return broker_.thread(index); }
    Result<AuditBroker::Task> task(u32 index) override { return broker_.task(index); }
    Result<AuditBroker::Totals> totals() override { return broker_.totals(); }
    u64 now_ns() override { return system::time_ns(); }

private:
    AuditBroker broker_;
};

} // namespace

Result<void> server_main(Env& env)
{
    KernelAudit audit { AuditBroker(TRY(env.take_handle("broker-audit"))) };
    Tree tree { audit, GEMEL_VERSION };
    return fskit::serve_tree(env.port(), tree);
}

} // namespace gemel::procfs
