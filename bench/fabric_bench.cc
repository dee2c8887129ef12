// What our channels to memory servers cost over libfabric itself, and what the pager adds.
//
// `Read`: 4 KiB reads from another process on this machine, one at a time and 32 at a time, through
// our channel from a memory server (`ours_us`, `ours_gb_s`), and in turn with it through a bare
// endpoint of libfabric's tcp or shm from a process that does nothing but progress (`bare_us`,
// `bare_gb_s`). `ratio` is ours over bare, of time for one and of bandwidth for 32. `server_us` is
// the memory server's processor time for a page of ours. While one side is measured the far
// process of the other is stopped.
// `Miss`: a chase through far pages of a heap over the same server, by barrier; `adds_us` is the
// median fetch less a read of a page through the channel, measured before.
// Targets: ratio of time at most 1.3 (shm_ofi) and 1.5 (tcp), of bandwidth at least 0.8; adds_us at
// most 2. (shm maps: its ratio says what that saves.)
// Limit: on one machine both ends, and the emulated wire between them, share its cores; where the
// server's memory is mapped (shm), memory's own latency and bandwidth.
//
// Needs the command `tandem`, built: ../tools/tandem from here, or what TANDEM_COMMAND names.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/bench_heap.h"
#include "rdma/remote/ofi.h"
#include "rdma/remote/remote_fabric.h"
#include "runtime/base/clock.h"
#include "runtime/base/os_memory.h"
#include "tandem/tandem.hpp"
#include "workloads/random.h"

namespace tandem::bench {
namespace {

constexpr uint64_t kFarBytes = 64 * kMiB;
constexpr size_t kDepth = 32;
constexpr uint64_t kReads = 4000;  // of one turn
constexpr char kBareFarSide[] = "--bare-far-side";

[[noreturn]] void Die(const std::string& why) {
  std::fprintf(stderr, "fabric_bench: %s\n", why.c_str());
  std::exit(1);
}
void Must(const char* what, int64_t result) {
  if (result < 0) Die(rdma::OfiError(what, result).message());
}

// A process that says one line when it is ready, and is killed in the end.
class FarProcess {
 public:
  explicit FarProcess(std::vector<std::string> words) {
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    int ends[2];
    if (pipe(ends) != 0) Die("pipe");
    pid_ = fork();
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(ends[1], STDOUT_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
    close(ends[1]);
    char c = 0;
    while (read(ends[0], &c, 1) == 1 && c != '\n') ready_ += c;
    close(ends[0]);
    if (ready_.empty()) Die(words[0] + " did not start");
  }
  ~FarProcess() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  FarProcess(const FarProcess&) = delete;
  FarProcess& operator=(const FarProcess&) = delete;

  const std::string& ready() const { return ready_; }
  void Stop() const {
    kill(pid_, SIGSTOP);
    waitpid(pid_, nullptr, WUNTRACED);
  }
  void Continue() const { kill(pid_, SIGCONT); }
  double CpuSeconds() const {
    FILE* file = std::fopen(("/proc/" + std::to_string(pid_) + "/stat").c_str(), "r");
    uint64_t user = 0, system = 0;
    if (file == nullptr ||
        std::fscanf(file, "%*d %*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
                    &system) != 2) {
      Die("cannot read a process' times");
    }
    std::fclose(file);
    return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
  }

 private:
  pid_t pid_ = -1;
  std::string ready_;
};

FarProcess StartServer(const std::string& fabric, bool spins = false) {
  const char* named = std::getenv("TANDEM_COMMAND");
  const std::string command =
      named != nullptr
          ? named
          : std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../tools/tandem";
  const std::string listen =
      fabric == "tcp" ? "127.0.0.1:0" : "fabric-bench-" + std::to_string(getpid());
  std::vector<std::string> words = {command, "memserver", "--fabric", fabric, "--listen", listen};
  if (spins) words.emplace_back("--busy-poll");
  return FarProcess(std::move(words));
}
std::string UrlOf(const FarProcess& server) {
  const std::string& ready = server.ready();
  if (!ready.starts_with("ready: ")) Die(ready);
  return ready.substr(7, ready.find(' ', 7) - 7);
}

base::OsMemory Buffer(size_t bytes) {
  auto memory = base::OsMemory::Reserve(bytes, base::kPageSize, "a buffer");
  if (!memory.ok()) Die(memory.status().message());
  std::memset(memory->data(), 0x5a, bytes);
  return std::move(*memory);
}

// --- Bare libfabric: one endpoint, one completion queue ---

struct Bare {
  rdma::InfoPtr info;
  rdma::FidPtr<fid_fabric> fabric;
  rdma::FidPtr<fid_domain> domain;
  rdma::FidPtr<fid_cq> queue;
  rdma::FidPtr<fid_eq> events;
  rdma::FidPtr<fid_av> addresses;
  rdma::FidPtr<fid_ep> endpoint;

