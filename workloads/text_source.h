// TextSource: where word count's text comes from: files, or real text that Debian packages ship.
//
// The text is native memory. Any thread; each call stands for itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/status.h"
#include "workloads/progress.h"

namespace tandem::workloads {

struct TextSource {
  // Read one after the other, as `cat` does. If empty, `corpus` is read.
  std::vector<std::string> files;

  // linux-doc: the HTML pages of package linux-doc-6.1, ordered by path, 128 MB.
  // bible: packages bible-kjv and bible-kjv-text, 4 MB.
  // auto: the first of these that is installed.
  std::string corpus = "auto";

  // How long the text shall be; 0: as long as the input is. A longer input is cut off there, a
  // shorter one enlarged by EnlargeText.
  uint64_t bytes = 0;

  uint64_t seed = 1;
};

// Reads the text; sets source.corpus to the one it took (to "" if there are files).
StatusOr<std::string> ReadText(TextSource& source, Progress& progress);

// Appends copies of `text` to itself until it has `bytes` bytes, cutting the last one off. As a
// real text's vocabulary grows with its length, so does that of the copies: in copy k each
// eighth word of 4 letters and more (which, depends on the word, k and the seed) gets an ending
// made of k. The rest is repeated as it is. A newline separates copies. Empty text stays empty.
void EnlargeText(std::string& text, uint64_t bytes, uint64_t seed);

}  // namespace tandem::workloads
