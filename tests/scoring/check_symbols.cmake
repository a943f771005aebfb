# Fails if LIBRARY needs any symbol but its own and the functions that compilers call by
# themselves (bcmp is what clang makes of a memcmp).  cmake -D NM=nm -D LIBRARY=libss_scoring.a -P check_symbols.cmake
execute_process(COMMAND ${NM} --undefined-only --format=posix ${LIBRARY}
  OUTPUT_VARIABLE undefined COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${NM} --format=posix ${LIBRARY}
  OUTPUT_VARIABLE all COMMAND_ERROR_IS_FATAL ANY)
if(NOT all MATCHES "ss_apply [Tt]")
  message(FATAL_ERROR "${LIBRARY} does not hold ss_apply: is it the library of scoring/?")
endif()
string(REPLACE "\n" ";" lines "${undefined}")
foreach(line ${lines})
  if(line MATCHES "^([^ ]+) U" AND NOT CMAKE_MATCH_1 MATCHES "^(ss_.*|mem(cpy|move|set|cmp)|bcmp)$")
    message(SEND_ERROR "scoring/ must not need ${CMAKE_MATCH_1}")
  endif()
endforeach()
