// Synthetic: events that no application made, for sizes and shapes that none of ours has.
//
//   graph  objects that refer to others at random, the first reference being one cycle through all,
//          so that all can be reached; used at random
//   list   one list through all objects in the order of their addresses, walked from its head
//   zipf   records that an index refers to, used as often as Zipf's law says
//
// Objects are born, linked, and then used; cycles begin at equal distances in that last part. With
// a heap larger than the objects, the pages that they fill lie apart from each other. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/record/event.h"
#include "workloads/random.h"
#include "workloads/zipf.h"

namespace tandem::sim {

struct SyntheticOptions {
  uint64_t objects = 200'000;
  uint64_t bytes = 64;  // of each object
  uint64_t degree = 4;  // references of an object of a graph
  uint64_t accesses = 1'000'000;
  uint64_t cycles = 1;
  uint64_t wait = 0;  // 1: the application waits for the end of each cycle
  double exponent = 0.99;
  uint64_t heap_gib = 0;  // 0: twice what the objects need
  uint64_t seed = 1;
};

class Synthetic final : public record::EventSource {
 public:
  static constexpr std::string_view kPrefix = "synthetic:";

  // "graph,objects=1000000", behind the prefix. Errors list what is valid.
  static StatusOr<std::unique_ptr<Synthetic>> Create(std::string_view spec);

  uint64_t heap_bytes() const override { return heap_bytes_; }
  StatusOr<bool> Next(record::Event& event) override;

 private:
  enum class Shape : uint8_t { kGraph, kList, kZipf };

  Synthetic(Shape shape, const SyntheticOptions& options);

  static uint64_t IndexBytes(Shape shape, const SyntheticOptions& options);
  void Fill();
  void Use();
  uint64_t PlaceOf(uint64_t object) const;
  void Add(record::Kind kind, uint64_t object, uint64_t index, uint64_t count);
  void AddStore(uint64_t object, uint64_t index, uint64_t target);

  const Shape shape_;
  const SyntheticOptions options_;
  uint64_t granules_ = 0;        // of an object
  uint64_t page_step_ = 1;       // from a page with objects to the next
  uint64_t index_granules_ = 0;  // of the index, which is at the start; 0: there is none
  uint64_t heap_bytes_ = 0;
  workloads::Random random_;
  std::optional<workloads::Zipf> zipf_;
  std::vector<uint32_t> record_of_rank_;
  std::vector<uint32_t> successor_;  // in a graph

  uint64_t born_ = 0;
  uint64_t linked_ = 0;
  uint64_t used_ = 0;
  uint64_t cycles_ = 0;
  bool ended_ = false;
  std::deque<record::Event> ready_;
};

}  // namespace tandem::sim
