// MappedTransport: the way to a memory server of this machine, whose lent memory is mapped here.
//
// Who wants a page copies it: the server takes no part, and there is nothing to wait for. What can
// fail is the server, and with it ends what it has lent: it takes the memory back, or its process
// is gone, which Watch finds out (and until then pages are served). Then all connections break.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "rdma/remote/mapped/session_file.h"
#include "rdma/remote/transport.h"

namespace tandem::rdma {

class MappedTransport final : public Transport {
 public:
  static StatusOr<std::unique_ptr<Transport>> Open(const TransportOptions& options);

  Status Register(void* start, size_t bytes) override;
  Status Attach(LentMemory& lent) override;
  StatusOr<std::unique_ptr<Connection>> Connect(RoadNumber road, const Ask& ask) override;
  const char* Watch() override;

  // For its connections.
  bool serving() const { return file_->serving(); }

 private:
  MappedTransport(uint64_t depth, std::unique_ptr<SessionFile> file)
      : depth_(depth), file_(std::move(file)) {}

  const uint64_t depth_;
  const std::unique_ptr<SessionFile> file_;
};

// Writes are copied when they are posted, while their bytes are in the cache; reads when they are
// polled for, so that who posts many early does not pay for them.
class MappedConnection final : public Connection {
 public:
  MappedConnection(const MappedTransport& transport, size_t depth)
      : transport_(transport), ring_(depth) {}

  State Check() override { return State::kReady; }
  Posted Post(const Transfer& transfer, const Extent& extent, void* context) override;
  Report Poll(std::span<void*> done) override;
  void Close() override { taken_ = posted_; }

 private:
  // So that a poll does not take long.
  static constexpr size_t kCopiesAtOnce = 8;

  struct Entry {
    const std::byte* from;  // null: there is nothing left to do
    void* to;
    size_t bytes;
    void* context;
  };

  const MappedTransport& transport_;
  std::vector<Entry> ring_;
  uint64_t posted_ = 0;
  uint64_t taken_ = 0;
};

}  // namespace tandem::rdma
