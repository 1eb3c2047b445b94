# SPDX-License-Identifier: MIT
# Run at every build (cmake -DSOURCE=... -DOUTPUT=... -P): writes a header with the commit, touched
# only when that changes. Sources without a repository have none.
find_program(GIT git)
set(commit unknown)
if(GIT)
  execute_process(COMMAND ${GIT} -C ${SOURCE} rev-parse --short=12 HEAD OUTPUT_VARIABLE found
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(status EQUAL 0)
    set(commit ${found})
    execute_process(COMMAND ${GIT} -C ${SOURCE} diff --quiet HEAD ERROR_QUIET
                    RESULT_VARIABLE changed)
    if(changed EQUAL 1)
      string(APPEND commit "-changed")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define TESSERA_COMMIT \"${commit}\"\n" @ONLY)
