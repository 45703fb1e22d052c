# The boot bundle, appearing to users as /gemel: what every face's finish.cmake uses.
#   gemel_bundle_program(NAME FILE)   FILE becomes gemel/servers/NAME, or gemel/bin/NAME if the program has
#                                     commands, which are links to it
#   gemel_bundle()                    target `bundle`: ${CMAKE_BINARY_DIR}/bundle.cpio
set(GEMEL_BUNDLE_ROOT ${CMAKE_BINARY_DIR}/bundle)

# A command of a program that has several is a link to it.
function(gemel_bundle_program name file)
  get_property(on_disk GLOBAL PROPERTY gemel_on_disk_${name})
  if(on_disk)
    set_property(GLOBAL APPEND PROPERTY gemel_disk_files ${file})
    return()
  endif()
  get_property(commands GLOBAL PROPERTY gemel_commands_${name})
  set(folder gemel/servers)
  if(commands)
    set(folder gemel/bin)
  endif()
  set(target ${GEMEL_BUNDLE_ROOT}/${folder}/${name})
  set(links "")
  foreach(command ${commands})
    if(NOT command STREQUAL name)
      list(APPEND links COMMAND ${CMAKE_COMMAND} -E create_symlink ${name} ${GEMEL_BUNDLE_ROOT}/${folder}/${command})
    endif()
  endforeach()
  add_custom_command(OUTPUT ${target}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${GEMEL_BUNDLE_ROOT}/${folder}
    COMMAND ${CMAKE_COMMAND} -E copy ${file} ${target}
    ${links}
    DEPENDS ${file} VERBATIM)
  set_property(GLOBAL APPEND PROPERTY gemel_bundle_files ${target})
endfunction()

function(gemel_bundle)
  file(GLOB_RECURSE texts CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/servers/init/bundle
    ${CMAKE_SOURCE_DIR}/servers/init/bundle/*)
  foreach(text ${texts})
    set(target ${GEMEL_BUNDLE_ROOT}/gemel/${text})
    add_custom_command(OUTPUT ${target}
      COMMAND ${CMAKE_COMMAND} -E copy ${CMAKE_SOURCE_DIR}/servers/init/bundle/${text} ${target}
      DEPENDS ${CMAKE_SOURCE_DIR}/servers/init/bundle/${text} VERBATIM)
    set_property(GLOBAL APPEND PROPERTY gemel_bundle_files ${target})
  endforeach()
  get_property(files GLOBAL PROPERTY gemel_bundle_files)
  add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/bundle.cpio
    COMMAND ${CMAKE_SOURCE_DIR}/scripts/make-bundle.sh ${CMAKE_BINARY_DIR}/bundle.cpio ${GEMEL_BUNDLE_ROOT}
    DEPENDS ${files} ${CMAKE_SOURCE_DIR}/scripts/make-bundle.sh VERBATIM)
  get_property(on_disk GLOBAL PROPERTY gemel_disk_files)
  add_custom_target(bundle ALL DEPENDS ${CMAKE_BINARY_DIR}/bundle.cpio ${on_disk})
endfunction()
