#include "workloads/mapreduce/engine.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <stdexcept>
#include <string>

#include "workloads/run_on_heap.h"
#include "workloads/words.h"

namespace tandem::workloads::mapreduce {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Number : GarbageCollected<Number> {
  explicit Number(uint64_t n) : value(n) {}
  const uint64_t value;
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { options_.heap_bytes = uint64_t{64} << 20; }

  // Runs the job and returns its output, keys with sums, and in `result_` the rest of its result.
  std::vector<std::pair<std::string, uint64_t>> Run(const Job& job, uint64_t threads = 2) {
    auto heap = Heap::Create(options_);
    EXPECT_TRUE(heap.ok()) << heap.status().message();
    Mutator mutator(**heap);
    Progress progress;
    Session session(mutator, progress);
    std::vector<std::pair<std::string, uint64_t>> output;
    StatusOr<JobResult> result = RunJob(session, job, threads);
    status_ = result.status();
    if (!result.ok()) return output;
    ForEachOutput<Number>(mutator, *result, [&](Text* key, Number* n) {
      output.emplace_back(key->view(), n == nullptr ? 0 : n->value);
    });
    counters_ = result->counters;
    skipped_.clear();
    for (const Skipped& skipped : result->skipped) skipped_.push_back(Describe(skipped));
    return output;
  }

  static Job WordCountJob(const Input& input, uint32_t reducers, bool combine) {
    Job job;
    job.input = &input;
    job.reducers = reducers;
    job.map = [](MapContext& context, const Record& record) {
      WordScanner scanner(record.bytes);
      std::string_view word;
      while (scanner.Next(&word)) context.Emit(word, context.Make<Number>(1u));
    };
    if (combine) {
      job.combine = [](Context& context, std::string_view, AnyValue* a, AnyValue* b) {
        return Forget(context.Make<Number>(As<Number>(a)->value + As<Number>(b)->value));
      };
    }
    job.reduce = [](ReduceContext& context, Text* key, Values& values) {
      uint64_t sum = 0;
      Number* n;
      while (values.Next(&n)) sum += n->value;
      context.Output(key, context.Make<Number>(sum));
    };
    return job;
  }

  static std::string RandomText(size_t words, uint32_t seed) {
    std::mt19937 random(seed);
    std::string text;
    for (size_t i = 0; i < words; ++i) {
      for (uint64_t rank = 1 + random() % (1u << random() % 12); rank != 0; rank /= 26) {
        text += static_cast<char>('a' + rank % 26);
      }
      text += random() % 8 == 0 ? '\n' : ' ';
    }
    return text;
  }

  static std::vector<std::pair<std::string, uint64_t>> CountWithMap(std::string_view text) {
    std::map<std::string, uint64_t> counts;
    WordScanner scanner(text);
    std::string_view word;
    while (scanner.Next(&word)) ++counts[std::string(word)];
    return {counts.begin(), counts.end()};
  }

  HeapOptions options_;
  Status status_;
  Counters counters_;
  std::vector<std::string> skipped_;
};

TEST_F(EngineTest, CountsWordsAsAStandardMapDoes) {
  const std::string text = RandomText(20000, 1);
  const LineInput input(text, 7);
  for (const bool combine : {false, true}) {
    EXPECT_EQ(Run(WordCountJob(input, 1, combine)), CountWithMap(text));
    EXPECT_EQ(counters_["map.pairs"], 20000u);
    EXPECT_EQ(counters_["reduce.keys"], CountWithMap(text).size());
  }
}

TEST_F(EngineTest, PartitionsAreDisjointAndEachIsSorted) {
  const std::string text = RandomText(5000, 2);
  const LineInput input(text, 5);
  auto output = Run(WordCountJob(input, 4, true));
  size_t descents = 0;
  for (size_t i = 1; i < output.size(); ++i) descents += output[i].first < output[i - 1].first;
  EXPECT_LE(descents, 3u);
  std::sort(output.begin(), output.end());
  EXPECT_EQ(output, CountWithMap(text));
}

TEST_F(EngineTest, MergesInPassesWhatExceedsItsShare) {
  const std::string text = RandomText(20000, 3);
  const LineInput input(text, 9);
  for (const bool combine : {false, true}) {
    Job job = WordCountJob(input, 1, combine);
    job.share_bytes = 4096;
    job.merge_runs = 3;
    EXPECT_EQ(Run(job), CountWithMap(text));
    EXPECT_GT(counters_["map.runs"], 27u);
    EXPECT_GE(counters_["reduce.merge_passes"], 3u);
  }
}

TEST_F(EngineTest, ValuesComeInTheOrderOfTheInput) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "line\n";
  const LineInput input(text, 13);
  Job job;
  job.input = &input;
  job.share_bytes = 2048;
  job.merge_runs = 2;
  job.map = [](MapContext& context, const Record& record) {
    context.Emit("all", context.Make<Number>(record.number));
  };
  job.reduce = [](ReduceContext& context, Text* key, Values& values) {
    uint64_t in_order = 0;
    Number* n;
    while (values.Next(&n)) in_order += n->value == in_order;
    context.Output(key, context.Make<Number>(in_order));
  };
  EXPECT_THAT(Run(job), ElementsAre(std::pair("all", 5000)));
}

