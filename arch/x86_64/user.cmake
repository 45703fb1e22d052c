include(${CMAKE_SOURCE_DIR}/cmake/native-user.cmake)
