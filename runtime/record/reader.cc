#include "runtime/record/reader.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>

namespace tandem::record {
namespace {

constexpr uint64_t kMaxHeapBytes = uint64_t{1} << 44;
constexpr uint32_t kPageBytes = 4096;
constexpr uint64_t kGranulesPerPage = kPageBytes / 16;
// More threads than any machine has are a sign of nonsense.
constexpr uint64_t kMaxThreads = 1 << 20;

}  // namespace

StatusOr<std::unique_ptr<Reader>> Reader::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info {};
  if (fd < 0 || fstat(fd, &info) != 0) {
    const Status status = Status::Io("cannot read " + path + ": " + std::strerror(errno));
    if (fd >= 0) close(fd);
    return status;
  }
  std::unique_ptr<Reader> reader(new Reader);
  reader->path_ = path;
  if (S_ISREG(info.st_mode) && info.st_size > 0) {
    const auto bytes = static_cast<size_t>(info.st_size);
    void* data = mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data != MAP_FAILED) {
      reader->data_ = static_cast<const std::byte*>(data);
      reader->bytes_ = bytes;
    }
  }
  close(fd);
  if (Status status = reader->Check(); !status.ok()) return status;
  return reader;
}

Reader::~Reader() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), bytes_);
}

Status Reader::Check() {
  if (bytes_ < kMagicBytes || std::memcmp(data_, kMagic, kMagicBytes) != 0) {
    return Status::DataLoss(path_ +
                            " is no recording; `tandem run WORKLOAD --record FILE` makes one");
  }
  if (bytes_ >= sizeof header_) std::memcpy(&header_, data_, sizeof header_);
  if (bytes_ >= sizeof header_ && header_.version != kVersion) {
    return Status::DataLoss(path_ + " is a recording of version " +
                            std::to_string(header_.version) + "; this command reads version " +
                            std::to_string(kVersion) + " only");
  }
  if (bytes_ >= sizeof header_ + sizeof footer_) {
    std::memcpy(&footer_, data_ + bytes_ - sizeof footer_, sizeof footer_);
  }
  if (std::memcmp(footer_.magic, kEndMagic, kMagicBytes) != 0) {
    return Status::DataLoss(path_ + " is truncated: the run that recorded it did not end well");
  }
  end_ = bytes_ - sizeof footer_;
  if (XXH3_64bits(data_, end_) != footer_.hash || header_.page_bytes != kPageBytes ||
      header_.heap_bytes == 0 || header_.heap_bytes % kPageBytes != 0 ||
      header_.heap_bytes > kMaxHeapBytes) {
    return Status::DataLoss(path_ + " is damaged: its hash is wrong");
  }
  Rewind();
  return Status::Ok();
}

void Reader::Rewind() {
  at_ = sizeof header_;
  read_ = 0;
  places_ = {};
}

StatusOr<bool> Reader::Next(Event& event) {
  if (at_ == end_ && read_ == footer_.events) return false;
  ++read_;
  if (Get(event) && IsSound(event)) return true;
  return Status::DataLoss(path_ + " makes no sense at event " + std::to_string(read_));
}

bool Reader::GetNumber(uint64_t& number) {
  number = 0;
  for (unsigned shift = 0; at_ < end_ && shift < 64; shift += 7) {
    const auto byte = static_cast<uint64_t>(data_[at_++]);
    number |= (byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool Reader::Get(Event& event) {
  if (at_ == end_) return false;
  event.kind = static_cast<Kind>(data_[at_++]);
  event.roots.clear();
  uint64_t place = 0;
  uint64_t code = 0;
  switch (event.kind) {
    case Kind::kAccess:
      if (!GetNumber(place) || !GetNumber(event.index)) return false;
      event.object = places_.used = UnZigZag(place, places_.used);
      return true;
    case Kind::kRepeat:
      return GetNumber(event.count);
    case Kind::kBirth:
      if (!GetNumber(place) || !GetNumber(code)) return false;
      event.object = UnZigZag(place, places_.born);
      event.count = code / 2;
      event.leaf = code % 2 != 0;
      places_.born = event.object + event.count;
      return true;
    case Kind::kStore:
      if (!GetNumber(place) || !GetNumber(event.index) || !GetNumber(code)) return false;
      event.object = places_.used = UnZigZag(place, places_.used);
      event.target = code == 0 ? Event::kNull : UnZigZag(code - 1, event.object);
      return true;
    case Kind::kRange:
    case Kind::kHint:
      return GetNumber(event.index) && GetNumber(event.count);
    case Kind::kThread:
      return GetNumber(event.index);
    case Kind::kCycle:
    case Kind::kRoots: {
      if (!GetNumber(event.count) || event.count > end_ - at_) return false;
      uint64_t last = 0;
      for (uint64_t i = 0; i < event.count; ++i) {
        if (!GetNumber(place)) return false;
        last = UnZigZag(place, last);
        event.roots.push_back(last);
      }
      return true;
    }
    case Kind::kWait:
      return true;
  }
  return false;
}

// Whether all places are in the heap: no sum here overflows.
bool Reader::IsSound(const Event& event) const {
  const uint64_t granules = header_.heap_bytes / 16;
  const uint64_t pages = header_.heap_bytes / kPageBytes;
  switch (event.kind) {
    case Kind::kAccess:
      return event.object < granules && event.index < pages - event.object / kGranulesPerPage;
    case Kind::kBirth:
      return event.object < granules && event.count > 0 && event.count <= granules - event.object;
    case Kind::kStore:
      return event.object < granules && event.index < 2 * (granules - event.object) - 1 &&
             (event.target == Event::kNull || event.target < granules);
    case Kind::kRange:
    case Kind::kHint:
      return event.index < pages && event.count <= pages - event.index;
    case Kind::kThread:
      return event.index < kMaxThreads;
    case Kind::kCycle:
    case Kind::kRoots:
      for (const uint64_t root : event.roots) {
        if (root >= granules) return false;
      }
      return true;
    case Kind::kRepeat:
    case Kind::kWait:
      return true;
  }
  return false;
}

}  // namespace tandem::record
