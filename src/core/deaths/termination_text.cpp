#include "core/deaths/termination_text.h"

#include <fmt/format.h>

#include "base/text.h"

namespace ni {
namespace {

constexpr std::size_t kMostTroubles = 8;
constexpr std::size_t kMostOfATrouble = 300;
constexpr std::size_t kMostWords = 2000;

}  // namespace

void TerminationNotes::trouble(std::string_view message) {
  troubles_.push_back(printable(message, kMostOfATrouble));
  if (troubles_.size() > kMostTroubles) {
    troubles_.pop_front();
  }
}

void TerminationNotes::last_words(std::string_view who, std::string_view words) {
  std::string kept;
  // Whole lines from the end, each fit to be shown.
  for (words = trim(words); !words.empty();) {
    const auto newline = words.rfind('\n');
    const std::string line =
        "  " +
        printable(newline == std::string_view::npos ? words : words.substr(newline + 1),
                  kMostOfATrouble) +
        "\n";
    if (kept.size() + line.size() > kMostWords) {
      break;
    }
    kept.insert(0, line);
    words = newline == std::string_view::npos ? std::string_view() : words.substr(0, newline);
  }
  if (!kept.empty()) {
    words_ = fmt::format("last words of {}:\n{}", who, kept);
  }
}

std::string TerminationNotes::text(int exit_code, std::string_view reason) const {
  if (exit_code == 0) {
    return {};
  }
  std::string text = fmt::format("nodeinit: ended with exit code {}: {}\n", exit_code,
                                 printable(reason, kMostOfATrouble));
  std::string before;
  for (std::size_t i = troubles_.size(); i-- > 0;) {  // clang 14 has no views with libstdc++
    const std::string& trouble = troubles_[i];
    if (text.size() + before.size() + trouble.size() + words_.size() + 1 > kMostTerminationText) {
      break;
    }
    before.insert(0, trouble + "\n");
  }
  return text + before + words_;
}

}  // namespace ni
