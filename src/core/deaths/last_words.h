#pragma once

// What a worker wrote to stderr before it died, made short.

#include <string>
#include <string_view>

namespace ni {

// The one line of `words` that says most: the last that names an error ("TypeError: x is not a
// function", "FATAL ERROR: …", "Error [ERR_…]: …"), else the last that is not blank; fit to be
// printed, "" if there is none.
std::string telling_line(std::string_view words);

// What may help against the error that such a line names, as a question to a newcomer: " (is …?)".
// "" where nothing general can be said.
std::string_view advice_on(std::string_view telling_line);

}  // namespace ni