  void OpenFabric(rdma::Provider provider, const char* node, const char* service, uint64_t flags) {
    auto found = rdma::GetInfo(provider, node, service, flags);
    if (!found.ok()) Die(found.status().message());
    info = std::move(*found);
    fid_fabric* opened = nullptr;
    Must("fi_fabric", rdma::Ofi().fabric(info->fabric_attr, &opened, nullptr));
    fabric.reset(opened);
    fi_eq_attr attributes{};
    attributes.wait_obj = FI_WAIT_UNSPEC;
    fid_eq* eq = nullptr;
    if (!rdma::IsLocal(provider)) {
      Must("fi_eq_open", fi_eq_open(opened, &attributes, &eq, nullptr));
      events.reset(eq);
    }
  }
  void OpenDomain(fi_info* of) {
    fid_domain* opened = nullptr;
    Must("fi_domain", fi_domain(fabric.get(), of, &opened, nullptr));
    domain.reset(opened);
    fi_cq_attr attributes{};
    attributes.format = FI_CQ_FORMAT_CONTEXT;
    attributes.wait_obj = FI_WAIT_NONE;
    fid_cq* cq = nullptr;
    Must("fi_cq_open", fi_cq_open(opened, &attributes, &cq, nullptr));
    queue.reset(cq);
  }
  void OpenEndpoint(fi_info* of) {
    fid_ep* opened = nullptr;
    Must("fi_endpoint", fi_endpoint(domain.get(), of, &opened, nullptr));
    endpoint.reset(opened);
    Must("fi_ep_bind", fi_ep_bind(opened, &queue->fid, FI_TRANSMIT | FI_RECV));
    if (events != nullptr) {
      Must("fi_ep_bind", fi_ep_bind(opened, &events->fid, 0));
    } else {
      fi_av_attr attributes{};
      attributes.type = FI_AV_TABLE;
      fid_av* av = nullptr;
      Must("fi_av_open", fi_av_open(domain.get(), &attributes, &av, nullptr));
      addresses.reset(av);
      Must("fi_ep_bind", fi_ep_bind(opened, &av->fid, 0));
    }
    Must("fi_enable", fi_enable(opened));
  }
  void Progress() const {
    fi_cq_entry entries[16];
    (void)fi_cq_read(queue.get(), entries, std::size(entries));
  }
  // Waits for a connection's next event, which is to be this one.
  fi_eq_cm_entry Await(uint32_t wanted) const {
    alignas(fi_eq_cm_entry) char buffer[sizeof(fi_eq_cm_entry) + 256];
    uint32_t event = 0;
    ssize_t n;
    while ((n = fi_eq_read(events.get(), &event, buffer, sizeof buffer, 0)) == -FI_EAGAIN) {
      if (queue != nullptr) Progress();
    }
    Must("fi_eq_read", n);
    if (event != wanted) Die("a connection failed");
    fi_eq_cm_entry entry;
    std::memcpy(&entry, buffer, sizeof entry);
    return entry;
  }
};

// "ready KEY BASE NAME", NAME a port or an address. Serves until it is killed.
[[noreturn]] void ServeBare(const std::string& fabric) {
  const rdma::Provider provider = fabric == "tcp" ? rdma::Provider::kTcp : rdma::Provider::kShmOfi;
  const base::OsMemory memory = Buffer(kFarBytes);
  Bare bare;
  rdma::FidPtr<fid_pep> listener;
  std::string name(256, '\0');
  size_t length = name.size();
  bare.OpenFabric(provider, fabric == "tcp" ? "127.0.0.1" : nullptr,
                  fabric == "tcp" ? "0" : nullptr, fabric == "tcp" ? FI_SOURCE : 0);
  bare.OpenDomain(bare.info.get());
  if (fabric == "tcp") {
    fid_pep* opened = nullptr;
    Must("fi_passive_ep", fi_passive_ep(bare.fabric.get(), bare.info.get(), &opened, nullptr));
    listener.reset(opened);
    Must("fi_pep_bind", fi_pep_bind(opened, &bare.events->fid, 0));
    Must("fi_listen", fi_listen(opened));
    Must("fi_getname", fi_getname(&opened->fid, name.data(), &length));
    const auto* address = reinterpret_cast<const sockaddr_in*>(name.data());
    name = std::to_string(ntohs(address->sin_port));
  } else {
    bare.OpenEndpoint(bare.info.get());
    Must("fi_getname", fi_getname(&bare.endpoint->fid, name.data(), &length));
    name = name.c_str();
  }
  fid_mr* region = nullptr;
  Must("fi_mr_reg", fi_mr_reg(bare.domain.get(), memory.data(), kFarBytes,
                              FI_REMOTE_READ | FI_REMOTE_WRITE, 0, 1, 0, &region, nullptr));
  const bool virtual_addresses = (bare.info->domain_attr->mr_mode & FI_MR_VIRT_ADDR) != 0;
  std::printf("ready %" PRIu64 " %" PRIu64 " %s\n", fi_mr_key(region),
              virtual_addresses ? static_cast<uint64_t>(memory.address()) : 0, name.c_str());
  std::fflush(stdout);
  if (fabric == "tcp") {
    const rdma::InfoPtr info(bare.Await(FI_CONNREQ).info);
    bare.OpenEndpoint(info.get());
    Must("fi_accept", fi_accept(bare.endpoint.get(), nullptr, 0));
    (void)bare.Await(FI_CONNECTED);
  }
  for (;;) bare.Progress();
}

class BareReader {
 public:
  explicit BareReader(const std::string& fabric)
      : far_({std::filesystem::read_symlink("/proc/self/exe"), kBareFarSide, fabric}) {
    char name[256];
    if (std::sscanf(far_.ready().c_str(), "ready %" SCNu64 " %" SCNu64 " %255s", &key_, &base_,
                    name) != 3) {
      Die(far_.ready());
    }
    if (fabric == "tcp") {
      bare_.OpenFabric(rdma::Provider::kTcp, "127.0.0.1", name, 0);
      bare_.OpenDomain(bare_.info.get());
      bare_.OpenEndpoint(bare_.info.get());
      Must("fi_connect", fi_connect(bare_.endpoint.get(), bare_.info->dest_addr, nullptr, 0));
      (void)bare_.Await(FI_CONNECTED);
    } else {
      bare_.OpenFabric(rdma::Provider::kShmOfi, nullptr, nullptr, 0);
      bare_.OpenDomain(bare_.info.get());
      bare_.OpenEndpoint(bare_.info.get());
      if (fi_av_insert(bare_.addresses.get(), name, 1, &peer_, 0, nullptr) != 1)
        Die("fi_av_insert");
    }
  }

