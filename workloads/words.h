// Words of native text: what word count counts.
//
// A word is a longest run of ASCII letters; upper and lower case are the same. That is what
// `LC_ALL=C tr -cs A-Za-z '\n' | LC_ALL=C tr A-Z a-z` leaves, one a line. Every other byte,
// newlines and zeros included, only separates. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "workloads/random.h"

namespace tandem::workloads {

inline bool IsLetter(char c) {
  const auto lowered = static_cast<unsigned char>(c | 0x20);
  return lowered >= 'a' && lowered <= 'z';
}

inline char LowerLetter(char letter) { return static_cast<char>(letter | 0x20); }

// The same for words that differ in case only.
inline uint32_t HashWord(std::string_view word) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a, then mixed since tables use the low bits
  for (const char c : word) {
    hash = (hash ^ static_cast<unsigned char>(LowerLetter(c))) * 0x100000001b3u;
  }
  return static_cast<uint32_t>(Mix(hash));
}

// Walks the words of a text from left to right.
class WordScanner {
 public:
  explicit WordScanner(std::string_view text) : text_(text) {}

  // False at the end. *word points into the text.
  bool Next(std::string_view* word) {
    while (at_ < text_.size() && !IsLetter(text_[at_])) ++at_;
    const size_t start = at_;
    while (at_ < text_.size() && IsLetter(text_[at_])) ++at_;
    *word = text_.substr(start, at_ - start);
    return !word->empty();
  }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace tandem::workloads
