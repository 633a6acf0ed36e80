# cmake -DBUILD=DIR -DPREFIX=DIR [-DDESTDIR=DIR] -P uninstall.cmake
#
# Removes what an installation of BUILD to PREFIX puts there: it is installed
# once more to a stage, whose list of files says what that is.  Directories
# that are empty then go too, but for those that other software shares.
file(REAL_PATH ${BUILD} BUILD)
set(stage ${BUILD}/uninstall-stage)
file(REMOVE_RECURSE ${stage})
set(ENV{DESTDIR} ${stage})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX}
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(GLOB_RECURSE files LIST_DIRECTORIES true RELATIVE ${stage} ${stage}/*)
list(SORT files ORDER DESCENDING) # what is in a directory before it
foreach(file ${files})
  set(path ${DESTDIR}/${file})
  if(IS_DIRECTORY ${stage}/${file} AND NOT IS_SYMLINK ${stage}/${file})
    if(file MATCHES "/plumb(/|$)" AND IS_DIRECTORY ${path})
      file(GLOB left ${path}/*)
      if(NOT left)
        file(REMOVE_RECURSE ${path})
      endif()
    endif()
  elseif(EXISTS ${path} OR IS_SYMLINK ${path})
    message(STATUS "Removing: ${path}")
    file(REMOVE ${path})
  endif()
endforeach()
file(REMOVE_RECURSE ${stage})
