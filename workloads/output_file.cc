#include "workloads/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace tandem::workloads {

namespace {

Status CannotWrite(const std::string& path) {
  return Status::Io(fmt::format("cannot write {}: {}", path, std::strerror(errno)));
}

}  // namespace

Status OutputFile::Check() const {
  if (path.empty()) return Status::Ok();
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) return CannotWrite(path);
  close(fd);
  return Status::Ok();
}

Status OutputFile::Write(std::string_view content) const {
  if (path.empty()) return Status::Ok();
  std::FILE* file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return CannotWrite(path);
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (std::fclose(file) != 0 || !written) return CannotWrite(path);
  return Status::Ok();
}

}  // namespace tandem::workloads
