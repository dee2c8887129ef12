#include "tools/footprint_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace tandem::tools {

namespace {

using nlohmann::json;

// The folder that the XDG base directory specification names; empty if there is none.
std::string CacheFolder() {
  const char* xdg = std::getenv("XDG_CACHE_HOME");
  if (xdg != nullptr && xdg[0] == '/') return xdg;
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? std::string(home) + "/.cache" : "";
}

bool IsEntry(const json& entry) {
  const auto has = [&](const char* key, auto is) {
    return entry.contains(key) && (entry[key].*is)();
  };
  return entry.is_object() && has("footprint_bytes", &json::is_number_unsigned) &&
         has("checksum", &json::is_string) && has("measured_seconds", &json::is_number) &&
         has("time", &json::is_number_integer);
}

// Without what is not an entry; so a damaged file is as good as an empty one.
json ReadEntries(const std::string& path) {
  std::ifstream file(path);
  const json read = json::parse(file, nullptr, /*allow_exceptions=*/false);
  json entries = json::object();
  if (!read.is_object()) return entries;
  for (const auto& [key, entry] : read.items()) {
    if (IsEntry(entry)) entries[key] = entry;
  }
  return entries;
}

void DropOldest(json& entries) {
  const auto oldest =
      std::min_element(entries.begin(), entries.end(), [](const json& a, const json& b) {
        return a["time"].get<int64_t>() < b["time"].get<int64_t>();
      });
  entries.erase(oldest);
}

}  // namespace

FootprintCache::FootprintCache() {
  const std::string folder = CacheFolder();
  if (!folder.empty()) path_ = folder + "/tandem/footprints.json";
}

std::optional<Baseline> FootprintCache::Find(const std::string& key) const {
  const json entries = ReadEntries(path_);
  const auto found = entries.find(key);
  if (found == entries.end()) return std::nullopt;
  return Baseline{(*found)["footprint_bytes"], (*found)["checksum"], (*found)["measured_seconds"]};
}

Status FootprintCache::Store(const std::string& key, const Baseline& baseline) {
  if (path_.empty()) return Status::Io("neither XDG_CACHE_HOME nor HOME is set");
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), error);
  if (error)
    return Status::Io(fmt::format("cannot make the folder of {}: {}", path_, error.message()));

  json entries = ReadEntries(path_);
  entries[key] = {{"footprint_bytes", baseline.footprint_bytes},
                  {"checksum", baseline.checksum},
                  {"measured_seconds", baseline.measured_seconds},
                  {"time", static_cast<int64_t>(std::time(nullptr))}};
  while (entries.size() > kMaxEntries) DropOldest(entries);

  const std::string temporary = fmt::format("{}.{}", path_, getpid());
  std::ofstream file(temporary, std::ios::trunc);
  file << entries.dump(1) << '\n';
  file.close();
  if (file) std::filesystem::rename(temporary, path_, error);
  if (file && !error) return Status::Ok();
  std::error_code ignored;
  std::filesystem::remove(temporary, ignored);
  return Status::Io(fmt::format("cannot write {}", path_));
}

}  // namespace tandem::tools
