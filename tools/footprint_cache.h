// FootprintCache: remembers what all-local runs came to, in a file of the user's cache folder.
//
// $XDG_CACHE_HOME/tandem/footprints.json, or ~/.cache/tandem/footprints.json. Processes may use
// it at once: the file is replaced as a whole, so a reader sees one version or another, and of
// two writers at the same moment one may lose its entry, which is then measured again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "tandem/status.h"

namespace tandem::tools {

// An all-local run.
struct Baseline {
  uint64_t footprint_bytes;
  std::string checksum;
  double measured_seconds;
};

class FootprintCache {
 public:
  // Reads the file, if there is one that can be read: a cache that is not there knows nothing.
  FootprintCache();

  std::optional<Baseline> Find(const std::string& key) const;

  // Keeps it in the file, among the kMaxEntries youngest.
  Status Store(const std::string& key, const Baseline& baseline);

 private:
  static constexpr size_t kMaxEntries = 500;

  std::string path_;  // empty if there is no home for it
};

}  // namespace tandem::tools
