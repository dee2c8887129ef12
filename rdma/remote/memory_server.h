// MemoryServer: lends this process' memory to heaps elsewhere, which read and write it one-sidedly.
//
// Heaps join over the control protocol (control.h), borrow slabs and connect their channels to the
// data road (data_road.h). A client that does not renew its lease in time has vanished: its
// connections are closed and its memory goes back to the system. The epoch is drawn at the start;
// who shows another one was a client of an earlier server, whose memory is gone, and is told so.
//
// One thread of its own, the data thread, makes all calls of the data road; requests are handed to
// it.
// Any thread may call the methods.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "rdma/remote/control.h"
#include "rdma/remote/descriptor.h"
#include "tandem/status.h"

namespace tandem::rdma {

class DataRoad;
class DataSession;

struct MemoryServerOptions {
  std::string fabric = "tcp";          // a provider's name: provider.h
  std::string listen = "127.0.0.1:0";  // HOST:PORT; for shm and shm-ofi a name
  uint64_t capacity_bytes = uint64_t{1} << 30;
  uint64_t slab_bytes = uint64_t{64} << 20;
  uint64_t client_bytes = 0;  // at most this for one client; 0: all of the capacity
  uint64_t lease_ms = 30'000;
  Credentials credentials = {};  // what clients must show
  bool insecure = false;         // listen beyond this machine although they must show nothing
  bool busy_poll = false;        // the data thread never sleeps, if it has anything to serve
  // Called on any thread. Of refusals for one reason it hears once a second, and how many there
  // were.
  std::function<void(const std::string& line)> log = [](const std::string&) {};
};

// What pages travel is not in it: reads and writes are one-sided, and pass the server by.
struct MemoryServerStats {
  uint64_t capacity_bytes = 0;
  uint64_t slab_bytes = 0;
  uint64_t clients = 0;
  uint64_t lent_bytes = 0;
  // So far:
  uint64_t joined = 0;
  uint64_t left = 0;
  uint64_t leases_ended = 0;
  uint64_t lent_bytes_total = 0;
  uint64_t refused[kRefusalCount] = {};
};

class MemoryServer final : private ControlHandler {
 public:
  static StatusOr<std::unique_ptr<MemoryServer>> Start(MemoryServerOptions options);
  ~MemoryServer() override;
  MemoryServer(const MemoryServer&) = delete;
  MemoryServer& operator=(const MemoryServer&) = delete;

  // What heaps give as their fabric.
  const std::string& url() const { return url_; }
  uint64_t epoch() const { return epoch_; }

  // From now on nobody new is let in and nothing more is lent.
  void Drain() { draining_.store(true); }
  bool draining() const { return draining_.load(); }

  MemoryServerStats Stats();

 private:
  struct Client {
    std::string name;
    uint64_t lent_bytes = 0;
    uint64_t expires_ns = 0;
    std::unique_ptr<DataSession> session;
  };

  explicit MemoryServer(MemoryServerOptions options);
  Status Open();
  Status TakeName(const std::string& socket_path);
  void DataThread();
  // Runs `task` on the data thread and waits for it.
  void OnDataThread(const std::function<void()>& task);
  void RunTasks();
  void EndLeases();
  // On the data thread, as all that touches clients_.
  StatusOr<Client*> Find(ClientId id);
  void Remove(uint64_t client, const char* why);
  StatusOr<LentMemory> LendTo(Client& client, uint64_t bytes);

  void Refused(Refusal why, const std::string& who, const std::string& reason) override;
  // As Refused, with what is returned to who asked.
  Status Refuse(Refusal why, const std::string& who, Status status);
  StatusOr<Joined> Join(const std::string& fabric, const std::string& name) override;
  Status Renew(ClientId id) override;
  StatusOr<LentMemory> Lend(ClientId id, uint64_t bytes) override;
  StatusOr<std::string> OpenRoad(ClientId id, const RoadNumber& road,
                                 const std::string& endpoint) override;
  Status Leave(ClientId id) override;

  MemoryServerOptions options_;
  std::string url_;
  Descriptor name_lock_;     // of the name, if it is local; held for as long as this exists
  std::string socket_path_;  // to be removed at the end; empty: none
  uint64_t epoch_ = 0;
  std::atomic<bool> draining_{false};
  std::atomic<bool> stop_{false};

  std::unique_ptr<DataRoad> road_;
  std::unordered_map<uint64_t, Client> clients_;
  uint64_t lent_bytes_ = 0;
  uint64_t leases_checked_ns_ = 0;
  MemoryServerStats totals_;  // but for what is counted in refusals_
  struct Refusals {
    uint64_t count = 0;
    uint64_t unlogged = 0;  // since the last line about them
    uint64_t next_line_ns = 0;
  };
  std::mutex refusals_mutex_;
  Refusals refusals_[kRefusalCount];  // guarded by refusals_mutex_

  std::mutex tasks_mutex_;
  std::vector<std::function<void()>> tasks_;

  std::thread thread_;
  std::unique_ptr<ControlServer> control_;  // last: its threads use the rest
};

}  // namespace tandem::rdma
