#include "rdma/remote/memory_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <optional>
#include <utility>

#include "rdma/remote/data_road.h"
#include "rdma/remote/host_port.h"
#include "rdma/remote/random_number.h"
#include "rdma/remote/shared_memory_files.h"
#include "runtime/base/clock.h"
#include "runtime/base/os_memory.h"
#include "runtime/base/signals_blocked.h"

namespace tandem::rdma {

namespace {

constexpr int kServeMs = 20;
constexpr uint64_t kLeaseCheckNs = 100'000'000;
constexpr uint64_t kDeafNs = 10 * kLeaseCheckNs;
constexpr uint64_t kRefusalLineNs = 1'000'000'000;

// Without its unit, as in `64 of 128 MiB`.
std::string InMiB(uint64_t bytes) {
  return fmt::format("{:.6g}", static_cast<double>(bytes) / (1 << 20));
}

bool IsLoopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

MemoryServer::MemoryServer(MemoryServerOptions options)
    : options_(std::move(options)), epoch_(RandomNumber()) {}

StatusOr<std::unique_ptr<MemoryServer>> MemoryServer::Start(MemoryServerOptions options) {
  std::unique_ptr<MemoryServer> server(new MemoryServer(std::move(options)));
  if (Status s = server->Open(); !s.ok()) return s;
  return server;
}

Status MemoryServer::Open() {
  const MemoryServerOptions& o = options_;
  if (o.slab_bytes == 0 || o.slab_bytes % base::kPageSize != 0 || o.slab_bytes > o.capacity_bytes) {
    return Status::InvalidArgument(
        fmt::format("slabs of {} bytes: must be whole pages of {} bytes, and fit into the "
                    "capacity of {} bytes",
                    o.slab_bytes, base::kPageSize, o.capacity_bytes));
  }
  std::string host;
  std::string address = o.listen;
  const std::optional<Provider> provider = ProviderNamed(o.fabric);
  if (!provider.has_value()) {
    return Status::InvalidArgument(
        fmt::format("unknown fabric '{}'; valid are {}", Printable(o.fabric), kProviderList));
  }
  if (IsLocal(*provider)) {
    StatusOr<std::string> socket = SharedMemoryControlAddress(o.listen);
    if (!socket.ok()) return socket.status();
    address = *socket;
    if (Status s = TakeName(address.substr(std::strlen("unix:"))); !s.ok()) return s;
    const size_t removed = *provider == Provider::kShmOfi ? RemoveStaleSharedMemory() : 0;
    if (removed > 0) {
      o.log(fmt::format("removed {} files of processes that were killed from {}", removed,
                        kSharedMemoryFolder));
    }
  } else {
    StatusOr<HostPort> parsed = HostPort::Parse(address);
    if (!parsed.ok()) return parsed.status();
    host = parsed->host;
    if (!IsLoopback(host) && o.credentials.empty() && !o.insecure) {
      return Status::NotPermitted(fmt::format(
          "{} is not this machine alone: anybody who reaches it could borrow memory. "
          "Give --secret-file or --tls-cert, or --insecure if the network is yours alone",
          Printable(host)));
    }
  }
  auto road = DataRoad::Open(
      *provider, host,
      [this](const ConnectNote& note) -> DataSession* {
        StatusOr<Client*> client = Find({note.epoch, note.client});
        return client.ok() ? (*client)->session.get() : nullptr;
      },
      [this](const std::string& reason) {
        Refused(Refusal::kConnection, "a connection for pages", reason);
      });
  if (!road.ok()) {
    return Status(road.status().code(), fmt::format("cannot listen on {}: {}", Printable(o.listen),
                                                    road.status().message()));
  }
  road_ = std::move(*road);
  // Of these the data thread has nothing to poll for.
  if (*provider == Provider::kShm || *provider == Provider::kVerbs) options_.busy_poll = false;
  {
    const base::SignalsBlocked blocked;
    thread_ = std::thread([this] { DataThread(); });
  }
  auto control = ControlServer::Start(address, o.credentials, *this);
  if (!control.ok()) return control.status();
  control_ = std::move(*control);
  if (IsLocal(*provider)) {
    url_ = fmt::format("{}://{}", o.fabric, o.listen);
  } else {
    url_ = fmt::format("{}://{}:{}", o.fabric, o.listen.substr(0, o.listen.rfind(':')),
                       control_->port());
  }
  return Status::Ok();
}

// gRPC would take the name from another server that has it. The lock's file stays: who removed it
// could remove the one that somebody else has locked since.
Status MemoryServer::TakeName(const std::string& socket_path) {
  const std::string lock_path = socket_path + ".lock";
  name_lock_ = Descriptor(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (name_lock_.get() < 0 || flock(name_lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return Status::Unavailable(
        errno == EWOULDBLOCK
            ? fmt::format("a memory server has the name {} already", Printable(options_.listen))
            : fmt::format("cannot lock {}: {}", lock_path, std::strerror(errno)));
  }
  socket_path_ = socket_path;
  return Status::Ok();
}

MemoryServer::~MemoryServer() {
  control_.reset();
  if (thread_.joinable()) {
    stop_.store(true);
    road_->Wake();
    thread_.join();
  }
  for (auto& [id, client] : clients_) road_->CloseSession(std::move(client.session));
  if (!socket_path_.empty()) (void)unlink(socket_path_.c_str());
}

void MemoryServer::DataThread() {
  pthread_setname_np(pthread_self(), "tandem-data");
  uint64_t next_lease_check_ns = 0;
  uint32_t round = 0;
  while (!stop_.load()) {
    road_->Serve(options_.busy_poll ? 0 : kServeMs);
    if (options_.busy_poll && ++round % 64 != 0) continue;
    RunTasks();
    if (const uint64_t now = base::NowNs(); now >= next_lease_check_ns) {
      next_lease_check_ns = now + kLeaseCheckNs;
      EndLeases();
    }
  }
  RunTasks();
}

void MemoryServer::RunTasks() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

void MemoryServer::OnDataThread(const std::function<void()>& task) {
  std::promise<void> done;
  {
    const std::lock_guard lock(tasks_mutex_);
    tasks_.push_back([&] {
      task();
      done.set_value();
    });
  }
  road_->Wake();
  done.get_future().wait();
}

void MemoryServer::EndLeases() {
  const uint64_t now = base::NowNs();
  // A server that was stopped could not hear its clients: that time is not theirs.
  const uint64_t gap_ns = now - leases_checked_ns_;
  const uint64_t deaf_ns = leases_checked_ns_ != 0 && gap_ns > kDeafNs ? gap_ns : 0;
  leases_checked_ns_ = now;
  for (auto& [id, client] : clients_) client.expires_ns += deaf_ns;
  std::vector<uint64_t> ended;
  for (const auto& [id, client] : clients_) {
    if (client.expires_ns < now) ended.push_back(id);
  }
  totals_.leases_ended += ended.size();
  for (const uint64_t id : ended) Remove(id, "its lease has ended");
}

StatusOr<MemoryServer::Client*> MemoryServer::Find(ClientId id) {
  if (id.epoch != epoch_) {
    return Refuse(Refusal::kUnknownClient, fmt::format("client {:016x}", id.client),
                  Status::DataLoss("the memory server was restarted, what it had lent is gone"));
  }
  const auto found = clients_.find(id.client);
  if (found == clients_.end()) {
    return Refuse(Refusal::kUnknownClient, fmt::format("client {:016x}", id.client),
                  Status::DataLoss("no such client: it has left, or its lease has ended"));
  }
  return &found->second;
}

void MemoryServer::Remove(uint64_t id, const char* why) {
  const auto found = clients_.find(id);
  Client& client = found->second;
  options_.log(fmt::format("client {} is gone: {}; {} bytes are free again", client.name, why,
                           client.lent_bytes));
  lent_bytes_ -= client.lent_bytes;
  road_->CloseSession(std::move(client.session));
  clients_.erase(found);
}

void MemoryServer::Refused(Refusal why, const std::string& who, const std::string& reason) {
  uint64_t more = 0;
  {
    const std::lock_guard lock(refusals_mutex_);
    Refusals& refusals = refusals_[static_cast<size_t>(why)];
    ++refusals.count;
    const uint64_t now = base::NowNs();
    if (now < refusals.next_line_ns) {
      ++refusals.unlogged;
      return;
    }
    refusals.next_line_ns = now + kRefusalLineNs;
    more = std::exchange(refusals.unlogged, 0);
  }
  options_.log(
      fmt::format("refused {}: {}{}", who, reason,
                  more == 0 ? "" : fmt::format(" ({} more since the last such line)", more)));
}

Status MemoryServer::Refuse(Refusal why, const std::string& who, Status status) {
  Refused(why, who, status.message());
  return status;
}

StatusOr<LentMemory> MemoryServer::LendTo(Client& client, uint64_t bytes) {
  const std::string who = "client " + client.name;
  if (draining()) {
    return Refuse(Refusal::kDraining, who, Status::Unavailable("it is shutting down"));
  }
  const uint64_t limit = options_.client_bytes == 0 ? UINT64_MAX : options_.client_bytes;
  if (bytes == 0 || bytes % base::kPageSize != 0) {
    return Refuse(
        Refusal::kNonsense, who,
        Status::InvalidArgument(fmt::format("{} bytes cannot be lent: not whole pages", bytes)));
  }
  // Before rounding, which could wrap around.
  const bool fits_client = bytes <= limit - client.lent_bytes;
  const bool fits = bytes <= options_.capacity_bytes - lent_bytes_;
  const uint64_t whole = fits && fits_client ? base::RoundUp(bytes, options_.slab_bytes) : 0;
  if (!fits_client || whole > limit - client.lent_bytes) {
    return Refuse(Refusal::kClientLimit, who,
                  Status::ResourceExhausted(
                      fmt::format("one client may borrow {} MiB and has {}: {} more is too much",
                                  InMiB(limit), InMiB(client.lent_bytes), InMiB(bytes))));
  }
  if (!fits || whole > options_.capacity_bytes - lent_bytes_) {
    return Refuse(Refusal::kCapacity, who,
                  Status::ResourceExhausted(fmt::format(
                      "{} of its {} MiB are lent: {} more is too much", InMiB(lent_bytes_),
                      InMiB(options_.capacity_bytes), InMiB(bytes))));
  }
  StatusOr<LentMemory> lent = client.session->Lend(whole);
  if (!lent.ok()) {
    options_.log(fmt::format("cannot lend to {}: {}", who, lent.status().message()));
    return lent;
  }
  client.lent_bytes += whole;
  lent_bytes_ += whole;
  totals_.lent_bytes_total += whole;
  return lent;
}

StatusOr<Joined> MemoryServer::Join(const std::string& fabric, const std::string& name) {
  const std::string who = "client " + Printable(name);
  if (draining()) {
    return Refuse(Refusal::kDraining, who, Status::Unavailable("it is shutting down"));
  }
  if (fabric != options_.fabric) {
    return Refuse(Refusal::kNonsense, who,
                  Status::InvalidArgument(fmt::format("it serves fabric {}, not {}",
                                                      options_.fabric, Printable(fabric))));
  }
  StatusOr<Joined> joined = Status::Internal("");
  OnDataThread([&] {
    auto session = road_->OpenSession();
    if (!session.ok()) {
      joined = session.status();
      return;
    }
    const uint64_t id = RandomNumber();
    joined =
        Joined{{epoch_, id}, options_.lease_ms, options_.slab_bytes, road_->ServiceFor(**session)};
    clients_[id] = {.name = Printable(name),
                    .expires_ns = base::NowNs() + options_.lease_ms * 1'000'000,
                    .session = std::move(*session)};
    ++totals_.joined;
    options_.log(fmt::format("client {} has joined", clients_[id].name));
  });
  return joined;
}

Status MemoryServer::Renew(ClientId id) {
  Status status;
  OnDataThread([&] {
    StatusOr<Client*> client = Find(id);
    status = client.status();
    if (client.ok()) (*client)->expires_ns = base::NowNs() + options_.lease_ms * 1'000'000;
  });
  return status;
}

StatusOr<LentMemory> MemoryServer::Lend(ClientId id, uint64_t bytes) {
  StatusOr<LentMemory> lent = Status::Internal("");
  OnDataThread([&] {
    StatusOr<Client*> client = Find(id);
    lent = client.ok() ? LendTo(**client, bytes) : client.status();
  });
  return lent;
}

StatusOr<std::string> MemoryServer::OpenRoad(ClientId id, const RoadNumber& road,
                                             const std::string& endpoint) {
  StatusOr<std::string> address = Status::Internal("");
  OnDataThread([&] {
    StatusOr<Client*> client = Find(id);
    if (client.ok()) {
      address = road_->OpenRoad(*(*client)->session, road, endpoint);
    } else {
      address = client.status();
    }
  });
  return address;
}

Status MemoryServer::Leave(ClientId id) {
  Status status;
  OnDataThread([&] {
    status = Find(id).status();
    if (!status.ok()) return;
    ++totals_.left;
    Remove(id.client, "it has left");
  });
  return status;
}

MemoryServerStats MemoryServer::Stats() {
  MemoryServerStats stats;
  OnDataThread([&] {
    stats = totals_;
    stats.clients = clients_.size();
    stats.lent_bytes = lent_bytes_;
  });
  stats.capacity_bytes = options_.capacity_bytes;
  stats.slab_bytes = options_.slab_bytes;
  const std::lock_guard lock(refusals_mutex_);
  for (size_t i = 0; i < kRefusalCount; ++i) stats.refused[i] = refusals_[i].count;
  return stats;
}

}  // namespace tandem::rdma
