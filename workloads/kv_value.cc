#include "workloads/kv_value.h"

#include <algorithm>

#include "workloads/object_bytes.h"

namespace tandem::workloads {

namespace {

constexpr uint64_t kValuesPerList = 4;

bool HasList(uint64_t stamp) { return Mix(stamp) % kValuesPerList == 0; }

// A list of `bytes` bytes. Null: the heap is full.
KvListItem* MakeList(Mutator& mutator, uint64_t bytes, Random& random) {
  KvListItem* first = nullptr;
  KvListItem* last = nullptr;
  while (bytes > 0) {
    const uint64_t part = std::min(bytes, KvValue::kListItemBytes);
    KvBytes* content = KvBytes::Make(mutator, part, random);
    KvListItem* item =
        content == nullptr ? nullptr : MakeGarbageCollected<KvListItem>(mutator, content);
    if (item == nullptr) return nullptr;
    if (last == nullptr) {
      first = item;
    } else {
      last->next = item;
    }
    last = item;
    bytes -= part;
  }
  return first;
}

}  // namespace

uint64_t MeanKvValueBytes(KvValueSizes sizes) {
  const uint64_t part = (sizes.min + sizes.max) / 2 / KvValue::kFields;
  const uint64_t items = (part + KvValue::kListItemBytes / 2) / KvValue::kListItemBytes;
  const uint64_t item =
      ObjectBytes(sizeof(KvListItem)) + ObjectBytes(sizeof(KvBytes) + KvValue::kListItemBytes);
  const uint64_t field = ObjectBytes(sizeof(KvBytes) + part);
  return ObjectBytes(sizeof(KvValue)) + (KvValue::kFields - 1) * field +
         ((kValuesPerList - 1) * field + items * item) / kValuesPerList;
}

KvValue* KvValue::Make(Mutator& mutator, uint64_t bytes, uint64_t stamp) {
  KvValue* value = MakeGarbageCollected<KvValue>(mutator, bytes);
  if (value == nullptr) return nullptr;
  Random random(stamp + 1);
  const uint64_t part = bytes / kFields / sizeof(uint64_t) * sizeof(uint64_t);
  uint64_t left = bytes;
  for (uint64_t i = 0; i < kFields; ++i) {
    const bool is_last = i + 1 == kFields;
    const uint64_t size = is_last ? left : part;
    if (size == 0) continue;
    if (is_last && HasList(stamp)) {
      KvListItem* list = MakeList(mutator, size, random);
      if (list == nullptr) return nullptr;
      value->list_ = list;
      continue;
    }
    KvBytes* field = KvBytes::Make(mutator, size, random);
    if (field == nullptr) return nullptr;
    value->fields_[i] = field;
    left -= size;
  }
  return value;
}

}  // namespace tandem::workloads
