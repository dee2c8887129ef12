#include "rdma/remote/shared_memory_files.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>

namespace tandem::rdma {

namespace {

struct Parts {
  uint64_t process = 0;
  uint64_t user = 0;
};

bool Parse(std::string_view name, Parts& parts) {
  uint64_t number = 0;
  const char* at = name.data();
  const char* const end = at + name.size();
  for (uint64_t* part : {&parts.process, &parts.user, &number}) {
    const auto [next, error] = std::from_chars(at, end, *part);
    if (error != std::errc()) return false;
    at = next;
    if (part == &number) return at == end;
    if (at == end || *at++ != ':') return false;
  }
  return false;
}

bool IsAlive(uint64_t process) {
  const auto pid = static_cast<pid_t>(process);
  return pid <= 0 || static_cast<uint64_t>(pid) != process || kill(pid, 0) == 0 || errno != ESRCH;
}

}  // namespace

std::string SharedMemoryName(std::string_view address) {
  const size_t scheme_end = address.find("://");
  const std::string_view name =
      scheme_end == address.npos ? address : address.substr(scheme_end + 3);
  Parts parts;
  return Parse(name, parts) ? std::string(name) : std::string();
}

size_t RemoveStaleSharedMemory(const std::string& folder) {
  size_t removed = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    Parts parts;
    if (!Parse(entry.path().filename().string(), parts) || IsAlive(parts.process)) continue;
    struct stat found {};
    const bool ours = parts.user == getuid() && lstat(entry.path().c_str(), &found) == 0 &&
                      S_ISREG(found.st_mode) && found.st_uid == getuid();
    if (ours && unlink(entry.path().c_str()) == 0) ++removed;
  }
  return removed;
}

}  // namespace tandem::rdma
