// StatusPage: what people and their monitoring ask a memory server, over HTTP.
//
//     GET /metrics   counts and sizes, in Prometheus' text format (docs/fabrics.md)
//     GET /healthz   200 "ok", or 503 "draining" from SIGTERM on
//
// Shows nothing that is secret and changes nothing, and so asks nobody who he is. Requests are
// served by threads of its own.
#pragma once

#include <memory>
#include <string>

#include "tandem/status.h"

namespace tandem::rdma {

class MemoryServer;

class StatusPage {
 public:
  // `address`: HOST:PORT, port 0 for any. `server` outlives the page.
  static StatusOr<std::unique_ptr<StatusPage>> Start(const std::string& address,
                                                     MemoryServer& server);
  virtual ~StatusPage() = default;

  virtual int port() const = 0;
};

// The text of /metrics.
std::string PrometheusText(MemoryServer& server);

}  // namespace tandem::rdma
