// Grep: the lines of a text that match a POSIX basic regular expression, with their numbers, as
// `grep -an` prints them.
//
// The text is in the heap, a line an object, before the search begins: a scan of all that is far.
#include <fmt/format.h>
#include <regex.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "workloads/mapreduce/text_workload.h"

namespace tandem::workloads {

namespace mapreduce {
namespace {

class Pattern {
 public:
  Pattern() = default;
  ~Pattern() {
    if (compiled_) regfree(&regex_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  Status Compile(const std::string& pattern) {
    const int error = regcomp(&regex_, pattern.c_str(), REG_NOSUB);
    compiled_ = error == 0;
    if (compiled_) return Status::Ok();
    char message[128];
    regerror(error, &regex_, message, sizeof(message));
    return Status::InvalidArgument(
        fmt::format("'{}' is not a basic regular expression: {}", pattern, message));
  }

  bool Matches(std::string_view line) const {
    regmatch_t range = {0, static_cast<regoff_t>(line.size())};
    return regexec(&regex_, line.data(), 0, &range, REG_STARTEND) == 0;
  }

 private:
  regex_t regex_;
  bool compiled_ = false;
};

// A search holds a lock of its pattern, and a thread that waits for one would hold up the
// collector: so each search takes a pattern that nobody else has.
class PatternPool {
 public:
  Status Fill(const std::string& pattern, size_t count) {
    idle_.clear();
    for (size_t i = 0; i < count; ++i) {
      idle_.push_back(std::make_unique<Pattern>());
      if (Status status = idle_.back()->Compile(pattern); !status.ok()) return status;
    }
    return Status::Ok();
  }

  // With at most as many threads at once as there are patterns.
  bool Matches(std::string_view line) {
    std::unique_ptr<Pattern> own;
    {
      std::lock_guard lock(mutex_);
      own = std::move(idle_.back());
      idle_.pop_back();
    }
    const bool matches = own->Matches(line);
    std::lock_guard lock(mutex_);
    idle_.push_back(std::move(own));
    return matches;
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Pattern>> idle_;
};

using Lines = Array<Member<Text>>;

// An array of lines that the input itself keeps alive.
class LinesInHeap final : public Input {
 public:
  LinesInHeap(Heap& heap, Lines* lines, size_t splits)
      : lines_(heap, lines), input_(lines_, splits) {}
  size_t splits() const override { return input_.splits(); }
  void Read(size_t split, const std::function<void(const Record&)>& each) const override {
    input_.Read(split, each);
  }

 private:
  Persistent<Lines> lines_;
  ArrayInput<Text> input_;
};

class Grep : public TextWorkload {
 public:
  Grep() : TextWorkload("grep", "MapReduce search for lines that match a pattern") {
    options().Add({"pattern", "POSIX basic regular expression to search for", "REGEX", false, true,
                   [this](const std::vector<std::string>& values) {
                     pattern_ = values[0];
                     return Pattern().Compile(pattern_);
                   },
                   [this] { return OptionValue(pattern_); }});
  }

  uint64_t LiveBytes() const override {
    return line_count_ * (ObjectBytes(sizeof(Text)) + sizeof(Member<Text>)) + text_.size();
  }

 private:
  Status PrepareJob() override { return patterns_.Fill(pattern_, threads_); }

  StatusOr<std::unique_ptr<Input>> BuildInput(Session& session) override {
    Mutator& mutator = session.mutator();
    Lines* lines = Lines::Make(mutator, text_.empty() ? 0 : line_count_ - (text_.back() == '\n'));
    if (lines == nullptr) return HeapFull("making the array of lines");
    std::string_view rest = text_;
    for (size_t i = 0; i < lines->length(); ++i) {
      const size_t end = std::min(rest.find('\n'), rest.size());
      if (end > Text::kMaxLength) {
        return Status::InvalidArgument("the text has a line of more than 4 GiB");
      }
      Text* line = Text::Make(mutator, rest.substr(0, end));
      if (line == nullptr) return HeapFull("reading lines");
      (*lines)[i] = line;
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return std::unique_ptr<Input>(std::make_unique<LinesInHeap>(session.heap(), lines, splits_));
  }

  // Keys are line numbers that sort as numbers do, and partitions ranges of them.
  Job MakeJob() override {
    Job job;
    job.map = [this](MapContext& context, const Record& record) {
      Text* line = As<Text>(record.object);
      if (!patterns_.Matches(line->view())) return;
      context.Count("matches");
      context.Emit(fmt::format("{:020}", record.number + 1), line);
    };
    job.partition = [this](std::string_view key, uint32_t reducers) {
      const uint64_t number = std::stoull(std::string(key)) - 1;
      return static_cast<uint32_t>(number * reducers / line_count_);
    };
    job.reduce = [](ReduceContext& context, Text* key, Values& values) {
      Text* line;
      while (values.Next(&line)) context.Output(key, line);
    };
    return job;
  }

  std::string FormatLines(Mutator& mutator, const JobResult& result) override {
    std::string lines;
    ForEachOutput<Text>(mutator, result, [&](Text* key, Text* line) {
      lines += key->view().substr(std::min(key->view().find_first_not_of('0'), size_t{19}));
      lines += ':';
      lines += line->view();
      lines += '\n';
    });
    return lines;
  }

  std::string pattern_ = "[Tt]he";
  PatternPool patterns_;
};

}  // namespace
}  // namespace mapreduce

std::unique_ptr<Workload> MakeGrep() { return std::make_unique<mapreduce::Grep>(); }

}  // namespace tandem::workloads
