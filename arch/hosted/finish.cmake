# Hosted, all programs are linked into the one executable: a generated table maps their names to
# entries, and the boot bundle holds descriptors in place of files.
include(${CMAKE_SOURCE_DIR}/cmake/bundle.cmake)

set(declarations "")
set(entries "")
set(rows "")
set(libraries "")
foreach(program ${programs})
  string(APPEND declarations "namespace ${program} {\nResult<void> server_main(Env& env);\n}\n")
  string(APPEND entries "void start_${program}(u64 startup)\n{\n    start_program(*reinterpret_cast<Startup const*>(startup), ${program}::server_main, \"${program}\");\n}\n")
  string(APPEND rows "    Linked { \"${program}\", start_${program} },\n")
  list(APPEND libraries program_${program})
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/programs/${program} CONTENT "#!gemel-linked ${program}\n")
  gemel_bundle_program(${program} ${CMAKE_BINARY_DIR}/programs/${program})
endforeach()
configure_file(${CMAKE_SOURCE_DIR}/arch/hosted/program_table.cpp.in
  ${CMAKE_BINARY_DIR}/programs/program_table.cpp @ONLY)
add_library(gemel_programs STATIC ${CMAKE_BINARY_DIR}/programs/program_table.cpp)
target_link_libraries(gemel_programs PUBLIC gemel_user_options ${libraries} gemel_rt)
gemel_bundle()
if(TARGET gemel)
  target_link_libraries(gemel PRIVATE gemel_programs)
  # Not from the library: a sanitizer's operator new, which comes before it, would leave it there.
  target_sources(gemel PRIVATE ${GEMEL_FACE_RT_SOURCES})
  add_dependencies(gemel bundle)
endif()