  const FarProcess& far() const { return far_; }

  void Read(uint64_t count, size_t depth) {
    uint64_t posted = 0, done = 0;
    while (done < count) {
      while (posted < count && posted - done < depth) {
        const uint64_t place = posted * base::kPageSize;
        const ssize_t result =
            fi_read(bare_.endpoint.get(), buffer_.data() + place % buffer_.size(), base::kPageSize,
                    nullptr, peer_, base_ + place % kFarBytes, key_, this);
        if (result == -FI_EAGAIN) break;
        Must("fi_read", result);
        ++posted;
      }
      fi_cq_entry entries[16];
      const ssize_t n = fi_cq_read(bare_.queue.get(), entries, std::size(entries));
      if (n == -FI_EAGAIN) continue;
      Must("fi_cq_read", n);
      done += static_cast<uint64_t>(n);
    }
  }

 private:
  FarProcess far_;
  Bare bare_;
  base::OsMemory buffer_ = Buffer(kDepth * base::kPageSize);
  fi_addr_t peer_ = 0;
  uint64_t key_ = 0, base_ = 0;
};

// --- Ours ---

class ChannelReader {
 public:
  explicit ChannelReader(const std::string& url) {
    auto fabric = rdma::Fabric::Open(url);
    if (!fabric.ok()) Die(fabric.status().message());
    fabric_ = std::move(*fabric);
    slab_ = fabric_->LendSlab(kFarBytes).value();
    (void)fabric_->RegisterBuffer(buffer_.data(), buffer_.size());
    channel_ = std::move(fabric_->OpenChannel().value());
    Carry(kFarBytes / base::kPageSize, kDepth, rdma::Direction::kWrite);
  }
  ~ChannelReader() {
    channel_.reset();
    fabric_.reset();
  }

