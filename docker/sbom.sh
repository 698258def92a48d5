#!/bin/sh
# The bill of materials of a static nodeinit, SPDX 2.3 as JSON, on stdout: what Debian's packages put into it.
# usage: sbom.sh PROGRAM (on the machine that has built it). SOURCE_DATE_EPOCH is its date.
set -eu
program=$1
epoch=${SOURCE_DATE_EPOCH:-0}
version=${NODEINIT_VERSION:-$("$program" --version | sed "s/^nodeinit //; q")}
hash=$(sha256sum "$program" | cut -d' ' -f1)

cat <<HEAD
{
  "spdxVersion": "SPDX-2.3",
  "dataLicense": "CC0-1.0",
  "SPDXID": "SPDXRef-DOCUMENT",
  "name": "nodeinit-$version",
  "documentNamespace": "urn:nodeinit:$version:$hash",
  "creationInfo": { "created": "$(date -u -d "@$epoch" +%Y-%m-%dT%H:%M:%SZ)", "creators": ["Tool: docker/sbom.sh"] },
  "packages": [
    { "SPDXID": "SPDXRef-nodeinit", "name": "nodeinit", "versionInfo": "$version", "licenseConcluded": "MIT",
      "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
      "checksums": [{ "algorithm": "SHA256", "checksumValue": "$hash" }] }
HEAD

names=
# Name of the library, Debian package that has its static archive or headers, licence of what is linked.
while read -r name package license; do
  # Not in the list of what was built with: rather no bill than one that leaves something out.
  package_version=$(dpkg-query -W -f '${Version}' "$package")
  source=$(dpkg-query -W -f '${source:Package}' "$package")
  names="$names $name"
  cat <<PACKAGE
    ,{ "SPDXID": "SPDXRef-$name", "name": "$name", "versionInfo": "$package_version", "licenseConcluded": "$license",
      "downloadLocation": "NOASSERTION", "filesAnalyzed": false,
      "externalRefs": [{ "referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
        "referenceLocator": "pkg:deb/debian/$source@$package_version" }] }
PACKAGE
done <<LIST
libuv libuv1-dev MIT
fmt libfmt-dev MIT
tomlplusplus libtomlplusplus-dev MIT
http-parser libhttp-parser-dev MIT
libyaml libyaml-dev MIT
glibc libc6-dev LGPL-2.1-or-later
libstdcxx libstdc++-$(g++ -dumpversion)-dev GPL-3.0-or-later WITH GCC-exception-3.1
libgcc libgcc-$(g++ -dumpversion)-dev GPL-3.0-or-later WITH GCC-exception-3.1
LIST

echo '  ],'
echo '  "relationships": ['
echo '    { "spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-nodeinit" }'
for name in $names; do
  echo "    ,{ \"spdxElementId\": \"SPDXRef-nodeinit\", \"relationshipType\": \"STATIC_LINK\", \"relatedSpdxElement\": \"SPDXRef-$name\" }"
done
echo '  ]'
echo '}'
