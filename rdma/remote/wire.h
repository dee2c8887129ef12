// Wire: what a channel and the keeper hand each other over one server's connection.
//
// The channel uses the connection that it has; when that is broken, or must be given up, the
// channel closes it, hands it over to be taken apart and asks for another. The keeper connects,
// which takes long, allocates and may wait, and offers the result. So the channel's own thread,
// which may be in a fault handler, does none of that.
//
//     channel:  Retire() ............................................ TakeOffer()
//     keeper:             takes `retired` apart, connects, sets `offered`
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "rdma/remote/connection.h"
#include "rdma/remote/remote_server.h"

namespace tandem::rdma {

struct Wire {
  Wire(RemoteServer& its_server, RoadNumber number)
      : server(its_server), channel(number.channel), generation(number.generation) {}
  ~Wire() {
    delete retired.load();
    delete offered.load();
  }

  // The channel's side.
  std::unique_ptr<Connection> TakeOffer() {
    // Relaxed: looked at in every poll of a broken wire. Acquire: the connection's content.
    if (offered.load(std::memory_order_relaxed) == nullptr) return nullptr;
    return std::unique_ptr<Connection>(offered.exchange(nullptr, std::memory_order_acquire));
  }
  void Retire(std::unique_ptr<Connection> connection) {
    connection->Close();
    // Release: the keeper takes apart what we have left. There is no other: the keeper has taken
    // it before it offered this one.
    retired.store(connection.release(), std::memory_order_release);
    wanted.store(true, std::memory_order_release);
  }

  RemoteServer& server;
  const uint32_t channel;
  std::atomic<Connection*> retired{nullptr};
  std::atomic<Connection*> offered{nullptr};
  std::atomic<bool> wanted{false};

  // The keeper's side.
  uint32_t generation;  // of the last connection that was begun
  std::unique_ptr<Connection> connecting;
  uint64_t deadline_ns = 0;  // of `connecting`, or of the next attempt
};

}  // namespace tandem::rdma
