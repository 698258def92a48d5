#pragma once

// Why the container ended, for a person at `kubectl describe pod`: the kubelet shows what stands in
// the termination log, at most 4096 bytes of it (pkg/kubelet/kuberuntime,
// MaxContainerTerminationMessageLength).

#include <deque>
#include <string>
#include <string_view>

namespace ni {

inline constexpr std::size_t kMostTerminationText = 4096;

// What may be worth telling when the container ends: the last troubles, and the last words of the
// worker or hook that failed last. Bounded.
class TerminationNotes {
 public:
  void trouble(std::string_view message);
  // `who`: "slot 1: worker 12". Words replace those of an earlier worker; empty ones do not.
  void last_words(std::string_view who, std::string_view words);

  bool has_last_words() const { return !words_.empty(); }

  // "" for an orderly end (exit code 0). At most kMostTerminationText bytes of UTF-8; where there
  // is more, the oldest troubles and the beginning of the words are left out.
  std::string text(int exit_code, std::string_view reason) const;

 private:
  std::deque<std::string> troubles_;
  std::string words_;
};

}  // namespace ni
