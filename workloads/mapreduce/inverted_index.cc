// Inverted index: for each word of a text, the numbers of the lines it stands in.
//
// A line of the result is the word in lower case, then the numbers from 1, ascending. All postings
// are alive, an object each, until their word is reduced to an array of numbers.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workloads/mapreduce/text_workload.h"
#include "workloads/words.h"

namespace tandem::workloads {

namespace mapreduce {
namespace {

struct Posting : GarbageCollected<Posting> {
  explicit Posting(uint64_t n) : line(n) {}
  const uint64_t line;
};

using LineNumbers = Array<uint64_t>;

void MapLine(MapContext& context, const Record& line) {
  WordScanner scanner(line.bytes);
  std::string_view word;
  std::string lowered;
  while (scanner.Next(&word)) {
    lowered.assign(word);
    for (char& c : lowered) c = LowerLetter(c);
    context.Emit(lowered, context.Make<Posting>(line.number + 1));
  }
}

// Postings come in the order of the text, so that a line twice is twice in turn.
void ReduceWord(ReduceContext& context, Text* word, Values& postings) {
  std::vector<uint64_t> lines;
  Posting* posting;
  while (postings.Next(&posting)) {
    if (lines.empty() || lines.back() != posting->line) lines.push_back(posting->line);
  }
  LineNumbers* numbers = context.MakeArray<uint64_t>(lines.size());
  for (size_t i = 0; i < lines.size(); ++i) (*numbers)[i] = lines[i];
  context.Output(word, numbers);
}

class InvertedIndex : public TextWorkload {
 public:
  InvertedIndex() : TextWorkload("inverted-index", "MapReduce index of a text's words by line") {}

  uint64_t LiveBytes() const override {
    return PairBytes(word_count_, word_bytes_) + word_count_ * ObjectBytes(sizeof(Posting));
  }

 private:
  Status PrepareJob() override {
    word_count_ = word_bytes_ = 0;
    WordScanner scanner(text_);
    std::string_view word;
    while (scanner.Next(&word)) {
      ++word_count_;
      word_bytes_ += word.size();
    }
    return Status::Ok();
  }

  Job MakeJob() override {
    Job job;
    job.map = MapLine;
    job.reduce = ReduceWord;
    return job;
  }

  std::string FormatLines(Mutator& mutator, const JobResult& result) override {
    std::vector<std::string> words;
    ForEachOutput<LineNumbers>(mutator, result, [&](Text* word, LineNumbers* numbers) {
      std::string line(word->view());
      for (size_t i = 0; i < numbers->length(); ++i) {
        fmt::format_to(std::back_inserter(line), " {}", (*numbers)[i]);
      }
      line += '\n';
      words.push_back(std::move(line));
    });
    // A space and a newline are before all letters, so lines are in the order of their words.
    std::sort(words.begin(), words.end());
    std::string lines;
    for (const std::string& word : words) lines += word;
    return lines;
  }

  uint64_t word_count_ = 0;
  uint64_t word_bytes_ = 0;
};

}  // namespace
}  // namespace mapreduce

std::unique_ptr<Workload> MakeInvertedIndex() {
  return std::make_unique<mapreduce::InvertedIndex>();
}

}  // namespace tandem::workloads
