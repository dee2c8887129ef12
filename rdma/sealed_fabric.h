// SealedFabric: encrypts pages on their way to another fabric, and decrypts and checks them on
// their way back.
//
// Pages are sealed with AES-256-GCM under a key that is drawn for this fabric and never leaves the
// process. What makes a sealed page this page and its latest state, the nonce (place and number of
// the write) and the tag, stays here, 24 bytes a page of far memory: so pages keep their size on
// the server, and a server can neither read a page, nor change a bit, nor return another page or an
// older state of this one. A page that does not open reads as zeroes and is counted; one that was
// never written reads as zeroes. The pager takes zeroes for damage, since it never stores a page of
// them.
//
// Writes are numbered, retried ones anew, so no nonce comes twice. What is written is copied into
// buffers of this fabric, since its source may be used meanwhile; what is read is decrypted in
// place, by Poll. A page opens as what was written to it last when its read was posted: so one
// whose write was cancelled or failed must be written again, and a read must not be in flight
// with a write of its page on another lane. Transfers must be whole, aligned pages; others are
// refused. Buffers are shared by all channels: with more writes in flight than there are, Post
// accepts none until some have completed.
//
// Threads as for any fabric; but no page may be written on one channel while it is used on another.
// Post, Poll and Cancel neither lock nor allocate.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "rdma/fabric.h"
#include "runtime/base/os_memory.h"

namespace tandem::rdma {

class SealedFabric final : public Fabric {
 public:
  static constexpr const char* kPrefix = "sealed:";  // of the inner fabric's URL

  static StatusOr<std::unique_ptr<Fabric>> Open(std::unique_ptr<Fabric> inner);
  ~SealedFabric() override;

  std::string Name() const override { return kPrefix + inner_->Name(); }
  StatusOr<uint32_t> LendSlab(uint64_t bytes) override;
  Status RegisterBuffer(void* start, size_t bytes) override {
    return inner_->RegisterBuffer(start, bytes);
  }
  bool PinsBuffers() const override { return inner_->PinsBuffers(); }
  StatusOr<std::unique_ptr<Channel>> OpenChannel() override;
  void Discard(FarAddress far, uint64_t bytes) override { inner_->Discard(far, bytes); }
  uint64_t TimeoutNs() const override { return inner_->TimeoutNs(); }
  FabricStats Stats() const override { return inner_->Stats(); }
  const char* ServerOf(FarAddress far) const override { return inner_->ServerOf(far); }
  const char* TroubleAt(FarAddress far) const override { return inner_->TroubleAt(far); }

  // Pages that came back as something else than what was written.
  uint64_t broken_seals() const { return broken_seals_.load(std::memory_order_relaxed); }

 private:
  friend class SealedChannel;

  static constexpr size_t kKeyBytes = 32;
  static constexpr size_t kTagBytes = 16;
  static constexpr uint32_t kMaxSlabs = 1 << 18;
  static constexpr uint32_t kBufferWords = 8;
  static constexpr uint32_t kBuffers = kBufferWords * 64;
  static constexpr uint32_t kNone = UINT32_MAX;

  // All zero for a page that was never written.
  struct Seal {
    uint64_t write = 0;
    std::array<unsigned char, kTagBytes> tag = {};
  };
  static_assert(sizeof(Seal) == 24);
  struct Slab {
    Seal* seals = nullptr;
    uint64_t pages = 0;
    uint32_t first_page = 0;  // the number of its first page among those of all slabs
  };

  explicit SealedFabric(std::unique_ptr<Fabric> inner) : inner_(std::move(inner)) {}

  // The seal of the page that the transfer is about, and the page's number; null if it is not one
  // whole page.
  Seal* Find(const Transfer& transfer, uint32_t& number) const;
  // Buffers for pages on their way out.
  uint32_t TakeBuffer();
  void PutBuffer(uint32_t buffer);
  std::byte* Buffer(uint32_t buffer) const { return buffers_.data() + buffer * base::kPageSize; }

  std::array<unsigned char, kKeyBytes> key_{};
  std::atomic<uint64_t> writes_{0};
  base::OsMemory buffers_;
  std::array<std::atomic<uint64_t>, kBufferWords> taken_{};
  std::unique_ptr<Fabric> inner_;  // registered the buffers: goes before them

  std::mutex mutex_;  // held by those who lend
  base::OsMemory slab_table_;
  Slab* slabs_ = nullptr;  // entries below slab_count_ never change
  std::atomic<uint32_t> slab_count_{0};
  uint64_t pages_ = 0;                      // guarded by mutex_
  std::deque<base::OsMemory> seal_memory_;  // guarded by mutex_

  std::atomic<uint64_t> broken_seals_{0};  // relaxed: a statistic
};

}  // namespace tandem::rdma
