include(${CMAKE_SOURCE_DIR}/cmake/native-user.cmake)
# Atomic operations inline: the choice at run time would need the C library's list of features.
target_compile_options(gemel_user_options INTERFACE -mno-outline-atomics)
