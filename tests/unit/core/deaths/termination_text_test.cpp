#include "core/deaths/termination_text.h"

#include "support/catch.h"

using namespace ni;

TEST_CASE("an orderly end leaves no termination text") {
  TerminationNotes notes;
  notes.trouble("slot 0: worker 7 died: SIGKILL; restarting in 90ms");
  CHECK(notes.text(0, "SIGTERM").empty());
}

TEST_CASE("the termination text says what ended the container, its troubles and the last words") {
  TerminationNotes notes;
  notes.trouble("slot 0: worker 7 died: exit code 3; restarting in 90ms");
  notes.trouble("restart limit reached");
  notes.last_words("slot 0: worker 9", "at a.js:1\n\nError: no database\x1b\n    at b.js:2\n");
  notes.last_words("slot 1: worker 12", "");
  CHECK(notes.text(3, "restart limit reached: 10 deaths") ==
        "nodeinit: ended with exit code 3: restart limit reached: 10 deaths\n"
        "slot 0: worker 7 died: exit code 3; restarting in 90ms\n"
        "restart limit reached\n"
        "last words of slot 0: worker 9:\n"
        "  at a.js:1\n"
        "  \n"
        "  Error: no database\\x1b\n"
        "      at b.js:2\n");
}

TEST_CASE("the termination text fits the kubelet's 4096 bytes, the newest kept") {
  TerminationNotes notes;
  for (int i = 0; i < 100; ++i) {
    notes.trouble("trouble " + std::to_string(i) + std::string(1000, 'x'));
  }
  std::string words;
  for (int i = 0; i < 1000; ++i)
    words += "line " + std::to_string(i) + std::string(40, '\xff') + "\n";
  notes.last_words("slot 0: worker 9", words);
  const std::string text = notes.text(1, std::string(5000, 'r'));
  CHECK(text.size() <= kMostTerminationText);
  CHECK(text.size() > 3000);
  CHECK(text.find("trouble 99") != std::string::npos);
  CHECK(text.find("trouble 0") == std::string::npos);
  CHECK(text.find("line 999") != std::string::npos);
}
