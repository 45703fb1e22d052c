// A back end that lacks an operation fails here, with the operation's name.
#include "core/arch/seam.hpp"

#include <gemel/arch/frame.hpp>
#include <gemel/arch/machine.hpp>

namespace gemel::arch {

static_assert(FrameLike<Frame>);
static_assert(MachineLike<Machine, Frame, FpuState>);

} // namespace gemel::arch
