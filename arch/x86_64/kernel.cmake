# How kernel code is compiled: no C++ runtime, no vector registers, in the last 2 GiB.
add_library(gemel_kernel_flags INTERFACE)
target_compile_options(gemel_kernel_flags INTERFACE -Wall -Wextra -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
  -Os -ffreestanding -mgeneral-regs-only -mno-red-zone -mcmodel=kernel -fno-pic -fno-pie
  -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fomit-frame-pointer
  -ffunction-sections -fdata-sections
  $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions;-fno-rtti;-fno-threadsafe-statics;-Wno-missing-field-initializers>)
target_include_directories(gemel_kernel_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/arch/x86_64/include)
target_link_libraries(gemel_kernel PUBLIC gemel_kernel_flags)
