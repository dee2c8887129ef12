#include "rdma/remote/shared_memory_files.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <span>
#include <system_error>
#include <utility>

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

// Calls `line` with each line of a file that is too large to be read at once. Lines that are longer
// than any that is looked for are cut.
template <typename Line>
void ForEachLine(const char* path, const Line& line) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  char chunk[2048];
  char text[256];
  size_t length = 0;
  ssize_t n;
  while ((n = read(file, chunk, sizeof chunk)) > 0) {
    for (const char c : std::span(chunk, static_cast<size_t>(n))) {
      if (c == '\n')
        line(std::string_view(text, std::exchange(length, 0)));
      else if (length < sizeof text)
        text[length++] = c;
    }
  }
  close(file);
}

// Whether a line of /proc/PID/stat tells of a process that has ended and has not been waited for.
// One whose first thread has ended looks the same, but for its other threads.
bool IsZombie(std::string_view stat) {
  constexpr int kThreadsAfterState = 17;
  const size_t name_end = stat.rfind(") ");  // PID (NAME) STATE ...
  if (name_end == stat.npos) return false;
  stat.remove_prefix(name_end + 2);
  if (!stat.starts_with('Z') && !stat.starts_with('X')) return false;
  for (int i = 0; i < kThreadsAfterState; ++i) {
    if (stat.empty()) return false;
    stat.remove_prefix(std::min(stat.find(' '), stat.size() - 1) + 1);
  }
  return stat.starts_with("1 ") || stat.starts_with("0 ");
}

// Async-signal-safe.
bool IsAlive(uint64_t process) {
  const auto pid = static_cast<pid_t>(process);
  if (pid <= 0 || static_cast<uint64_t>(pid) != process) return true;
  if (kill(pid, 0) != 0) return errno != ESRCH;
  char path[32] = "/proc/";
  *std::copy_n("/stat", 5, std::to_chars(path + 6, std::end(path), pid).ptr) = '\0';
  bool ended = false;
  ForEachLine(path, [&](std::string_view line) { ended = ended || IsZombie(line); });
  return !ended;
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

Sharers SharersOf(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool is_ours = false;
  bool owner_died = false;
  bool anybody_died = false;
  // START-END PERMISSIONS OFFSET DEVICE INODE PATH, and " (deleted)" if it is.
  ForEachLine("/proc/self/maps", [&](std::string_view line) {
    const size_t path = line.find('/');
    if (path == line.npos || !line.substr(path).starts_with(kSharedMemoryFolder)) return;
    std::string_view name = line.substr(path + std::strlen(kSharedMemoryFolder));
    name.remove_prefix(std::min<size_t>(name.size(), 1));
    Parts parts;
    if (!Parse(name.substr(0, name.find(' ')), parts)) return;
    const bool died = !IsAlive(parts.process);
    anybody_died = anybody_died || died;
    uintptr_t start = 0;
    uintptr_t end = 0;
    const auto [dash, error] = std::from_chars(line.data(), line.data() + path, start, 16);
    if (error != std::errc()) return;
    (void)std::from_chars(dash + 1, line.data() + path, end, 16);
    if (wanted < start || wanted >= end) return;
    is_ours = parts.process == static_cast<uint64_t>(getpid());
    owner_died = died;
  });
  if (owner_died) return Sharers::kOwnerDead;
  return is_ours && anybody_died ? Sharers::kSomebodyDead : Sharers::kAlive;
}

}  // namespace tandem::rdma
