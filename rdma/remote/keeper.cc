#include "rdma/remote/keeper.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <utility>

#include "runtime/base/backoff.h"
#include "runtime/base/clock.h"
#include "runtime/base/futex.h"
#include "runtime/base/signals_blocked.h"

namespace tandem::rdma {

namespace {

constexpr uint64_t kConnectLimitNs = 1'000'000'000;
constexpr uint64_t kFirstConnectLimitNs = 5'000'000'000;
constexpr uint64_t kRetryNs = 20'000'000;
constexpr uint64_t kMendNs = 500'000;
constexpr uint64_t kIdleNs = 500'000'000;

}  // namespace

Keeper::Keeper(std::vector<RemoteServer*> servers) : servers_(std::move(servers)) {
  const base::SignalsBlocked blocked;
  thread_ = std::thread([this] { ThreadMain(); });
}

Keeper::~Keeper() {
  stop_.store(true);
  Wake();
  thread_.join();
}

void Keeper::Wake() {
  wakeups_.fetch_add(1);
  base::FutexWake(wakeups_, 1);
}

Status Keeper::Add(Wire& wire) {
  auto connection = Connection::Start(wire.server, {wire.channel, ++wire.generation});
  if (!connection.ok()) return connection.status();
  const uint64_t deadline = base::NowNs() + kFirstConnectLimitNs;
  for (base::Backoff backoff;; backoff.Pause()) {
    const Connection::State state = (*connection)->Check();
    if (state == Connection::State::kReady) break;
    if (state == Connection::State::kFailed || base::NowNs() > deadline) {
      const char* const trouble = (*connection)->Trouble();
      return Status::Unavailable(
          fmt::format("memory server {} {} a channel's connection{}{}", wire.server.url(),
                      state == Connection::State::kFailed ? "refuses" : "does not answer",
                      trouble == nullptr ? "" : ": ", trouble == nullptr ? "" : trouble));
    }
  }
  wire.offered.store(connection->release(), std::memory_order_release);
  const std::lock_guard lock(mutex_);
  wires_.push_back(&wire);
  return Status::Ok();
}

void Keeper::Remove(Wire& wire) {
  const std::lock_guard lock(mutex_);
  std::erase(wires_, &wire);
}

void Keeper::ThreadMain() {
  pthread_setname_np(pthread_self(), "tandem-keeper");
  while (!stop_.load()) {
    const uint32_t seen = wakeups_.load();
    WatchServers();
    bool busy = false;
    {
      const std::lock_guard lock(mutex_);
      for (Wire* wire : wires_) {
        busy |= Mend(*wire);
        // With a server that does not answer each takes a second: the others' leases go on.
        if (base::NowNs() >= next_renewal_ns_) RenewLeases();
      }
    }
    RenewLeases();
    base::FutexWait(wakeups_, seen, busy ? kMendNs : kIdleNs);
  }
}

bool Keeper::Mend(Wire& wire) {
  // Acquire: pairs with Wire::Retire.
  if (!wire.wanted.load(std::memory_order_acquire)) return false;
  delete wire.retired.exchange(nullptr, std::memory_order_acquire);
  if (wire.server.lost()) return false;
  const uint64_t now = base::NowNs();
  if (wire.connecting == nullptr) {
    if (now < wire.deadline_ns) return true;
    auto connection = Connection::Start(wire.server, {wire.channel, ++wire.generation});
    wire.deadline_ns = base::NowNs() + (connection.ok() ? kConnectLimitNs : kRetryNs);
    if (connection.ok()) wire.connecting = std::move(*connection);
    return true;
  }
  switch (wire.connecting->Check()) {
    case Connection::State::kReady:
      wire.server.SetTrouble(nullptr);
      wire.deadline_ns = 0;
      wire.wanted.store(false, std::memory_order_relaxed);
      // Release: what the channel takes is complete, and it may want another from then on.
      wire.offered.store(wire.connecting.release(), std::memory_order_release);
      return false;
    case Connection::State::kConnecting:
      if (now < wire.deadline_ns) return true;
      break;
    case Connection::State::kFailed:
      wire.server.SetTrouble(wire.connecting->Trouble());
      // Perhaps another server listens there now: the lease tells.
      next_renewal_ns_ = std::min(next_renewal_ns_, now);
      break;
  }
  wire.connecting.reset();
  wire.deadline_ns = now + kRetryNs;
  return true;
}

void Keeper::WatchServers() {
  for (RemoteServer* server : servers_) {
    const char* const trouble = server->lost() ? nullptr : server->transport().Watch();
    if (trouble == nullptr) continue;
    server->SetTrouble(trouble);
    // Perhaps another server has its place now: the lease tells.
    next_renewal_ns_ = std::min(next_renewal_ns_, base::NowNs() + kIdleNs);
  }
}

void Keeper::RenewLeases() {
  // A server that does not lend is asked for a sign of life, for nobody else would notice one.
  const bool silence = std::any_of(servers_.begin(), servers_.end(), [](const auto* server) {
    return server->silent() && !server->lost();
  });
  if (!silence && base::NowNs() < next_renewal_ns_) return;
  uint64_t wait_ns = UINT64_MAX;
  for (RemoteServer* server : servers_) {
    if (server->lost()) continue;
    const Status status = server->Renew();
    const uint64_t lease_ns = server->joined().lease_ms * 1'000'000;
    wait_ns = std::min(wait_ns, status.ok() ? lease_ns / 3 : std::min(lease_ns / 10, kIdleNs));
  }
  next_renewal_ns_ = wait_ns == UINT64_MAX ? UINT64_MAX : base::NowNs() + wait_ns;
}

}  // namespace tandem::rdma
