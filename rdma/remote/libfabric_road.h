// The memory server's end of the transfers through libfabric. Threads as in data_road.h.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rdma/remote/data_road.h"
#include "rdma/remote/ofi.h"
#include "runtime/base/os_memory.h"

namespace tandem::rdma {

class LibfabricSession final : public DataSession {
 public:
  StatusOr<LentMemory> Lend(uint64_t bytes) override;

 private:
  friend class LibfabricRoad;
  friend class MessageRoad;
  friend class DatagramRoad;

  struct Slab {
    base::OsMemory memory;
    FidPtr<fid_mr> region;
  };
  struct Endpoint {
    uint32_t generation = 0;
    FidPtr<fid_av> addresses;
    FidPtr<fid_ep> endpoint;
  };

  uint64_t Key();

  bool virtual_addresses_ = false;
  bool random_keys_ = false;
  uint64_t next_key_ = 1;
  FidPtr<fid_domain> domain_;
  FidPtr<fid_cq> queue_;
  std::vector<Slab> slabs_;
  std::map<uint32_t, Endpoint> endpoints_;  // by channel
};

class LibfabricRoad : public DataRoad {
 public:
  StatusOr<std::unique_ptr<DataSession>> OpenSession() override;

 protected:
  // Whether completion queues have a descriptor to wait on.
  virtual bool CanWait() const { return false; }
  virtual void Opened(LibfabricSession&) {}
  static bool ChoosesKeys(const fi_info& info);
  static void Drain(fid_cq& queue);
  StatusOr<FidPtr<fid_ep>> MakeEndpoint(LibfabricSession& session, fi_info& info);

  InfoPtr info_;
  FidPtr<fid_fabric> fabric_;
};

StatusOr<std::unique_ptr<DataRoad>> OpenLibfabricRoad(Provider provider, const std::string& host,
                                                      DataRoad::Admit admit, DataRoad::Log log);

}  // namespace tandem::rdma