  void Read(uint64_t count, size_t depth) { Carry(count, depth, rdma::Direction::kRead); }

 private:
  void Carry(uint64_t count, size_t depth, rdma::Direction direction) {
    uint64_t posted = 0, done = 0;
    while (done < count) {
      while (posted < count && posted - done < depth) {
        const uint64_t place = posted * base::kPageSize;
        const rdma::Transfer transfer{.direction = direction,
                                      .far = {slab_, place % kFarBytes},
                                      .local = buffer_.data() + place % buffer_.size(),
                                      .bytes = base::kPageSize};
        if (channel_->Post({&transfer, 1}) == 0) break;
        ++posted;
      }
      rdma::Completion completions[16];
      done += channel_->Poll(completions);
    }
  }

  std::unique_ptr<rdma::Fabric> fabric_;
  std::unique_ptr<rdma::Channel> channel_;
  base::OsMemory buffer_ = Buffer(kDepth * base::kPageSize);
  uint32_t slab_ = 0;
};

template <typename Reader>
double SecondsOf(Reader& reader, size_t depth) {
  const uint64_t start = base::NowNs();
  reader.Read(kReads, depth);
  return static_cast<double>(base::NowNs() - start) * 1e-9;
}

void Read(benchmark::State& state, const char* fabric, bool spins) {
  const auto depth = static_cast<size_t>(state.range(0));
  const FarProcess server = StartServer(fabric, spins);
  ChannelReader ours(UrlOf(server));
  BareReader bare(fabric);
  bare.Read(kReads, depth);
  double ours_s = 0, bare_s = 0, server_s = 0;
  for (auto _ : state) {
    server.Stop();
    bare_s += SecondsOf(bare, depth);
    server.Continue();
    bare.far().Stop();
    const double server_before = server.CpuSeconds();
    ours.Read(kReads / 10, depth);  // what stood still takes a moment to go on
    const double took = SecondsOf(ours, depth);
    server_s += server.CpuSeconds() - server_before;
    bare.far().Continue();
    bare.Read(kReads / 10, depth);
    ours_s += took;
    state.SetIterationTime(took);
  }
  const double reads = static_cast<double>(kReads) * static_cast<double>(state.iterations());
  state.counters["server_us"] = server_s * 1e6 / (reads * 1.1);
  if (depth == 1) {
    state.counters["ours_us"] = ours_s * 1e6 / reads;
    state.counters["bare_us"] = bare_s * 1e6 / reads;
    state.counters["ratio"] = ours_s / bare_s;
  } else {
    state.counters["ours_gb_s"] = reads * base::kPageSize / ours_s * 1e-9;
    state.counters["bare_gb_s"] = reads * base::kPageSize / bare_s * 1e-9;
    state.counters["ratio"] = bare_s / ours_s;
  }
}

// --- The pager over it ---

// With its header a page of its own.
struct Page : GarbageCollected<Page> {
  void Trace(Visitor* visitor) const { visitor->Trace(next); }
  Member<Page> next;
  uint64_t rest[510]{};
};

void Miss(benchmark::State& state, const char* fabric) {
  constexpr uint32_t kPages = kFarBytes / base::kPageSize;
  const FarProcess server = StartServer(fabric);
  double read_us = 0;
  {
    ChannelReader alone(UrlOf(server));
    alone.Read(kReads, 1);
    read_us = SecondsOf(alone, 1) * 1e6 / kReads;
  }
  const auto heap = OpenHeap({.heap_bytes = kFarBytes + 16 * kMiB,
                              .local_bytes = kFarBytes / 4,
                              .fabric = UrlOf(server),
                              .automatic = false});
  Mutator mutator(*heap);
  std::vector<Page*> pages(kPages);
  for (Page*& page : pages) page = MakeGarbageCollected<Page>(mutator);
  const std::vector<uint32_t> successor = workloads::RandomCycle(kPages, 1);
  for (uint32_t i = 0; i < kPages; ++i) pages[i]->next = pages[successor[i]];
  Page* page = pages[0];
  CounterDelta delta(*heap);
  double seconds = 0;
  for (auto _ : state) {
    const uint64_t start = base::NowNs();
    for (uint32_t i = 0; i < kPages; ++i) page = page->next.Get();
    const double took = static_cast<double>(base::NowNs() - start) * 1e-9;
    state.SetIterationTime(took);
    seconds += took;
  }
  delta.Stop();
  benchmark::DoNotOptimize(page);
  const double fetch_us = static_cast<double>(heap->Counters()["fetch.latency.p50_ns"]) / 1e3;
  state.counters["us_a_miss"] = seconds * 1e6 / delta["fetch.demand.mutator"];
  state.counters["fetch_p50_us"] = fetch_us;
  state.counters["read_us"] = read_us;
  state.counters["adds_us"] = fetch_us - read_us;
}

void OneAndMany(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgName("depth")
      ->Arg(1)
      ->Arg(static_cast<int64_t>(kDepth))
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond)
      ->Iterations(10);
}
BENCHMARK_CAPTURE(Read, tcp, "tcp", false)->Apply(OneAndMany);
BENCHMARK_CAPTURE(Read, tcp_busy_poll, "tcp", true)->Apply(OneAndMany);
BENCHMARK_CAPTURE(Read, shm, "shm", false)->Apply(OneAndMany);
BENCHMARK_CAPTURE(Read, shm_ofi, "shm-ofi", false)->Apply(OneAndMany);
BENCHMARK_CAPTURE(Miss, tcp, "tcp")->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(2);
BENCHMARK_CAPTURE(Miss, shm, "shm")->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(2);
BENCHMARK_CAPTURE(Miss, shm_ofi, "shm-ofi")
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(2);

}  // namespace

int Main(int argc, char** argv) {
  // Before there are other threads.
  rdma::RegisterRemoteFabrics();
  if (argc == 3 && std::strcmp(argv[1], kBareFarSide) == 0) ServeBare(argv[2]);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace tandem::bench

int main(int argc, char** argv) { return tandem::bench::Main(argc, argv); }
