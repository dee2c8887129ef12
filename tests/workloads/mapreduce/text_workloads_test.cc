// Answers are compared with those of the tools that everybody has.
#include <gmock/gmock.h>

#include <cstdlib>
#include <string>

#include "tests/workloads/harness.h"
#include "workloads/random.h"

namespace tandem::workloads {
namespace {

class TextWorkloadsTest : public ::testing::Test {
 protected:
  // A text of lines, some of them empty, long, or alike; without a newline at its end.
  static std::string RandomText(size_t words, uint64_t seed) {
    Random random(seed);
    std::string text;
    for (size_t i = 0; i < words; ++i) {
      for (uint64_t rank = 1 + random.Below(uint64_t{1} << random.Below(12)); rank != 0;
           rank /= 20) {
        text += static_cast<char>((random.Below(16) == 0 ? 'A' : 'a') + rank % 20);
      }
      text += " \n \n,.-\xe4\t"[random.Below(9)];
      if (random.Below(50) == 0) text += "\n\n";
    }
    return text + "end";
  }

  std::string FileWith(std::string_view bytes) {
    const std::string path = scratch_.File("input");
    WriteAll(path, bytes);
    return path;
  }

  std::string Run(const char* workload, std::string_view text, OptionMap options = {}) {
    options["input"] = {FileWith(text)};
    options["output"] = {scratch_.File("output")};
    result_ = RunTiny(workload, options);
    return ReadAll(options["output"][0]);
  }

  // `command` reads the file "$IN".
  std::string Shell(std::string_view text, const std::string& command) {
    const std::string output = scratch_.File("expected");
    const std::string whole =
        "export LC_ALL=C IN=" + FileWith(text) + "; " + command + " >" + output;
    EXPECT_NE(std::system(whole.c_str()), -1) << whole;
    return ReadAll(output);
  }

  ScratchFolder scratch_;
  RunResult result_;
};

TEST_F(TextWorkloadsTest, SortAgreesWithTheShell) {
  const std::string text = RandomText(20000, 1);
  const std::string expected = Shell(text, "sort \"$IN\"");
  for (const char* partitions : {"1", "16", "200"}) {
    EXPECT_EQ(Run("sort", text, {{"partitions", {partitions}}}), expected);
  }
}

TEST_F(TextWorkloadsTest, SortOfNothingAndOfOneLine) {
  EXPECT_EQ(Run("sort", ""), "");
  EXPECT_EQ(Run("sort", "\n"), "\n");
  EXPECT_EQ(Run("sort", "one"), "one\n");
  EXPECT_EQ(Run("sort", "b\n\na\nb\n"), "\na\nb\nb\n");
}

TEST_F(TextWorkloadsTest, GrepAgreesWithTheShell) {
  const std::string text = RandomText(20000, 2);
  for (const char* pattern : {"ab", "^[a-c].*d$", "^$", "e\\{2\\}", "nowhere to be found"}) {
    const std::string command = std::string("grep -an -e '") + pattern + "' \"$IN\"";
    const std::string expected = Shell(text, command);
    for (const char* threads : {"1", "5"}) {
      EXPECT_EQ(Run("grep", text, {{"pattern", {pattern}}, {"threads", {threads}}}), expected);
    }
  }
}

TEST_F(TextWorkloadsTest, GrepOfNothing) { EXPECT_EQ(Run("grep", ""), ""); }

TEST_F(TextWorkloadsTest, GrepSaysWhatIsNoPattern) {
  EXPECT_THAT(PrepareTiny("grep", {{"pattern", {"a["}}}).status().message(),
              ::testing::HasSubstr("'a[' is not a basic regular expression"));
}

TEST_F(TextWorkloadsTest, InvertedIndexAgreesWithTheShell) {
  const std::string text = RandomText(5000, 3);
  // A line "word number" for each word and line, in that order; then a line for each word.
  const std::string expected =
      Shell(text,
            "awk '{ gsub(/[^A-Za-z]+/, \" \"); for (i = 1; i <= NF; i++) print tolower($i), NR }' "
            "\"$IN\" | sort -u -k1,1 -k2,2n | awk '$1 != word { if (NR > 1) print line; "
            "line = word = $1 } { line = line \" \" $2 } END { if (NR > 0) print line }'");
  EXPECT_EQ(Run("inverted-index", text), expected);
  EXPECT_EQ(Run("inverted-index", text, {{"splits", {"1"}}, {"partitions", {"100"}}}), expected);
}

TEST_F(TextWorkloadsTest, CombinedWordCountAgreesWithTheOther) {
  const std::string text = RandomText(20000, 4);
  const std::string combined = Run("wordcount-combined", text);
  const std::string checksum = result_.checksum;
  EXPECT_GT(result_.counters["app.map.pairs"], 20000u);
  EXPECT_EQ(combined, Run("wordcount", text));
  EXPECT_EQ(checksum, result_.checksum);
}

TEST_F(TextWorkloadsTest, SaysBeforeTheWorkThatItCannotWriteItsOutput) {
  const Status status =
      PrepareTiny("sort", {{"input", {FileWith("a")}}, {"output", {"/nonexistent/b"}}}).status();
  EXPECT_EQ(status.message(), "cannot write /nonexistent/b: No such file or directory");
}

}  // namespace
}  // namespace tandem::workloads
