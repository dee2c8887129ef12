// Recorder: writes what the threads of one heap do to a file, in the order in which they do it.
//
// Any thread; a lock an event, so recording is slow. Addresses given to it lie in the heap. What
// cannot be written is remembered and told by Finish; the run goes on.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "runtime/record/format.h"
#include "tandem/status.h"

namespace tandem::record {

class Recorder {
 public:
  // Opens the file. What was in it stays until a heap begins to be recorded.
  static StatusOr<std::unique_ptr<Recorder>> Create(const std::string& path);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // For the one heap that is recorded; false if there was one already.
  bool Begin(uintptr_t heap_base, uint64_t heap_bytes);
  // Writes what is left. No event may come any more.
  Status Finish();

  // A number for a thread.
  uint32_t AddThread();

  // `object` is the address of a header, `address` one in or at that object.
  void Access(uint32_t thread, uintptr_t object, uintptr_t address);
  void Birth(uint32_t thread, uintptr_t object, uint64_t bytes, bool leaf);
  // `target` is the header of what the reference refers to; 0 is null.
  void Store(uint32_t thread, uintptr_t object, uintptr_t slot, uintptr_t target);
  // Kind::kRange or kHint.
  void Pages(uint32_t thread, Kind kind, uint64_t first, uint64_t count);
  // Kind::kCycle or kRoots. Headers of objects.
  void Roots(Kind kind, std::span<const uintptr_t> objects);
  void Wait(uint32_t thread);

 private:
  struct HashState;

  Recorder(std::string path, int fd);

  uint64_t GranuleOf(uintptr_t address) const { return (address - base_) >> 4; }
  // These need the lock.
  void Put(Kind kind);
  void PutNumber(uint64_t number);
  void Turn(uint32_t thread);
  void EndRepeats();
  void Flush();
  void WriteAll(const void* data, size_t bytes);

  const std::string path_;
  const int fd_;
  uintptr_t base_ = 0;

  std::mutex mutex_;  // guards what follows
  bool begun_ = false;
  std::string buffer_;
  std::unique_ptr<HashState> hash_;
  Places places_;
  uint64_t events_ = 0;
  uint32_t threads_ = 0;
  uint32_t thread_ = 0;      // whose events come now
  bool may_repeat_ = false;  // the last event was the access below
  uint64_t last_object_ = 0;
  uint64_t last_page_ = 0;
  uint64_t repeats_ = 0;
  int error_ = 0;  // errno
};

}  // namespace tandem::record
