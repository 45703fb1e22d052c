include(${CMAKE_SOURCE_DIR}/cmake/native-finish.cmake)
