#pragma once

// Packages of one repository: `npm -w NAME`, `yarn workspace NAME`, `pnpm --filter NAME` name one of them by its
// package's name, or by its folder.

#include <optional>
#include <string>
#include <string_view>

#include "base/file_reader.h"

namespace ni {

// The folder of the package that `name` means, looked for in the workspaces of the nearest folder from `directory`
// upwards that declares any (package.json's "workspaces", pnpm-workspace.yaml). nullopt: none, or several.
std::optional<std::string> find_workspace(std::string_view name, std::string_view directory,
                                          const FileReader& files);

}  // namespace ni
