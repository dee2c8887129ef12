// Sort: the lines of a text in the order of their bytes, as sort(1) has it.
//
// A line is a key without a value. Keys are partitioned by range, between splitters drawn from the
// text, so that the partitions one after the other are the sorted text.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workloads/mapreduce/text_workload.h"

namespace tandem::workloads {

namespace mapreduce {
namespace {

class Sort : public TextWorkload {
 public:
  Sort() : TextWorkload("sort", "MapReduce sort of a text's lines") {}

  uint64_t LiveBytes() const override { return PairBytes(line_count_, text_.size()); }

 private:
  static constexpr size_t kSamplesAPartition = 32;

  Status PrepareJob() override {
    std::vector<std::string_view> sample;
    const std::string_view text = text_;
    const size_t wanted = kSamplesAPartition * partitions_;
    for (size_t i = 0; i < wanted && !text.empty(); ++i) {
      size_t start = i * text.size() / wanted;
      start = start == 0 ? 0 : text.find('\n', start - 1);
      if (start == text.npos) break;
      if (text[start] == '\n' && start != 0) ++start;
      sample.push_back(text.substr(start, std::min(text.find('\n', start), text.size()) - start));
    }
    std::sort(sample.begin(), sample.end());
    splitters_.clear();
    for (size_t p = 1; p < partitions_ && !sample.empty(); ++p) {
      splitters_.push_back(sample[p * sample.size() / partitions_]);
    }
    return Status::Ok();
  }

  Job MakeJob() override {
    Job job;
    job.map = [](MapContext& context, const Record& line) { context.Emit(line.bytes, nullptr); };
    job.partition = [this](std::string_view key, uint32_t) {
      return static_cast<uint32_t>(std::upper_bound(splitters_.begin(), splitters_.end(), key) -
                                   splitters_.begin());
    };
    job.reduce = [](ReduceContext& context, Text* line, Values& values) {
      for (uint64_t i = values.size(); i != 0; --i) context.Output(line, nullptr);
    };
    return job;
  }

  std::string FormatLines(Mutator& mutator, const JobResult& result) override {
    std::string lines;
    lines.reserve(text_.size() + 1);
    ForEachOutput<Text>(mutator, result, [&](Text* line, Text*) {
      lines += line->view();
      lines += '\n';
    });
    return lines;
  }

  std::vector<std::string_view> splitters_;  // of text_; ascending
};

}  // namespace
}  // namespace mapreduce

std::unique_ptr<Workload> MakeSort() { return std::make_unique<mapreduce::Sort>(); }

}  // namespace tandem::workloads
