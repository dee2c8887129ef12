#include "tools/memserver_command.h"

#include <fmt/format.h>

#include <csignal>
#include <ctime>
#include <memory>
#include <utility>

#include "rdma/remote/control.h"
#include "rdma/remote/status_page.h"
#include "tools/terminal.h"
#include "workloads/bytes.h"

namespace tandem::tools {

Status RunMemserver(MemserverRequest request) {
  if (!request.secret_file.empty()) {
    StatusOr<std::string> secret = rdma::ReadSecret(request.secret_file);
    if (!secret.ok()) return secret.status();
    request.server.credentials.secret = *secret;
  }
  auto tls = rdma::TlsIdentity::Read(request.tls_cert, request.tls_key, request.tls_ca);
  if (!tls.ok()) return tls.status();
  request.server.credentials.tls = std::move(*tls);
  request.server.lease_ms = request.lease_seconds * 1000;
  request.server.log = [](const std::string& line) { WriteError(line); };

  // Taken by sigwait below, on this thread alone: the server's threads inherit this.
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);

  auto server = rdma::MemoryServer::Start(request.server);
  if (!server.ok()) return server.status();
  std::unique_ptr<rdma::StatusPage> page;
  if (!request.http.empty()) {
    auto started = rdma::StatusPage::Start(request.http, **server);
    if (!started.ok()) return started.status();
    page = std::move(*started);
    WriteError(fmt::format("status page on port {}", page->port()));
  }
  Status status = WriteOutput(fmt::format("ready: {} lends {} (epoch {:016x})\n", (*server)->url(),
                                          workloads::FormatBytes(request.server.capacity_bytes),
                                          (*server)->epoch()));
  if (!status.ok()) return status;

  int signal = 0;
  sigwait(&ending, &signal);
  (*server)->Drain();
  const timespec pause{.tv_sec = 0, .tv_nsec = 50'000'000};
  uint64_t rounds = request.drain_seconds * 20;
  for (uint64_t clients = (*server)->Stats().clients; clients > 0 && rounds > 0; --rounds) {
    if (rounds == request.drain_seconds * 20) {
      WriteError(
          fmt::format("ending: waits for {} heap{} to leave", clients, clients == 1 ? "" : "s"));
    }
    if (sigtimedwait(&ending, nullptr, &pause) > 0) break;
    clients = (*server)->Stats().clients;
  }
  return Status::Ok();
}

}  // namespace tandem::tools
