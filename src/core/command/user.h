#pragma once

// NODEINIT_USER to numbers, by the image's own /etc/passwd and /etc/group, read as text: no NSS,
// which would load libraries and ask the network. As container engines understand USER (runc,
// libcontainer/user):
//
//   node        uid, gid of passwd; every group of the group file that names it
//   node:staff  uid of passwd, gid of the group file; no other group
//   1000        as the name with that uid; where passwd has none, gid 0 and no other group
//   1000:1000   the numbers, whether the files know them or not

#include <string_view>

#include "base/file_reader.h"
#include "base/result.h"
#include "base/user_ids.h"

namespace ni {

// Errors: a name that the files do not have, or files that cannot be read where a name has to be
// looked up.
Result<UserIds> resolve_user(std::string_view user, const FileReader& files);

}  // namespace ni
