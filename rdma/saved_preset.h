// SavedPreset: a network that the user has measured, known to the emulator by name.
//
// One file each, $XDG_CONFIG_HOME/tandem/presets/NAME (else ~/.config/...): lines that begin with
// # are for people, the first of them being the summary; the other line is what would stand behind
// `emulated:none,`. Files are read when they are asked for, and replaced as a whole. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/status.h"

namespace tandem::rdma {

struct SavedPreset {
  std::string name;
  std::string options;  // key=value,...
  std::string summary;  // a line

  // Letters, digits, '-', '_' and '.', not first; what the emulator itself calls a preset is not
  // free.
  static Status CheckName(std::string_view name);

  // Where it is, or would be. Empty: the environment names no folder.
  static std::string FileOf(std::string_view name);

  // Nothing if there is no such file, or one that nobody can have saved.
  static std::optional<SavedPreset> Find(std::string_view name);

  // In alphabetical order.
  static std::vector<SavedPreset> List();

  Status Save() const;

  // A fabric's URL, with the values of a saved preset in place of its name: what results are to
  // say, as files change and stay behind.
  static std::string Spelled(std::string_view url);
};

}  // namespace tandem::rdma
