// A network between heaps and servers of this machine that can be cut: nothing gets through then,
// nobody is told, and connections stay as they are. Once it is mended, what was sent meanwhile
// arrives, as TCP would repeat it; what was sent last arrives first, where there is a choice.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "rdma/remote/control.h"
#include "rdma/remote/descriptor.h"
#include "tests/remote/server_process.h"

namespace tandem::rdma {

class Relay {
 public:
  // Ports of 127.0.0.1 are to be reached at this address as well.
  static constexpr const char* kHost = "127.0.0.2";

  explicit Relay(const std::vector<uint16_t>& ports) {
    for (const uint16_t port : ports) {
      Door& door = doors_.emplace_back(port, Socket());
      const int yes = 1;
      setsockopt(door.listener.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
      const sockaddr_in address = Address(kHost, port);
      if (bind(door.listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
              0 ||
          listen(door.listener.get(), 64) != 0) {
        std::perror("relay: a port that it needs is not free");
        std::abort();  // else all tests would wait for their time-outs
      }
    }
    thread_ = std::thread([this] { Main(); });
  }
  ~Relay() {
    stop_ = true;
    thread_.join();
  }

  // Nothing gets through any more when this returns.
  void Cut() {
    const std::lock_guard lock(mutex_);
    cut_ = true;
  }
  void Mend() {
    const std::lock_guard lock(mutex_);
    cut_ = false;
  }

 private:
  struct Door {
    Door(uint16_t p, int descriptor) : port(p), listener(descriptor) {}
    const uint16_t port;
    Descriptor listener;
  };
  // One way of a connection.
  struct Way {
    int from = -1;
    int to = -1;
    std::vector<std::byte> bytes = std::vector<std::byte>(1 << 16);
    size_t first = 0;  // those between are to be sent on
    size_t last = 0;
    bool ended = false;
  };
  struct Pair {
    Pair(int client, int server)
        : ends{Descriptor(client), Descriptor(server)},
          ways{{.from = client, .to = server}, {.from = server, .to = client}} {}
    Descriptor ends[2];
    Way ways[2];
  };

  static int Socket() { return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); }
  static sockaddr_in Address(const char* host, uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    inet_pton(AF_INET, host, &address.sin_addr);
    return address;
  }

  void Main() {
    while (!stop_) {
      std::vector<pollfd> waits;
      {
        const std::lock_guard lock(mutex_);
        if (!cut_) {
          for (Door& door : doors_) Open(door);
          pairs_.remove_if([](Pair& pair) { return !Pass(pair); });
          ListWaits(waits);
        }
      }
      (void)poll(waits.data(), waits.size(), 5);
    }
  }

  // Lets in whoever waits there.
  void Open(Door& door) {
    pollfd wait{door.listener.get(), POLLIN, 0};
    while (poll(&wait, 1, 0) > 0) {
      const int client = accept4(door.listener.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = Socket();
      const sockaddr_in address = Address("127.0.0.1", door.port);
      // If nobody is there, the pair ends at its first use.
      (void)connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address);
      pairs_.emplace_front(client, server);
    }
  }

  // False once both ways have ended, or one is broken.
  static bool Pass(Pair& pair) {
    return Pass(pair.ways[0]) && Pass(pair.ways[1]) && !(pair.ways[0].ended && pair.ways[1].ended);
  }
  static bool Pass(Way& way) {
    while (!way.ended) {
      if (way.first == way.last) {
        const ssize_t n = recv(way.from, way.bytes.data(), way.bytes.size(), MSG_DONTWAIT);
        if (n < 0) return errno == EAGAIN;
        way.ended = n == 0;
        if (way.ended) return shutdown(way.to, SHUT_WR) == 0;
        way.first = 0;
        way.last = static_cast<size_t>(n);
      }
      const ssize_t n = send(way.to, way.bytes.data() + way.first, way.last - way.first,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0) return errno == EAGAIN;
      way.first += static_cast<size_t>(n);
    }
    return true;
  }

  void ListWaits(std::vector<pollfd>& waits) {
    for (const Door& door : doors_) waits.push_back({door.listener.get(), POLLIN, 0});
    for (const Pair& pair : pairs_) {
      for (const Way& way : pair.ways) {
        if (way.ended) continue;
        const bool full = way.first != way.last;
        waits.push_back({full ? way.to : way.from, static_cast<short>(full ? POLLOUT : POLLIN), 0});
      }
    }
  }

  std::list<Door> doors_;
  std::mutex mutex_;
  bool cut_ = false;       // guarded by mutex_
  std::list<Pair> pairs_;  // guarded by mutex_; the newest first
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// The way to a memory server of fabric tcp, on 127.0.0.1, through a relay: for pages and control.
class RelayedServer {
 public:
  explicit RelayedServer(const ServerProcess& server)
      : control_port_(server.address().substr(server.address().find(':') + 1)),
        relay_({Number(control_port_), Number(DataPortOf(server))}) {}

  std::string url() const {
    return std::string("tcp://").append(Relay::kHost).append(":").append(control_port_);
  }
  void Cut() { relay_.Cut(); }
  void Mend() { relay_.Mend(); }

 private:
  static uint16_t Number(const std::string& port) { return static_cast<uint16_t>(std::stoi(port)); }
  // Clients are told when they join.
  static std::string DataPortOf(const ServerProcess& server) {
    const auto client = ControlClient::Make(server.address(), {});
    const Joined joined = client->Join("tcp", "relay").value();
    EXPECT_TRUE(client->Leave(joined.id).ok());
    return joined.service;
  }

  const std::string control_port_;
  Relay relay_;
};

}  // namespace tandem::rdma
