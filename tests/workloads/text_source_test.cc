#include "workloads/text_source.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "workloads/words.h"

namespace tandem::workloads {
namespace {

constexpr char kVerse[] = "In the beginning God created the heaven and the earth. Without form!\n";

std::set<std::string> Vocabulary(std::string_view text) {
  std::set<std::string> words;
  WordScanner scanner(text);
  std::string_view word;
  while (scanner.Next(&word)) words.emplace(word);
  return words;
}

TEST(EnlargeTextTest, MakesTheSizeThatIsAskedForFromTheTextItself) {
  std::string text = kVerse;
  EnlargeText(text, 12345, 1);
  EXPECT_EQ(text.size(), 12345u);
  EXPECT_EQ(text.substr(0, sizeof kVerse - 1), kVerse);
}

TEST(EnlargeTextTest, IsTheSameForTheSameSeedOnly) {
  std::string first = kVerse, same = kVerse, other = kVerse;
  EnlargeText(first, 5000, 7);
  EnlargeText(same, 5000, 7);
  EnlargeText(other, 5000, 8);
  EXPECT_EQ(first, same);
  EXPECT_NE(first, other);
}

TEST(EnlargeTextTest, AShorterOneIsTheBeginningOfALongerOne) {
  std::string shorter = kVerse, longer = kVerse;
  EnlargeText(shorter, 3000, 1);
  EnlargeText(longer, 9000, 1);
  EXPECT_EQ(shorter, longer.substr(0, 3000));
}

TEST(EnlargeTextTest, VocabularyGrowsWithTheText) {
  std::string text = kVerse;
  EnlargeText(text, 100 * sizeof kVerse, 1);
  EXPECT_GT(Vocabulary(text).size(), 3 * Vocabulary(kVerse).size());
}

TEST(EnlargeTextTest, LeavesLongerAndEmptyTextAlone) {
  std::string text = kVerse, empty;
  EnlargeText(text, 10, 1);
  EnlargeText(empty, 10, 1);
  EXPECT_EQ(text, kVerse);
  EXPECT_EQ(empty, "");
}

TEST(EnlargeTextTest, RepeatsTextWithoutWords) {
  std::string text = "123 ";
  EnlargeText(text, 10, 1);
  EXPECT_EQ(text, "123 \n123 \n");
}

}  // namespace
}  // namespace tandem::workloads
