// Word count on the MapReduce engine, with a combiner: what is live are the words of each split,
// once. (The workload `wordcount` keeps a pair of objects for every word of the text, which is what
// it is there for.)
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/mapreduce/text_workload.h"
#include "workloads/words.h"

namespace tandem::workloads {

namespace mapreduce {
namespace {

struct Count : GarbageCollected<Count> {
  explicit Count(uint64_t n) : value(n) {}
  const uint64_t value;
};

class CombinedWordCount : public TextWorkload {
 public:
  CombinedWordCount()
      : TextWorkload("wordcount-combined", "Word count on the MapReduce engine, with a combiner") {}

  // As if each split had a vocabulary of an eighth of its text.
  uint64_t LiveBytes() const override {
    const uint64_t words = text_.size() / 48;
    return PairBytes(words, text_.size() / 8) + words * ObjectBytes(sizeof(Count));
  }

 private:
  Job MakeJob() override {
    Job job;
    job.map = [](MapContext& context, const Record& line) {
      WordScanner scanner(line.bytes);
      std::string_view word;
      std::string lowered;
      Count* one = context.Make<Count>(1u);
      while (scanner.Next(&word)) {
        lowered.assign(word);
        for (char& c : lowered) c = LowerLetter(c);
        context.Emit(lowered, one);
      }
    };
    job.combine = [](Context& context, std::string_view, AnyValue* a, AnyValue* b) {
      return Forget(context.Make<Count>(As<Count>(a)->value + As<Count>(b)->value));
    };
    job.reduce = [](ReduceContext& context, Text* word, Values& counts) {
      uint64_t sum = 0;
      Count* count;
      while (counts.Next(&count)) sum += count->value;
      context.Output(word, context.Make<Count>(sum));
    };
    return job;
  }

  std::string FormatLines(Mutator& mutator, const JobResult& result) override {
    std::vector<std::pair<std::string, uint64_t>> words;
    ForEachOutput<Count>(mutator, result, [&](Text* word, Count* count) {
      words.emplace_back(word->view(), count->value);
    });
    std::sort(words.begin(), words.end());
    std::string lines;
    for (const auto& [word, count] : words) {
      fmt::format_to(std::back_inserter(lines), "{:7} {}\n", count, word);
    }
    return lines;
  }
};

}  // namespace
}  // namespace mapreduce

std::unique_ptr<Workload> MakeCombinedWordCount() {
  return std::make_unique<mapreduce::CombinedWordCount>();
}

}  // namespace tandem::workloads
