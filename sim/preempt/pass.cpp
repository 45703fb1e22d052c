// A pass of clang: counts what compiled code does, in edges (a loop's way back, and the entry of a
// function that calls), and calls gemel_edges_out when as many are over as it was given. So the
// simulator can stop a thread anywhere, and say where: after its Nth edge.
//
// The count of what is left is one word of memory. GEMEL_COUNT_IN_REGISTER: a loop that calls
// nothing keeps it in a register meanwhile, which costs less and counts the same.
#include <llvm/Analysis/LoopInfo.h>
#include <llvm/IR/Dominators.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Passes/PassPlugin.h>
#include <llvm/Transforms/Utils/BasicBlockUtils.h>
#include <llvm/Transforms/Utils/LoopSimplify.h>
#include <llvm/Transforms/Utils/PromoteMemToReg.h>

using namespace llvm;

namespace {

#if defined(GEMEL_COUNT_IN_REGISTER)
constexpr bool in_register = true;
#else
constexpr bool in_register = false;
#endif
constexpr unsigned rare = 1u << 20; // one in so many edges is the last

bool is_call(Instruction const& instruction)
{
    auto const* call = dyn_cast<CallBase>(&instruction);
    return call && !isa<IntrinsicInst>(call) && !call->isInlineAsm();
}

class Counting {
public:
    Counting(Function& function, LoopInfo& loops, DominatorTree& tree)
        : function_(function)
        , module_(*function.getParent())
        , word_(Type::getInt64Ty(function.getContext()))
        , loops_(loops)
        , tree_(tree)
    {
        left_ = cast<GlobalVariable>(module_.getOrInsertGlobal("gemel_edges_left", word_));
        left_->setDSOLocal(true);
    }

    bool run()
    {
        auto const calls = any_of(instructions(function_), is_call);
        for (auto* loop : loops_)
            simplifyLoop(loop, &tree_, &loops_, nullptr, nullptr, nullptr, false);
        for (auto* loop : loops_)
            visit(*loop);
        for (auto const& [loop, place] : quick_)
            around(*loop, *place);
        for (auto const& [latch, place] : latches_)
            count(latch->getTerminator(), place);
        if (calls)
            count(&*function_.getEntryBlock().getFirstNonPHIOrDbgOrAlloca(), nullptr);
        if (!quick_.empty())
            promote();
        return calls || !latches_.empty();
    }

private:
    // A loop that calls nothing, with the loops in it, or each of its loops for itself.
    void visit(Loop& loop, AllocaInst* outer = nullptr)
    {
        auto* place = outer;
        if (!place && in_register && calls_nothing(loop) && loop.isLoopSimplifyForm()) {
            IRBuilder<> at(&function_.getEntryBlock(), function_.getEntryBlock().begin());
            place = at.CreateAlloca(word_, nullptr, "edges");
            quick_.push_back({ &loop, place });
        }
        SmallVector<BasicBlock*, 4> latches;
        loop.getLoopLatches(latches);
        for (auto* latch : latches)
            if (!is_contained(make_first_range(latches_), latch))
                latches_.push_back({ latch, place });
        for (auto* inner : loop)
            visit(*inner, place);
    }

    static bool calls_nothing(Loop const& loop)
    {
        return none_of(loop.blocks(), [](BasicBlock* block) { return any_of(*block, is_call); });
    }

    // The count goes into `place` before the loop, and back into memory on each way out.
    void around(Loop& loop, AllocaInst& place)
    {
        IRBuilder<> before(loop.getLoopPreheader()->getTerminator());
        before.CreateStore(before.CreateLoad(word_, left_), &place);
        SmallVector<BasicBlock*, 8> exits;
        loop.getUniqueExitBlocks(exits);
        for (auto* exit : exits) {
            IRBuilder<> behind(&*exit->getFirstInsertionPt());
            behind.CreateStore(behind.CreateLoad(word_, &place), left_);
        }
        places_.push_back(&place);
    }

    void count(Instruction* before, AllocaInst* place)
    {
        Value* where = place ? static_cast<Value*>(place) : left_;
        IRBuilder<> at(before);
        auto* left = at.CreateSub(at.CreateLoad(word_, where), at.getInt64(1));
        at.CreateStore(left, where);
        auto* over = at.CreateICmpSLT(left, at.getInt64(0));
        auto* out = SplitBlockAndInsertIfThen(
            over, before, false, MDBuilder(function_.getContext()).createBranchWeights(1, rare));
        IRBuilder<> slow(out);
        if (place)
            slow.CreateStore(left, left_);
        auto const stub = module_.getOrInsertFunction(
            "gemel_edges_out", FunctionType::get(slow.getVoidTy(), false));
        auto* call = slow.CreateCall(stub);
        // It keeps every register: nothing is saved around it where it is not called.
        call->setCallingConv(CallingConv::PreserveAll);
        call->setDoesNotThrow();
        call->setDebugLoc(line_of(*before));
        if (place)
            slow.CreateStore(slow.CreateLoad(word_, left_), place);
    }

    // A call without a line would be none to a debugger, and to who prints where a thread stood.
    DebugLoc line_of(Instruction const& instruction) const
    {
        auto* program = function_.getSubprogram();
        if (instruction.getDebugLoc() || !program)
            return instruction.getDebugLoc();
        return DILocation::get(function_.getContext(), program->getLine(), 0, program);
    }

    void promote()
    {
        DominatorTree fresh(function_);
        PromoteMemToReg(places_, fresh);
    }

    Function& function_;
    Module& module_;
    Type* word_;
    LoopInfo& loops_;
    DominatorTree& tree_;
    GlobalVariable* left_;
    SmallVector<std::pair<Loop*, AllocaInst*>, 8> quick_;
    SmallVector<std::pair<BasicBlock*, AllocaInst*>, 16> latches_;
    SmallVector<AllocaInst*, 8> places_;
};

struct CountEdges : PassInfoMixin<CountEdges> {
    static bool isRequired() { return true; }
    PreservedAnalyses run(Function& function, FunctionAnalysisManager& analyses)
    {
        if (function.isDeclarationForLinker() || function.hasFnAttribute(Attribute::Naked))
            return PreservedAnalyses::all();
        Counting counting(function, analyses.getResult<LoopAnalysis>(function),
            analyses.getResult<DominatorTreeAnalysis>(function));
        return counting.run() ? PreservedAnalyses::none() : PreservedAnalyses::all();
    }
};

void add_last(ModulePassManager& passes, OptimizationLevel)
{
    passes.addPass(createModuleToFunctionPassAdaptor(CountEdges {}));
}

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo llvmGetPassPluginInfo()
{
    return { LLVM_PLUGIN_API_VERSION, "gemel-count-edges", "1",
        [](PassBuilder& builder) { builder.registerOptimizerLastEPCallback(add_last); } };
}
