#include "rdma/remote/mapped/session_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

#include "rdma/remote/random_number.h"

namespace tandem::rdma {

namespace {

// A file of the kind that Make makes, or -1 and errno. What lies there in truth may be anything:
// nothing else is opened.
int OpenMemoryFile(const std::string& path) {
  const Descriptor found(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (found.get() < 0) return -1;
  struct stat what {};
  if (fstat(found.get(), &what) != 0) return -1;
  if (!S_ISREG(what.st_mode) || what.st_size < off_t{base::kPageSize}) {
    errno = EBADF;
    return -1;
  }
  const int file = open(fmt::format("/proc/self/fd/{}", found.get()).c_str(), O_RDWR | O_CLOEXEC);
  if (file >= 0 && fcntl(file, F_GET_SEALS) < 0) {  // on a disk
    close(file);
    errno = EBADF;
    return -1;
  }
  return file;
}

}  // namespace

StatusOr<std::unique_ptr<SessionFile>> SessionFile::Make() {
  std::unique_ptr<SessionFile> made(new SessionFile);
  made->file_ = Descriptor(memfd_create("tandem-lent", MFD_CLOEXEC));
  if (made->file_.get() < 0) {
    return Status::ResourceExhausted(
        fmt::format("cannot make a file in memory: {}", std::strerror(errno)));
  }
  made->owner_ = getpid();
  made->owners_number_ = made->file_.get();
  made->number_ = RandomNumber();
  if (auto header = made->Grow(base::kPageSize); !header.ok()) return header.status();
  if (Status s = made->MapHeader(); !s.ok()) return s;
  made->header_->number = made->number_;
  made->header_->serving.store(true);
  return made;
}

StatusOr<std::unique_ptr<SessionFile>> SessionFile::Open(const std::string& name) {
  std::unique_ptr<SessionFile> opened(new SessionFile);
  if (std::sscanf(name.c_str(), "%d:%d:%" SCNu64, &opened->owner_, &opened->owners_number_,
                  &opened->number_) != 3) {
    return Status::InvalidArgument("the memory server names no file to map");
  }
  const int owner = opened->owner_;
  opened->owner_watch_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, owner, 0)));
  const std::string path = fmt::format("/proc/{}/fd/{}", owner, opened->owners_number_);
  opened->file_ = Descriptor(OpenMemoryFile(path));
  const char* trouble = std::strerror(errno);
  if (opened->owner_watch_.get() >= 0 && opened->file_.get() >= 0) {
    if (Status s = opened->MapHeader(); !s.ok()) return s;
    if (opened->header_->number == opened->number_) return opened;
    trouble = "another process has that number here";
  }
  return Status::Unavailable(fmt::format(
      "cannot map what the memory server's process {} lends: {} (fabric shm wants both to belong "
      "to one user and to see each other's processes; tcp does not)",
      owner, trouble));
}

std::string SessionFile::name() const {
  return fmt::format("{}:{}:{}", owner_, owners_number_, number_);
}

Status SessionFile::MapHeader() {
  auto start = Map(0, base::kPageSize);
  if (!start.ok()) return start.status();
  header_ = reinterpret_cast<Header*>(*start);
  return Status::Ok();
}

StatusOr<uint64_t> SessionFile::Grow(uint64_t bytes) {
  if (ftruncate(file_.get(), static_cast<off_t>(bytes_ + bytes)) != 0) {
    return Status::ResourceExhausted(
        fmt::format("cannot make room for {} bytes: {}", bytes, std::strerror(errno)));
  }
  return std::exchange(bytes_, bytes_ + bytes);
}

StatusOr<std::byte*> SessionFile::Map(uint64_t offset, uint64_t bytes) {
  struct stat file {};
  if (fstat(file_.get(), &file) != 0 || bytes > static_cast<uint64_t>(file.st_size) ||
      offset > static_cast<uint64_t>(file.st_size) - bytes) {
    return Status::InvalidArgument("the memory server names memory that it does not lend");
  }
  auto mapped = base::OsMemory::MapShared(file_.get(), offset, bytes, "lent memory");
  if (!mapped.ok()) return mapped.status();
  std::byte* const start = mapped->data();
  // A kernel that has no huge pages for files in memory refuses; nothing depends on them.
  (void)madvise(start, bytes, MADV_HUGEPAGE);
  (void)madvise(start, bytes, MADV_DONTFORK);
  mappings_.push_back(std::move(*mapped));
  return start;
}

bool SessionFile::OwnerLives() const {
  pollfd watch{owner_watch_.get(), POLLIN, 0};
  return poll(&watch, 1, 0) != 1 || (watch.revents & POLLIN) == 0;
}

void SessionFile::End() {
  header_->serving.store(false);
  struct stat found {};
  if (fstat(file_.get(), &found) != 0 || found.st_size <= off_t{base::kPageSize}) return;
  (void)fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, base::kPageSize,
                  found.st_size - off_t{base::kPageSize});
}

}  // namespace tandem::rdma
