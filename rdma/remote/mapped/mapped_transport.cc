#include "rdma/remote/mapped/mapped_transport.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tandem::rdma {

namespace {

constexpr const char* kEnded = "the memory server has ended, or has taken back what it had lent";

}  // namespace

StatusOr<std::unique_ptr<Transport>> MappedTransport::Open(const TransportOptions& options) {
  auto file = SessionFile::Open(options.service);
  if (!file.ok()) return file.status();
  return std::unique_ptr<Transport>(new MappedTransport(options.depth, std::move(*file)));
}

Status MappedTransport::Register(void* start, size_t bytes) {
  buffers_.Add({reinterpret_cast<uintptr_t>(start), bytes, nullptr});
  return Status::Ok();
}

Status MappedTransport::Attach(LentMemory& lent) {
  auto start = file_->Map(lent.base, lent.bytes);
  if (!start.ok()) return start.status();
  lent.base = reinterpret_cast<uint64_t>(*start);
  return Status::Ok();
}

// The server is not asked: one that is stopped is not missed.
StatusOr<std::unique_ptr<Connection>> MappedTransport::Connect(RoadNumber, const Ask&) {
  if (!serving()) return Status::Unavailable(kEnded);
  return std::unique_ptr<Connection>(std::make_unique<MappedConnection>(*this, depth_));
}

const char* MappedTransport::Watch() {
  // Its memory is given back here, as it would be if there were nobody who has it mapped.
  if (serving() && !file_->OwnerLives()) file_->End();
  return serving() ? nullptr : kEnded;
}

Connection::Posted MappedConnection::Post(const Transfer& t, const Extent& extent, void* context) {
  if (posted_ - taken_ == ring_.size()) return Posted::kFull;
  auto* const far = reinterpret_cast<std::byte*>(extent.base + t.far.offset_bytes);
  Entry& entry = ring_[posted_++ % ring_.size()];
  entry = {nullptr, t.local, t.bytes, context};
  if (t.direction == Direction::kRead) {
    entry.from = far;
  } else {
    std::memcpy(far, t.local, t.bytes);
  }
  return Posted::kYes;
}

Connection::Report MappedConnection::Poll(std::span<void*> done) {
  const size_t n = std::min({done.size(), kCopiesAtOnce, static_cast<size_t>(posted_ - taken_)});
  for (size_t i = 0; i < n; ++i) {
    const Entry& entry = ring_[(taken_ + i) % ring_.size()];
    if (entry.from != nullptr) std::memcpy(entry.to, entry.from, entry.bytes);
    done[i] = entry.context;
  }
  if (!transport_.serving()) {
    trouble_ = kEnded;
    return {.broken = true};
  }
  taken_ += n;
  return {.done = n, .more = taken_ < posted_};
}

}  // namespace tandem::rdma
