// What does encryption add to a page's way out and back? A page is written to and read from a far
// side that takes no time, in the clear and sealed with AES-256-GCM: us_a_page is both ways.
#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <utility>

#include "rdma/fabric.h"
#include "runtime/base/os_memory.h"

namespace tandem::bench {
namespace {

using rdma::Direction;

void Carry(rdma::Channel& channel, const rdma::Transfer& transfer) {
  while (channel.Post({&transfer, 1}) == 0) {
  }
  rdma::Completion completion;
  while (channel.Poll({&completion, 1}) == 0) {
  }
}

void OutAndBack(benchmark::State& state, const char* url) {
  constexpr uint64_t kPages = 4096;
  const auto fabric = std::move(rdma::Fabric::Open(url).value());
  auto buffer =
      std::move(base::OsMemory::Reserve(base::kPageSize, base::kPageSize, "a buffer").value());
  std::memset(buffer.data(), 0x5a, base::kPageSize);
  const uint32_t slab = fabric->LendSlab(kPages * base::kPageSize).value();
  (void)fabric->RegisterBuffer(buffer.data(), buffer.size());
  const auto channel = std::move(fabric->OpenChannel().value());
  uint64_t page = 0;
  for (auto _ : state) {
    rdma::Transfer transfer{.direction = Direction::kWrite,
                            .far = {slab, page++ % kPages * base::kPageSize},
                            .local = buffer.data(),
                            .bytes = base::kPageSize};
    Carry(*channel, transfer);
    transfer.direction = Direction::kRead;
    Carry(*channel, transfer);
  }
  state.counters["us_a_page"] =
      benchmark::Counter(static_cast<double>(state.iterations()) / 1e6,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

BENCHMARK_CAPTURE(OutAndBack, clear, "emulated:none");
BENCHMARK_CAPTURE(OutAndBack, sealed, "sealed:emulated:none");

}  // namespace
}  // namespace tandem::bench
