# Tests of the tree itself, of the scripts, and of the README's example.

# Debian's own interpreter before others: it has Debian's matplotlib.
find_program(TANDEM_PYTHON python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(TANDEM_PYTHON python3 REQUIRED)
find_program(TANDEM_SHELLCHECK shellcheck)

function(tandem_check name)
  add_test(NAME checks.${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(checks.${name} PROPERTIES TIMEOUT 120 LABELS checks)
endfunction()

if(NOT TANDEM_SANITIZE)  # which would see nothing of ours in them
  tandem_check(includes ${TANDEM_PYTHON} tests/check_includes.py)
  tandem_check(names ${TANDEM_PYTHON} tests/check_names.py)
  tandem_check(text ${TANDEM_PYTHON} tests/check_text.py)
  tandem_check(of_checks ${TANDEM_PYTHON} tests/check_includes_test.py)
  tandem_check(scripts ${TANDEM_PYTHON} tests/scripts_test.py)
  if(TANDEM_SHELLCHECK)
    tandem_check(shellcheck ${TANDEM_SHELLCHECK} --external-sources scripts/lib.sh scripts/demo
      scripts/format scripts/perf scripts/setup scripts/softroce scripts/guest/init scripts/guest/main
      scripts/swap scripts/test scripts/tidy tests/softroce/run .ci/run)
  endif()
endif()

# The C++ example of README.md is taken out of it when CMake runs (again when the README changes),
# built with the warnings of the house, and run.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/README.md)
file(READ ${CMAKE_SOURCE_DIR}/README.md readme)
if(NOT readme MATCHES "\n```cpp\n([^`]+)```\n")
  message(FATAL_ERROR "README.md has no example: a block that starts with ```cpp")
endif()
set(readme_example ${CMAKE_CURRENT_BINARY_DIR}/readme_example.cc)
file(GENERATE OUTPUT ${readme_example} CONTENT "${CMAKE_MATCH_1}")
add_executable(readme_example ${readme_example})
target_link_libraries(readme_example PRIVATE tandem)
add_test(NAME readme.example COMMAND readme_example)
set_tests_properties(readme.example PROPERTIES TIMEOUT 120
  PASS_REGULAR_EXPRESSION "^sum of 1000000 nodes: 499999500000\n$")

# Every public header can be the first that a file includes.
file(GLOB_RECURSE headers RELATIVE ${CMAKE_SOURCE_DIR}/include CONFIGURE_DEPENDS
  ${CMAKE_SOURCE_DIR}/include/*.h ${CMAKE_SOURCE_DIR}/include/*.hpp)
add_library(public_headers OBJECT)
target_link_libraries(public_headers PRIVATE tandem_options)
foreach(header ${headers})
  string(MAKE_C_IDENTIFIER ${header} name)
  file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cc
    CONTENT "#include \"${header}\"  // first\n#include \"${header}\"  // and twice\n")
  target_sources(public_headers PRIVATE ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cc)
endforeach()
