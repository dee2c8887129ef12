// Connection: one channel's endpoint towards one memory server, with a completion queue of its own,
// so that channels share no lock and nobody else's call moves its bytes.
//
// Begins connecting when it is made. Used by one thread at a time: who makes it, then the channel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "rdma/channel.h"
#include "rdma/remote/control.h"
#include "tandem/status.h"

namespace tandem::rdma {

class RemoteServer;

// Far memory of one server: a slab of the fabric.
struct Extent {
  uint64_t bytes = 0;
  uint64_t key = 0;
  uint64_t base = 0;  // remote address of its first byte
};

// What a channel tells the server when it connects: who it is. The server takes a connection only
// if the epoch is its own, the client known, and the generation above that channel's last.
struct ConnectNote {
  static constexpr uint32_t kMagic = 0x54414e44;
  uint32_t magic = kMagic;
  uint32_t version = 1;
  uint64_t epoch = 0;
  uint64_t client = 0;
  uint32_t channel = 0;
  uint32_t generation = 0;

  bool IsValid() const { return magic == kMagic && version == ConnectNote{}.version; }
};
static_assert(sizeof(ConnectNote) == 32, "verbs carries 56 bytes");

class Connection {
 public:
  enum class State : uint8_t { kConnecting, kReady, kFailed };
  enum class Posted : uint8_t {
    kYes,
    kFull,    // poll, and try again
    kBroken,  // close it
  };
  struct Report {
    size_t done = 0;          // how many contexts were filled in
    bool more = false;        // others may have completed as well
    bool broken = false;      // nothing more comes: close it
    void* refused = nullptr;  // of the transfer that the server refused, which broke it
  };

  // Begins to connect the road's channel with the server.
  static StatusOr<std::unique_ptr<Connection>> Start(RemoteServer& server, RoadNumber road);
  virtual ~Connection() = default;

  // Goes on connecting; does not wait. Once it has said kReady it must not be called any more.
  virtual State Check() = 0;

  // Posts one transfer to where `extent` says; `context` comes back from Poll. It is sure to be on
  // its way only after Flush.
  virtual Posted Post(const Transfer& transfer, const Extent& extent, void* context) = 0;
  // False: the connection is broken.
  virtual bool Flush() { return true; }

  // The contexts of what has completed.
  virtual Report Poll(std::span<void*> done) = 0;

  // Discards all that is in flight: nothing is read into or written from a buffer of ours after
  // this returns. Nothing else may be called then, but Trouble.
  virtual void Close() = 0;

  // Why it failed or broke, for people: a constant; null if nothing is known.
  const char* Trouble() const { return trouble_; }

 protected:
  const char* trouble_ = nullptr;
};

}  // namespace tandem::rdma
