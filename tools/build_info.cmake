# Writes OUTPUT from build_info.h.in; leaves it alone if nothing changed. Run at every build,
# since a commit does not make CMake configure again.
function(git result)
  # Without optional locks: a build must not get in the way of somebody's `git commit`.
  execute_process(COMMAND git --no-optional-locks ${ARGN} WORKING_DIRECTORY ${SOURCE_DIR}
    OUTPUT_VARIABLE output OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(failed)
    set(output "unknown")
  endif()
  set(${result} "${output}" PARENT_SCOPE)
endfunction()

git(COMMIT rev-parse --short=12 HEAD)
git(CHANGES status --porcelain)
if(CHANGES AND NOT COMMIT STREQUAL "unknown")
  string(APPEND COMMIT "-dirty")
endif()
configure_file(${CMAKE_CURRENT_LIST_DIR}/build_info.h.in ${OUTPUT} @ONLY)
