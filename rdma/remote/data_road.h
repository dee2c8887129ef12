// DataRoad: the memory server's end of the one-sided transfers.
//
// A session holds what one client may reach: a domain of its own, so that no client's keys mean
// anything on another's connections, the memory lent to it, and an endpoint for each of its
// channels. A channel that connects again has its former endpoint closed first: nothing that it
// sent there takes effect any more (see remote_channel.h, which relies on it).
//
// Providers in software move bytes only while somebody calls them, so Serve must be called all
// the time. One thread calls everything here, but for Wake.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "rdma/remote/connection.h"
#include "rdma/remote/control.h"
#include "rdma/remote/provider.h"
#include "runtime/base/os_memory.h"
#include "tandem/status.h"

namespace tandem::rdma {

class DataSession {
 public:
  virtual ~DataSession() = default;

  // Zero-filled and registered.
  virtual StatusOr<LentMemory> Lend(uint64_t bytes) = 0;
};

// Of one session, at a time: channels that have gone leave their numbers to others. A client that
// has more is out of its mind.
inline constexpr size_t kMaxChannels = 4096;

class DataRoad {
 public:
  // Says which session may connect with this note; null: none.
  using Admit = std::function<DataSession*(const ConnectNote& note)>;
  // Told of each connection that is refused, and why.
  using Log = std::function<void(const std::string& reason)>;

  // `host`: the address to listen on, if the provider has any.
  static StatusOr<std::unique_ptr<DataRoad>> Open(Provider provider, const std::string& host,
                                                  Admit admit, Log log);
  virtual ~DataRoad() = default;

  // What a client needs to know besides the host: a port, or where its memory is; empty if OpenRoad
  // says it.
  virtual std::string ServiceFor(const DataSession& session) const = 0;

  virtual StatusOr<std::unique_ptr<DataSession>> OpenSession() = 0;
  virtual void CloseSession(std::unique_ptr<DataSession> session) = 0;

  // For providers without connections: the address of a fresh endpoint for the client's, whose own
  // address is `peer`.
  virtual StatusOr<std::string> OpenRoad(DataSession& session, const RoadNumber& road,
                                         const std::string& peer) = 0;

  // Serves what has arrived; waits for more for about `wait_ms`, unless woken. 0: does not wait.
  virtual void Serve(int wait_ms) = 0;
  virtual void Wake() = 0;
};

// What sessions lend: zero-filled, in huge pages if the kernel has any.
StatusOr<base::OsMemory> ReserveLentMemory(uint64_t bytes);

}  // namespace tandem::rdma
