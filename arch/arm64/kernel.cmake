# How the kernel is compiled: no FPU registers, no unwinding, addresses from the program counter.
set(arm64_kernel_options -Wall -Wextra -g -Os -ffreestanding -fno-exceptions -fno-rtti -mgeneral-regs-only
  -mcmodel=small -mstrict-align -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables
  -fno-unwind-tables -fno-threadsafe-statics -fomit-frame-pointer -ffunction-sections -fdata-sections
  -mbranch-protection=none -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
target_compile_options(gemel_kernel PUBLIC
  $<$<COMPILE_LANGUAGE:CXX>:${arm64_kernel_options} -Wno-missing-field-initializers>)
