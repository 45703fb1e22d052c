# The kernel hosted is ordinary code of the one process.
target_link_libraries(gemel_kernel PUBLIC gemel_options)
