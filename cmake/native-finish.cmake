# What becomes of the programs natively: each a static position-independent ELF, stripped into the boot bundle. The one with
# symbols stays in programs/NAME.elf for debuggers.
include(${CMAKE_SOURCE_DIR}/cmake/bundle.cmake)

execute_process(COMMAND ${CMAKE_CXX_COMPILER} -print-file-name=libstdc++.a
  OUTPUT_VARIABLE libstdcxx OUTPUT_STRIP_TRAILING_WHITESPACE)
set(script ${CMAKE_SOURCE_DIR}/servers/libc/program.ld)

foreach(program ${programs})
  configure_file(${CMAKE_SOURCE_DIR}/servers/libc/program_main.cpp.in
    ${CMAKE_BINARY_DIR}/programs/${program}.cpp @ONLY)
  add_executable(${program}.elf ${CMAKE_BINARY_DIR}/programs/${program}.cpp)
  set_target_properties(${program}.elf PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/programs LINK_DEPENDS ${script})
  target_link_options(${program}.elf PRIVATE -nostdlib -static-pie -Wl,-z,text -Wl,--gc-sections
    -Wl,--eh-frame-hdr -Wl,-z,noexecstack -Wl,-z,max-page-size=64 -Wl,--build-id=none
    -Wl,--no-warn-rwx-segments -Wl,-T,${script})
  target_link_libraries(${program}.elf PRIVATE -Wl,--whole-archive gemel_libc -Wl,--no-whole-archive
    program_${program} gemel_rt ${libstdcxx} -lgcc -lgcc_eh)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/programs/${program}
    COMMAND ${CMAKE_OBJCOPY} --strip-all $<TARGET_FILE:${program}.elf> ${CMAKE_BINARY_DIR}/programs/${program}
    DEPENDS ${program}.elf VERBATIM)
  gemel_bundle_program(${program} ${CMAKE_BINARY_DIR}/programs/${program})
endforeach()
gemel_bundle()
