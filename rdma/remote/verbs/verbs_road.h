// VerbsRoad: the memory server's end of the transfers through an RDMA device.
//
// The device reads and writes by itself, so this has nothing to do but connect and disconnect, and
// sleeps otherwise. Threads as in data_road.h.
#pragma once

#include <memory>
#include <string>

#include "rdma/remote/data_road.h"

namespace tandem::rdma {

class VerbsRoad : public DataRoad {
 public:
  // `host` must be an address of an RDMA device.
  static StatusOr<std::unique_ptr<DataRoad>> Open(const std::string& host, Admit admit, Log log);
};

}  // namespace tandem::rdma
