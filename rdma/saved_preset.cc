#include "rdma/saved_preset.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "rdma/emulated_fabric.h"
#include "rdma/link_model.h"
#include "rdma/sealed_fabric.h"

namespace tandem::rdma {

namespace {

constexpr size_t kLongestName = 64;
constexpr size_t kLongestFile = 4096;

bool IsName(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= kLongestName && plain(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || c == '-' || c == '_' || c == '.'; });
}

// As the XDG base directory specification has it; empty if there is none.
std::string Folder() {
  const char* xdg = std::getenv("XDG_CONFIG_HOME");
  if (xdg != nullptr && xdg[0] == '/') return std::string(xdg) + "/tandem/presets";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.config/tandem/presets";
  return "";
}

}  // namespace

Status SavedPreset::CheckName(std::string_view name) {
  if (!IsName(name)) {
    return Status::InvalidArgument(
        fmt::format("'{}' is no name for a preset; valid are up to {} letters, digits, '-', '_' "
                    "and '.', a letter or digit first",
                    OneLine(name), kLongestName));
  }
  for (const LinkPreset& preset : LinkPresets()) {
    if (name == preset.name) {
      return Status::InvalidArgument(
          fmt::format("the emulator has a preset '{}' of its own; choose another name", name));
    }
  }
  return Status::Ok();
}

std::string SavedPreset::FileOf(std::string_view name) {
  const std::string folder = Folder();
  return folder.empty() ? "" : fmt::format("{}/{}", folder, name);
}

std::optional<SavedPreset> SavedPreset::Find(std::string_view name) {
  std::error_code error;
  if (!IsName(name) || !std::filesystem::is_regular_file(FileOf(name), error)) return std::nullopt;
  std::ifstream file(FileOf(name));
  SavedPreset found{.name = std::string(name), .options = {}, .summary = {}};
  size_t bytes = 0;
  for (std::string line; std::getline(file, line) && bytes <= kLongestFile;) {
    bytes += line.size() + 1;
    if (!line.starts_with('#')) {
      found.options += line;
    } else if (found.summary.empty()) {
      found.summary = OneLine(line.substr(std::min(line.size(), line.find_first_not_of("# "))));
    }
  }
  return found;
}

std::vector<SavedPreset> SavedPreset::List() {
  std::vector<SavedPreset> found;
  std::error_code error;
  for (std::filesystem::directory_iterator i(Folder(), error), end; !error && i != end;
       i.increment(error)) {
    std::optional<SavedPreset> preset = Find(i->path().filename().string());
    if (preset.has_value()) found.push_back(std::move(*preset));
  }
  std::sort(found.begin(), found.end(),
            [](const SavedPreset& a, const SavedPreset& b) { return a.name < b.name; });
  return found;
}

std::string SavedPreset::Spelled(std::string_view url) {
  constexpr std::string_view kEmulated = "emulated:";
  const size_t start = url.find(kEmulated);
  const bool first = start == 0 || url.substr(0, start) == SealedFabric::kPrefix;
  if (start == url.npos || !first) return std::string(url);
  const std::string_view rest = url.substr(start + kEmulated.size());
  if (!Find(rest.substr(0, rest.find(','))).has_value()) return std::string(url);
  const StatusOr<EmulatedOptions> options = EmulatedOptions::Parse(rest);
  if (!options.ok()) return std::string(url);
  return std::string(url.substr(0, start)) + options.value().Name();
}

Status SavedPreset::Save() const {
  if (Status s = CheckName(name); !s.ok()) return s;
  const std::string path = FileOf(name);
  if (path.empty()) return Status::Io("neither XDG_CONFIG_HOME nor HOME is set");
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) {
    return Status::Io(fmt::format("cannot make the folder of {}: {}", path, error.message()));
  }
  // The temporary name is no preset's.
  const std::string temporary = fmt::format("{}~{}", path, getpid());
  std::ofstream file(temporary, std::ios::trunc);
  file << "# " << OneLine(summary) << '\n' << options << '\n';
  file.close();
  if (file) std::filesystem::rename(temporary, path, error);
  if (file && !error) return Status::Ok();
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  return Status::Io(fmt::format("cannot write {}{}", path,
                                error ? fmt::format(": {}", error.message()) : std::string()));
}

}  // namespace tandem::rdma
