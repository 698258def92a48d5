#pragma once

// Where we were started. We live in / and so pin no mount; what users wrote relative to that
// directory, and the processes started later, are still meant to be there. It is kept by two names:
// where it really is, for workers that are restarted beside others of their release; and how it was
// called, perhaps through a symbolic link that a deployment turns (current -> releases/42), to be
// followed again at a reload.

#include <optional>
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
  // `claimed`, PWD of the environment, is what it was called, if it leads there.
  static StartingDirectory leave(const std::string& claimed);

  // From now on where its name leads now; where that is nowhere, as it was.
  void follow_name();

  // Error: it is gone by now.
  Result<Visit> visit() const;

 private:
  std::string path_;  // empty: we have stayed
  std::string name_;
};

// The path without symbolic links; nullopt: it leads nowhere.
std::optional<std::string> real_path(const std::string& path);

}  // namespace ni::sys
