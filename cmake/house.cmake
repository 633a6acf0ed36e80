# The house: one INTERFACE target that carries every warning and flag, one
# static library per layer of src/LAYERS, one executable per test file.

add_library(house INTERFACE)
target_include_directories(house INTERFACE ${PROJECT_SOURCE_DIR}/src
                                           ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(house INTERFACE _POSIX_C_SOURCE=200809L
                                           PLUMB_VERSION="${PROJECT_VERSION}")
# -ffp-contract=off and no -ffast-math: the same bits from both compilers'
# arithmetic, and NaN tests that the optimiser may not remove.
target_compile_options(house INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wcast-qual -Wundef -Wvla
  -Wformat=2 -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum -Werror
  -fopenmp-simd -fno-math-errno -ffp-contract=off -fno-common
  -fvisibility=hidden
  # clang says when a loop marked simd was not vectorised, which it never is
  # without optimisation; gcc does not know the warning and ignores the -Wno.
  -Wno-pass-failed)

# plumb_layer(NAME SOURCES a.c b.c LAYERS base io LINK m)
function(plumb_layer name)
  cmake_parse_arguments(A "" "" "SOURCES;LAYERS;LINK" ${ARGN})
  add_library(plumb_${name} STATIC ${A_SOURCES})
  target_link_libraries(plumb_${name} PRIVATE house)
  target_compile_options(plumb_${name} PRIVATE -Wdouble-promotion)
  foreach(lower ${A_LAYERS})
    target_link_libraries(plumb_${name} PUBLIC plumb_${lower})
  endforeach()
  target_link_libraries(plumb_${name} PUBLIC ${A_LINK} m)
endfunction()

# plumb_test(test_x LAYERS nn [SOURCES extra.c] [LABELS slow] [TIMEOUT 60]):
# builds test_x.c of the calling folder and registers it with ctest.
function(plumb_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "LAYERS;SOURCES;LABELS" ${ARGN})
  add_executable(${name} ${name}.c ${A_SOURCES})
  target_link_libraries(${name} PRIVATE house cmocka m)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE
    TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  foreach(layer ${A_LAYERS})
    target_link_libraries(${name} PRIVATE plumb_${layer})
  endforeach()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  if(CMAKE_CROSSCOMPILING) # in an emulator
    math(EXPR A_TIMEOUT "10 * ${A_TIMEOUT}")
  endif()
  if(NOT A_LABELS)
    set(A_LABELS fast)
  endif()
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${A_TIMEOUT}
                       LABELS "${A_LABELS}" SKIP_RETURN_CODE 77)
endfunction()
