#include "base/result.h"

#include <cstring>

namespace ni {

std::string to_string(const Error& error) {
  std::string text = "cannot " + error.operation;
  if (!error.subject.empty()) {
    text += " " + error.subject;
  }
  if (!error.reason.empty()) {
    text += ": " + error.reason;
  }
  if (error.code != 0) {
    text += ": ";
    text += std::strerror(error.code);
  }
  return text;
}

}  // namespace ni
