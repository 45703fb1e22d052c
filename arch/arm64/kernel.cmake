# How kernel code is compiled: no C++ runtime, no vector registers, addresses from the program counter.
# Optimised as a whole at link time (a sixth smaller), but for boot code: the linker script knows that by
# its object files.
set(arm64_kernel_options -Os -fno-shrink-wrap -fno-partial-inlining -fno-if-conversion -fno-expensive-optimizations
  -fno-tree-tail-merge -flto -ffreestanding -mgeneral-regs-only -mcmodel=tiny -mstrict-align -mno-outline-atomics
  -fno-pic -fno-stack-protector -mbranch-protection=none -fno-asynchronous-unwind-tables
  -fomit-frame-pointer -ffunction-sections -fdata-sections -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=../../=)
add_library(gemel_kernel_flags INTERFACE)
target_compile_options(gemel_kernel_flags INTERFACE -Wall -Wextra ${arm64_kernel_options}
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions;-fno-rtti;-fno-threadsafe-statics;-Wno-missing-field-initializers>)
target_include_directories(gemel_kernel_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/arch/arm64/include)
target_link_libraries(gemel_kernel PUBLIC gemel_kernel_flags)
set_source_files_properties(boot/boot.cpp boot/bundle.cpp boot/elf.cpp PROPERTIES COMPILE_OPTIONS -fno-lto)
