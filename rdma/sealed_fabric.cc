#include "rdma/sealed_fabric.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "runtime/base/check.h"

namespace tandem::rdma {

namespace {

struct ContextFreer {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, ContextFreer>;

constexpr int kPageBytes = static_cast<int>(base::kPageSize);

// 96 bits: the page's number and that of its write.
std::array<unsigned char, 12> NonceOf(uint32_t page, uint64_t write) {
  std::array<unsigned char, 12> nonce;
  std::memcpy(nonce.data(), &page, sizeof page);
  std::memcpy(nonce.data() + sizeof page, &write, sizeof write);
  return nonce;
}

}  // namespace

class SealedChannel final : public Channel {
 public:
  SealedChannel(SealedFabric& fabric, std::unique_ptr<Channel> inner)
      : fabric_(fabric), inner_(std::move(inner)), slots_(inner_->depth()) {
    for (uint32_t i = static_cast<uint32_t>(slots_.size()); i > 0; --i) {
      slots_[i - 1].next = free_;
      free_ = i - 1;
    }
  }
  ~SealedChannel() override {
    inner_.reset();  // uses the buffers until then
    for (const Slot& slot : slots_) {
      if (slot.taken && slot.buffer != SealedFabric::kNone) fabric_.PutBuffer(slot.buffer);
    }
  }

  Status Open() {
    seal_.reset(EVP_CIPHER_CTX_new());
    open_.reset(EVP_CIPHER_CTX_new());
    const bool ready = seal_ != nullptr && open_ != nullptr &&
                       EVP_EncryptInit_ex(seal_.get(), EVP_aes_256_gcm(), nullptr,
                                          fabric_.key_.data(), nullptr) == 1 &&
                       EVP_DecryptInit_ex(open_.get(), EVP_aes_256_gcm(), nullptr,
                                          fabric_.key_.data(), nullptr) == 1;
    return ready ? Status::Ok() : Status::Internal("OpenSSL offers no AES-256-GCM");
  }

  size_t Post(std::span<const Transfer> transfers) override {
    size_t accepted = 0;
    for (const Transfer& transfer : transfers) {
      if (!PostOne(transfer)) break;
      ++accepted;
    }
    return accepted;
  }

  size_t Poll(std::span<Completion> done) override {
    const size_t n = inner_->Poll(done);
    for (Completion& completion : done.first(n)) {
      const auto index = static_cast<uint32_t>(completion.cookie);
      Slot& slot = slots_[index];
      completion.cookie = slot.transfer.cookie;
      if (slot.refused && completion.outcome == Outcome::kDone) {
        completion.outcome = Outcome::kRefused;
      } else if (completion.outcome == Outcome::kDone &&
                 slot.transfer.direction == Direction::kRead) {
        OpenPage(slot);
      }
      Release(index);
    }
    return n;
  }

  bool Cancel(uint64_t cookie) override {
    for (uint32_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].taken || slots_[i].transfer.cookie != cookie) continue;
      if (!inner_->Cancel(i)) return false;
      Release(i);
      return true;
    }
    return false;
  }

  size_t depth() const override { return inner_->depth(); }
  size_t in_flight() const override { return inner_->in_flight(); }

 private:
  struct Slot {
    Transfer transfer;
    SealedFabric::Seal seal;  // of a read: what the page must open with
    uint32_t page = 0;
    bool refused = false;
    uint32_t buffer = SealedFabric::kNone;  // of a write
    uint32_t next = SealedFabric::kNone;    // in the list of free slots
    bool taken = false;
  };

