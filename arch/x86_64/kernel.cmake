# How kernel code is compiled: no C++ runtime, no vector registers, in the last 2 GiB. Optimised as a whole
# at link time, but for boot code: the linker script knows that by its object files. Without vector registers
# nothing needs a stack that is aligned to more than a word, and aligning it costs each function that calls another.
# The kernel's own address, passed in a register, is shorter than made anew in each function.
set(x86_64_kernel_options -Oz -fno-jump-tables -fno-ipa-cp -fno-if-conversion -fno-expensive-optimizations
  -fno-shrink-wrap -fno-tree-fre
  -fno-tree-tail-merge -mpreferred-stack-boundary=3 -flto -ffreestanding -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fno-pic
  -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fomit-frame-pointer
  -ffunction-sections -fdata-sections -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=../../=)
add_library(gemel_kernel_flags INTERFACE)
target_compile_options(gemel_kernel_flags INTERFACE -Wall -Wextra ${x86_64_kernel_options} -fno-pie
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions;-fno-rtti;-fno-threadsafe-statics;-Wno-missing-field-initializers>)
target_include_directories(gemel_kernel_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/arch/x86_64/include)
target_link_libraries(gemel_kernel PUBLIC gemel_kernel_flags)
set_source_files_properties(boot/boot.cpp boot/bundle.cpp boot/elf.cpp PROPERTIES COMPILE_OPTIONS -fno-lto)
