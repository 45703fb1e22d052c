# What every folder's CMakeLists.txt uses:
#   gemel_library(NAME sources...)          portable code for servers (core/base, core/abi, servers)
#   gemel_program(NAME sources... [LIBRARIES libs...] [COMMANDS names...] [ON_DISK])
#                                           a program: namespace gemel::NAME { server_main(Env&) }. One with
#                                           COMMANDS is for users: /gemel/bin/NAME, and a link for each. One
#                                           ON_DISK is not in the boot bundle: who wants it puts the build's
#                                           programs/NAME on a disk
#   gemel_test(NAME sources... [LIBRARIES libs...])
#                                           a GoogleTest binary, hosted only
#   gemel_finish()                          last: the program table (hosted), the bundle (native)

add_library(gemel_options INTERFACE)
target_include_directories(gemel_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(gemel_options INTERFACE -Wall -Wextra $<$<COMPILE_LANGUAGE:CXX>:-Wno-missing-field-initializers>
  -fno-omit-frame-pointer -ffile-prefix-map=${CMAKE_SOURCE_DIR}/= -ffile-prefix-map=../../=)

if(GEMEL_SANITIZE STREQUAL address)
  # Copying no bytes from an empty view, whose pointer may be null, is what C2y makes defined (N3322).
  target_compile_options(gemel_options INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined
    -fno-sanitize=nonnull-attribute)
  target_link_options(gemel_options INTERFACE -fsanitize=address,undefined)
elseif(GEMEL_SANITIZE STREQUAL thread)
  # Watched is what tasks do (gemel_user_options, below); arch/hosted tells what the rest means.
  target_compile_definitions(gemel_options INTERFACE GEMEL_TSAN)
  target_link_options(gemel_options INTERFACE -fsanitize=thread)
endif()

# Paths are taken relative to the tree, and mapped to the tree's own names above: a second clone's first
# build is as quick as a second build.
find_program(GEMEL_CCACHE ccache)
if(GEMEL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=true ${GEMEL_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
endif()

# Code of the user side: may use the C++ library; sees its face's user stub, not the machine.
add_library(gemel_user_options INTERFACE)
target_link_libraries(gemel_user_options INTERFACE gemel_options)
target_include_directories(gemel_user_options INTERFACE ${CMAKE_SOURCE_DIR}/arch/${GEMEL_FACE}/include)
if(GEMEL_SANITIZE STREQUAL thread)
  target_compile_options(gemel_user_options INTERFACE -fsanitize=thread)
endif()
include(${CMAKE_SOURCE_DIR}/arch/${GEMEL_FACE}/user.cmake OPTIONAL)

# What of servers and programs is compiled counts its edges where the build is to (sim/preempt); the kernel, the
# machine and the simulator do not.
if(GEMEL_PREEMPT)
  add_subdirectory(${CMAKE_SOURCE_DIR}/sim/preempt)
endif()

function(gemel_counts_edges name)
  if(NOT GEMEL_PREEMPT)
    return()
  endif()
  set(pass ${CMAKE_BINARY_DIR}/sim/preempt/libgemel_count_edges.so)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpass-plugin=${pass}>)
  get_target_property(sources ${name} SOURCES)
  set_property(SOURCE ${sources} APPEND PROPERTY OBJECT_DEPENDS ${pass})
  if(GEMEL_CCACHE) # which does not look at that option
    set_target_properties(${name} PROPERTIES
      CXX_COMPILER_LAUNCHER "env;CCACHE_EXTRAFILES=${pass};${CMAKE_CXX_COMPILER_LAUNCHER}")
  endif()
endfunction()

function(gemel_library name)
  add_library(${name} STATIC ${ARGN})
  target_link_libraries(${name} PUBLIC gemel_user_options)
  gemel_counts_edges(${name})
endfunction()

set_property(GLOBAL PROPERTY gemel_programs "")

function(gemel_program name)
  cmake_parse_arguments(arg "ON_DISK" "" "LIBRARIES;COMMANDS" ${ARGN})
  set_property(GLOBAL PROPERTY gemel_commands_${name} ${arg_COMMANDS})
  set_property(GLOBAL PROPERTY gemel_on_disk_${name} ${arg_ON_DISK})
  add_library(program_${name} STATIC ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(program_${name} PUBLIC gemel_user_options gemel_rt ${arg_LIBRARIES})
  gemel_counts_edges(program_${name})
  set_property(GLOBAL APPEND PROPERTY gemel_programs ${name})
endfunction()

if(GEMEL_FACE STREQUAL hosted)
  enable_testing()
  add_library(gemel_test_assertion STATIC ${CMAKE_SOURCE_DIR}/tests/support/assertion.cpp)
  target_link_libraries(gemel_test_assertion PUBLIC gemel_options)
endif()

function(gemel_test name)
  if(NOT GEMEL_FACE STREQUAL hosted)
    return()
  endif()
  cmake_parse_arguments(arg "" "" "LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE gemel_options ${arg_LIBRARIES} gtest gtest_main gemel_test_assertion)
  if(GEMEL_SANITIZE STREQUAL address) # lines are enough for a report; all of it takes twice as long to compile
    target_compile_options(${name} PRIVATE -g1)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 1200)
endfunction()

# Each face says what becomes of the programs: arch/<face>/finish.cmake.
function(gemel_finish)
  get_property(programs GLOBAL PROPERTY gemel_programs)
  include(${CMAKE_SOURCE_DIR}/arch/${GEMEL_FACE}/finish.cmake OPTIONAL)
endfunction()
