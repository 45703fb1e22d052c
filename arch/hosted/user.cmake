# What hosted programs need beside the portable run-time: their memory in place of the host's.
set(GEMEL_FACE_RT_SOURCES ${CMAKE_CURRENT_LIST_DIR}/user/new.cpp)
