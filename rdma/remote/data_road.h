// DataRoad: the memory server's end of the one-sided transfers.
//
// A session holds what one client may reach: a domain of its own, so that no client's keys mean
// anything on another's connections, the memory lent to it, and an endpoint for each of its
// channels. A channel that connects again has its former endpoint closed first: nothing that it
// sent there takes effect any more (see libfabric_channel.h, which relies on it).
//
// Providers in software move bytes only while somebody calls them, so Serve must be called all
// the time. One thread calls everything here, but for Wake.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rdma/remote/control.h"
#include "rdma/remote/ofi.h"
#include "runtime/base/os_memory.h"

namespace tandem::rdma {

class DataSession {
 public:
  // Zero-filled and registered.
  StatusOr<LentMemory> Lend(uint64_t bytes);

 private:
  friend class DataRoad;
  friend class MessageRoad;
  friend class SharedMemoryRoad;

  struct Slab {
    base::OsMemory memory;
    FidPtr<fid_mr> region;
  };
  struct Endpoint {
    uint32_t generation = 0;
    FidPtr<fid_av> addresses;
    FidPtr<fid_ep> endpoint;
  };

  bool virtual_addresses_ = false;
  uint64_t next_key_ = 1;
  FidPtr<fid_domain> domain_;
  FidPtr<fid_cq> queue_;
  std::vector<Slab> slabs_;
  std::map<uint32_t, Endpoint> endpoints_;  // by channel
};

class DataRoad {
 public:
  // Says which session may connect with this note; null: none.
  using Admit = std::function<DataSession*(const ConnectNote& note)>;
  // Told of each connection that is refused.
  using Log = std::function<void(const std::string& line)>;

  // `host`: the address to listen on, if the provider has any.
  static StatusOr<std::unique_ptr<DataRoad>> Open(Provider provider, const std::string& host,
                                                  Admit admit, Log log);
  virtual ~DataRoad() = default;

  // What clients connect to besides the host; empty if OpenRoad says it.
  virtual std::string service() const = 0;

  StatusOr<std::unique_ptr<DataSession>> OpenSession();

  virtual void CloseSession(std::unique_ptr<DataSession> session) = 0;

  // For providers without connections: the address of a fresh endpoint for the client's, whose own
  // address is `peer`.
  virtual StatusOr<std::string> OpenRoad(DataSession& session, const RoadNumber& road,
                                         const std::string& peer) = 0;

  // Serves what has arrived; waits for more for about `wait_ms`, unless woken. 0: does not wait.
  virtual void Serve(int wait_ms) = 0;
  virtual void Wake() = 0;

 protected:
  // Whether completion queues have a descriptor to wait on.
  virtual bool CanWait() const { return false; }
  virtual void Opened(DataSession&) {}
  static void Drain(fid_cq& queue);
  StatusOr<FidPtr<fid_ep>> MakeEndpoint(DataSession& session, fi_info& info);

  InfoPtr info_;
  FidPtr<fid_fabric> fabric_;
};

}  // namespace tandem::rdma
