#include "workloads/text_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <system_error>

#include "workloads/words.h"

namespace tandem::workloads {

namespace {

constexpr char kLinuxDoc[] = "/usr/share/doc/linux-doc-6.1/html";
constexpr char kBible[] = "/usr/bin/bible";
constexpr char kBibleText[] = "/usr/lib/bible.data";
// -f: one verse a line. The path keeps it from taking a data file of the current directory.
constexpr char kPrintBible[] =
    "/usr/bin/bible -f -p /usr/lib gen1:1-rev22:21 </dev/null 2>/dev/null";

constexpr size_t kReadBytes = size_t{1} << 20;

Status FileError(const char* verb, const std::string& path) {
  return Status::Io(fmt::format("cannot {} {}: {}", verb, path, std::strerror(errno)));
}

// Appends a file to `text`, which ends at `limit` bytes.
Status AppendFile(const std::string& path, uint64_t limit, std::string& text, Progress& progress) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError("open", path);
  Status status;
  while (text.size() < limit) {
    const size_t before = text.size();
    text.resize(before + std::min<uint64_t>(kReadBytes, limit - before));
    const ssize_t got = read(fd, text.data() + before, text.size() - before);
    if (got < 0 && errno == EINTR) {
      text.resize(before);
      continue;
    }
    if (got < 0) status = FileError("read", path);
    text.resize(before + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0) break;
    progress.Advance(static_cast<uint64_t>(got));
  }
  close(fd);
  return status;
}

// What is in the way of reading the corpus; empty if nothing is.
std::string MissingFor(const std::string& corpus) {
  const auto absent = [](const char* path) { return access(path, R_OK) != 0; };
  if (corpus == "linux-doc") return absent(kLinuxDoc) ? kLinuxDoc : "";
  return absent(kBible) ? kBible : absent(kBibleText) ? kBibleText : "";
}

StatusOr<std::string> ChooseCorpus(const std::string& wanted) {
  constexpr char kRemedy[] =
      "install one with `apt-get install linux-doc-6.1` or `apt-get install bible-kjv "
      "bible-kjv-text`, or name files with --input";
  if (wanted != "auto") {
    const std::string missing = MissingFor(wanted);
    if (missing.empty()) return wanted;
    return Status::Unavailable(
        fmt::format("corpus {} is not installed ({} is missing): {}", wanted, missing, kRemedy));
  }
  for (const char* corpus : {"linux-doc", "bible"}) {
    if (MissingFor(corpus).empty()) return std::string(corpus);
  }
  return Status::Unavailable(fmt::format("no text to count is installed: {}", kRemedy));
}

StatusOr<std::vector<std::string>> LinuxDocFiles() {
  std::vector<std::string> files;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entries(kLinuxDoc, error);
  const std::filesystem::recursive_directory_iterator end;
  for (; !error && entries != end; entries.increment(error)) {
    if (entries->path().extension() == ".html") files.push_back(entries->path());
  }
  if (error) return Status::Io(fmt::format("cannot read {}: {}", kLinuxDoc, error.message()));
  std::sort(files.begin(), files.end());
  return files;
}

StatusOr<std::string> PrintBible(uint64_t limit) {
  std::FILE* pipe = popen(kPrintBible, "r");
  if (pipe == nullptr) return FileError("run", kBible);
  std::string text;
  for (size_t got = 1; got > 0;) {
    const size_t before = text.size();
    text.resize(before + kReadBytes);
    got = fread(text.data() + before, 1, kReadBytes, pipe);
    text.resize(before + got);
  }
  if (pclose(pipe) != 0 || text.empty()) {
    return Status::Io(fmt::format("{} did not print its text", kBible));
  }
  if (text.size() > limit) text.resize(limit);
  return text;
}

// An ending made of letters only, so that the word stays one word; different for every copy.
void AppendEnding(std::string& text, uint64_t copy) {
  text += 'x';
  for (; copy != 0; copy /= 26) text += static_cast<char>('a' + copy % 26);
}

}  // namespace

StatusOr<std::string> ReadText(TextSource& source, Progress& progress) {
  const uint64_t limit = source.bytes != 0 ? source.bytes : UINT64_MAX;
  progress.Begin("read", source.bytes);
  std::vector<std::string> files = source.files;
  std::string text;
  if (!files.empty()) {
    source.corpus.clear();
  } else {
    StatusOr<std::string> corpus = ChooseCorpus(source.corpus);
    if (!corpus.ok()) return corpus.status();
    source.corpus = *corpus;
    if (source.corpus == "linux-doc") {
      StatusOr<std::vector<std::string>> pages = LinuxDocFiles();
      if (!pages.ok()) return pages.status();
      files = std::move(*pages);
    } else {
      StatusOr<std::string> bible = PrintBible(limit);
      if (!bible.ok()) return bible.status();
      text = std::move(*bible);
    }
  }
  for (const std::string& file : files) {
    if (Status status = AppendFile(file, limit, text, progress); !status.ok()) return status;
  }
  if (source.bytes != 0) EnlargeText(text, source.bytes, source.seed);
  return text;
}

void EnlargeText(std::string& text, uint64_t bytes, uint64_t seed) {
  if (text.empty() || text.size() >= bytes) return;
  const std::string original = text;
  text.reserve(bytes);
  for (uint64_t copy = 1; text.size() < bytes; ++copy) {
    text += '\n';
    const uint64_t salt = Mix(seed ^ Mix(copy));
    WordScanner scanner(original);
    size_t copied = 0;  // of the original
    std::string_view word;
    while (text.size() < bytes && scanner.Next(&word)) {
      if (word.size() < 4 || Mix(HashWord(word) ^ salt) % 8 != 0) continue;
      const auto end = static_cast<size_t>(word.data() + word.size() - original.data());
      text.append(original, copied, end - copied);
      AppendEnding(text, copy);
      copied = end;
    }
    text.append(original, copied);
  }
  text.resize(bytes);
}

}  // namespace tandem::workloads
