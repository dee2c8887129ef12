#include "runtime/record/recorder.h"

#include <fcntl.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace tandem::record {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;
constexpr unsigned kPageShift = 12;

}  // namespace

struct Recorder::HashState {
  HashState() { XXH3_64bits_reset(&state); }
  XXH3_state_t state;
};

StatusOr<std::unique_ptr<Recorder>> Recorder::Create(const std::string& path) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) {
    return Status::InvalidArgument("cannot write " + path + ": " + std::strerror(errno));
  }
  return std::unique_ptr<Recorder>(new Recorder(path, fd));
}

Recorder::Recorder(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

Recorder::~Recorder() { close(fd_); }

bool Recorder::Begin(uintptr_t heap_base, uint64_t heap_bytes) {
  std::lock_guard lock(mutex_);
  if (begun_) return false;
  begun_ = true;
  base_ = heap_base;
  hash_ = std::make_unique<HashState>();
  buffer_.reserve(kBufferBytes + 4096);
  (void)!ftruncate(fd_, 0);  // fails for what is no regular file, where there is nothing to cut off
  Header header{{}, kVersion, 1u << kPageShift, heap_bytes};
  std::memcpy(header.magic, kMagic, kMagicBytes);
  buffer_.append(reinterpret_cast<const char*>(&header), sizeof header);
  return true;
}

Status Recorder::Finish() {
  std::lock_guard lock(mutex_);
  if (!begun_) return Status::Ok();
  EndRepeats();
  Flush();
  Footer footer{events_, XXH3_64bits_digest(&hash_->state), {}};
  std::memcpy(footer.magic, kEndMagic, kMagicBytes);
  WriteAll(&footer, sizeof footer);
  if (error_ == 0) return Status::Ok();
  return Status::Io("cannot write the recording " + path_ + ": " + std::strerror(error_));
}

uint32_t Recorder::AddThread() {
  std::lock_guard lock(mutex_);
  return threads_++;
}

void Recorder::Access(uint32_t thread, uintptr_t object, uintptr_t address) {
  std::lock_guard lock(mutex_);
  const uint64_t granule = GranuleOf(object);
  const uint64_t page = (address >> kPageShift) - (object >> kPageShift);
  if (may_repeat_ && thread == thread_ && granule == last_object_ && page == last_page_) {
    ++repeats_;
    return;
  }
  Turn(thread);
  Put(Kind::kAccess);
  PutNumber(ZigZag(granule, places_.used));
  PutNumber(page);
  places_.used = granule;
  last_object_ = granule;
  last_page_ = page;
  may_repeat_ = true;
}

void Recorder::Birth(uint32_t thread, uintptr_t object, uint64_t bytes, bool leaf) {
  std::lock_guard lock(mutex_);
  Turn(thread);
  const uint64_t granule = GranuleOf(object);
  const uint64_t granules = (bytes + 15) >> 4;
  Put(Kind::kBirth);
  PutNumber(ZigZag(granule, places_.born));
  PutNumber(2 * granules + (leaf ? 1 : 0));
  places_.born = granule + granules;
}

void Recorder::Store(uint32_t thread, uintptr_t object, uintptr_t slot, uintptr_t target) {
  std::lock_guard lock(mutex_);
  Turn(thread);
  const uint64_t granule = GranuleOf(object);
  Put(Kind::kStore);
  PutNumber(ZigZag(granule, places_.used));
  PutNumber((slot - object) / sizeof(uintptr_t) - 1);
  PutNumber(target == 0 ? 0 : 1 + ZigZag(GranuleOf(target), granule));
  places_.used = granule;
}

void Recorder::Pages(uint32_t thread, Kind kind, uint64_t first, uint64_t count) {
  std::lock_guard lock(mutex_);
  Turn(thread);
  Put(kind);
  PutNumber(first);
  PutNumber(count);
}

void Recorder::Roots(Kind kind, std::span<const uintptr_t> objects) {
  std::lock_guard lock(mutex_);
  EndRepeats();
  Put(kind);
  PutNumber(objects.size());
  uint64_t last = 0;
  for (const uintptr_t object : objects) {
    PutNumber(ZigZag(GranuleOf(object), last));
    last = GranuleOf(object);
  }
}

void Recorder::Wait(uint32_t thread) {
  std::lock_guard lock(mutex_);
  Turn(thread);
  Put(Kind::kWait);
}

void Recorder::Put(Kind kind) {
  ++events_;
  may_repeat_ = false;
  buffer_ += static_cast<char>(kind);
  if (buffer_.size() >= kBufferBytes) Flush();
}

void Recorder::PutNumber(uint64_t number) {
  for (; number >= 0x80; number >>= 7) buffer_ += static_cast<char>(number | 0x80);
  buffer_ += static_cast<char>(number);
}

void Recorder::Turn(uint32_t thread) {
  EndRepeats();
  if (thread == thread_) return;
  thread_ = thread;
  Put(Kind::kThread);
  PutNumber(thread);
}

void Recorder::EndRepeats() {
  if (repeats_ == 0) return;
  Put(Kind::kRepeat);
  PutNumber(std::exchange(repeats_, 0));
}

void Recorder::Flush() {
  XXH3_64bits_update(&hash_->state, buffer_.data(), buffer_.size());
  WriteAll(buffer_.data(), buffer_.size());
  buffer_.clear();
}

void Recorder::WriteAll(const void* data, size_t bytes) {
  const auto* at = static_cast<const char*>(data);
  while (bytes > 0 && error_ == 0) {
    const ssize_t n = write(fd_, at, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      error_ = errno;
      return;
    }
    at += n;
    bytes -= static_cast<size_t>(n);
  }
}

}  // namespace tandem::record