TEST_F(EngineTest, EmptyInputGivesEmptyOutput) {
  const LineInput input("", 8);
  EXPECT_EQ(input.splits(), 0u);
  EXPECT_THAT(Run(WordCountJob(input, 3, true)), ElementsAre());
  EXPECT_TRUE(status_.ok()) << status_.message();
}

TEST_F(EngineTest, OneSplitAndMoreReducersThanKeysWork) {
  const LineInput input("a b\nb\n", 1);
  auto output = Run(WordCountJob(input, 100, false), 5);
  std::sort(output.begin(), output.end());
  EXPECT_THAT(output, ElementsAre(std::pair("a", 1), std::pair("b", 2)));
}

TEST_F(EngineTest, LinesAreThoseOfTheTextWhereverItIsCut) {
  const std::string text = "\none\n\n\ntwo three\nlast without newline";
  for (size_t splits = 1; splits <= text.size() + 3; ++splits) {
    const LineInput input(text, splits);
    std::vector<std::string> lines;
    for (size_t i = 0; i < input.splits(); ++i) {
      input.Read(i, [&](const Record& record) {
        EXPECT_EQ(record.number, lines.size());
        lines.emplace_back(record.bytes);
      });
    }
    EXPECT_THAT(lines, ElementsAre("", "one", "", "", "two three", "last without newline"));
  }
}

TEST_F(EngineTest, KeysOfAMebibyteThatDifferAtTheirEndAreDifferent) {
  const std::string common(1 << 20, 'k');
  std::string text;
  for (int i = 0; i < 6; ++i) text += common + static_cast<char>('a' + i % 3) + "\n";
  const LineInput input(text, 3);
  Job job = WordCountJob(input, 1, true);
  job.share_bytes = 1 << 20;
  job.merge_runs = 2;
  EXPECT_THAT(Run(job), ElementsAre(std::pair(common + 'a', 2), std::pair(common + 'b', 2),
                                    std::pair(common + 'c', 2)));
}

TEST_F(EngineTest, KeysAreOrderedByAllOfTheirBytes) {
  // Around the 8 bytes that a stamp has, with zeros, and above 127.
  std::vector<std::string> keys = {"", std::string(1, 0), "a", "b", "\xff", "1234567"};
  for (const std::string key : {"1234567", "12345678", "123456789"}) {
    keys.push_back(key + std::string(1, 0));
    keys.push_back(key + std::string("\xff"));
    keys.push_back(key + std::string(2, 0));
  }
  std::string text;
  for (int i = 0; i < 4; ++i) {
    for (const std::string& key : keys) text += key + "\n";
  }
  std::vector<std::pair<std::string, uint64_t>> expected;
  for (const std::string& key : keys) expected.emplace_back(key, 4);
  std::sort(expected.begin(), expected.end());
  const LineInput input(text, 3);
  for (const bool combine : {false, true}) {
    Job job = WordCountJob(input, 1, combine);
    job.map = [](MapContext& context, const Record& record) {
      context.Emit(record.bytes, context.Make<Number>(1u));
    };
    EXPECT_EQ(Run(job), expected);
  }
}

TEST_F(EngineTest, ValuesLargerThanLocalMemoryPassThrough) {
  options_.local_bytes = uint64_t{1} << 20;
  const LineInput input("a\nb\na\n", 3);
  Job job;
  job.input = &input;
  constexpr size_t kLength = (4 << 20) / sizeof(uint64_t);
  job.map = [](MapContext& context, const Record& record) {
    auto* large = context.MakeArray<uint64_t>(kLength);
    for (size_t i = 0; i < kLength; ++i) (*large)[i] = i + record.number;
    context.Emit(record.bytes, large, kLength * sizeof(uint64_t));
  };
  job.reduce = [](ReduceContext& context, Text* key, Values& values) {
    uint64_t sum = 0;
    Array<uint64_t>* large;
    while (values.Next(&large)) {
      for (size_t i = 0; i < kLength; ++i) sum += (*large)[i];
    }
    context.Output(key, context.Make<Number>(sum));
  };
  constexpr uint64_t kSum = uint64_t{kLength} * (kLength - 1) / 2;
  EXPECT_THAT(Run(job),
              ElementsAre(std::pair("a", 2 * kSum + 2 * kLength), std::pair("b", kSum + kLength)));
}