  bool PostOne(const Transfer& transfer) {
    const uint32_t index = free_;
    if (index == SealedFabric::kNone || inner_->in_flight() == inner_->depth()) return false;
    Slot& slot = slots_[index];
    slot.transfer = transfer;
    SealedFabric::Seal* const seal = fabric_.Find(transfer, slot.page);
    slot.refused = seal == nullptr;
    slot.buffer = SealedFabric::kNone;
    Transfer inner = transfer;
    inner.cookie = index;
    if (seal == nullptr) {
      // Comes back refused, in its turn: as a read of nothing that exists.
      inner.direction = Direction::kRead;
      inner.far.slab = UINT32_MAX;
    } else if (transfer.direction == Direction::kWrite) {
      slot.buffer = fabric_.TakeBuffer();
      if (slot.buffer == SealedFabric::kNone) return false;
      inner.local = fabric_.Buffer(slot.buffer);
      slot.seal = SealPage(slot);
    } else {
      slot.seal = *seal;
    }
    if (inner_->Post({&inner, 1}) == 0) {
      if (slot.buffer != SealedFabric::kNone) fabric_.PutBuffer(slot.buffer);
      return false;
    }
    // Not before: a write that was not accepted leaves the page as it was.
    if (slot.buffer != SealedFabric::kNone) *seal = slot.seal;
    free_ = slot.next;
    slot.taken = true;
    return true;
  }

  void Release(uint32_t index) {
    Slot& slot = slots_[index];
    if (slot.buffer != SealedFabric::kNone) fabric_.PutBuffer(slot.buffer);
    slot.taken = false;
    slot.next = free_;
    free_ = index;
  }

  SealedFabric::Seal SealPage(const Slot& slot) {
    // Relaxed: the numbers need only differ.
    SealedFabric::Seal seal{.write = fabric_.writes_.fetch_add(1, std::memory_order_relaxed) + 1};
    const auto nonce = NonceOf(slot.page, seal.write);
    auto* const to = reinterpret_cast<unsigned char*>(fabric_.Buffer(slot.buffer));
    const auto* const from = static_cast<const unsigned char*>(slot.transfer.local);
    EVP_CIPHER_CTX* const context = seal_.get();
    int bytes = 0;
    const bool sealed = EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
                        EVP_EncryptUpdate(context, to, &bytes, from, kPageBytes) == 1 &&
                        bytes == kPageBytes &&
                        EVP_EncryptFinal_ex(context, to + bytes, &bytes) == 1 &&
                        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, SealedFabric::kTagBytes,
                                            seal.tag.data()) == 1;
    // Else plain text might leave.
    TANDEM_CHECK(sealed, "OpenSSL does not encrypt a page");
    return seal;
  }

  void OpenPage(Slot& slot) {
    SealedFabric::Seal& seal = slot.seal;
    auto* const page = static_cast<unsigned char*>(slot.transfer.local);
    if (seal.write != 0) {
      const auto nonce = NonceOf(slot.page, seal.write);
      EVP_CIPHER_CTX* const context = open_.get();
      int bytes = 0;
      if (EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
          EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, SealedFabric::kTagBytes,
                              seal.tag.data()) == 1 &&
          EVP_DecryptUpdate(context, page, &bytes, page, kPageBytes) == 1 &&
          EVP_DecryptFinal_ex(context, page + bytes, &bytes) == 1) {
        return;
      }
      fabric_.broken_seals_.fetch_add(1, std::memory_order_relaxed);
    }
    std::memset(page, 0, base::kPageSize);
  }

  SealedFabric& fabric_;
  std::unique_ptr<Channel> inner_;
  std::vector<Slot> slots_;
  uint32_t free_ = SealedFabric::kNone;
  Context seal_;
  Context open_;
};

StatusOr<std::unique_ptr<Fabric>> SealedFabric::Open(std::unique_ptr<Fabric> inner) {
  std::unique_ptr<SealedFabric> fabric(new SealedFabric(std::move(inner)));
  if (RAND_priv_bytes(fabric->key_.data(), kKeyBytes) != 1) {
    return Status::Internal("OpenSSL gives no random key");
  }
  auto buffers =
      base::OsMemory::Reserve(kBuffers * base::kPageSize, base::kPageSize, "sealed pages");
  if (!buffers.ok()) return buffers.status();
  fabric->buffers_ = std::move(*buffers);
  // A device that pins them must not lose them to a child's copy.
  madvise(fabric->buffers_.data(), fabric->buffers_.size(), MADV_DONTFORK);
  auto table = base::OsMemory::Reserve(kMaxSlabs * sizeof(Slab), base::kPageSize, "a slab table");
  if (!table.ok()) return table.status();
  fabric->slab_table_ = std::move(*table);
  fabric->slabs_ = reinterpret_cast<Slab*>(fabric->slab_table_.data());
  if (Status s = fabric->inner_->RegisterBuffer(fabric->buffers_.data(), fabric->buffers_.size());
      !s.ok()) {
    return s;
  }
  return std::unique_ptr<Fabric>(std::move(fabric));
}

