#include "rdma/remote/remote_fabric.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "rdma/remote/remote_channel.h"
#include "runtime/base/options.h"

namespace tandem::rdma {

namespace {

using O = RemoteOptions;
constexpr base::OptionKey<RemoteOptions> kKeys[] = {
    {"depth", &O::depth, 1, 4096},
    {"batch", &O::batch, 1, 4096},
    {"timeout_ms", &O::timeout_ms, 1, 3.6e6},
};

}  // namespace

StatusOr<RemoteOptions> RemoteOptions::Parse(std::string_view url) {
  RemoteOptions options;
  for (;;) {
    const size_t comma = url.find(',');
    const std::string_view item = url.substr(0, comma);
    if (item.find("://") != item.npos) {
      options.servers.emplace_back(item);
    } else if (item.starts_with("source=")) {
      options.source = item.substr(item.find('=') + 1);
    } else {
      const size_t equals = std::min(item.find('='), item.size());
      const std::string_view name = item.substr(0, equals);
      const auto key = std::find_if(std::begin(kKeys), std::end(kKeys),
                                    [&](const auto& k) { return name == k.name; });
      if (key == std::end(kKeys)) {
        return Status::InvalidArgument(
            fmt::format("fabric: '{}' is neither a memory server nor a key; valid are {}; keys are "
                        "depth, batch, timeout_ms, source",
                        Printable(std::string(item)), kServerSyntax));
      }
      const std::string_view value = item.substr(std::min(equals + 1, item.size()));
      if (!base::SetOption(options, *key, value)) {
        return Status::InvalidArgument(
            fmt::format("fabric: {}='{}' makes no sense; valid are whole numbers from {} to {}",
                        key->name, Printable(std::string(value)), key->min, key->max));
      }
    }
    if (comma == url.npos) break;
    url.remove_prefix(comma + 1);
  }
  if (options.servers.empty()) {
    return Status::InvalidArgument(
        fmt::format("fabric: no memory server is named; valid are {}", kServerSyntax));
  }
  return options;
}

std::string RemoteOptions::Name() const {
  const RemoteOptions usual;
  std::string name;
  for (const std::string& server : servers) {
    name += fmt::format("{}{}", name.empty() ? "" : ",", server);
  }
  for (const auto& key : kKeys) {
    const auto field = std::get<uint64_t O::*>(key.field);
    if (this->*field != usual.*field) name += fmt::format(",{}={}", key.name, this->*field);
  }
  if (!source.empty()) name += ",source=" + source;
  return name;
}

RemoteFabric::RemoteFabric(RemoteOptions options) : options_(std::move(options)) {}

StatusOr<std::unique_ptr<Fabric>> RemoteFabric::Open(std::string_view url) {
  StatusOr<RemoteOptions> options = RemoteOptions::Parse(url);
  if (!options.ok()) return options.status();
  std::unique_ptr<RemoteFabric> fabric(new RemoteFabric(std::move(*options)));
  auto table = base::OsMemory::Reserve(kMaxSlabs * sizeof(Slab), base::kPageSize, "the slab table");
  if (!table.ok()) return table.status();
  fabric->slab_table_ = std::move(*table);
  fabric->slabs_ = reinterpret_cast<Slab*>(fabric->slab_table_.data());
  std::vector<RemoteServer*> servers;
  for (const std::string& server_url : fabric->options_.servers) {
    auto server = RemoteServer::Join(server_url, fabric->options_.depth, fabric->options_.source);
    if (!server.ok()) return server.status();
    fabric->servers_.push_back(std::move(*server));
    servers.push_back(fabric->servers_.back().get());
  }
  fabric->keeper_ = std::make_unique<Keeper>(std::move(servers));
  return std::unique_ptr<Fabric>(std::move(fabric));
}

StatusOr<uint32_t> RemoteFabric::LendSlab(uint64_t bytes) {
  if (bytes == 0 || bytes % base::kPageSize != 0) {
    return Status::InvalidArgument(fmt::format(
        "a slab of {} bytes: must be a multiple of {} and not 0", bytes, base::kPageSize));
  }
  const std::lock_guard lock(mutex_);
  // Relaxed: only changed under the lock that we hold.
  const uint32_t number = slab_count_.load(std::memory_order_relaxed);
  if (number == kMaxSlabs) {
    return Status::ResourceExhausted(
        fmt::format("all {} slabs are lent: ask for larger ones", kMaxSlabs));
  }
  const auto server = static_cast<uint32_t>(number % servers_.size());
  StatusOr<Extent> extent = servers_[server]->Borrow(bytes);
  if (!extent.ok()) return extent.status();
  slabs_[number] = {*extent, server};
  // Release: who sees the count sees the entry.
  slab_count_.store(number + 1, std::memory_order_release);
  return number;
}

bool RemoteFabric::Find(FarAddress far, uint64_t bytes, Extent& extent, uint32_t& server) const {
  // Acquire: pairs with the release in LendSlab.
  if (far.slab >= slab_count_.load(std::memory_order_acquire)) return false;
  const Slab& slab = slabs_[far.slab];
  if (far.offset_bytes > slab.extent.bytes || bytes > slab.extent.bytes - far.offset_bytes) {
    return false;
  }
  extent = slab.extent;
  server = slab.server;
  return true;
}

bool RemoteFabric::PinsBuffers() const {
  return std::any_of(servers_.begin(), servers_.end(),
                     [](const auto& server) { return IsDevice(server->provider()); });
}

Status RemoteFabric::RegisterBuffer(void* start, size_t bytes) {
  if (start == nullptr || bytes == 0) {
    return Status::InvalidArgument("a registered buffer must not be empty");
  }
  const std::lock_guard lock(mutex_);
  if (servers_[0]->transport().buffers().full()) {
    return Status::ResourceExhausted(fmt::format(
        "all {} buffers are registered: register larger ones", BufferTable::kMaxBuffers));
  }
  for (const auto& server : servers_) {
    if (Status s = server->transport().Register(start, bytes); !s.ok()) return s;
  }
  return Status::Ok();
}

[[maybe_unused]] bool RemoteFabric::IsRegistered(const void* start, size_t bytes) const {
  return servers_[0]->transport().buffers().Find(start, bytes) != nullptr;
}

StatusOr<std::unique_ptr<Channel>> RemoteFabric::OpenChannel() {
  RoadNumber number;
  {
    const std::lock_guard lock(numbers_mutex_);
    if (free_numbers_.empty()) {
      number.channel = numbers_++;
    } else {
      number = free_numbers_.back();
      free_numbers_.pop_back();
    }
  }
  return RemoteChannel::Open(*this, number);
}

void RemoteFabric::PutNumber(RoadNumber number) {
  const std::lock_guard lock(numbers_mutex_);
  free_numbers_.push_back(number);
}

void RemoteFabric::Discard(FarAddress far, uint64_t bytes) {
  Extent extent;
  uint32_t server = 0;
  // Relaxed: a statistic.
  if (Find(far, bytes, extent, server)) {
    discarded_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
}

FabricStats RemoteFabric::Stats() const {
  FabricStats stats;
  traffic_.Tell(stats);
  const uint32_t count = slab_count_.load(std::memory_order_acquire);
  for (uint32_t i = 0; i < count; ++i) {
    if (!servers_[slabs_[i].server]->lost()) stats.lent_bytes += slabs_[i].extent.bytes;
  }
  // Relaxed: a statistic.
  stats.discarded_bytes = discarded_bytes_.load(std::memory_order_relaxed);
  return stats;
}

const char* RemoteFabric::ServerOf(FarAddress far) const {
  Extent extent;
  uint32_t server = 0;
  return Find(far, 0, extent, server) ? servers_[server]->url().c_str() : "(none)";
}

const char* RemoteFabric::TroubleAt(FarAddress far) const {
  Extent extent;
  uint32_t server = 0;
  if (!Find(far, 0, extent, server) || servers_[server]->lost()) return nullptr;
  return servers_[server]->trouble();
}

void RegisterRemoteFabrics() {
  PrepareLibfabric();
  const FabricDescription descriptions[] = {
      {"tcp://HOST:PORT", "memory servers over TCP (libfabric)"},
      {"tcp-rdm://HOST:PORT", "the same by reliable datagrams, as over EFA: to try that road"},
      {"shm://NAME", "a memory server on this machine, whose memory is mapped"},
      {"shm-ofi://NAME", "the same over libfabric: the server copies"},
      {"verbs://HOST:PORT", "memory servers over InfiniBand, RoCE or iWARP (libibverbs)"},
      {"verbs-ofi://HOST:PORT", "the same through libfabric"},
      {"efa://HOST:PORT", "memory servers over Amazon's EFA (libfabric)"},
  };
  static_assert(std::size(descriptions) == std::size(kProviderNames));
  for (size_t i = 0; i < std::size(descriptions); ++i) {
    RegisterFabricKind(
        {.scheme = kProviderNames[i], .description = descriptions[i], .open = RemoteFabric::Open});
  }
}

}  // namespace tandem::rdma
