#pragma once

// Where nodeinit itself was told to listen and cannot: which setting said so, and what may help.

#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ni::app {

inline Error cannot_listen(std::string_view setting, const std::string& address,
                           const Error& error) {
  const bool is_path = address.starts_with('/');
  std::string_view advice;
  switch (error.code) {
    case EADDRINUSE:
      advice = is_path ? "something is there already, remove it or name another path"
                       : "another process has it, name another one";
      break;
    case EADDRNOTAVAIL:
      advice = "this machine has no such address, name one that it has or :PORT for all";
      break;
    case EACCES:
    case EPERM:
      advice = is_path ? "name a path that this user may write to"
                       : "this user may not, name a port from 1024 on";
      break;
    case ENOENT:
    case ENOTDIR:
      advice = "its folder is not there, make it or name another path";
      break;
    case EROFS:
      advice = "name a path on a file system that can be written to";
      break;
    default:
      advice = "name another one";
      break;
  }
  return {.operation = "listen on",
          .subject = address + " (" + std::string(setting) + ")",
          .code = 0,
          .reason = std::string(std::strerror(error.code)) + "; " + std::string(advice) +
                    ", or set " + std::string(setting) + "=off"};
}

}  // namespace ni::app
