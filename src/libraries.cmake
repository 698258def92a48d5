# The libraries of others: Debian's static archives, or, where NODEINIT_SOURCES names a folder of their sources (a
# build for another libc: docker/musl), compiled with the program. Gives <LIBRARY>_INCLUDE and <LIBRARY>_STATIC.
find_package(Threads REQUIRED)
if(NOT NODEINIT_SOURCES)
  find_path(LIBUV_INCLUDE uv.h REQUIRED)
  find_library(LIBUV_STATIC NAMES libuv_a.a libuv.a REQUIRED)
  find_path(HTTP_PARSER_INCLUDE http_parser.h REQUIRED)
  find_library(HTTP_PARSER_STATIC NAMES libhttp_parser.a REQUIRED)
  find_path(YAML_INCLUDE yaml.h REQUIRED)
  find_library(YAML_STATIC NAMES libyaml.a REQUIRED)
  find_path(TOMLPP_INCLUDE toml++/toml.h REQUIRED)
  find_path(FMT_INCLUDE fmt/core.h REQUIRED)
  return()
endif()

enable_language(C)
function(nodeinit_library name folder)
  list(TRANSFORM ARGN PREPEND ${folder}/)
  add_library(${name} STATIC ${ARGN})
  target_compile_options(${name} PRIVATE
    -w -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables -fno-unwind-tables
    $<$<BOOL:${NODEINIT_STATIC}>:-fPIE -fstack-protector-strong> -ffile-prefix-map=${NODEINIT_SOURCES}=.)
endfunction()

set(LIBUV_INCLUDE ${NODEINIT_SOURCES}/libuv1/include)
set(LIBUV_STATIC uv)
nodeinit_library(uv ${NODEINIT_SOURCES}/libuv1/src
  fs-poll.c idna.c inet.c random.c strscpy.c strtok.c threadpool.c timer.c uv-common.c uv-data-getter-setters.c
  version.c unix/async.c unix/core.c unix/dl.c unix/fs.c unix/getaddrinfo.c unix/getnameinfo.c unix/loop-watcher.c
  unix/loop.c unix/pipe.c unix/poll.c unix/process.c unix/random-devurandom.c unix/signal.c unix/stream.c unix/tcp.c
  unix/thread.c unix/tty.c unix/udp.c unix/proctitle.c unix/linux-core.c unix/linux-inotify.c unix/linux-syscalls.c
  unix/procfs-exepath.c unix/random-getrandom.c unix/random-sysctl-linux.c unix/epoll.c)
target_include_directories(uv PRIVATE ${LIBUV_INCLUDE} ${NODEINIT_SOURCES}/libuv1/src)
target_compile_definitions(uv PRIVATE _GNU_SOURCE _FILE_OFFSET_BITS=64 _LARGEFILE_SOURCE)

set(HTTP_PARSER_INCLUDE ${NODEINIT_SOURCES}/http-parser)
set(HTTP_PARSER_STATIC http_parser)
nodeinit_library(http_parser ${HTTP_PARSER_INCLUDE} http_parser.c)

set(YAML_INCLUDE ${NODEINIT_SOURCES}/libyaml/include)
set(YAML_STATIC yaml)
nodeinit_library(yaml ${NODEINIT_SOURCES}/libyaml/src api.c loader.c parser.c reader.c scanner.c writer.c)
target_include_directories(yaml PRIVATE ${YAML_INCLUDE})
target_compile_definitions(yaml PRIVATE
  YAML_VERSION_STRING="0.2.5" YAML_VERSION_MAJOR=0 YAML_VERSION_MINOR=2 YAML_VERSION_PATCH=5)

set(TOMLPP_INCLUDE ${NODEINIT_SOURCES}/libtomlplusplus-dev/usr/include)
set(FMT_INCLUDE ${NODEINIT_SOURCES}/libfmt-dev/usr/include)
target_include_directories(nodeinit_options SYSTEM INTERFACE ${TOMLPP_INCLUDE} ${FMT_INCLUDE})
