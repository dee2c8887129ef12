// EmulatedFabric: far memory inside this process, behind a modelled network.
//
// Needs no hardware and no second process. Transfers take the time that LinkModel says and move
// their bytes when Poll finds that time reached, in the polling thread: nothing happens in
// between polls. FaultInjector makes some of them go wrong; the whole far side can die as well.
//
// Owned by whoever opened it (Fabric::Open); threads as in fabric.h. Channels share the link, the
// store and the statistics, all of them lock-free; everything else a channel has for itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "rdma/buffer_table.h"
#include "rdma/fabric.h"
#include "rdma/fault_injector.h"
#include "rdma/lane_traffic.h"
#include "rdma/link_model.h"
#include "rdma/memory_store.h"

namespace tandem::rdma {

// What stands behind the colon of `emulated:PRESET,key=value...`.
struct EmulatedOptions {
  static constexpr const char* kSyntax = "emulated[:PRESET[,key=value...]]";
  static constexpr uint64_t kNever = UINT64_MAX;

  std::string preset;
  uint64_t read_latency_ns = 0;
  uint64_t write_latency_ns = 0;
  uint64_t operation_ns = 0;  // of the wire, for each transfer, on top of what its bytes take
  double bandwidth_mb_s = 0;  // 10^6 bytes a second, each way; 0 is unlimited
  uint64_t cores = 0;         // if not 0, only cores/16 of the bandwidth is ours
  uint64_t depth = 64;        // transfers in flight per channel
  uint64_t timeout_ms = 50;
  uint64_t pins = 0;  // 1: PinsBuffers() says so, which makes the pager copy
  double loss = 0;
  double delay = 0;
  uint64_t delay_ns = 1'000'000;
  double damage = 0;
  uint64_t seed = 1;
  uint64_t die_after = kNever;  // transfers that the far side serves before it dies

  static StatusOr<EmulatedOptions> Parse(std::string_view text);

  // The fabric's full name; parses into the same options. A preset that the user has saved
  // (saved_preset.h) appears by its values, which mean the same on every machine.
  std::string Name() const;

  LinkParameters Link() const;
  FaultPlan Faults() const;
};

// `text` fit for an error message: no control characters, not too long.
std::string OneLine(std::string_view text);

class EmulatedFabric final : public Fabric {
 public:
  explicit EmulatedFabric(const EmulatedOptions& options)
      : options_(options), name_(options.Name()), link_(options.Link()) {}

  std::string Name() const override { return name_; }
  StatusOr<uint32_t> LendSlab(uint64_t bytes) override;
  Status RegisterBuffer(void* start, size_t bytes) override;
  bool PinsBuffers() const override { return options_.pins != 0; }
  StatusOr<std::unique_ptr<Channel>> OpenChannel() override;
  void Discard(FarAddress far, uint64_t bytes) override { store_.Discard(far, bytes); }
  uint64_t TimeoutNs() const override { return options_.timeout_ms * 1'000'000; }
  FabricStats Stats() const override;
  const char* ServerOf(FarAddress) const override { return name_.c_str(); }

 private:
  friend class EmulatedChannel;

  bool IsRegistered(const void* start, size_t bytes) const;

  // The far side is gone, and all memory that it lent.
  bool Dead() const;

  // One transfer reaches the far side; false if that is dead.
  bool Serve();

  const EmulatedOptions options_;
  const std::string name_;
  LinkModel link_;
  MemoryStore store_;
  std::atomic<uint64_t> served_{0};  // counted only if the far side is to die
  std::atomic<uint64_t> channels_opened_{0};

  LaneTraffic traffic_;
  std::atomic<uint64_t> faults_injected_{0};  // relaxed: a statistic

  std::mutex buffers_mutex_;  // held by those who register; readers need none
  BufferTable buffers_;
};

}  // namespace tandem::rdma
