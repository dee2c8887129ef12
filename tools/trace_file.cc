#include "tools/trace_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "tools/terminal.h"

namespace tandem::tools {

StatusOr<TraceFile> TraceFile::Open(const std::string& path) {
  if (path.empty()) return TraceFile(path, -1);
  // An older trace stays until there is a new one.
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) {
    return Status::InvalidArgument(
        fmt::format("--trace: cannot write {}: {}", path, std::strerror(errno)));
  }
  return TraceFile(path, fd);
}

TraceFile::TraceFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

TraceFile::TraceFile(TraceFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      timeline_(std::move(other.timeline_)) {}

TraceFile::~TraceFile() {
  if (fd_ >= 0) close(fd_);
}

Status TraceFile::Start() {
  if (fd_ < 0) return Status::Ok();
  StatusOr<std::unique_ptr<Timeline>> timeline = Timeline::Start();
  if (timeline.ok()) timeline_ = std::move(*timeline);
  return timeline.status();
}

Status TraceFile::Write() {
  if (fd_ < 0) return Status::Ok();
  (void)!ftruncate(fd_, 0);  // fails for what is no regular file, where there is nothing to cut off
  if (Status status = timeline_->Write(fd_); !status.ok()) {
    return Status::Io(fmt::format("cannot write the trace {}: {}", path_, status.message()));
  }
  if (const uint64_t dropped = timeline_->dropped(); dropped > 0) {
    WriteError(fmt::format("warning: the trace lacks {} events for which it had no room", dropped));
  }
  return Status::Ok();
}

}  // namespace tandem::tools
