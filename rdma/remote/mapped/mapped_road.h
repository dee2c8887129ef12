// MappedRoad: the memory server's end where heaps of the same machine map what it lends.
//
// They copy by themselves, so this has nothing to do but lend. Threads as in data_road.h.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "rdma/remote/data_road.h"

namespace tandem::rdma {

class MappedRoad final : public DataRoad {
 public:
  std::string ServiceFor(const DataSession& session) const override;
  StatusOr<std::unique_ptr<DataSession>> OpenSession() override;
  // What the client has mapped reads as zeroes from now on, and it is told so first.
  void CloseSession(std::unique_ptr<DataSession> session) override;
  StatusOr<std::string> OpenRoad(DataSession& session, const RoadNumber& road,
                                 const std::string& peer) override;
  void Serve(int wait_ms) override;
  void Wake() override;

 private:
  // What Serve waits on. It counts, so that a Wake before the wait is not lost. Sequentially
  // consistent: not on any hot path.
  std::atomic<uint32_t> wakeups_{0};
  uint32_t seen_ = 0;
};

}  // namespace tandem::rdma
