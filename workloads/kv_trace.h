// The operations that the key-value store performs, decided before it runs.
//
// Keys are numbered in the order of their insertion: 0 to records - 1 are loaded before the trace
// begins, and each insertion adds the next one. An insertion is followed by dropping the oldest
// key, so there are always `records` of them. Pure functions, any thread; what they return
// depends on their arguments alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tandem::workloads {

// A store falls into shards by key, each of which performs its operations in the trace's order.
// The number is fixed, so that what is where does not depend on how many threads share the shards.
inline constexpr uint64_t kKvShards = 64;

inline constexpr uint64_t kKvLongestScan = 100;

enum class KvAction : uint8_t {
  kRead,
  kUpdate,  // replaces the value without looking at it
  kInsert,
  kScan,             // reads `length` records from this key on, in the shard's order of keys
  kReadModifyWrite,  // the new value depends on the old one
  kDrop,             // of the oldest; belongs to the insertion before it
};

struct KvOperation {
  uint64_t key;
  uint8_t length;  // of a scan
  uint8_t shard;
  KvAction action;
};

struct KvTraceOptions {
  std::string mix;           // one of KvMixNames()
  std::string distribution;  // zipf, uniform
  uint64_t records;
  uint64_t operations;  // without drops
  uint64_t seed;
};

// YCSB's by their letters, and those of MemLiner's evaluation.
std::vector<std::string> KvMixNames();

// Whether the mix has scans, so that the store needs an ordered index.
bool KvMixScans(const std::string& mix);

std::vector<KvOperation> MakeKvTrace(const KvTraceOptions& options);

}  // namespace tandem::workloads
