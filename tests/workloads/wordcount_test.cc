#include <gmock/gmock.h>

#include <cstdlib>
#include <random>
#include <string>

#include "tests/workloads/harness.h"
#include "workloads/random.h"

namespace tandem::workloads {
namespace {

class WordCountTest : public ::testing::Test {
 protected:
  // What the tools that everybody has say about the same bytes. tr leaves an empty line where a
  // text begins with something else than a letter; grep takes it out.
  std::string CountWithShell(const std::string& input) {
    const std::string output = scratch_.File("expected");
    const std::string command = "export LC_ALL=C; tr -cs A-Za-z '\\n' <" + input +
                                " | tr A-Z a-z | grep . | sort | uniq -c >" + output;
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return ReadAll(output);
  }

  std::string Count(const std::string& input, OptionMap options = {}) {
    const std::string output = scratch_.File("counted");
    options["input"] = {input};
    options["output"] = {output};
    checksum_ = RunTiny("wordcount", options).checksum;
    return ReadAll(output);
  }

  std::string FileWith(std::string_view bytes) {
    const std::string path = scratch_.File("input");
    WriteAll(path, bytes);
    return path;
  }

  void ExpectSameAsShell(std::string_view bytes) {
    const std::string input = FileWith(bytes);
    EXPECT_EQ(Count(input), CountWithShell(input));
  }

  // Text of words that look like a language's: a few are common, many are rare.
  static std::string RandomText(size_t words, uint64_t seed) {
    Random random(seed);
    std::string text;
    for (size_t i = 0; i < words; ++i) {
      for (uint64_t rank = 1 + random.Below(uint64_t{1} << random.Below(14)); rank != 0;
           rank /= 20) {
        text += static_cast<char>((random.Below(16) == 0 ? 'A' : 'a') + rank % 20);
      }
      text += " \n,.-'\t"[random.Below(7)];
    }
    return text;
  }

  ScratchFolder scratch_;
  std::string checksum_;
};

TEST_F(WordCountTest, CountsAShortTextByHand) {
  EXPECT_EQ(Count(FileWith("The cat, the dog; THE end.\n")),
            "      1 cat\n      1 dog\n      1 end\n      3 the\n");
}

TEST_F(WordCountTest, AgreesWithTheShellOnOrdinaryText) { ExpectSameAsShell(RandomText(20000, 1)); }

TEST_F(WordCountTest, AgreesWithTheShellOnBinaryBytes) {
  Random random(2);
  std::string bytes(300000, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  ExpectSameAsShell(bytes);
}

TEST_F(WordCountTest, AgreesWithTheShellOnOneEnormousLine) {
  std::string line = RandomText(30000, 3);
  for (char& c : line) c = c == '\n' ? ' ' : c;
  ExpectSameAsShell(line);
}

TEST_F(WordCountTest, AgreesWithTheShellOnOneEnormousWord) {
  ExpectSameAsShell("a " + std::string(1 << 20, 'B') + " c");
}

TEST_F(WordCountTest, AgreesWithTheShellOnTheBible) {
  StatusOr<std::unique_ptr<Workload>> installed = PrepareTiny("wordcount", {{"corpus", {"bible"}}});
  if (!installed.ok()) GTEST_SKIP() << installed.status().message();
  const std::string input = scratch_.File("bible");
  const std::string command = "bible -f gen1:1-rev22:21 </dev/null >" + input;
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string output = scratch_.File("counted");
  const std::string size = std::to_string(std::filesystem::file_size(input));
  RunTiny("wordcount", {{"corpus", {"bible"}}, {"size", {size}}, {"output", {output}}});
  EXPECT_EQ(ReadAll(output), CountWithShell(input));
}

TEST_F(WordCountTest, FindsNothingInNothing) {
  EXPECT_EQ(Count(FileWith("")), "");
  EXPECT_EQ(Count(FileWith("\n 12 .\n")), "");
}

TEST_F(WordCountTest, ReadsSeveralFilesAsOneText) {
  const std::string first = FileWith("one tw");
  const std::string second = scratch_.File("second");
  WriteAll(second, "o three");
  const std::string output = scratch_.File("counted");
  RunTiny("wordcount", {{"input", {first, second}}, {"output", {output}}});
  EXPECT_EQ(ReadAll(output), "      1 one\n      1 three\n      1 two\n");
}

TEST_F(WordCountTest, AnswerDoesNotDependOnThreadsOrPartitions) {
  const std::string input = FileWith(RandomText(20000, 4));
  const std::string expected = Count(input, {{"threads", {"1"}}, {"partitions", {"1"}}});
  const std::string checksum = checksum_;
  for (const char* threads : {"1", "2", "5"}) {
    for (const char* partitions : {"1", "7", "64"}) {
      EXPECT_EQ(Count(input, {{"threads", {threads}}, {"partitions", {partitions}}}), expected);
      EXPECT_EQ(checksum_, checksum);
    }
  }
}

TEST_F(WordCountTest, ChecksumTellsDifferentAnswersApart) {
  Count(FileWith("a b c"));
  const std::string checksum = checksum_;
  Count(FileWith("a b c c"));
  EXPECT_NE(checksum_, checksum);
}

TEST_F(WordCountTest, SizeCutsOffALongerText) {
  EXPECT_EQ(Count(FileWith("one two three"), {{"size", {"6"}}}), "      1 one\n      1 tw\n");
}

TEST_F(WordCountTest, SaysWhichFileItCannotRead) {
  const auto message_for = [](const std::string& path) {
    return PrepareTiny("wordcount", {{"input", {path}}}).status().message();
  };
  EXPECT_EQ(message_for("/nonexistent/a"), "cannot open /nonexistent/a: No such file or directory");
  EXPECT_EQ(message_for("/tmp"), "cannot read /tmp: Is a directory");
}

TEST_F(WordCountTest, SaysBeforeTheWorkThatItCannotWriteItsOutput) {
  const Status status =
      PrepareTiny("wordcount", {{"input", {FileWith("a")}}, {"output", {"/nonexistent/b"}}})
          .status();
  EXPECT_EQ(status.message(), "cannot write /nonexistent/b: No such file or directory");
}

TEST_F(WordCountTest, AHeapThatIsTooSmallIsAnErrorAndNotACrash) {
  const std::string input = FileWith(RandomText(200000, 5));
  StatusOr<std::unique_ptr<Workload>> workload = PrepareTiny("wordcount", {{"input", {input}}});
  ASSERT_TRUE(workload.ok());
  HeapOptions options;
  options.heap_bytes = 1 << 20;
  Progress progress;
  const StatusOr<RunResult> result = RunOnHeap(**workload, options, progress);
  EXPECT_EQ(result.status().code(), StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace tandem::workloads
