# Flags of native programs. The C++ library is the hosted one; its C library is servers/libc.
target_compile_options(gemel_user_options INTERFACE -Os -fPIE -ffunction-sections -fdata-sections
  -fno-threadsafe-statics -fstack-protector-strong -U_FORTIFY_SOURCE)
# toml++ is headers only; the cross compiler does not look where Debian puts them.
file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/include)
file(CREATE_LINK /usr/include/toml++ ${CMAKE_BINARY_DIR}/include/toml++ SYMBOLIC)
target_include_directories(gemel_user_options SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/include)
# The run-time, the C and the C++ library ask for each other, and CMake puts what a library needs last.
set(CMAKE_CXX_LINK_EXECUTABLE "<CMAKE_CXX_COMPILER> <FLAGS> <CMAKE_CXX_LINK_FLAGS> <LINK_FLAGS> <OBJECTS> \
-o <TARGET> -Wl,--start-group <LINK_LIBRARIES> -Wl,--end-group")
