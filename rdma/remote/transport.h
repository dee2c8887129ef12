// Transport: the way to one memory server, as one of the libraries goes it.
//
// Belongs to its RemoteServer and outlives the connections that it makes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "rdma/buffer_table.h"
#include "rdma/remote/connection.h"
#include "rdma/remote/control.h"
#include "rdma/remote/provider.h"
#include "tandem/status.h"

namespace tandem::rdma {

struct TransportOptions {
  Provider provider = Provider::kTcp;
  std::string host = {};     // of the server, if it is not local
  std::string service = {};  // what it told of itself: DataRoad::ServiceFor
  uint64_t depth = 128;      // transfers that one connection carries at most
  std::string source = {};   // this machine's address to go from; empty: the system chooses
  ConnectNote note = {};     // what connections show; channel and generation are filled in
};

class Transport {
 public:
  // Finds the device and the way to the server; waits.
  static StatusOr<std::unique_ptr<Transport>> Open(TransportOptions options);
  virtual ~Transport() = default;

  // Makes a buffer known, of which connections may carry parts. One thread at a time.
  virtual Status Register(void* start, size_t bytes) = 0;

  // Makes borrowed memory reachable, and may change where it begins. One thread at a time.
  virtual Status Attach([[maybe_unused]] LentMemory& lent) { return Status::Ok(); }

  // Looks after the server's end where connections cannot; the keeper calls it now and then, twice
  // a second while nobody keeps it waiting. Why they break from now on: a constant; null if they do
  // not, as far as is known.
  virtual const char* Watch() { return nullptr; }

  // Asks the server where to go; what it is told is where this side's endpoint is.
  using Ask = std::function<StatusOr<std::string>(const std::string& endpoint)>;

  // Begins a connection. `ask` is for providers without connections.
  virtual StatusOr<std::unique_ptr<Connection>> Connect(RoadNumber road, const Ask& ask) = 0;

  const BufferTable& buffers() const { return buffers_; }

 protected:
  BufferTable buffers_;
};

}  // namespace tandem::rdma