TEST_F(EngineTest, ARecordThatAlwaysThrowsIsSkippedCountedAndNamed) {
  const LineInput input("good\nbad\ngood\n", 1);
  Job job = WordCountJob(input, 1, true);
  job.map = [map = job.map](MapContext& context, const Record& record) {
    map(context, record);
    context.Count("seen");
    if (record.bytes == "bad") throw std::runtime_error("cannot parse");
  };
  EXPECT_THAT(Run(job), ElementsAre(std::pair("good", 2)));
  EXPECT_THAT(skipped_, ElementsAre("record 1 of split 0: cannot parse"));
  EXPECT_EQ(counters_["map.skipped"], 1u);
  EXPECT_EQ(counters_["failed_calls"], 3u);
  EXPECT_EQ(counters_["seen"], 2u);
}

TEST_F(EngineTest, ARecordThatThrowsOnceIsRetriedAndCountsOnce) {
  const LineInput input("flaky flaky\n", 1);
  Job job = WordCountJob(input, 1, false);
  std::atomic<int> calls{0};
  job.map = [&calls, map = job.map](MapContext& context, const Record& record) {
    map(context, record);
    if (calls++ == 0) throw 42;
  };
  EXPECT_THAT(Run(job), ElementsAre(std::pair("flaky", 2)));
  EXPECT_THAT(skipped_, ElementsAre());
  EXPECT_EQ(counters_["failed_calls"], 1u);
}

TEST_F(EngineTest, AKeyThatReduceThrowsOnIsSkippedAndLeavesNoOutput) {
  const LineInput input("a b c\n", 1);
  Job job = WordCountJob(input, 1, false);
  job.reduce = [reduce = job.reduce](ReduceContext& context, Text* key, Values& values) {
    reduce(context, key, values);
    if (key->view() == "b") throw std::runtime_error("no b please");
  };
  EXPECT_THAT(Run(job), ElementsAre(std::pair("a", 1), std::pair("c", 1)));
  EXPECT_THAT(skipped_, ElementsAre("key 'b' of partition 0: no b please"));
}

TEST_F(EngineTest, ACombineThatThrowsLosesNothing) {
  const std::string text = RandomText(2000, 4);
  const LineInput input(text, 2);
  Job job = WordCountJob(input, 1, true);
  std::atomic<int> calls{0};
  job.combine = [&calls, combine = job.combine](Context& context, std::string_view key, AnyValue* a,
                                                AnyValue* b) {
    if (calls++ % 3 == 0) throw std::runtime_error("not now");
    return combine(context, key, a, b);
  };
  EXPECT_EQ(Run(job), CountWithMap(text));
  EXPECT_GT(counters_["combine.failures"], 0u);
}

TEST_F(EngineTest, APartitionOutOfRangeSkipsItsRecord) {
  const LineInput input("a\nb\n", 1);
  Job job = WordCountJob(input, 2, false);
  job.partition = [](std::string_view key, uint32_t) { return key == "a" ? 1u : 2u; };
  EXPECT_THAT(Run(job), ElementsAre(std::pair("a", 1)));
  EXPECT_THAT(skipped_, ElementsAre("record 1 of split 0: partition 2 of a key; there are 2"));
}

TEST_F(EngineTest, NamesAreBoundedCountsAreNot) {
  const std::string text(1000, '\n');
  const LineInput input(text, 1);
  Job job = WordCountJob(input, 1, false);
  job.attempts = 1;
  job.map = [](MapContext&, const Record&) { throw std::runtime_error("never"); };
  Run(job);
  EXPECT_EQ(counters_["map.skipped"], 1000u);
  EXPECT_EQ(skipped_.size(), TaskReport::kMaxNamed);
}

TEST_F(EngineTest, AFullHeapIsAnErrorAndNotARetry) {
  options_.heap_bytes = uint64_t{1} << 20;
  const std::string text = RandomText(200000, 5);
  const LineInput input(text, 4);
  Run(WordCountJob(input, 2, false));
  EXPECT_EQ(status_.code(), StatusCode::kResourceExhausted);
  EXPECT_THAT(status_.message(), HasSubstr("the heap is full while mapping split"));
}

TEST_F(EngineTest, AJobThatMakesNoSenseIsAnError) {
  const LineInput input("a\n", 1);
  EXPECT_THAT(Run(Job{}), ElementsAre());
  EXPECT_EQ(status_.code(), StatusCode::kInvalidArgument);
  Job job = WordCountJob(input, 1, false);
  job.reducers = 0;
  Run(job);
  EXPECT_EQ(status_.message(), "a job needs at least one reducer");
}

TEST_F(EngineTest, AnswerDoesNotDependOnThreads) {
  const std::string text = RandomText(5000, 6);
  const LineInput input(text, 11);
  const Job job = WordCountJob(input, 3, true);
  const auto expected = Run(job, 1);
  for (const uint64_t threads : {2, 7, 20}) EXPECT_EQ(Run(job, threads), expected);
}

}  // namespace
}  // namespace tandem::workloads::mapreduce
