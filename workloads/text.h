// Text: an immutable managed string. Its characters follow the object itself, in one piece.
//
// A leaf: the collector never looks inside. view() may be kept as long as the Text is reachable
// from a root or the stack; touching its characters brings their page in if need be. Any
// attached thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "tandem/allocation.h"
#include "workloads/words.h"

namespace tandem::workloads {

class Text : public GarbageCollected<Text> {
 public:
  static constexpr size_t kMaxLength = UINT32_MAX;

  // A copy of `chars` (at most kMaxLength), which may be another Text's. Null: the heap is full.
  static Text* Make(Mutator& mutator, std::string_view chars) {
    return MakeGarbageCollected<Text>(mutator, AdditionalBytes{chars.size()}, chars);
  }

  // The same of a word, in lower case.
  static Text* MakeLowered(Mutator& mutator, std::string_view word) {
    Text* text = Make(mutator, word);
    if (text == nullptr) return nullptr;
    std::transform(text->chars(), text->chars() + word.size(), text->chars(), LowerLetter);
    return text;
  }

  explicit Text(std::string_view chars)
      : length_(static_cast<uint32_t>(chars.size())), hash_(HashWord(chars)) {
    std::memcpy(this->chars(), chars.data(), chars.size());
  }

  std::string_view view() const { return {reinterpret_cast<const char*>(this + 1), length_}; }
  uint32_t hash() const { return hash_; }

 private:
  char* chars() { return reinterpret_cast<char*>(this + 1); }

  const uint32_t length_;
  const uint32_t hash_;
};

}  // namespace tandem::workloads
