// Job: a MapReduce program: what its user writes, and what its functions see.
//
//   map(context, record)                 calls context.Emit(key, value) any number of times
//   combine(context, key, a, b)          one value for two of a key; associative and commutative
//   partition(key, reducers)             which reducer gets a key: below `reducers`
//   reduce(context, key, values)         calls context.Output(key, value) any number of times
//
// The functions run on several attached threads at once, each call with a context of its thread.
// They may be called again for what they have been called for already, so they must have no effect
// but through the context. They may throw: what the call has emitted, put out and counted is
// forgotten, the call is repeated, and after `attempts` of them its record (of reduce: its key) is
// skipped, counted and named in the result. A combine that throws skips nothing: both values go on.
// A value must not be changed once it is emitted, nor `a` and `b` by combine: they may be shared.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "workloads/mapreduce/input.h"
#include "workloads/mapreduce/records.h"
#include "workloads/random.h"

namespace tandem::workloads::mapreduce {

using Counters = std::map<std::string, uint64_t, std::less<>>;

// Belongs to one worker's thread and one task.
class Context {
 public:
  explicit Context(Mutator& mutator) : mutator_(mutator) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Mutator& mutator() { return mutator_; }

  // A managed object; never null. Throws HeapExhausted, which ends the job.
  template <typename T, typename... Args>
  T* Make(Args&&... args) {
    return Checked(MakeGarbageCollected<T>(mutator_, std::forward<Args>(args)...));
  }
  Text* MakeText(std::string_view chars) { return Checked(Text::Make(mutator_, chars)); }
  template <typename T>
  Array<T>* MakeArray(size_t length) {
    return Checked(Array<T>::Make(mutator_, length));
  }

  // Adds to a counter of the job, which is part of its result.
  void Count(std::string_view counter, uint64_t n = 1) {
    const auto it = pending_.find(counter);
    (it != pending_.end() ? it->second : pending_[std::string(counter)]) += n;
  }

  // For the engine: what has been counted since the last of these becomes the task's, or is lost.
  void KeepCounts() {
    if (pending_.empty()) return;
    for (const auto& [name, n] : pending_) counters_[name] += n;
    pending_.clear();
  }
  void DropCounts() { pending_.clear(); }
  Counters& counters() { return counters_; }

 private:
  template <typename T>
  static T* Checked(T* object) {
    if (object == nullptr) throw HeapExhausted();
    return object;
  }

  Mutator& mutator_;
  Counters pending_;
  Counters counters_;
};

class MapContext : public Context {
 public:
  using Context::Context;
  virtual ~MapContext() = default;

  // `key` is copied. `value` may be null; `extra_bytes` is what it takes beyond sizeof(T).
  template <typename T>
  void Emit(std::string_view key, T* value, uint64_t extra_bytes = 0) {
    EmitAny(key, Forget(value), sizeof(T) + extra_bytes);
  }
  void Emit(std::string_view key, std::nullptr_t) { EmitAny(key, nullptr, 0); }

 private:
  virtual void EmitAny(std::string_view key, AnyValue* value, uint64_t value_bytes) = 0;
};

class ReduceContext : public Context {
 public:
  using Context::Context;
  virtual ~ReduceContext() = default;

  // To the output of this partition, which is in the order of these calls.
  template <typename T>
  void Output(Text* key, T* value) {
    OutputAny(key, Forget(value));
  }
  void Output(Text* key, std::nullptr_t) { OutputAny(key, nullptr); }

 private:
  virtual void OutputAny(Text* key, AnyValue* value) = 0;
};

// The values of one key: by split, and within a split in the order of their emission.
class Values {
 public:
  // Part of a run, all of whose pairs have the key.
  struct Extent {
    Pairs* pairs;
    size_t begin;
    size_t end;
  };

  // The extents must be on a stack or otherwise known to the collector by their runs.
  Values(Mutator& mutator, std::span<const Extent> extents)
      : mutator_(mutator), extents_(extents), at_(extents.empty() ? 0 : extents[0].begin) {}

  uint64_t size() const {
    uint64_t size = 0;
    for (const Extent& extent : extents_) size += extent.end - extent.begin;
    return size;
  }

  // False at the end.
  template <typename T>
  bool Next(T** value) {
    while (extent_ < extents_.size()) {
      if (at_ < extents_[extent_].end) {
        if (at_ == extents_[extent_].begin) LookAhead();
        *value = As<T>((*extents_[extent_].pairs)[at_]->value);
        if (++at_ % 1024 == 0) mutator_.Safepoint();
        return true;
      }
      if (++extent_ < extents_.size()) at_ = extents_[extent_].begin;
    }
    return false;
  }

  // The first values of so many extents are loaded ahead, and fetched if they are far; of the first
  // extents by who made them.
  static constexpr size_t kAhead = 8;

 private:
  // Has the processor load the first values of the extents that come next, several at once: they
  // lie wherever map made them. Few enough that their pages stay local until it is their turn.
  void LookAhead() {
    for (const size_t end = std::min(extent_ + kAhead, extents_.size()); ahead_ < end; ++ahead_) {
      __builtin_prefetch((*extents_[ahead_].pairs)[extents_[ahead_].begin]->value.Get());
    }
  }

  Mutator& mutator_;
  std::span<const Extent> extents_;
  size_t extent_ = 0;
  size_t at_;
  size_t ahead_ = kAhead;  // extents before it have been looked at
};

inline uint32_t PartitionByHash(std::string_view key, uint32_t reducers) {
  return static_cast<uint32_t>(HashBytes(key) >> 32) % reducers;
}

struct Job {
  const Input* input = nullptr;
  uint32_t reducers = 1;  // at least 1

  std::function<void(MapContext&, const Record&)> map;
  std::function<AnyValue*(Context&, std::string_view key, AnyValue* a, AnyValue* b)> combine = {};
  std::function<uint32_t(std::string_view key, uint32_t reducers)> partition = PartitionByHash;
  std::function<void(ReduceContext&, Text* key, Values&)> reduce;

  // How often a call that throws is made in all.
  unsigned attempts = 3;

  // A map task that holds more bytes of pairs makes a sorted run of them and begins another. A
  // partition that has more is merged in passes of so many runs at most.
  uint64_t share_bytes = uint64_t{64} << 20;
  uint32_t merge_runs = 16;  // at least 2
};

}  // namespace tandem::workloads::mapreduce
