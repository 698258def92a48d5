# Builds for musl with the compiler of docker/musl/compiler: CMake's presets musl and musl-arm64.
set(CMAKE_SYSTEM_NAME Linux)
if(NOT NODEINIT_PROCESSOR)
  set(NODEINIT_PROCESSOR x86_64)
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES NODEINIT_PROCESSOR)
set(CMAKE_SYSTEM_PROCESSOR ${NODEINIT_PROCESSOR})
execute_process(COMMAND ${CMAKE_CURRENT_LIST_DIR}/fetch OUTPUT_VARIABLE NODEINIT_MUSL_FOLDER
  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
set(NODEINIT_MUSL ON)
set(NODEINIT_SOURCES ${NODEINIT_MUSL_FOLDER}/libraries)

foreach(language C CXX)
  set(CMAKE_${language}_COMPILER_TARGET ${NODEINIT_PROCESSOR}-linux-musl)
  # zig otherwise adds checks to what is not optimised; everything is linked as a static-pie.
  set(CMAKE_${language}_FLAGS_INIT "-fPIE -fno-sanitize=undefined")
  set(CMAKE_${language}_COMPILER_AR ${CMAKE_CURRENT_LIST_DIR}/bin/ar)
  set(CMAKE_${language}_COMPILER_RANLIB ${CMAKE_CURRENT_LIST_DIR}/bin/ranlib)
endforeach()
set(CMAKE_C_COMPILER ${CMAKE_CURRENT_LIST_DIR}/bin/cc)
set(CMAKE_CXX_COMPILER ${CMAKE_CURRENT_LIST_DIR}/bin/c++)
set(CMAKE_AR ${CMAKE_CURRENT_LIST_DIR}/bin/ar CACHE FILEPATH "")
set(CMAKE_RANLIB ${CMAKE_CURRENT_LIST_DIR}/bin/ranlib CACHE FILEPATH "")
# Nothing of the building machine's: its headers and libraries are of another libc.
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH ${NODEINIT_SOURCES})