SealedFabric::~SealedFabric() { OPENSSL_cleanse(key_.data(), kKeyBytes); }

StatusOr<uint32_t> SealedFabric::LendSlab(uint64_t bytes) {
  if (bytes == 0 || bytes % base::kPageSize != 0) {
    return Status::InvalidArgument("a slab consists of whole pages");
  }
  const std::lock_guard lock(mutex_);
  const uint64_t pages = bytes / base::kPageSize;
  // Relaxed: only changed under the lock that we hold.
  const uint32_t expected = slab_count_.load(std::memory_order_relaxed);
  if (pages > UINT32_MAX - pages_ || expected == kMaxSlabs) {
    return Status::ResourceExhausted(
        fmt::format("encrypted far memory has at most 16 TiB and {} slabs", kMaxSlabs));
  }
  auto seals = base::OsMemory::Reserve(pages * sizeof(Seal), base::kPageSize, "seals of far pages");
  if (!seals.ok()) return seals.status();
  StatusOr<uint32_t> number = inner_->LendSlab(bytes);
  if (!number.ok()) return number;
  TANDEM_CHECK(*number == expected, "slabs are not numbered one after the other");
  slabs_[*number] = {reinterpret_cast<Seal*>(seals->data()), pages, static_cast<uint32_t>(pages_)};
  seal_memory_.push_back(std::move(*seals));
  pages_ += pages;
  // Release: who sees the count sees the entry.
  slab_count_.store(*number + 1, std::memory_order_release);
  return number;
}

StatusOr<std::unique_ptr<Channel>> SealedFabric::OpenChannel() {
  auto inner = inner_->OpenChannel();
  if (!inner.ok()) return inner;
  auto channel = std::make_unique<SealedChannel>(*this, std::move(*inner));
  if (Status s = channel->Open(); !s.ok()) return s;
  return std::unique_ptr<Channel>(std::move(channel));
}

SealedFabric::Seal* SealedFabric::Find(const Transfer& transfer, uint32_t& number) const {
  // Acquire: pairs with the release in LendSlab.
  if (transfer.far.slab >= slab_count_.load(std::memory_order_acquire)) return nullptr;
  const Slab& slab = slabs_[transfer.far.slab];
  const uint64_t page = transfer.far.offset_bytes / base::kPageSize;
  if (transfer.bytes != base::kPageSize || transfer.far.offset_bytes % base::kPageSize != 0 ||
      page >= slab.pages) {
    return nullptr;
  }
  number = slab.first_page + static_cast<uint32_t>(page);
  return &slab.seals[page];
}

uint32_t SealedFabric::TakeBuffer() {
  for (uint32_t i = 0; i < kBufferWords; ++i) {
    // Relaxed: the exchange below decides.
    uint64_t seen = taken_[i].load(std::memory_order_relaxed);
    while (seen != UINT64_MAX) {
      const int bit = std::countr_one(seen);
      // Acquire: whoever had it is done with it.
      if (taken_[i].compare_exchange_weak(seen, seen | (uint64_t{1} << bit),
                                          std::memory_order_acquire, std::memory_order_relaxed)) {
        return i * 64 + static_cast<uint32_t>(bit);
      }
    }
  }
  return kNone;
}

void SealedFabric::PutBuffer(uint32_t buffer) {
  taken_[buffer / 64].fetch_and(~(uint64_t{1} << (buffer % 64)), std::memory_order_release);
}

}  // namespace tandem::rdma
