// `tandem memserver`. Main thread.
#pragma once

#include <cstdint>
#include <string>

#include "rdma/remote/memory_server.h"
#include "tandem/status.h"

namespace tandem::tools {

struct MemserverRequest {
  rdma::MemoryServerOptions server;
  uint64_t lease_seconds = 30;
  uint64_t drain_seconds = 30;
  std::string secret_file;  // empty: there is no secret
  std::string tls_cert;     // files; all empty: no TLS
  std::string tls_key;
  std::string tls_ca;
  std::string http;  // HOST:PORT of the status page; empty: there is none
};

// Says on standard output when heaps may come, and serves them until SIGTERM or SIGINT. Then it
// lets nobody new in and waits for those that are there, until a second signal.
Status RunMemserver(MemserverRequest request);

}  // namespace tandem::tools
