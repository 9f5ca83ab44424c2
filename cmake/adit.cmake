# Warnings, sanitizers and the functions that declare layers, tests and fuzz targets.

# Compiler output is cached where ccache is installed. The precompiled header needs the sloppiness:
# its own content is hashed, the times of what it includes are not.
find_program(ADIT_CCACHE ccache)
if(ADIT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${ADIT_CCACHE})
endif()

add_library(adit_options INTERFACE)
target_include_directories(adit_options INTERFACE ${PROJECT_SOURCE_DIR}/src)
target_compile_options(adit_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                              -Wnon-virtual-dtor -Woverloaded-virtual)
target_compile_definitions(adit_options INTERFACE ADIT_VERSION="${PROJECT_VERSION}"
                                                  SPDLOG_FMT_EXTERNAL BOOST_ASIO_NO_DEPRECATED)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # So that a precompiled header does not depend on when its sources were written.
  target_compile_options(adit_options INTERFACE "SHELL:-Xclang -fno-pch-timestamp")
else()
  target_compile_options(adit_options INTERFACE -fpch-preprocess)
endif()
if(ADIT_SANITIZE)
  target_compile_options(adit_options INTERFACE -fsanitize=${ADIT_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(adit_options INTERFACE -fsanitize=${ADIT_SANITIZE})
  if(ADIT_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(adit_options INTERFACE -Wno-tsan)  # Asio's fences, in every unit
  endif()
endif()
if(ADIT_FUZZ)
  target_compile_options(adit_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(ADIT_COVERAGE)
  target_compile_options(adit_options INTERFACE --coverage)
  target_link_options(adit_options INTERFACE --coverage)
endif()

# adit_layer(NAME [DEPS layer...] [LIBS target...] [TEST_LIBS target...] [TEST_SHARDS n])
# One static library from the *.cpp of the current folder; every *_test.cpp beside them goes into
# adit_NAME_test. DEPS are lower layers, LIBS third-party targets.
function(adit_layer name)
  cmake_parse_arguments(ARG "" "TEST_SHARDS" "DEPS;LIBS;TEST_LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cpp)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  set(deps ${ARG_DEPS})
  list(TRANSFORM deps PREPEND adit_)
  if(sources)
    add_library(adit_${name} STATIC ${sources})
    target_link_libraries(adit_${name} PUBLIC adit_options ${deps} ${ARG_LIBS})
    adit_precompile(adit_${name})
  else()
    add_library(adit_${name} INTERFACE)
    target_link_libraries(adit_${name} INTERFACE adit_options ${deps} ${ARG_LIBS})
  endif()
  if(NOT ARG_TEST_SHARDS)
    set(ARG_TEST_SHARDS 1)
  endif()
  if(ADIT_TESTS AND tests)
    adit_test(adit_${name}_test LABEL unit-${name} SHARDS ${ARG_TEST_SHARDS} ${tests})
    target_link_libraries(adit_${name}_test PRIVATE adit_${name} ${ARG_TEST_LIBS})
  endif()
endfunction()

# Every target shares the header that base compiles once.
function(adit_precompile target)
  if(TARGET adit_base AND NOT target STREQUAL "adit_base")
    target_precompile_headers(${target} REUSE_FROM adit_base)
  else()
    target_precompile_headers(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src/base/precompiled.h)
  endif()
endfunction()

# Tests have GoogleTest in a precompiled header of their own, and are optimised less than what they
# test: compiling them is a large part of a build.
function(adit_precompile_tests target)
  set(optimise $<$<CONFIG:RelWithDebInfo>:-O1>)
  if(NOT TARGET adit_tests_precompiled)
    file(WRITE ${PROJECT_BINARY_DIR}/precompiled_tests.cpp "")
    add_library(adit_tests_precompiled OBJECT ${PROJECT_BINARY_DIR}/precompiled_tests.cpp)
    target_link_libraries(adit_tests_precompiled PRIVATE adit_options GTest::gtest GTest::gmock)
    target_compile_options(adit_tests_precompiled PRIVATE ${optimise})
    target_precompile_headers(adit_tests_precompiled PRIVATE
                              ${PROJECT_SOURCE_DIR}/src/base/precompiled_tests.h)
  endif()
  target_compile_options(${target} PRIVATE ${optimise})
  target_precompile_headers(${target} REUSE_FROM adit_tests_precompiled)
endfunction()

# What ./test builds of the sanitizer presets.
add_custom_target(adit_unit_tests)
add_custom_target(adit_fuzz_targets)

# adit_test(NAME [LABEL label] [TIMEOUT seconds] [SHARDS n] sources...)
# A GoogleTest program. LABEL is unit-LAYER for the tests of a layer, the default is e2e. The cases of
# end-to-end programs are ctest cases, which run alone. A unit test program runs as a whole, or in
# as many parts as SHARDS says, and writes what became of its cases to build/PRESET/cases/.
function(adit_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;SHARDS" "" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL e2e)
  endif()
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE adit_options adit_base GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE ADIT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  adit_precompile_tests(${name})
  if(ARG_LABEL STREQUAL "e2e")
    if(NOT ARG_TIMEOUT)
      set(ARG_TIMEOUT 300)
    endif()
    gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60
                         PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS e2e RUN_SERIAL ON)
    return()
  endif()
  add_dependencies(adit_unit_tests ${name})
  if(NOT ARG_SHARDS)
    set(ARG_SHARDS 1)
  endif()
  foreach(shard RANGE 1 ${ARG_SHARDS})
    set(part ${name})
    if(ARG_SHARDS GREATER 1)
      set(part ${name}-${shard})
    endif()
    math(EXPR index "${shard} - 1")
    add_test(NAME ${part} COMMAND ${name} --gtest_brief=1
                                  --gtest_output=xml:${PROJECT_BINARY_DIR}/cases/${part}.xml)
    set_tests_properties(${part} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 900 ENVIRONMENT
                         "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()

# adit_fuzz(NAME source [LIBS target...]): a libFuzzer program and a ctest case that runs its corpus briefly.
function(adit_fuzz name source)
  cmake_parse_arguments(ARG "" "" "LIBS" ${ARGN})
  add_executable(fuzz_${name} ${source})
  target_link_libraries(fuzz_${name} PRIVATE adit_options ${ARG_LIBS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
  set(scratch ${CMAKE_CURRENT_BINARY_DIR}/found/${name})
  file(MAKE_DIRECTORY ${scratch})
  add_test(NAME fuzz_${name}
           COMMAND fuzz_${name} -seed=1 -max_total_time=10 -timeout=10 -rss_limit_mb=4096 -print_final_stats=0
                   ${scratch} ${corpus})
  set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 120)
  add_dependencies(adit_fuzz_targets fuzz_${name})
endfunction()
