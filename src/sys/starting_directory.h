#pragma once

// Where we were started. We live in / and so pin no mount; what users wrote relative to that
// directory, and the processes started later, are still meant to be there. It is kept by name: a
// release that was put in its place since is where the next worker belongs.

#include <string>

#include "base/result.h"

namespace ni::sys {

class StartingDirectory {
 public:
  // We are there for as long as it lives.
  class Visit {
   public:
    explicit Visit(bool away) noexcept : away_(away) {}
    Visit(Visit&& other) noexcept : away_(other.away_) { other.away_ = false; }
    Visit& operator=(Visit&&) = delete;
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit();

   private:
    bool away_;  // from /
  };

  // Not left yet: a visit changes nothing.
  StartingDirectory() = default;

  // Moves us to /. We stay where there would be no way back: the directory has no name here (it was
  // removed, or a mount hides it), or only a former user may enter it.
  static StartingDirectory leave() noexcept;

  // Error: it is gone by now.
  Result<Visit> visit() const;

 private:
  std::string path_;  // empty: we have stayed
};

}  // namespace ni::sys
