#include "workloads/mapreduce/text_workload.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace tandem::workloads::mapreduce {

TextWorkload::TextWorkload(std::string name, std::string summary)
    : Workload(std::move(name), std::move(summary), 2) {
  options().AddInputFiles("input", "Files to read instead of a corpus", &source_.files);
  options().AddChoice("corpus", "Installed text to read", &source_.corpus,
                      {"auto", "linux-doc", "bible"});
  options().AddBytes(
      "size",
      "Cut or enlarge the text to so many bytes (default: files as they are, a corpus by scale)",
      &size_, 1, uint64_t{1} << 40);
  options().AddCount("splits", "Splits of the input: map tasks", &splits_, 1, 1 << 20);
  options().AddCount("partitions", "Partitions of the keys: reduce tasks", &partitions_, 1, 4096);
  options().AddOutputFile("output", "File to write the resulting lines to", &output_.path);
}

void TextWorkload::SetScale(Scale scale) {
  preset_size_ = scale == Scale::kTiny    ? uint64_t{256} << 10
                 : scale == Scale::kSmall ? uint64_t{4} << 20
                                          : uint64_t{32} << 20;
}

Status TextWorkload::Prepare(Progress& progress) {
  if (Status status = output_.Check(); !status.ok()) return status;
  source_.bytes = size_ == 0 && source_.files.empty() ? preset_size_ : size_;
  source_.seed = seed_;
  StatusOr<std::string> text = ReadText(source_, progress);
  if (!text.ok()) return text.status();
  text_ = std::move(*text);
  size_ = text_.size();
  line_count_ = static_cast<uint64_t>(std::count(text_.begin(), text_.end(), '\n')) + 1;
  return PrepareJob();
}

StatusOr<std::unique_ptr<Input>> TextWorkload::BuildInput(Session&) {
  return std::unique_ptr<Input>(std::make_unique<LineInput>(text_, splits_));
}

StatusOr<std::string> TextWorkload::Execute(Session& session) {
  std::unique_ptr<Input> input;
  {
    Phase build(session, "build");
    StatusOr<std::unique_ptr<Input>> built = BuildInput(session);
    if (!built.ok()) return built.status();
    input = std::move(*built);
  }
  Phase measured(session, "measured");
  Job job = MakeJob();
  job.input = input.get();
  job.reducers = static_cast<uint32_t>(partitions_);
  StatusOr<JobResult> result = RunJob(session, job, threads_);
  if (!result.ok()) return result.status();
  for (const auto& [name, n] : result->counters) session.Count(name, n);
  skipped_.clear();
  for (const Skipped& skipped : result->skipped) skipped_.push_back(Describe(skipped));
  Phase formatting(session, "result");
  lines_ = FormatLines(session.mutator(), *result);
  return fmt::format("{:016x}", HashBytes(lines_));
}

Status TextWorkload::WriteOutput() {
  for (const std::string& skipped : skipped_) {
    std::fprintf(stderr, "skipped %s\n", skipped.c_str());
  }
  return output_.Write(lines_);
}

}  // namespace tandem::workloads::mapreduce
