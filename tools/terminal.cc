#include "tools/terminal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "tools/exit_code.h"

namespace tandem::tools {

namespace {

constexpr std::string_view kEraseLine = "\r\033[K";

// Used by signal handlers, so they can be nothing but lock-free atomics.
std::atomic<bool> g_progress_drawn{false};
std::atomic<bool> g_pen_taken{false};  // by whoever draws; for good by whoever ends the process
static_assert(std::atomic<bool>::is_always_lock_free);

// Async-signal-safe. Gives up where there is nobody to tell.
void WriteToStderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void EraseProgressLine() {
  if (g_progress_drawn.exchange(false)) WriteToStderr(kEraseLine);
}

// Takes the pen for good, so that nothing is drawn after the last erasure. A terminal that takes no
// output (Ctrl-S) may hold up whoever draws for ever, hence the limit.
void TakePenForGood() {
  constexpr timespec kPause{.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int tries = 0; g_pen_taken.exchange(true) && tries < 200; ++tries)
    nanosleep(&kPause, nullptr);
}

void OnSignal(int signal) {
  TakePenForGood();
  EraseProgressLine();
  _exit(kExitSignal + signal);
}

sigset_t EndingSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void PrepareProcess() {
  // Read-only: writing to a stream that was closed shall still fail.
  for (int fd = 0; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) < 0) (void)open("/dev/null", O_RDONLY);
  }
  std::signal(SIGPIPE, SIG_IGN);
  struct sigaction action {};
  action.sa_handler = OnSignal;
  action.sa_mask = EndingSignals();
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

bool CanDrawProgress() {
  const char* terminal = std::getenv("TERM");
  return isatty(STDERR_FILENO) && terminal != nullptr && std::strcmp(terminal, "dumb") != 0;
}

void DrawProgressLine(std::string_view line) {
  if (line.empty()) {
    EraseProgressLine();
    return;
  }
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
  const std::string text =
      fmt::format("{}{}", kEraseLine, line.substr(0, known ? size.ws_col - 1 : 79));
  // The handler waits for the pen, so it must not run on the thread that holds it.
  const sigset_t ending = EndingSignals();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &ending, &before);
  if (!g_pen_taken.exchange(true)) {
    g_progress_drawn = true;
    WriteToStderr(text);
    g_pen_taken = false;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Status WriteOutput(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const char* reason = errno == EPIPE ? "" : std::strerror(errno);
      return Status::Io(*reason == 0 ? "" : fmt::format("cannot write the result: {}", reason));
    }
    text.remove_prefix(static_cast<size_t>(written));
  }
  return Status::Ok();
}

void WriteError(std::string_view message) {
  EraseProgressLine();
  WriteToStderr(fmt::format("tandem: {}\n", message));
}

void ExitOnLostPage(const LostPage& lost) {
  TakePenForGood();
  EraseProgressLine();
  WriteToStderr("tandem: the heap is lost: ");
  WriteToStderr(lost.reason);
  WriteToStderr("\n");
  _exit(kExitFailed);
}

}  // namespace tandem::tools
