# What hosted programs need beside the portable run-time: their memory in place of the host's, and the end
# of one whose stack was written over.
set(GEMEL_FACE_RT_SOURCES ${CMAKE_CURRENT_LIST_DIR}/user/new.cpp ${CMAKE_CURRENT_LIST_DIR}/user/stack_guard.cpp)
target_compile_options(gemel_user_options INTERFACE -fstack-protector-strong)
