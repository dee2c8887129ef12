// Word count, as a MapReduce program on the managed heap: what wordcount_records.h draws.
//
// The text itself is native memory, as a file in the page cache would be. Map keeps a few objects
// for every word of it until reduce comes for them, so the heap grows to many times the text.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/persistent.h"
#include "workloads/output_file.h"
#include "workloads/tasks.h"
#include "workloads/text_source.h"
#include "workloads/wordcount_map.h"
#include "workloads/wordcount_reduce.h"
#include "workloads/workload.h"

namespace tandem::workloads {

namespace {

// What reduce returned, by partition.
using Reduced = Array<Member<CountedWords>>;

// Cuts a text into pieces of about the given size, between words.
std::vector<std::string_view> SplitText(std::string_view text, size_t piece_bytes) {
  std::vector<std::string_view> splits;
  for (size_t start = 0; start < text.size();) {
    size_t end = std::min(text.size(), start + piece_bytes);
    while (end < text.size() && IsLetter(text[end])) ++end;
    splits.push_back(text.substr(start, end - start));
    start = end;
  }
  return splits;
}

// Merges the partitions, each of which is sorted, into lines as `uniq -c` writes them.
std::string MergeToLines(Mutator& mutator, Reduced* reduced) {
  struct Cursor {
    size_t partition;
    size_t at;
  };
  const auto word_at = [reduced](const Cursor& cursor) -> CountedWord* {
    return (*(*reduced)[cursor.partition])[cursor.at];
  };
  const auto is_later = [&](const Cursor& a, const Cursor& b) {
    return word_at(a)->word->view() > word_at(b)->word->view();
  };
  std::priority_queue<Cursor, std::vector<Cursor>, decltype(is_later)> cursors(is_later);
  for (size_t p = 0; p < reduced->length(); ++p) {
    if ((*reduced)[p]->length() != 0) cursors.push({p, 0});
  }
  std::string lines;
  while (!cursors.empty()) {
    Cursor next = cursors.top();
    cursors.pop();
    CountedWord* word = word_at(next);
    fmt::format_to(std::back_inserter(lines), "{:7} {}\n", word->count, word->word->view());
    if (++next.at < (*reduced)[next.partition]->length()) cursors.push(next);
    mutator.Safepoint();
  }
  return lines;
}

class WordCount : public Workload {
 public:
  WordCount() : Workload("wordcount", "MapReduce word count over real text", 2) {
    options().AddInputFiles("input", "Files to count instead of a corpus", &source_.files);
    options().AddChoice("corpus", "Installed text to count", &source_.corpus,
                        {"auto", "linux-doc", "bible"});
    options().AddBytes(
        "size",
        "Cut or enlarge the text to so many bytes (default: files as they are, a corpus by scale)",
        &size_, 1, uint64_t{1} << 40);
    options().AddCount("partitions", "Partitions to group words in", &partitions_, 1, 4096);
    options().AddOutputFile("output", "File to write the counts to, as `uniq -c` does",
                            &output_.path);
  }

  void SetScale(Scale scale) override {
    preset_size_ = scale == Scale::kTiny    ? uint64_t{256} << 10
                   : scale == Scale::kSmall ? uint64_t{4} << 20
                                            : uint64_t{32} << 20;
  }

  Status Prepare(Progress& progress) override {
    if (Status status = output_.Check(); !status.ok()) return status;
    source_.bytes = size_ == 0 && source_.files.empty() ? preset_size_ : size_;
    source_.seed = seed_;
    StatusOr<std::string> text = ReadText(source_, progress);
    if (!text.ok()) return text.status();
    text_ = std::move(*text);
    size_ = text_.size();
    // 64 splits: enough to share out evenly, and each large enough to fill pages by partition.
    splits_ = SplitText(text_, std::max<size_t>(text_.size() / 64, 16 << 10));
    return MeasureWords();
  }

  uint64_t LiveBytes() const override {
    const uint64_t pair_bytes = ObjectBytes(sizeof(Pair)) + ObjectBytes(sizeof(Count));
    return words_ * pair_bytes + key_bytes_ + splits_.size() * partitions_ * sizeof(Member<Pair>) +
           threads_ * largest_split_token_bytes_;
  }

  uint64_t InputHash() const override { return HashBytes(text_); }

  StatusOr<std::string> Execute(Session& session) override {
    Persistent<Shuffle> shuffle(session.heap());
    Persistent<Reduced> reduced(session.heap());
    {
      Phase build(session, "build");
      shuffle = Shuffle::Make(session.mutator(), splits_.size() * partitions_);
      reduced = Reduced::Make(session.mutator(), partitions_);
      if (!shuffle || !reduced) return HeapFull("making the tables");
    }
    Phase measured(session, "measured");
    if (Status status = Map(session, shuffle); !status.ok()) return status;
    if (Status status = Reduce(session, shuffle, reduced); !status.ok()) return status;
    Phase result(session, "result");
    lines_ = MergeToLines(session.mutator(), reduced.Get());
    return fmt::format("{:016x}", HashBytes(lines_));
  }

  Status WriteOutput() override { return output_.Write(lines_); }

 private:
  Status MeasureWords() {
    words_ = key_bytes_ = largest_split_token_bytes_ = 0;
    for (const std::string_view split : splits_) {
      uint64_t token_bytes = 0;
      WordScanner scanner(split);
      std::string_view word;
      while (scanner.Next(&word)) {
        if (word.size() > Text::kMaxLength) {
          return Status::InvalidArgument("the text has a word of more than 4 GiB");
        }
        const uint64_t bytes = ObjectBytes(sizeof(Text) + word.size());
        ++words_;
        key_bytes_ += bytes;
        token_bytes += bytes + ObjectBytes(sizeof(Token));
      }
      largest_split_token_bytes_ = std::max(largest_split_token_bytes_, token_bytes);
    }
    return Status::Ok();
  }

  Status Map(Session& session, const Persistent<Shuffle>& shuffle) {
    Phase phase(session, "map", text_.size());
    return RunTasks(session.mutator(), threads_, splits_.size(), [&](Mutator& mutator, size_t i) {
      if (!MapSplit(mutator, splits_[i], Partitions(), shuffle.Get(), i * partitions_)) {
        return HeapFull("mapping words to pairs");
      }
      session.progress().Advance(splits_[i].size());
      return Status::Ok();
    });
  }

  Status Reduce(Session& session, const Persistent<Shuffle>& shuffle,
                const Persistent<Reduced>& reduced) {
    Phase phase(session, "reduce", partitions_);
    return RunTasks(session.mutator(), threads_, partitions_, [&](Mutator& mutator, size_t i) {
      CountedWords* words = ReducePartition(mutator, shuffle.Get(), splits_.size(), Partitions(),
                                            static_cast<uint32_t>(i));
      if (words == nullptr) return HeapFull("reducing pairs to counts");
      (*reduced)[i] = words;
      session.progress().Advance(1);
      return Status::Ok();
    });
  }

  uint32_t Partitions() const { return static_cast<uint32_t>(partitions_); }

  TextSource source_;
  uint64_t size_ = 0;  // 0: as the preset or the files have it
  uint64_t preset_size_ = 0;
  uint64_t partitions_ = 16;
  OutputFile output_;

  // Set by Prepare().
  std::string text_;
  std::vector<std::string_view> splits_;
  uint64_t words_ = 0;
  uint64_t key_bytes_ = 0;
  uint64_t largest_split_token_bytes_ = 0;

  std::string lines_;  // the last run's result
};

}  // namespace

std::unique_ptr<Workload> MakeWordCount() { return std::make_unique<WordCount>(); }

}  // namespace tandem::workloads
